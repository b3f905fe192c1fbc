// SPDX-License-Identifier: MPL-2.0

//! Words of a text with their positions and stems, and comparisons with lists of words and phrases.
//!
//! A list is one string: words have spaces between them, phrases have bars.

/// Stop words, which carry no meaning of their own.
pub const STOP_WORDS: &str = "a about all also am an and any are as at be been but by can could did do does for from had has \
    have he her here him his how i i'd i'm if in into is it it's its just know let let's like may me my need no not of \
    or our out over please she should so some tell than that the their them then there they this those to us want was \
    we were what what's when where which who why will with would yes you your";

/// The days of the week.
pub const WEEKDAYS: &str = "monday tuesday wednesday thursday friday saturday sunday";

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
    pub stem: String,
    /// Start and end in the text, in bytes.
    pub start: usize,
    pub end: usize,
    /// The punctuation mark after it.
    pub sign: Option<char>,
    /// What it can call; [`Mood::Order`] until the sentence is read.
    pub mood: Mood,
}

impl Word<'_> {
    /// Whether it is capitalised.
    pub fn is_name(&self) -> bool {
        self.text.starts_with(char::is_uppercase) && !self.is_any("i i'm i'd i'll")
    }

    /// Whether it is a stop word.
    pub fn is_stop_word(&self) -> bool {
        self.is_any(STOP_WORDS)
    }

    /// Whether it is one of these words.
    pub fn is_any(&self, list: &str) -> bool {
        is_in(&self.lower, list)
    }

    /// Whether one of these punctuation marks is behind it.
    pub fn ends_with(&self, signs: &str) -> bool {
        self.sign.is_some_and(|sign| signs.contains(sign))
    }
}

impl AsRef<str> for Word<'_> {
    fn as_ref(&self) -> &str {
        &self.lower
    }
}

/// Whether a lower-case word is in a list of words.
pub fn is_in(word: &str, list: &str) -> bool {
    list.split_ascii_whitespace().any(|other| other == word)
}

/// The number of words of the phrase, of a list of phrases, with which the words begin.
pub fn opening<W: AsRef<str>>(words: &[W], phrases: &str) -> Option<usize> {
    phrases.split('|').map(|phrase| phrase.split_ascii_whitespace()).find_map(|phrase| {
        let count = phrase.clone().count();
        (words.len() >= count && phrase.zip(words).all(|(part, word)| part == word.as_ref())).then_some(count)
    })
}

/// Whether a phrase of a list occurs among the words.
pub fn has<W: AsRef<str>>(words: &[W], phrases: &str) -> bool {
    (0..words.len()).any(|at| opening(&words[at..], phrases).is_some())
}

/// Where words with these stems are.
pub fn position(words: &[Word<'_>], stems: &[String]) -> Option<usize> {
    let mut windows = words.windows(stems.len().max(1));
    windows.position(|window| window.iter().map(|word| &word.stem).eq(stems))
}

/// Several texts in a sentence: "a, b and c".
pub fn listed(texts: &[String]) -> String {
    match texts {
        [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        _ => texts.concat(),
    }
}

/// A text with a capital at its beginning.
pub fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The words of a text. A number is one word with its sign and decimals.
pub fn read(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut end = 0;
    while let Some(at) = text[end..].find(char::is_alphanumeric) {
        let mut start = end + at;
        end = end_of_word(text, start);
        let minus = text[..start].strip_suffix('-').filter(|_| text[start..].starts_with(char::is_numeric));
        if minus.is_some_and(|before| before.is_empty() || before.ends_with(char::is_whitespace)) {
            start -= 1;
        }
        let lower = text[start..end].to_lowercase().replace('’', "'");
        let (text, sign) = (&text[start..end], text[end..].chars().next().filter(|sign| ",.;:?!".contains(*sign)));
        words.push(Word { text, stem: stem(&lower), lower, start, end, sign, mood: Mood::Order });
    }
    words
}

fn end_of_word(text: &str, start: usize) -> usize {
    let ends = |&(at, sign): &(usize, char)| {
        let (before, behind) = (&text[..start + at], &text[start + at + sign.len_utf8()..]);
        match sign {
            '\'' | '’' => !behind.starts_with(char::is_alphabetic),
            '.' | ',' => !(before.ends_with(char::is_numeric) && behind.starts_with(char::is_numeric)),
            sign => !sign.is_alphanumeric(),
        }
    };
    text[start..].char_indices().find(ends).map_or(text.len(), |(at, _)| start + at)
}

/// The words of a name in code, such as `get_current_weather` or `getCurrentWeather`, in lower case.
pub fn of_name(name: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(name.len() + 4);
    for char in name.chars() {
        if char.is_uppercase() && spaced.ends_with(char::is_lowercase) {
            spaced.push(' ');
        }
        spaced.push(if char.is_alphanumeric() { char } else { ' ' });
    }
    spaced.to_lowercase().split_whitespace().map(str::to_owned).collect()
}

/// The stems of the words of a name, or of a description.
pub fn stems(name: &str) -> Vec<String> {
    of_name(name).iter().map(|word| stem(word)).collect()
}

/// The stem of an English word, for comparison only.
pub fn stem(lower: &str) -> String {
    let word = lower.strip_suffix("'s").unwrap_or(lower);
    let cut = |ending: &str, least: usize| word.strip_suffix(ending).filter(|rest| rest.len() >= least);
    if let Some(rest) = cut("ies", 2) {
        return format!("{rest}y");
    }
    let mut stem = word;
    if let Some(rest) = cut("ing", 3).or_else(|| cut("ed", 3)) {
        let last = rest.chars().next_back().filter(|last| !"lsz".contains(*last));
        // "Setting" is of "set".
        stem = last.and_then(|last| rest.strip_suffix(last).filter(|short| short.ends_with(last))).unwrap_or(rest);
    } else if let Some(rest) = cut("s", 3).filter(|rest| !rest.ends_with('s')) {
        stem = rest;
    }
    stem.strip_suffix('e').filter(|short| short.len() >= 3).unwrap_or(stem).to_owned()
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
}
