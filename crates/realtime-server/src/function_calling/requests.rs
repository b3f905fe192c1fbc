// SPDX-License-Identifier: MPL-2.0

//! Tells what the user asks to be done from everything else that is said about it.
//!
//! A function may run programs or move money, so a sentence that only names what it does must not call it: one that is
//! negated ("do not …"), conditional ("if …"), about the past, a statement, or a question about the action. The rules
//! look at the form of a sentence only, and where a form is ambiguous they decide against the call: what was missed can
//! be said again, what was done cannot be taken back.

use crate::function_calling::tokens::{Mood, Word};
use crate::speech::number_word;

/// Words at the start of a clause that do not change what it is.
const FILLERS: &[&str] = &[
    "a", "actually", "ah", "alright", "also", "an", "and", "but", "er", "finally", "first", "hello", "hey", "hi",
    "instead", "just", "kindly", "now", "oh", "ok", "okay", "or", "please", "quickly", "rather", "right", "so", "sure",
    "the", "then", "uh", "um", "well", "yeah", "yes",
];
/// Words with which a question begins.
const QUESTIONS: &[&str] = &[
    "what", "what's", "whats", "which", "who", "who's", "whose", "where", "where's", "when", "when's", "why", "how",
    "how's", "is", "are", "am", "was", "were", "do", "does", "did", "has", "have", "had", "can", "could", "will",
    "would", "should", "may", "might", "must", "shall", "whether",
];
/// Subjects with which a statement begins.
const SUBJECTS: &[&str] = &[
    "i",
    "i'm",
    "i've",
    "i'd",
    "i'll",
    "you",
    "you're",
    "you've",
    "you'll",
    "he",
    "he's",
    "she",
    "she's",
    "it",
    "it's",
    "we",
    "we're",
    "we've",
    "we'll",
    "they",
    "they're",
    "there",
    "there's",
    "this",
    "that",
    "that's",
    "these",
    "those",
    "someone",
    "somebody",
    "everyone",
    "everybody",
    "people",
    "my",
    "his",
    "her",
    "our",
    "their",
    "your",
];
/// Verbs that make a statement of what stands before them.
const FINITE: &[&str] = &[
    "is", "are", "am", "has", "have", "does", "do", "will", "would", "can", "could", "should", "must", "might", "may",
    "shall", "seems", "wants", "likes", "needs", "says", "tells", "thinks", "asks", "knows", "gets", "makes",
];
/// Words of the past.
const PAST: &[&str] = &["was", "were", "did", "had", "been", "ago", "yesterday", "previously", "formerly"];
/// Past forms that do not end in "ed".
const IRREGULAR: &[&str] = &[
    "sent", "told", "said", "gave", "went", "made", "paid", "bought", "sold", "took", "wrote", "heard", "thought",
    "came", "saw", "left", "kept", "knew", "spent", "lent", "shut", "ran", "drove", "spoke", "threw", "began", "done",
];
/// Participles that name something.
const NAMED: &[&str] = &["called", "named", "titled", "entitled", "labelled", "labeled", "related", "used"];
/// After "last": when something was.
const LAST: &[&str] = &["time", "night", "week", "weekend", "month", "year", "summer", "winter", "spring", "autumn"];
/// Verbs of orders. Another form of them does not order anything.
const VERBS: &[&str] = &[
    "add",
    "ask",
    "block",
    "book",
    "buy",
    "call",
    "cancel",
    "change",
    "check",
    "clear",
    "close",
    "connect",
    "create",
    "decrease",
    "delete",
    "dim",
    "disable",
    "display",
    "drive",
    "enable",
    "end",
    "erase",
    "execute",
    "find",
    "get",
    "give",
    "go",
    "hang",
    "increase",
    "invite",
    "launch",
    "list",
    "lock",
    "lower",
    "make",
    "move",
    "mute",
    "open",
    "order",
    "pause",
    "pay",
    "play",
    "post",
    "publish",
    "raise",
    "read",
    "reboot",
    "record",
    "remember",
    "remind",
    "remove",
    "reserve",
    "reset",
    "restart",
    "run",
    "save",
    "say",
    "schedule",
    "search",
    "sell",
    "send",
    "set",
    "show",
    "shut",
    "start",
    "stop",
    "submit",
    "switch",
    "take",
    "tell",
    "text",
    "transfer",
    "translate",
    "turn",
    "unlock",
    "unmute",
    "update",
    "wake",
    "wire",
    "write",
];
/// Verbs whose object is text: what stands behind them in their clause is not about the function.
const TELLING: &[&str] =
    &["ask", "note", "remember", "remind", "say", "search", "tell", "text", "translate", "write", "google"];
/// Verbs before an indirect question: "tell me whether …".
const ASKING: &[&str] = &[
    "ask", "check", "describe", "explain", "find", "know", "look", "me", "out", "see", "show", "tell", "us", "wonder",
];
/// Words that make all of their sentence conditional.
const CONDITIONS: &[&str] =
    &["if", "unless", "whenever", "until", "provided", "assuming", "supposing", "suppose", "imagine", "otherwise"];
/// Words that do so before a subject.
const TIMES: &[&str] = &["when", "once", "after", "before", "while", "till"];
/// What takes back everything before it, when nothing else is said in its clause.
const RETRACTIONS: &[&str] = &[
    "no",
    "don't",
    "do not",
    "never mind",
    "nevermind",
    "forget it",
    "forget that",
    "cancel that",
    "cancel it",
    "scratch that",
    "stop it",
    "stop that",
    "leave it",
];
/// Words beside a retraction.
const BESIDE: &[&str] =
    &["wait", "sorry", "please", "actually", "no", "oh", "do", "it", "that", "this", "so", "and", "but", "hold", "on"];
/// Requests in the form of a question or a statement.
const POLITE: &[&str] = &[
    "can you",
    "could you",
    "will you",
    "would you",
    "can we",
    "could we",
    "i want",
    "i need",
    "i would like",
    "i'd like",
    "i wish",
    "we want",
    "we need",
    "we would like",
    "we'd like",
    "let's",
    "let us",
    "go ahead",
    "make sure",
    "be sure",
    "don't forget",
    "do not forget",
];

/// The mood of each word. Words from the byte `reply` on answer a question for an argument, and belong to the request
/// unless they take it back.
pub fn moods(text: &str, words: &[Word<'_>], reply: usize) -> Vec<Mood> {
    let mut moods: Vec<Mood> = Vec::with_capacity(words.len());
    for sentence in words.chunk_by(|before, _| !before.sign.is_some_and(|sign| ".!?;".contains(sign))) {
        let asked = sentence.last().and_then(|word| word.sign) == Some('?');
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
    let polite = |at: usize| {
        let next = |by: usize, words: &[&str]| sentence.get(at + by).is_some_and(|word| word.is_any(words));
        next(1, &["possible", "needed"]) || (next(1, &["you"]) && next(2, &["can", "could", "please", "would", "like"]))
    };
    (0..sentence.len()).any(|at| {
        let subject = sentence.get(at + 1).is_some_and(|next| next.is_any(SUBJECTS) || next.is_any(&["the"]));
        let asks = at > 0 && sentence[at - 1].is_any(ASKING);
        let question = at == 0 || asks;
        (sentence[at].is_any(CONDITIONS) && !asks && !polite(at))
            || (sentence[at].is_any(TIMES) && subject && !question)
            || (at == 0 && sentence[at].is_any(TIMES) && subject)
            || (sentence[at].lower == "case" && at > 0 && sentence[at - 1].lower == "in")
    })
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
    let rest = &clause[start(clause)..];
    let Some(first) = rest.first() else { return before.unwrap_or(Mood::Order) };
    let past = is_past(rest);
    if let Some(frame) = POLITE.iter().find(|frame| begins_with(rest, frame)) {
        let wish = &rest[frame.split(' ').count()..];
        let perfect = wish.first().is_some_and(|word| word.is_any(&["have", "ever"])) && is_past(&wish[1..]);
        return if past || perfect || wish.iter().any(|word| word.lower == "ever") { Mood::Other } else { Mood::Order };
    }
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
