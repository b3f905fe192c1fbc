// SPDX-License-Identifier: MPL-2.0

//! Tells what the user asks to be done from everything else that is said about it.
//!
//! A function may run programs or move money, so a sentence that only names what it does must not call it: one that is
//! negated ("do not …"), conditional ("if …"), about the past, a statement, or a question about the action. The rules
//! look at the form of a sentence only, and where a form is ambiguous they decide against the call: what was missed can
//! be said again, what was done cannot be taken back.

use crate::rules::words::{Mood, Word, has, opening, stem};
use crate::speech::number_word;

/// Words at the start of a clause that do not change what it is.
const FILLERS: &str = "a actually ah alright also an and but er finally first hello hey hi instead just kindly now oh \
    ok okay or please quickly rather right so sure the then uh um well yeah yes";
/// Words with which a question begins.
const QUESTIONS: &str = "what what's whats which who who's whose where where's when when's why how how's is are am was \
    were do does did has have had can could will would should may might must shall whether";
/// Subjects with which a statement begins.
const SUBJECTS: &str = "i i'm i've i'd i'll you you're you've you'll he he's she she's it it's we we're we've we'll they \
    they're there there's this that that's these those someone somebody everyone everybody people my his her our their \
    your";
/// Verbs that make a statement of what stands before them.
const FINITE: &str = "is are am has have does do will would can could should must might may shall seems wants likes \
    needs says tells thinks asks knows gets makes";
/// Words of the past.
const PAST: &str = "was were did had been ago yesterday previously formerly";
/// Past forms that do not end in "ed".
const IRREGULAR: &str = "sent told said gave went made paid bought sold took wrote heard thought came saw left kept knew \
    spent lent shut ran drove spoke threw began done";
/// When something was.
const LAST: &str = "last time|last night|last week|last weekend|last month|last year|last summer|last winter|\
    last spring|last autumn";
/// Participles that name something.
const NAMED: &str = "called named titled entitled labelled labeled related used";
/// Verbs of orders. Another form of them does not order anything.
pub const VERBS: &str = "add ask block book buy call cancel change check clear close connect create decrease delete dim \
    disable display drive enable end erase execute find get give go hang increase invite launch list lock lower make \
    move mute open order pause pay play post publish raise read reboot record remember remind remove reserve reset \
    restart run save say schedule search sell send set show shut start stop submit switch take tell text transfer \
    translate turn unlock unmute update wake wire write";
/// Verbs whose object is text: what stands behind them in their clause is not about the function.
const TELLING: &str = "ask note remember remind say search tell text translate write google";
/// Verbs before an indirect question: "tell me whether …".
const ASKING: &str = "ask check describe explain find know look me out see show tell us wonder";
/// Words and phrases that make all of their sentence conditional.
const CONDITIONS: &str = "if|unless|whenever|until|provided|assuming|supposing|suppose|imagine|otherwise|in case|\
    soon as|long as";
/// Words that do so before a subject.
const TIMES: &str = "when once after before while till";
/// What takes back everything before it, when nothing else is said in its clause but words beside a retraction.
const RETRACTIONS: &str = "no|don't|do not|never mind|nevermind|forget it|forget that|cancel that|cancel it|\
    scratch that|stop it|stop that|leave it";
/// The words of retractions and beside them.
const RETRACTING: &str = "no don't do not never mind nevermind forget it that cancel scratch stop leave wait sorry \
    please actually oh this so and but hold on";
/// Requests in the form of a question or a statement.
const POLITE: &str = "can you|could you|will you|would you|can we|could we|i want|i need|i would like|i'd like|i wish|\
    we want|we need|we would like|we'd like|let's|let us|go ahead|make sure|be sure|i was wondering if you could|\
    i wonder if you could|don't forget|do not forget";
/// Verbs that end what goes on: "stop playing".
const STOPPING: &str = "stop quit cease end";

/// The words between punctuation or conjunctions.
pub fn clauses<'a, 'w>(words: &'a [Word<'w>]) -> impl Iterator<Item = &'a [Word<'w>]> {
    words.chunk_by(|before, word| before.sign.is_none() && !word.is_any("and then also but"))
}

/// The mood of each word. Words from the byte `reply` on answer a question for an argument, and belong to the request
/// unless they take it back.
pub fn moods(text: &str, words: &[Word<'_>], reply: usize) -> Vec<Mood> {
    let mut moods: Vec<Mood> = Vec::with_capacity(words.len());
    for sentence in words.chunk_by(|before, _| !before.ends_with(".!?;")) {
        let asked = sentence.last().is_some_and(|word| word.ends_with("?")) && !ends_politely(sentence);
        let (spoken, told) = sentence.split_at(content(text, sentence));
        let answers = sentence[0].start >= reply;
        let conditional = !answers && is_conditional(spoken);
        let (mut negated, mut before) = (false, None);
        for clause in clauses(spoken) {
            if !moods.is_empty() && (is_retraction(clause) || (answers && is_negated(clause))) {
                moods.fill(Mood::Other);
                moods.resize(moods.len() + clause.len(), Mood::Other);
                continue;
            }
            negated = is_negated(clause) || (negated && !clause[0].is_any("but instead rather"));
            let mood = match () {
                () if conditional || negated => Mood::Other,
                () if answers => Mood::Order,
                () if stops(clause) => Mood::Stop,
                () => mood(clause, asked, before),
            };
            before = Some(mood);
            let from = indirect(clause).filter(|_| mood == Mood::Order && !answers).unwrap_or(clause.len());
            moods.resize(moods.len() + from, mood);
            moods.resize(moods.len() + clause.len() - from, Mood::Question);
        }
        let about = if before == Some(Mood::Other) { Mood::Other } else { Mood::Content };
        moods.resize(moods.len() + told.len(), about);
    }
    moods
}

/// Where the text of a message begins: behind a colon or a word such as "saying", or in quotation marks.
fn content(text: &str, sentence: &[Word<'_>]) -> usize {
    let tells = [FILLERS, VERBS, "note"].iter().any(|list| sentence[0].is_any(list));
    let quotes = ['"', '“', '«'];
    if text[..sentence[0].start].trim_end().ends_with(quotes) {
        return 0;
    }
    let begins = |at: &usize| {
        let before = &sentence[at - 1];
        let announces = before.ends_with(":") || before.is_any("saying says") || (tells && before.lower == "that");
        announces || text[before.end..sentence[*at].start].contains(quotes)
    };
    (1..sentence.len()).find(begins).unwrap_or(sentence.len())
}

/// Where an indirect question begins: "tell me whether …", "explain how …".
fn indirect(clause: &[Word<'_>]) -> Option<usize> {
    let asks = |word: &Word<'_>| word.lower == "if" || (word.is_any(QUESTIONS) && !word.is_any(FINITE));
    (1..clause.len()).find(|&at| clause[at - 1].is_any(ASKING) && asks(&clause[at]))
}

fn is_conditional(sentence: &[Word<'_>]) -> bool {
    const POSSIBLE: &str = "possible|needed|you can|you could|you please|you would|you like";
    // "Should Peter call, …"
    let inverted = sentence.first().is_some_and(|word| word.is_any("should were had"))
        && sentence.iter().any(|word| word.ends_with(","))
        && sentence.last().is_some_and(|word| !word.ends_with("?"));
    let waits = |at: usize| {
        let rest = &sentence[at..];
        let condition = opening(rest, CONDITIONS);
        let asks = at > 0 && sentence[at - 1].is_any(ASKING);
        if asks || opening(&rest[condition.unwrap_or(1)..], POSSIBLE).is_some() {
            return false;
        }
        let [word, next, ..] = rest else { return condition.is_some() };
        let subject = next.is_any(SUBJECTS) || next.lower == "the" || next.is_name();
        let event = at > 0 && word.is_any("when once while") && !next.is_any("more again");
        condition.is_some() || (word.is_any(TIMES) && word.sign.is_none() && (subject || event))
    };
    inverted || (0..sentence.len()).any(waits)
}

/// Whether a sentence ends in "would you?" behind an order.
fn ends_politely(sentence: &[Word<'_>]) -> bool {
    let polite = "would you|will you|could you|can you";
    sentence.len() > 2
        && sentence[sentence.len() - 3].ends_with(",")
        && opening(&sentence[sentence.len() - 2..], polite).is_some()
}

/// The words of a clause behind its fillers.
fn start<'a, 'w>(clause: &'a [Word<'w>]) -> &'a [Word<'w>] {
    &clause[clause.iter().position(|word| !word.is_any(FILLERS)).unwrap_or(clause.len())..]
}

fn is_gerund(word: &Word<'_>) -> bool {
    word.lower.len() > 5 && word.lower.ends_with("ing")
}

/// Whether a clause orders to stop doing something: "stop playing".
fn stops(clause: &[Word<'_>]) -> bool {
    matches!(start(clause), [first, next, ..] if first.is_any(STOPPING) && is_gerund(next))
}

/// Whether a clause says "not". Of verbs with a text behind them ("remind me not to …") only the beginning counts.
fn is_negated(clause: &[Word<'_>]) -> bool {
    let rest = start(clause);
    // "Don't forget to …" is an order.
    let rest = &rest[opening(rest, "don't forget|do not forget").unwrap_or(0)..];
    let not = |(at, word): (usize, &Word<'_>)| {
        word.is_any("not never cannot neither nor nobody")
            || word.lower.ends_with("n't")
            // "a pizza with no onions" is ordered, "send no money" is not.
            || (at < 3 && word.is_any("no nothing none"))
            || (at == 0 && word.is_any("without avoid refuse"))
    };
    !rest.first().is_some_and(|word| word.is_any(TELLING)) && rest.iter().enumerate().any(not)
}

/// Whether a clause only takes back what was said before.
fn is_retraction(clause: &[Word<'_>]) -> bool {
    has(clause, RETRACTIONS) && clause.iter().all(|word| word.is_any(RETRACTING))
}

/// What a clause is that is neither negated nor conditional.
fn mood(clause: &[Word<'_>], asked: bool, before: Option<Mood>) -> Mood {
    let mut rest = start(clause);
    // "Do open the door" is an order.
    if matches!(rest, [first, next, ..] if first.lower == "do" && next.is_any(VERBS) && !asked) {
        rest = &rest[1..];
    }
    let Some(first) = rest.first() else { return before.unwrap_or(Mood::Order) };
    let next = |list: &str| rest.get(1).is_some_and(|next| next.is_any(list));
    // "To open the door you need a key."
    if first.lower == "to" && next(VERBS) {
        return Mood::Other;
    }
    if let Some(count) = opening(rest, POLITE) {
        return wish(&rest[count..], first.is_any("i i'd we we'd"));
    }
    let orders = first.is_any(VERBS) && !next(FINITE) && !next(PAST);
    if is_past(rest) && !(orders && first.is_any(TELLING)) {
        return Mood::Other;
    }
    if first.is_any(QUESTIONS) || asked {
        return if first.is_any("have has") { Mood::Other } else { Mood::Question };
    }
    // "I go home and turn on the light" orders nothing; "what's the time and turn on the light" does.
    let joined = before.filter(|_| clause[0].is_any("and or"));
    match joined {
        Some(Mood::Other) => Mood::Other,
        _ if orders => Mood::Order,
        Some(Mood::Question) => Mood::Question,
        _ if first.is_any(SUBJECTS) || is_gerund(first) || rest.iter().any(is_finite) => Mood::Other,
        _ => Mood::Order,
    }
}

/// What a polite form is with these words behind it: "I want …", "could you …".
fn wish(wish: &[Word<'_>], is_own: bool) -> Mood {
    let perfect = wish.first().is_some_and(|word| word.is_any("have ever")) && is_past(&wish[1..]);
    // "I want the door unlocked" is a wish.
    let done = is_own && wish.last().is_some_and(|word| !word.is_any(PAST));
    let past = is_past(&wish[..wish.len() - usize::from(done)]);
    if past || perfect || has(wish, "ever") { Mood::Other } else { Mood::Order }
}

/// Whether a word is the verb of a statement.
fn is_finite(word: &Word<'_>) -> bool {
    let is_form = || VERBS.split_whitespace().any(|verb| stem(verb) == word.stem);
    word.is_any(FINITE) || (!word.is_any(VERBS) && !word.is_any(NAMED) && is_form())
}

/// Whether a clause tells of the past. The first word may be an order that looks like it.
fn is_past(clause: &[Word<'_>]) -> bool {
    let orders = clause.first().is_some_and(|word| word.is_any(VERBS));
    let is_form = |(at, word): (usize, &Word<'_>)| {
        let ended = word.lower.ends_with("ed") && word.lower.len() > 4 && !(at > 0 && word.is_name());
        (word.is_any(IRREGULAR) || ended) && !word.is_any(NAMED) && number_word(&word.lower).is_none()
    };
    has(clause, LAST)
        || clause.iter().any(|word| word.is_any(PAST))
        || (!orders && clause.iter().enumerate().any(is_form))
}
