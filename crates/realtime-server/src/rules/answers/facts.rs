// SPDX-License-Identifier: MPL-2.0

//! Facts that the user told about himself, and questions for them: "my name is Anna" … "what is my name?"

use crate::rules::answers::{Context, Question, quoted};
use crate::rules::words::{has, is_in, opening};

/// Something that was told: whose or what, and the rest.
struct Fact {
    /// What it is about, in the user's words and in lower case: "my name", "i live".
    about: String,
    /// What was said of it, ready to be said back: "is Anna", "in Paris".
    said: String,
}

/// Facts without "my": their phrases, what they are about, the verb to be said back, and the questions for them.
const FACTS: [(&str, &str, &str, &str); 9] = [
    ("i am from|i come from", "i am from", "", "where am i from|where i am from|where do i come from"),
    ("i am called|call me", "my name", "is", "who am i|who i am"),
    ("i am", "i am", "", "how old am i"),
    ("i live", "i live", "", "where do i live"),
    ("i work", "i work", "", "where do i work"),
    ("i like", "i like", "", "what do i like"),
    ("i love", "i love", "", "what do i love"),
    ("i play", "i play", "", "what do i play"),
    ("i study", "i study", "", "what do i study"),
];
/// Words in front of a fact.
const OPENINGS: &str = "hello hi hey well and please remember that note so by the way yes no oh actually";
/// The longest name of something, in words: "my sister's telephone number".
const MAX_NAME: usize = 4;

/// The answer to a question for a fact, or to a fact.
pub fn answer(question: &Question<'_>, context: &Context<'_>) -> Option<String> {
    if let Some(about) = asked_for(&question.words) {
        // What was told last counts.
        let mut told = context.earlier.iter().rev().flat_map(|text| facts(text).into_iter().rev());
        let yours = said_back(&about);
        return Some(match told.find(|fact| fact.about == about) {
            Some(fact) => format!("{yours} {}.", fact.said),
            None if about.starts_with("my ") => format!("You have not told me {yours}."),
            None => "You have not told me.".to_owned(),
        });
    }
    let fact = facts(question.text).pop()?;
    Some(match fact.said.strip_prefix("is ") {
        Some(name) if fact.about == "my name" => format!("Nice to meet you, {name}."),
        _ => "I will remember that.".to_owned(),
    })
}

/// What a question is for: "what is my name", "where do I live", "who am I".
fn asked_for(words: &[String]) -> Option<String> {
    if let Some((_, about, ..)) = FACTS.iter().find(|(.., questions)| has(words, questions)) {
        return Some((*about).to_owned());
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["do" | "can", "you", "know" | "remember", "my", name @ ..] | ["tell", "me", "my", name @ ..] = &words[..] {
        return named(name);
    }
    let start = words.iter().position(|word| is_in(word, "what what's who who's where where's when when's"))?;
    match &words[start..] {
        [_, "my", name @ .., "is" | "are" | "was"] | [_, "is" | "are" | "was", "my", name @ ..] => named(name),
        [asks, "my", name @ ..] if asks.ends_with("'s") => named(name),
        _ => None,
    }
}

/// "dog called" is the name of the dog.
fn named(name: &[&str]) -> Option<String> {
    let name = match name {
        [owner @ .., "called" | "named"] if !owner.is_empty() => format!("{}'s name", owner.join(" ")),
        name => name.join(" "),
    };
    let count = name.split(' ').count();
    (!name.is_empty() && count <= MAX_NAME).then(|| format!("my {name}"))
}

/// The facts in a text, in its order.
fn facts(text: &str) -> Vec<Fact> {
    text.split_inclusive(['.', '!', '?', ';']).filter(|sentence| !sentence.ends_with('?')).filter_map(fact).collect()
}

fn fact(sentence: &str) -> Option<Fact> {
    let sentence = sentence.replace('’', "'").replace("I'm ", "I am ").replace("i'm ", "i am ");
    let all: Vec<&str> = sentence.split_whitespace().collect();
    let lower = all.iter().map(|word| word.trim_matches([',', '.', '!', ';']).to_lowercase());
    let lower: Vec<String> = lower.collect();
    let start = lower.iter().position(|word| !is_in(word, OPENINGS))?;
    let lower: Vec<&str> = lower[start..].iter().map(String::as_str).collect();
    // What it is about, the verb to be said back, and where the rest begins.
    let (about, verb, rest) = match lower.as_slice() {
        ["my", words @ ..] => {
            let at = words.iter().position(|word| is_in(word, "is are was"))?;
            match words[at + 1..] {
                ["called" | "named", ..] => (named(&[&words[..at], &["called"]].concat())?, "is", at + 3),
                _ => (named(&words[..at])?, words[at], at + 2),
            }
        }
        words => {
            let find = |(phrases, about, verb, _): &(&str, &str, _, _)| {
                Some((about.to_string(), *verb, opening(words, phrases)?))
            };
            FACTS.iter().find_map(find).filter(|(about, ..)| about != "i am" || words.ends_with(&["years", "old"]))?
        }
    };
    let said = all[start + rest..].join(" ");
    let said = said_back(quoted(&said));
    (!said.is_empty()).then(|| Fact { about, said: format!("{verb} {said}").trim_start().to_owned() })
}

/// Words of the user in the mouth of the program: "my" is "your".
fn said_back(text: &str) -> String {
    let word = |word| match str::to_lowercase(word).as_str() {
        "i" | "me" => "you",
        "my" => "your",
        "mine" => "yours",
        "am" => "are",
        _ => word,
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Zoned;

    fn told(earlier: &[&str], heard: &str) -> Option<String> {
        let earlier: Vec<String> = earlier.iter().map(|text| (*text).to_owned()).collect();
        let context = Context { now: &Zoned::default(), turn: 3, instructions: None, earlier: &earlier, picture: None };
        answer(&Question::new(heard), &context)
    }

    #[test]
    fn what_was_told_is_remembered_and_the_last_word_counts() {
        for (earlier, heard, expected) in [
            (&["My name is Anna."][..], "What is my name?", "your name is Anna."),
            (&["Hello, my name is Anna Smith."], "who am i", "your name is Anna Smith."),
            (&["Call me Bob.", "No, my name is Rob."], "What's my name?", "your name is Rob."),
            (&["My dog is called Rex."], "What is my dog called?", "your dog's name is Rex."),
            (&["My dog's name is Rex!"], "What is my dog's name?", "your dog's name is Rex."),
            (&["I live in Paris.", "What time is it?"], "Where do I live?", "you live in Paris."),
            (
                &["Remember that my favourite colour is green"],
                "What is my favourite colour",
                "your favourite colour is green.",
            ),
            (&["My keys are under my pillow."], "Where are my keys?", "your keys are under your pillow."),
            (&["My birthday was in May. It rained."], "When was my birthday?", "your birthday was in May."),
            (&["I like jazz."], "What do I like?", "you like jazz."),
            (&["My name is Anna."], "Do you remember my name?", "your name is Anna."),
            (&["My name is Anna."], "Can you tell me what my name is?", "your name is Anna."),
            (&["I am from Berlin."], "Do you know where I am from?", "you are from Berlin."),
            (&["Hello, I'm from Berlin."], "Where do I come from?", "you are from Berlin."),
            (&["I am thirty years old."], "How old am I?", "you are thirty years old."),
            (&["Is my name Anna?"], "What is my name?", "You have not told me your name."),
            (&[], "What is my name?", "You have not told me your name."),
        ] {
            assert_eq!(told(earlier, heard).as_deref(), Some(expected), "{earlier:?} {heard}");
        }
    }

    #[test]
    fn a_fact_is_taken_note_of_and_everything_else_is_none() {
        assert_eq!(told(&[], "My name is Anna.").as_deref(), Some("Nice to meet you, Anna."));
        assert_eq!(told(&[], "I live in Paris").as_deref(), Some("I will remember that."));
        for text in ["What is the time?", "I think so.", "Where do we live?", "Call me.", "My goodness!", "What is my"]
        {
            assert_eq!(told(&[], text), None, "{text}");
        }
    }
}
