// SPDX-License-Identifier: MPL-2.0

//! Tells what the user asks to be done from everything else that is said about it.
//!
//! A function may run programs or move money, so a sentence that only names what it does must not call it: one that is
//! negated ("do not …"), conditional ("if …"), about the past, a statement, or a question about the action. The rules
//! look at the form of a sentence only, and where a form is ambiguous they decide against the call: what was missed can
//! be said again, what was done cannot be taken back.

use crate::function_calling::request_words::{
    ASKING, BESIDE, CONDITIONS, FILLERS, FINITE, IRREGULAR, LAST, NAMED, PAST, POLITE, QUESTIONS, RETRACTIONS,
    STOPPING, SUBJECTS, TELLING, TIMES, VERBS,
};
use crate::function_calling::tokens::{Mood, Word};
use crate::speech::number_word;

/// The mood of each word. Words from the byte `reply` on answer a question for an argument, and belong to the request
/// unless they take it back.
pub fn moods(text: &str, words: &[Word<'_>], reply: usize) -> Vec<Mood> {
    let mut moods: Vec<Mood> = Vec::with_capacity(words.len());
    for sentence in words.chunk_by(|before, _| !before.sign.is_some_and(|sign| ".!?;".contains(sign))) {
        let asked = sentence.last().and_then(|word| word.sign) == Some('?') && !ends_politely(sentence);
        let spoken = &sentence[..content(text, sentence)];
        let answers = sentence[0].start >= reply;
        let conditional = !answers && is_conditional(spoken);
        let (mut negated, mut before) = (false, None);
        for clause in
            spoken.chunk_by(|before, word| before.sign.is_none() && !word.is_any(&["and", "then", "also", "but"]))
        {
            if !moods.is_empty() && (is_retraction(clause) || (answers && is_negated(clause))) {
                moods.fill(Mood::Other);
                moods.resize(moods.len() + clause.len(), Mood::Other);
                continue;
            }
            negated &= !clause[0].is_any(&["but", "instead", "rather"]);
            negated |= is_negated(clause);
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
        let about = match before {
            Some(Mood::Other) => Mood::Other,
            _ => Mood::Content,
        };
        moods.resize(moods.len() + sentence.len() - spoken.len(), about);
    }
    moods
}

/// Where the text of a message begins: behind a colon or a word such as "saying", or in quotation marks.
fn content(text: &str, sentence: &[Word<'_>]) -> usize {
    let told = sentence[0].is_any(FILLERS) || sentence[0].is_any(VERBS) || sentence[0].is_any(&["note"]);
    let opened = |at: usize| text[..sentence[at].start].trim_end().ends_with(['"', '“', '«']);
    if opened(0) {
        return 0;
    }
    let begins = |at: usize| {
        let before = &sentence[at - 1];
        let quoted = text[before.end..sentence[at].start].contains(['"', '“', '«']);
        quoted || before.sign == Some(':') || before.is_any(&["saying", "says"]) || (told && before.lower == "that")
    };
    (1..sentence.len()).find(|at| begins(*at)).unwrap_or(sentence.len())
}

/// Where an indirect question begins: "tell me whether …", "explain how …".
fn indirect(clause: &[Word<'_>]) -> Option<usize> {
    (1..clause.len()).find(|&at| {
        (clause[at].is_any(QUESTIONS) && !clause[at].is_any(FINITE) || clause[at].lower == "if")
            && clause[at - 1].is_any(ASKING)
    })
}

fn is_conditional(sentence: &[Word<'_>]) -> bool {
    let next = |at: usize, words: &[&str]| sentence.get(at).is_some_and(|word| word.is_any(words));
    let polite = |at: usize| {
        next(at + 1, &["possible", "needed"])
            || (next(at + 1, &["you"]) && next(at + 2, &["can", "could", "please", "would", "like"]))
    };
    // "Should Peter call, …"
    let last = &sentence[sentence.len().saturating_sub(1)..];
    let inverted = next(0, &["should", "were", "had"])
        && sentence.iter().any(|word| word.sign == Some(','))
        && !last.iter().any(|word| word.sign == Some('?'));
    inverted
        || (0..sentence.len()).any(|at| {
            let (word, follows) = (&sentence[at], sentence.get(at + 1));
            let subject = follows.is_some_and(|next| next.is_any(SUBJECTS) || next.lower == "the" || next.is_name());
            let asks = at > 0 && sentence[at - 1].is_any(ASKING);
            let event = word.is_any(&["when", "once", "while"]) && !next(at + 1, &["more", "again"]);
            let waits = word.sign.is_none() && follows.is_some() && !polite(at) && (subject || (event && at > 0));
            (word.is_any(CONDITIONS) && !asks && !polite(at))
                || (word.is_any(TIMES) && waits && !asks)
                || (word.is_any(&["soon", "long"]) && next(at + 1, &["as"]) && !polite(at + 1))
                || (word.lower == "case" && at > 0 && sentence[at - 1].lower == "in")
        })
}

/// Whether a sentence ends in "would you?" behind an order.
fn ends_politely(sentence: &[Word<'_>]) -> bool {
    let Some((last, rest)) = sentence.split_last_chunk::<2>().map(|(rest, last)| (last, rest)) else { return false };
    rest.last().is_some_and(|word| word.sign == Some(','))
        && last[0].is_any(&["would", "will", "could", "can"])
        && last[1].lower == "you"
}

/// Whether a clause orders to stop doing something: "stop playing".
fn stops(clause: &[Word<'_>]) -> bool {
    let rest = &clause[start(clause)..];
    rest.first().is_some_and(|word| word.is_any(STOPPING))
        && rest.get(1).is_some_and(|word| word.lower.len() > 5 && word.lower.ends_with("ing"))
}

/// Whether a clause says "not". Of verbs with a text behind them ("remind me not to …") only the beginning counts.
fn is_negated(clause: &[Word<'_>]) -> bool {
    let start = start(clause);
    let rest = &clause[start..];
    let rest = match POLITE.iter().find(|frame| frame.contains("forget") && begins_with(rest, frame)) {
        Some(frame) => &rest[frame.split(' ').count()..],
        None => rest,
    };
    let telling = rest.first().is_some_and(|word| word.is_any(TELLING));
    rest.iter().enumerate().any(|(at, word)| {
        let not = word.is_any(&["not", "never", "cannot", "neither", "nor", "nobody"]) || word.lower.ends_with("n't");
        // "a pizza with no onions" is ordered, "send no money" is not.
        let none = word.is_any(&["no", "nothing", "none"]) && at < 3;
        (not && !(telling && at > 0)) || (none && !telling) || (at == 0 && word.is_any(&["without", "avoid", "refuse"]))
    })
}

/// Whether a clause only takes back what was said before.
fn is_retraction(clause: &[Word<'_>]) -> bool {
    let retracts = RETRACTIONS.iter().any(|phrase| {
        let count = phrase.split(' ').count();
        clause.windows(count).any(|window| begins_with(window, phrase))
    });
    let known = |word: &Word<'_>| {
        word.is_any(BESIDE) || RETRACTIONS.iter().any(|phrase| phrase.split(' ').any(|part| part == word.lower))
    };
    retracts && clause.iter().all(known)
}

/// What a clause is that is neither negated nor conditional.
fn mood(clause: &[Word<'_>], asked: bool, before: Option<Mood>) -> Mood {
    let joined = clause[0].is_any(&["and", "or"]);
    let mut rest = &clause[start(clause)..];
    // "Do open the door" is an order.
    if let [first, next, ..] = rest
        && first.lower == "do"
        && next.is_any(VERBS)
        && !asked
    {
        rest = &rest[1..];
    }
    let Some(first) = rest.first() else { return before.unwrap_or(Mood::Order) };
    // "To open the door you need a key."
    if first.lower == "to" && rest.get(1).is_some_and(|next| next.is_any(VERBS)) {
        return Mood::Other;
    }
    if let Some(frame) = POLITE.iter().find(|frame| begins_with(rest, frame)) {
        let wish = &rest[frame.split(' ').count()..];
        let perfect = wish.first().is_some_and(|word| word.is_any(&["have", "ever"])) && is_past(&wish[1..]);
        // "I want the door unlocked" is a wish.
        let done = first.is_any(&["i", "i'd", "we", "we'd"]) && wish.last().is_some_and(|word| !word.is_any(PAST));
        let past = is_past(&wish[..wish.len() - usize::from(done)]);
        return if past || perfect || wish.iter().any(|word| word.lower == "ever") { Mood::Other } else { Mood::Order };
    }
    let past = is_past(rest);
    let orders = first.is_any(VERBS) && rest.get(1).is_none_or(|next| !next.is_any(FINITE) && !next.is_any(PAST));
    if past && !(orders && first.is_any(TELLING)) {
        return Mood::Other;
    }
    if first.is_any(QUESTIONS) || asked {
        let completed = first.is_any(&["have", "has"]);
        return if completed { Mood::Other } else { Mood::Question };
    }
    // "I go home and turn on the light" orders nothing; "what's the time and turn on the light" does.
    if joined && before == Some(Mood::Other) {
        return Mood::Other;
    }
    if orders {
        return Mood::Order;
    }
    if joined && before == Some(Mood::Question) {
        return Mood::Question;
    }
    let inflected = |word: &Word<'_>| {
        !word.is_any(VERBS)
            && !word.is_any(NAMED)
            && VERBS.iter().any(|verb| crate::function_calling::tokens::stem(verb) == word.stem)
    };
    let states = first.is_any(SUBJECTS)
        || rest.iter().any(|word| word.is_any(FINITE) || inflected(word))
        || (first.lower.ends_with("ing") && first.lower.len() > 5);
    if states { Mood::Other } else { Mood::Order }
}

/// Whether a clause tells of the past. The first word may be an order that looks like it.
fn is_past(clause: &[Word<'_>]) -> bool {
    let orders = clause.first().is_some_and(|word| word.is_any(VERBS));
    clause.iter().enumerate().any(|(at, word)| {
        let ended = word.lower.ends_with("ed") && word.lower.len() > 4 && !(at > 0 && word.is_name());
        let form =
            !orders && (word.is_any(IRREGULAR) || ended) && !word.is_any(NAMED) && number_word(&word.lower).is_none();
        let last = word.lower == "last" && clause.get(at + 1).is_some_and(|next| next.is_any(LAST));
        word.is_any(PAST) || last || form
    })
}

/// Whether a lower-case word is a verb of orders.
pub fn is_verb(lower: &str) -> bool {
    VERBS.contains(&lower)
}

/// The index of the first word that matters.
fn start(clause: &[Word<'_>]) -> usize {
    clause.iter().position(|word| !word.is_any(FILLERS)).unwrap_or(clause.len())
}

fn begins_with(words: &[Word<'_>], phrase: &str) -> bool {
    let count = phrase.split(' ').count();
    words.len() >= count && phrase.split(' ').zip(words).all(|(part, word)| part == word.lower)
}
