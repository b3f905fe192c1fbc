// SPDX-License-Identifier: MPL-2.0

//! Finds phrases that can be values: quoted text, text after a keyword, names.

use crate::rules::words::{WEEKDAYS, Word};
use crate::speech::number_word;

/// Words that end a value in lower case.
const BOUNDS: &str = "a about and are at because but by currently for from how if in is next now on or please right saying \
    says that then this to today tomorrow tonight using via was what when with";
/// Lower-case words within names: "Rio de Janeiro", "Stratford upon Avon".
const INSIDE: &str = "de del la le of the upon am an der von van";
/// Capitalised words that are not names; nor are the days of the week.
const NEVER: &str = "today tomorrow tonight now morning evening afternoon me us you it once";
/// Words around a short answer.
const AROUND: &str = "in at for to it's it is that's please the from of make um uh well okay yes";

/// Text in quotation marks.
pub fn quoted(text: &str) -> Option<&str> {
    let between = |(open, close)| text.split_once(open)?.1.split_once(close).map(|(inner, _): (&str, _)| inner.trim());
    [('"', '"'), ('“', '”'), ('«', '»')].into_iter().filter_map(between).find(|inner| !inner.is_empty())
}

/// Text after a colon or a word such as "saying" or "that".
pub fn announced<'a>(text: &'a str, words: &[Word<'_>]) -> Option<&'a str> {
    let at = words.iter().position(|word| word.ends_with(":") || word.is_any("saying says that"))?;
    let mut said = &words[at + 1..];
    // "…, please" belongs to the request.
    while let [rest @ .., last] = said
        && rest.last().is_some_and(|before| before.ends_with(","))
        && last.is_any("please thanks")
    {
        said = rest;
    }
    Some(&text[said.first()?.start..said.last()?.end])
}

/// The values after the first of these words that has one; several when they are joined by "and".
pub fn behind(text: &str, words: &[Word<'_>], before: &[&str], known: &[String]) -> Vec<String> {
    let begins = |at: &usize, named: bool| {
        let first = words.get(skip_article(words, *at));
        before.contains(&words[*at - 1].lower.as_str())
            && words[*at - 1].sign.is_none()
            && first.is_some_and(|word| (!named || word.is_name()) && is_value(word, known))
    };
    // A name is more probable than other words.
    let place = [true, false].into_iter().find_map(|named| (1..words.len()).find(|at| begins(at, named)));
    place.map(|at| list(text, words, at, known)).unwrap_or_default()
}

/// The first name in the text other than the known words. A capital at the start of a sentence is not enough, unless
/// a known word follows: "Paris weather".
pub fn name(text: &str, words: &[Word<'_>], known: &[String]) -> Vec<String> {
    let begins = |at: usize| at == 0 || words[at - 1].ends_with(".!?");
    let follows = |at: usize| words.get(at + 1).is_some_and(|next| known.contains(&next.stem));
    let is_name = |at: &usize| words[*at].is_name() && is_value(&words[*at], known) && (!begins(*at) || follows(*at));
    (0..words.len()).find(is_name).map(|at| list(text, words, at, known)).unwrap_or_default()
}

/// Whether a value can start with this word.
fn is_value(word: &Word<'_>, known: &[String]) -> bool {
    let is_number = word.text.starts_with(char::is_numeric) || number_word(&word.lower).is_some();
    !(is_number || word.is_stop_word() || word.is_any(BOUNDS) || is_never(word) || known.contains(&word.stem))
}

fn is_never(word: &Word<'_>) -> bool {
    word.is_any(NEVER) || word.is_any(WEEKDAYS)
}

/// Skips "the", unless it is part of a name.
fn skip_article(words: &[Word<'_>], at: usize) -> usize {
    let is_article = |word: &Word<'_>| word.is_any("the a an my our your") && !word.is_name();
    at + usize::from(words.get(at).is_some_and(is_article))
}

/// The value that starts here, and those joined to it.
fn list(text: &str, words: &[Word<'_>], at: usize, known: &[String]) -> Vec<String> {
    let mut at = skip_article(words, at);
    let (mut values, mut listed) = (Vec::new(), false);
    loop {
        let end = end_of_value(words, at);
        let last = &words[end - 1];
        values.push(text[words[at].start..last.end].to_owned());
        let and =
            words.get(end).is_some_and(|word| word.lower == "and") && (last.sign.is_none() || last.ends_with(","));
        let next = skip_article(words, end + usize::from(and));
        let joined = words.get(next).filter(|word| (and || last.ends_with(",")) && is_value(word, known));
        let Some(word) = joined else { break };
        let is_name = words[at].is_name();
        // "paris and london" in lower case: one more word at most.
        if and && !is_name && (words.len() == next + 1 || word.sign.is_some()) {
            values.push(word.text.to_owned());
            return values;
        }
        if !is_name || !word.is_name() {
            break;
        }
        listed |= and;
        at = next;
    }
    // "Paris, France" is one place, "Paris, Rome and Oslo" are three.
    if listed { values } else { vec![values.join(", ")] }
}

/// The end of the value that starts here.
fn end_of_value(words: &[Word<'_>], at: usize) -> usize {
    let is_name = |at: usize| words.get(at).is_some_and(Word::is_name);
    let goes_on = |next: usize| {
        let word = &words[next];
        let is_inside = || word.is_any(INSIDE) && word.sign.is_none() && is_name(next + 1);
        if is_name(at) { (word.is_name() || is_inside()) && !is_never(word) } else { !word.is_any(BOUNDS) }
    };
    (at + 1..words.len()).find(|end| words[end - 1].sign.is_some() || !goes_on(*end)).unwrap_or(words.len())
}

/// A short answer without surrounding words: "in Paris, please." is "Paris".
pub fn bare<'a>(text: &'a str, words: &[Word<'_>]) -> Option<&'a str> {
    let first = words.iter().find(|word| !word.is_any(AROUND))?;
    let last = words.iter().rfind(|word| !word.is_any(AROUND))?;
    Some(&text[first.start..last.end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::words::read;

    fn places(text: &str) -> Vec<String> {
        let known = ["weather".to_owned()];
        let words = read(text);
        let found = behind(text, &words, &["in", "for", "at", "of"], &known);
        if found.is_empty() { name(text, &words, &known) } else { found }
    }

    #[test]
    fn a_place_stands_behind_its_word_or_is_a_name() {
        for (text, expected) in [
            ("What's the weather in Paris?", vec!["Paris"]),
            ("what is the weather in paris right now", vec!["paris"]),
            ("What's the weather for tomorrow in New York City, please?", vec!["New York City"]),
            ("Weather in Paris, France and tell me more", vec!["Paris, France"]),
            ("The weather in Paris, Rome and Oslo", vec!["Paris", "Rome", "Oslo"]),
            ("The weather in Rio de Janeiro today", vec!["Rio de Janeiro"]),
            ("Paris weather please", vec!["Paris"]),
            ("What's the weather like today?", vec![]),
            ("What's the weather?", vec![]),
        ] {
            assert_eq!(places(text), expected, "{text}");
        }
    }

    #[test]
    fn quotes_announcements_and_short_answers() {
        assert_eq!(quoted("Write \"hello there\" to Anna"), Some("hello there"));
        let text = "Tell Anna that I will be late.";
        assert_eq!(announced(text, &read(text)), Some("I will be late"));
        let text = "In Paris, please.";
        assert_eq!(bare(text, &read(text)), Some("Paris"));
    }
}
