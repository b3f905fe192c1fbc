// SPDX-License-Identifier: MPL-2.0

//! Splits text into words with position and stem, and finds numbers.

use crate::speech::number_word;

/// Stop words.
const EMPTY: &[&str] = &[
    "a", "about", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can",
    "could", "did", "do", "does", "for", "from", "had", "has", "have", "he", "her", "here", "him", "his", "how", "i",
    "i'd", "i'm", "if", "in", "into", "is", "it", "it's", "its", "just", "know", "let", "let's", "like", "may", "me",
    "my", "need", "no", "not", "of", "or", "our", "out", "over", "please", "she", "should", "so", "some", "tell",
    "than", "that", "the", "their", "them", "then", "there", "they", "this", "those", "to", "us", "want", "was", "we",
    "were", "what", "what's", "when", "where", "which", "who", "why", "will", "with", "would", "yes", "you", "your",
];

/// The days of the week.
pub const WEEKDAYS: &[&str] = &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Functions that a word can call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Part of an order or a polite request: any function.
    Order,
    /// Part of an order to stop what goes on: only functions that stop something.
    Stop,
    /// Part of a question: only functions that inform.
    Question,
    /// Text of a request, such as a message to send: no function by itself, but it can be an argument.
    Content,
    /// Negated, conditional, past, or a statement: nothing.
    Other,
}

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub struct Word<'a> {
    /// As written.
    pub text: &'a str,
    /// In lower case.
    pub lower: String,
    /// Its stem.
    pub stem: String,
    /// Start in the text, in bytes.
    pub start: usize,
    /// End in the text, in bytes.
    pub end: usize,
    /// The punctuation mark after it.
    pub sign: Option<char>,
    /// What it can call; [`Mood::Order`] until the sentence is read.
    pub mood: Mood,
}

impl Word<'_> {
    /// Whether it is capitalised.
    pub fn is_name(&self) -> bool {
        self.text.starts_with(char::is_uppercase) && !matches!(self.lower.as_str(), "i" | "i'm" | "i'd" | "i'll")
    }

    /// Whether it is not a stop word.
    pub fn is_empty(&self) -> bool {
        is_empty(&self.lower)
    }

    /// Whether it is one of these.
    pub fn is_any(&self, words: &[&str]) -> bool {
        words.contains(&self.lower.as_str())
    }
}

/// Whether a lower-case word is a stop word.
pub fn is_empty(lower: &str) -> bool {
    EMPTY.contains(&lower)
}

/// The words of a text. A number is one word with its sign and decimals.
pub fn read(text: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut chars = text.char_indices().peekable();
    let mut before = ' ';
    while let Some((start, char)) = chars.next() {
        let minus =
            char == '-' && before.is_whitespace() && chars.peek().is_some_and(|(_, next)| next.is_ascii_digit());
        if !char.is_alphanumeric() && !minus {
            if let Some(word) = words.last_mut().filter(|word| word.end == start && ",.;:?!".contains(char)) {
                word.sign = Some(char);
            }
            before = char;
            continue;
        }
        let mut last = char;
        let mut end = start + char.len_utf8();
        while let Some(&(at, next)) = chars.peek() {
            let follows = text[at + next.len_utf8()..].chars().next().unwrap_or(' ');
            let inside = match next {
                '\'' | '’' => follows.is_alphabetic(),
                '.' | ',' => last.is_ascii_digit() && follows.is_ascii_digit(),
                next => next.is_alphanumeric(),
            };
            if !inside {
                break;
            }
            last = next;
            end = at + next.len_utf8();
            chars.next();
        }
        before = last;
        let lower = text[start..end].to_lowercase().replace('’', "'");
        let stem = stem(&lower);
        words.push(Word { text: &text[start..end], lower, stem, start, end, sign: None, mood: Mood::Order });
    }
    words
}

/// The words of a name in code, such as `get_current_weather` or `getCurrentWeather`, in lower case.
pub fn of_name(name: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(name.len() + 4);
    let mut before = ' ';
    for char in name.chars() {
        if char.is_uppercase() && before.is_lowercase() {
            spaced.push(' ');
        }
        spaced.push(if char.is_alphanumeric() { char } else { ' ' });
        before = char;
    }
    spaced.to_lowercase().split_whitespace().map(str::to_owned).collect()
}

/// The stem of an English word, for comparison only.
pub fn stem(lower: &str) -> String {
    let word = lower.strip_suffix("'s").unwrap_or(lower);
    let cut = |ending: &str, least: usize| word.strip_suffix(ending).filter(|rest| rest.len() >= least);
    let mut stem = if let Some(rest) = cut("ies", 2) {
        return format!("{rest}y");
    } else if let Some(rest) = cut("ing", 3).or_else(|| cut("ed", 3)) {
        let mut doubled = rest.chars().rev();
        match (doubled.next(), doubled.next()) {
            (Some(last), Some(other)) if last == other && !"lsz".contains(last) => {
                rest[..rest.len() - last.len_utf8()].into()
            }
            _ => rest.to_owned(),
        }
    } else if let Some(rest) = cut("s", 3).filter(|rest| !rest.ends_with('s')) {
        rest.to_owned()
    } else {
        word.to_owned()
    };
    if stem.len() > 3 && stem.ends_with('e') {
        stem.pop();
    }
    stem
}

/// A number among the words.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// Its value.
    pub value: f64,
    /// The index of its first word.
    pub from: usize,
    /// The index after its last word.
    pub until: usize,
}

/// All numbers, in digits or words, from left to right.
pub fn numbers(words: &[Word<'_>]) -> Vec<Number> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let pronoun =
            words[at].lower == "one" && at > 0 && words[at - 1].is_any(&["this", "that", "which", "the", "any"]);
        match number(&words[at..]).filter(|_| !pronoun) {
            Some((value, count)) => {
                let minus = at > 0
                    && words[at - 1].is_any(&["minus", "negative"])
                    && found.last().is_none_or(|last: &Number| last.until < at - 1);
                found.push(Number { value: if minus { -value } else { value }, from: at, until: at + count });
                at += count;
            }
            None => at += 1,
        }
    }
    found
}

/// The number at the start, and its number of words.
fn number(words: &[Word<'_>]) -> Option<(f64, usize)> {
    let first = words.first()?;
    if let Ok(value) = first.lower.replace(',', "").parse::<f64>()
        && first.lower.ends_with(|char: char| char.is_ascii_digit())
    {
        return Some((value, 1));
    }
    let (mut total, mut group, mut thousands, mut at) = (0_u64, None::<u64>, false, 0);
    while let Some(word) = words.get(at) {
        let joins = word.lower == "and"
            && group.is_some_and(|group| group >= 100)
            && words.get(at + 1).is_some_and(|next| number_word(&next.lower).is_some());
        match number_word(&word.lower) {
            Some((unit, true)) => {
                // "a hundred" and "thousand" alone are numbers, too.
                let count = group.unwrap_or(1);
                if unit == 100 {
                    group = Some(count.checked_mul(100)?);
                } else {
                    total = total.checked_add(count.checked_mul(unit)?)?;
                    group = None;
                    thousands = true;
                }
            }
            Some((value, false)) => match group {
                None => group = Some(value),
                Some(before) if fits_behind(before, value) => group = Some(before + value),
                Some(_) => break,
            },
            None if joins => {}
            None => break,
        }
        at += 1;
        if word.sign.is_some() {
            break;
        }
    }
    let whole = total + group.or(thousands.then_some(0))?;
    let (decimals, count) = decimals(&words[at..]);
    Some((whole as f64 + decimals, at + count))
}

/// Whether words form one number: "twenty" "five", "hundred" "twelve", but not "two" "three".
fn fits_behind(before: u64, value: u64) -> bool {
    match before % 100 {
        0 => before != 0 && value < 100,
        tens => tens >= 20 && tens % 10 == 0 && (1..10).contains(&value),
    }
}

/// "point five": the value that it adds, and its number of words.
fn decimals(words: &[Word<'_>]) -> (f64, usize) {
    if words.first().is_none_or(|word| word.lower != "point") {
        return (0.0, 0);
    }
    let digit = |word: &Word<'_>| number_word(&word.lower).map(|(value, _)| value).filter(|value| *value < 10);
    let digits: String = words[1..].iter().map_while(digit).map(|digit| digit.to_string()).take(9).collect();
    match format!("0.{digits}").parse() {
        Ok(value) if !digits.is_empty() => (value, 1 + digits.len()),
        _ => (0.0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_place_and_their_sign() {
        let text = "What's -3.5 in Paris, now?";
        let words = read(text);
        assert_eq!(words.iter().map(|word| word.text).collect::<Vec<_>>(), ["What's", "-3.5", "in", "Paris", "now"]);
        assert_eq!(
            (words[3].sign, words[4].sign, &text[words[3].start..words[3].end]),
            (Some(','), Some('?'), "Paris")
        );
    }

    #[test]
    fn endings_do_not_matter() {
        for (a, b) in [
            ("lights", "light"),
            ("raining", "rain"),
            ("cities", "city"),
            ("setting", "set"),
            ("prices", "price"),
            ("calling", "call"),
            ("weather's", "weather"),
        ] {
            assert_eq!(stem(a), stem(b), "{a}");
        }
        assert_eq!(of_name("getCurrent_weather2"), ["get", "current", "weather2"]);
    }

    #[test]
    fn numbers_in_figures_and_in_words() {
        let values = |text: &str| numbers(&read(text)).iter().map(|number| number.value).collect::<Vec<_>>();
        for (text, expected) in [
            ("five minutes and 20 seconds", vec![5.0, 20.0]),
            ("twenty five, two three", vec![25.0, 2.0, 3.0]),
            ("one hundred and five and six", vec![105.0, 6.0]),
            ("two thousand twenty four", vec![2024.0]),
            ("minus three point one five", vec![-3.15]),
            ("1,200.5 or -7", vec![1200.5, -7.0]),
            ("turn this one on", vec![]),
        ] {
            assert_eq!(values(text), expected, "{text}");
        }
    }
}
