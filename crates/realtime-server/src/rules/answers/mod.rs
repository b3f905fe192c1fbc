// SPDX-License-Identifier: MPL-2.0

//! The answers to what was heard, without a language model.
//!
//! They tell time and date, evaluate arithmetic, count words and remember the conversation and what the user told of
//! himself. The first statement is repeated, to show what was understood, and later ones are acknowledged; of a question
//! without an answer this is said, the first time with the reason. Answers are deterministic, so that tests can expect
//! them: time is an argument, and the same question in the same [`Context`] has the same answer.

mod arithmetic;
mod calendar;
mod facts;
pub mod pictures;

use crate::rules::words::{capitalized, has, is_in};
use crate::speech::plain_words;
use jiff::Zoned;

/// Context of an answer, besides the last words.
pub struct Context<'a> {
    /// The time with its time zone.
    pub now: &'a Zoned,
    /// The number of this answer in the conversation, from 1.
    pub turn: usize,
    /// The session's instructions. Not followed, but repeated when asked for.
    pub instructions: Option<&'a str>,
    /// Earlier transcripts, the oldest first.
    pub earlier: &'a [String],
    /// Description of the pictures, if they are of interest.
    pub picture: Option<&'a str>,
}

const INTRODUCTION: &str = "This is the offline voice.";
const ABILITIES: &str = "I can tell you the time and the date, work out a sum, and repeat what I heard.";
/// Longer texts are repeated in part.
const MAX_REPEATED: usize = 25;

const WHAT_WAS_SAID: &str = "what did i say|what did i just say|what i said|what have i said|what did i tell you";
const IDENTITY: &str = "who are you|what are you|your name|who is this|who is there|are you a robot|are you a human|\
    are you human|are you real|introduce yourself|about yourself";
/// Pleasantries with the answer, and the most words of a text that is one.
const PLEASANTRIES: [(&str, usize, &str); 5] = [
    ("how are you|how do you do", usize::MAX, "Thank you for asking. I am up and running."),
    ("thank you|thanks", 4, "You are welcome."),
    ("goodbye|good bye|bye|good night|see you", 4, "Goodbye."),
    ("hello|hi|hey|good morning|good afternoon|good evening", 4, "Hello. What would you like to know?"),
    ("yes|no|okay|ok|yeah|right", 1, "All right."),
];
/// First words of a question.
const QUESTIONS: &str = "what what's who who's where when why how which can could will";

/// The answer to what was `heard`, in sentences to be spoken.
pub fn answer(heard: &str, context: &Context<'_>) -> String {
    let question = Question::new(heard);
    let answer = match context.picture {
        Some(picture) if question.words.is_empty() => picture.to_owned(),
        None if question.words.is_empty() => "I did not catch any words.".to_owned(),
        picture => known(&question, context).unwrap_or_else(|| match picture {
            Some(picture) => format!("{} {picture}", unknown(&question, context)),
            None => unknown(&question, context),
        }),
    };
    let answer = capitalized(&answer);
    if context.turn <= 1 && !answer.contains("offline voice") { format!("{INTRODUCTION} {answer}") } else { answer }
}

/// The answer, if a rule matches.
fn known(question: &Question<'_>, context: &Context<'_>) -> Option<String> {
    // What is to be repeated is not a question by itself.
    repeated(question)
        .or_else(|| arithmetic::answer(&question.words))
        .or_else(|| calendar::answer(&question.words, context.now))
        .or_else(|| about_the_talk(question, context))
        .or_else(|| facts::answer(question, context))
        .or_else(|| pictures::answer(question, context.picture))
        .or_else(|| about_itself(question, context))
        .or_else(|| pleasantry(question))
}

/// Whether a rule matches, so that the answer is more than a repetition.
pub fn is_known(text: &str) -> bool {
    let context = Context { now: &Zoned::default(), turn: 2, instructions: None, earlier: &[], picture: None };
    known(&Question::new(text), &context).is_some()
}

/// The transcript, as written and as normalised words.
struct Question<'a> {
    text: &'a str,
    words: Vec<String>,
}

impl<'a> Question<'a> {
    fn new(heard: &'a str) -> Self {
        Self { text: heard.trim(), words: plain_words(heard) }
    }

    /// Whether it has a question mark, which transcripts may lack, or begins with one of these words.
    fn asks(&self, openings: &str) -> bool {
        self.text.ends_with('?') || self.words.first().is_some_and(|word| is_in(word, openings))
    }
}

/// The number of words as a listener counts them.
fn count(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
}

fn count_in_words(text: &str) -> String {
    let count = count(text);
    format!("{count} {}", if count == 1 { "word" } else { "words" })
}

/// A text without the punctuation at its end, to be quoted in a sentence.
fn quoted(text: &str) -> &str {
    text.trim().trim_end_matches(['.', ',', ';', ':', '!', '?', '…', '-', ' '])
}

fn repeated(question: &Question<'_>) -> Option<String> {
    const PHRASE: &str = "repeat after me";
    let at = question.text.to_ascii_lowercase().find(PHRASE)? + PHRASE.len();
    let text = question.text[at..].trim_start_matches([',', ':', '.', ' ']);
    (count(text) > 0).then(|| format!("{}.", quoted(text)))
}

fn about_the_talk(question: &Question<'_>, context: &Context<'_>) -> Option<String> {
    if has(&question.words, "how many words") {
        let now = format!("Your question had {}.", count_in_words(question.text));
        return Some(match context.earlier.last() {
            Some(last) => format!("{now} What you said before it had {}.", count_in_words(last)),
            None => now,
        });
    }
    let first = has(&question.words, "first|at the beginning|in the beginning");
    let said = if first { context.earlier.first() } else { context.earlier.last() };
    has(&question.words, WHAT_WAS_SAID).then(|| match said {
        Some(text) if count(text) > 0 => format!("You said: {}.", quoted(text)),
        _ => "You have not said anything before this.".to_owned(),
    })
}

fn about_itself(question: &Question<'_>, context: &Context<'_>) -> Option<String> {
    if has(&question.words, IDENTITY) {
        return Some(format!("I am the offline voice, a small program without a language model. {ABILITIES}"));
    }
    if has(&question.words, "what can you do|can you help|help me|what do you know") {
        return Some(ABILITIES.to_owned());
    }
    let instructions = context.instructions.map(quoted).filter(|text| count(text) > 0);
    has(&question.words, "your instructions|your instruction|were you told|your prompt").then(|| match instructions {
        Some(text) => format!("My instructions are: {text}. But I am only the offline voice."),
        None => "I was given no instructions.".to_owned(),
    })
}

fn pleasantry(question: &Question<'_>) -> Option<String> {
    let is_meant =
        |(phrases, most, _): &&(&str, usize, &str)| question.words.len() <= *most && has(&question.words, phrases);
    PLEASANTRIES.iter().find(is_meant).map(|(_, _, answer)| (*answer).to_owned())
}

/// The answer where no rule matches.
fn unknown(question: &Question<'_>, context: &Context<'_>) -> String {
    let asks = question.asks(QUESTIONS);
    let before = context.earlier.iter().filter(|text| Question::new(text).asks(QUESTIONS) == asks && !is_known(text));
    match (asks, before.count()) {
        (true, 0) => "I cannot answer that without a language model.".to_owned(),
        (true, _) => "I cannot answer that either.".to_owned(),
        (false, 0) => repetition(question.text),
        (false, 1) => "I heard that too, but I can say nothing about it without a language model.".to_owned(),
        (false, _) => "I heard that too.".to_owned(),
    }
}

/// A statement said back, or its beginning and end when it is long.
fn repetition(text: &str) -> String {
    let words: Vec<&str> = quoted(text).split_whitespace().collect();
    if words.len() <= MAX_REPEATED {
        return format!("I heard you say: {}.", quoted(text));
    }
    let (first, last) = (words[..6].join(" "), words[words.len() - 6..].join(" "));
    let count = count_in_words(text);
    format!("You said {count}. It began with: {}. It ended with: {last}.", quoted(&first))
}

#[cfg(test)]
mod tests;
