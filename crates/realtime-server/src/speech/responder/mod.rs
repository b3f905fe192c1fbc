// SPDX-License-Identifier: MPL-2.0

//! The rule-based responder: what the server answers to recognised speech.
//!
//! There is no language model. The responder knows time and date, evaluates arithmetic, counts words and remembers the
//! conversation and what the user told of himself. The first statement it repeats, to show what was understood, and
//! later ones it acknowledges; of a question that it cannot answer it says so, the first time with the reason. Answers
//! are deterministic, so that tests can expect them: time is an argument, and the same question in the same [`Context`]
//! has the same answer.

mod arithmetic;
mod calendar;
mod facts;
pub mod pictures;

use crate::speech::text_normalization;
use jiff::Zoned;

/// What an answer depends on besides the last words.
pub struct Context<'a> {
    /// The time with its time zone.
    pub now: &'a Zoned,
    /// The number of this answer in the conversation, from 1.
    pub turn: usize,
    /// The session's instructions. Not followed, but repeated when asked for.
    pub instructions: Option<&'a str>,
    /// Earlier transcripts, the oldest first.
    pub earlier: &'a [String],
    /// What there is to say about the pictures.
    pub picture: Option<&'a str>,
}

const INTRODUCTION: &str = "This is the offline voice.";
const ABILITIES: &str = "I can tell you the time and the date, work out a sum, and repeat what I heard.";

/// Longer texts are repeated in part.
const MAX_REPEATED: usize = 25;

/// The answer to what was `heard`, in sentences to be spoken.
pub fn answer(heard: &str, context: &Context<'_>) -> String {
    let question = Question::new(heard);
    let answer = capitalized(&respond(&question, context));
    if context.turn <= 1 && !answer.contains("offline voice") { format!("{INTRODUCTION} {answer}") } else { answer }
}

fn respond(question: &Question<'_>, context: &Context<'_>) -> String {
    if question.words.is_empty() {
        return crate::speech::responder::pictures::told(context)
            .unwrap_or_else(|| "I did not catch any words.".to_owned());
    }
    known(question, context)
        .or_else(|| crate::speech::responder::pictures::aside(question, context))
        .unwrap_or_else(|| unknown(question, context))
}

/// The answer, if a rule matches.
fn known(question: &Question<'_>, context: &Context<'_>) -> Option<String> {
    let words = question.words();
    // What is to be repeated is not a question by itself.
    repeated(question)
        .or_else(|| crate::speech::responder::arithmetic::answer(&words))
        .or_else(|| crate::speech::responder::calendar::answer(question, context.now))
        .or_else(|| about_the_talk(question, context))
        .or_else(|| crate::speech::responder::facts::answer(question, context))
        .or_else(|| crate::speech::responder::pictures::answer(question, context))
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
    /// In lower case, with numbers as words, without punctuation.
    words: Vec<String>,
}

impl<'a> Question<'a> {
    fn new(heard: &'a str) -> Self {
        Self { text: heard.trim(), words: plain_words(heard) }
    }

    fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    /// Whether these words occur in sequence.
    fn has(&self, phrase: &str) -> bool {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        self.words.windows(phrase.len()).any(|window| window == phrase)
    }

    fn has_any(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.has(phrase))
    }

    /// Whether the text consists of exactly these words.
    fn is_any(&self, phrases: &[&str]) -> bool {
        let text = self.words.join(" ");
        phrases.contains(&text.as_str())
    }

    /// The number of words as a listener counts them.
    fn count(&self) -> usize {
        count(self.text)
    }
}

/// The words of a text in lower case, with numbers as words, without punctuation.
pub fn plain_words(text: &str) -> Vec<String> {
    let said = text_normalization::words(&text_normalization::modern(text)).to_lowercase();
    let words = said.split(|c: char| !c.is_alphanumeric() && c != '\'');
    words.map(|word| word.trim_matches('\'')).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn count(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
}

fn count_in_words(count: usize) -> String {
    format!("{count} {}", if count == 1 { "word" } else { "words" })
}

/// A text without the punctuation at its end, to be quoted in a sentence.
fn quoted(text: &str) -> &str {
    text.trim().trim_end_matches(['.', ',', ';', ':', '!', '?', '…', '-', ' '])
}

fn repeated(question: &Question<'_>) -> Option<String> {
    behind(question.text, "repeat after me").map(|text| format!("{}.", quoted(text)))
}

fn about_the_talk(question: &Question<'_>, context: &Context<'_>) -> Option<String> {
    let last = context.earlier.last().map(|text| text.as_str());
    if question.has_any(&["how many words"]) {
        let now = format!("Your question had {}.", count_in_words(question.count()));
        return Some(match last {
            Some(last) => format!("{now} What you said before it had {}.", count_in_words(count(last))),
            None => now,
        });
    }
    let asked = ["what did i say", "what did i just say", "what i said", "what have i said", "what did i tell you"];
    if question.has_any(&asked) {
        let first = question.has_any(&["first", "at the beginning", "in the beginning"]);
        let which = if first { context.earlier.first().map(|text| text.as_str()) } else { last };
        return Some(match which {
            Some(text) if count(text) > 0 => format!("You said: {}.", quoted(text)),
            _ => "You have not said anything before this.".to_owned(),
        });
    }
    None
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The text after a phrase, ignoring case.
fn behind<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    let at = text
        .char_indices()
        .map(|(at, _)| at)
        .find(|&at| text.get(at..at + phrase.len()).is_some_and(|start| start.eq_ignore_ascii_case(phrase)))?;
    let rest = text[at + phrase.len()..].trim_start_matches([',', ':', '.', ' ']);
    rest.contains(char::is_alphanumeric).then_some(rest)
}

fn about_itself(question: &Question<'_>, context: &Context<'_>) -> Option<String> {
    let who = [
        "who are you",
        "what are you",
        "your name",
        "who is this",
        "who is there",
        "are you a robot",
        "are you a human",
        "are you human",
        "are you real",
        "introduce yourself",
        "about yourself",
    ];
    if question.has_any(&who) {
        return Some(format!("I am the offline voice, a small program without a language model. {ABILITIES}"));
    }
    if question.has_any(&["what can you do", "can you help", "help me", "what do you know"]) {
        return Some(ABILITIES.to_owned());
    }
    if question.has_any(&["your instructions", "your instruction", "were you told", "your prompt"]) {
        return Some(match context.instructions.map(quoted).filter(|text| count(text) > 0) {
            Some(text) => format!("My instructions are: {text}. But I am only the offline voice."),
            None => "I was given no instructions.".to_owned(),
        });
    }
    None
}

fn pleasantry(question: &Question<'_>) -> Option<String> {
    let short = question.words.len() <= 4;
    let answer = if question.has_any(&["how are you", "how do you do"]) {
        "Thank you for asking. I am up and running."
    } else if short && question.has_any(&["thank you", "thanks"]) {
        "You are welcome."
    } else if short && question.has_any(&["goodbye", "good bye", "bye", "good night", "see you"]) {
        "Goodbye."
    } else if short && question.has_any(&["hello", "hi", "hey", "good morning", "good afternoon", "good evening"]) {
        "Hello. What would you like to know?"
    } else if question.is_any(&["yes", "no", "okay", "ok", "yeah", "right"]) {
        "All right."
    } else {
        return None;
    };
    Some(answer.to_owned())
}

/// The answer where no rule matches.
fn unknown(question: &Question<'_>, context: &Context<'_>) -> String {
    let is_asked = is_question(question);
    let before = context.earlier.iter().filter(|text| is_question(&Question::new(text)) == is_asked && !is_known(text));
    match (is_asked, before.count()) {
        (true, 0) => "I cannot answer that without a language model.".to_owned(),
        (true, _) => "I cannot answer that either.".to_owned(),
        (false, 0) => repetition(question),
        (false, 1) => "I heard that too, but I can say nothing about it without a language model.".to_owned(),
        (false, _) => "I heard that too.".to_owned(),
    }
}

/// A statement said back, or its beginning and end when it is long.
fn repetition(question: &Question<'_>) -> String {
    let text = quoted(question.text);
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.len() > MAX_REPEATED {
        let (first, last) = (words[..6].join(" "), words[words.len() - 6..].join(" "));
        return format!(
            "You said {}. It began with: {}. It ended with: {last}.",
            count_in_words(question.count()),
            quoted(&first),
        );
    }
    format!("I heard you say: {text}.")
}

fn is_question(question: &Question<'_>) -> bool {
    const QUESTIONS: [&str; 12] =
        ["what", "what's", "who", "who's", "where", "when", "why", "how", "which", "can", "could", "will"];
    question.text.ends_with('?') || question.words.first().is_some_and(|word| QUESTIONS.contains(&word.as_str()))
}

#[cfg(test)]
mod tests;
