// SPDX-License-Identifier: MPL-2.0

//! Text normalisation for speech synthesis: digits, times, dates, money and symbols become words.
//!
//! "It's 3:45 p.m. & 20% of $5 is $1" is spoken with words that are not written. The result has only words and the
//! punctuation that makes a pause. The text is read once from left to right; a number is read with what follows it
//! directly (a symbol, a unit, the rest of a date).

mod numerals;

use crate::speech::numbers::{self, ordinal};
use crate::speech::text_normalization::numerals::{MONTHS, clock, counted, date, figure, quantity, rank_ending};

/// Currencies: symbol, singular and plural of the unit, singular and plural of the hundredth.
const MONEY: [(char, [&str; 4]); 4] = [
    ('$', ["dollar", "dollars", "cent", "cents"]),
    ('€', ["euro", "euros", "cent", "cents"]),
    ('£', ["pound", "pounds", "penny", "pence"]),
    ('¥', ["yen", "yen", "", ""]),
];

/// Spellings of the books that the recogniser learned from, in both cases, and what is written today.
const SPELLINGS: [(&str, &str); 8] = [
    ("to-day", "today"),
    ("To-day", "Today"),
    ("to-morrow", "tomorrow"),
    ("To-morrow", "Tomorrow"),
    ("to-night", "tonight"),
    ("To-night", "Tonight"),
    ("good-bye", "goodbye"),
    ("Good-bye", "Goodbye"),
];

/// The text in today's spelling, as rules expect it.
pub fn modern(text: &str) -> String {
    SPELLINGS.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new))
}

/// The words of a text in lower case, with numbers as words, without punctuation.
pub fn plain_words(text: &str) -> Vec<String> {
    let said = words(&modern(text)).to_lowercase();
    let words = said.split(|c: char| !c.is_alphanumeric() && c != '\'');
    words.map(|word| word.trim_matches('\'')).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Symbols that are read as a word.
const SIGNS: [(char, &str); 16] = [
    ('&', "and"),
    ('@', "at"),
    ('+', "plus"),
    ('=', "equals"),
    ('%', "percent"),
    ('#', "number"),
    ('×', "times"),
    ('÷', "divided by"),
    ('−', "minus"),
    ('<', "less than"),
    ('>', "greater than"),
    ('/', "slash"),
    ('°', "degrees"),
    ('½', "one half"),
    ('¼', "one quarter"),
    ('¾', "three quarters"),
];

/// Abbreviations that end with a period, in lower case.
const SHORT_FORMS: [(&str, &str); 13] = [
    ("a.m.", "A M"),
    ("p.m.", "P M"),
    ("e.g.", "for example"),
    ("i.e.", "that is"),
    ("etc.", "et cetera"),
    ("vs.", "versus"),
    ("mr.", "mister"),
    ("mrs.", "missus"),
    ("ms.", "miss"),
    ("dr.", "doctor"),
    ("prof.", "professor"),
    ("approx.", "approximately"),
    ("no.", "number"),
];

/// Normalises a text.
pub fn words(text: &str) -> String {
    let mut reader = Reader { text, at: 0, out: String::with_capacity(text.len()) };
    while let Some(next) = reader.rest().chars().next() {
        reader.read(next);
    }
    if reader.out.chars().any(char::is_alphabetic) { reader.out } else { String::new() }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    out: String,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn before(&self) -> Option<char> {
        self.text[..self.at].chars().next_back()
    }

    fn say(&mut self, words: &str) {
        if !self.out.is_empty() && !self.out.ends_with(' ') && !words.is_empty() {
            self.out.push(' ');
        }
        self.out.push_str(words);
    }

    fn pause(&mut self, sign: char) {
        if self.out.ends_with(char::is_alphanumeric) {
            self.out.push(sign);
        }
    }

    fn read(&mut self, next: char) {
        let figure_behind = |skip: usize| self.rest()[skip..].starts_with(|c: char| c.is_ascii_digit());
        match next {
            '0'..='9' => self.number(),
            '.' if figure_behind(1) && !self.before().is_some_and(char::is_alphanumeric) => self.number(),
            '-' | '−' if figure_behind(next.len_utf8()) && !self.before().is_some_and(char::is_alphanumeric) => {
                self.at += next.len_utf8();
                self.say("minus");
            }
            _ if MONEY.iter().any(|(sign, _)| *sign == next) => self.money(next),
            _ if next.is_alphabetic() => self.word(),
            _ => {
                self.at += next.len_utf8();
                self.sign(next);
            }
        }
    }

    fn sign(&mut self, sign: char) {
        let joins = self.text[..self.at - sign.len_utf8()].ends_with(char::is_alphanumeric)
            && self.rest().starts_with(char::is_alphanumeric);
        match sign {
            '.' if joins => self.say("dot"),
            '-' if joins => {}
            '–' if joins && self.rest().starts_with(|c: char| c.is_ascii_digit()) => self.say("to"),
            '-' | '–' | '*' if self.between_numbers() => self.say(if sign == '*' { "times" } else { "minus" }),
            '.' | ',' | '!' | '?' | ';' | ':' => self.pause(sign),
            '…' => self.pause('.'),
            '–' | '—' | '-' => self.pause(','),
            _ => {
                if let Some((_, word)) = SIGNS.iter().find(|(known, _)| *known == sign) {
                    self.say(word);
                }
            }
        }
    }

    /// Whether the symbol just read stands alone between two numbers, as in "7 - 3".
    fn between_numbers(&self) -> bool {
        let figure = |c: char| c.is_ascii_digit();
        let sign = self.text[..self.at].char_indices().next_back().map_or(0, |(at, _)| at);
        self.text[..sign].trim_end().ends_with(figure) && self.rest().trim_start().starts_with(figure)
    }

    /// A word, however it is written.
    fn word(&mut self) {
        let is_start = !self.before().is_some_and(char::is_alphanumeric);
        if !(is_start && (self.short_form() || self.initials())) {
            self.letters();
        }
    }

    /// "a.m.", "Mr."
    fn short_form(&mut self) -> bool {
        let rest = self.rest();
        let found = SHORT_FORMS.iter().find(|(short, _)| {
            rest.get(..short.len()).is_some_and(|start| start.eq_ignore_ascii_case(short))
                && !rest[short.len()..].starts_with(char::is_alphanumeric)
                && is_meant(short, rest)
        });
        let Some((short, long)) = found else { return false };
        self.at += short.len();
        self.say(long);
        // The last period of an abbreviation may also end the sentence.
        if ends_sentence(self.rest()) && !is_title(short) {
            self.pause('.');
        }
        true
    }

    /// "U.S.", "J. K."
    fn initials(&mut self) -> bool {
        let rest = self.rest();
        let pairs = rest.as_bytes().chunks_exact(2);
        let count = pairs.take_while(|pair| pair[0].is_ascii_uppercase() && pair[1] == b'.').count();
        if count == 0 || (count == 1 && ends_sentence(&rest[2..])) {
            return false;
        }
        for letter in rest[..2 * count].split_terminator('.') {
            self.say(letter);
        }
        self.at += 2 * count;
        if ends_sentence(self.rest()) {
            self.pause('.');
        }
        true
    }

    /// Letters with apostrophes between them.
    fn letters(&mut self) {
        let rest = self.rest();
        let is_behind = |(at, c): (usize, char)| {
            let is_inside = matches!(c, '\'' | '’') && rest[at + c.len_utf8()..].starts_with(char::is_alphabetic);
            (!c.is_alphabetic() && !is_inside).then_some(at)
        };
        let end = rest.char_indices().find_map(is_behind).unwrap_or(rest.len());
        let word = rest[..end].replace('’', "'");
        self.at += end;
        let times = matches!(word.as_str(), "x" | "X") && self.between_numbers();
        self.say(if times { "times" } else { &word });
    }

    /// A number with what belongs to it.
    fn number(&mut self) {
        let rest = self.rest();
        // After "1." and "1.2." a number stands by itself, as in "version 1.2.3".
        if self.text[..self.at].strip_suffix('.').is_some_and(|text| text.ends_with(|c: char| c.is_ascii_digit())) {
            let len = rest.bytes().take_while(u8::is_ascii_digit).count();
            self.at += len;
            return self.say(&numbers::figures(&rest[..len], None));
        }
        let found = date(rest).or_else(|| clock(rest)).or_else(|| self.day(rest)).or_else(|| quantity(rest));
        match found {
            Some((words, len)) => {
                self.at += len;
                self.say(&words);
            }
            None => self.at += 1,
        }
    }

    /// "21" or "21st" after the name of a month.
    fn day(&self, rest: &str) -> Option<(String, usize)> {
        let last = self.out.rsplit(' ').next()?;
        let (whole, None, len) = figure(rest)? else { return None };
        let day = whole.parse().ok().filter(|day| (1..=31).contains(day))?;
        let clear = MONTHS.contains(&last) && !rest[len..].starts_with([':', '%', '/']);
        clear.then(|| (ordinal(day), len + rank_ending(&rest[len..])))
    }

    /// A currency symbol and the amount after it.
    fn money(&mut self, sign: char) {
        self.at += sign.len_utf8();
        let Some((_, [one, many, cent, cents])) = MONEY.into_iter().find(|(known, _)| *known == sign) else { return };
        let Some((whole, fraction, len)) = figure(self.rest()) else { return self.say(many) };
        self.at += len;
        let rest = self.rest();
        let large = ["thousand", "million", "billion", "trillion"].into_iter().find(|name| {
            rest.strip_prefix(' ')
                .and_then(|rest| rest.strip_prefix(name))
                .is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
        });
        let cents_said = fraction.filter(|f| f.len() == 2 && !cents.is_empty()).and_then(|f| f.parse::<u64>().ok());
        match (large, cents_said) {
            (Some(large), _) => {
                self.at += 1 + large.len();
                self.say(&format!("{} {large} {many}", numbers::figures(&whole, fraction)));
            }
            (None, Some(0)) => self.say(&counted(&whole, None, one, many)),
            (None, Some(hundredths)) => {
                if whole.bytes().any(|c| c != b'0') {
                    self.say(&format!("{} and", counted(&whole, None, one, many)));
                }
                self.say(&counted(&hundredths.to_string(), None, cent, cents));
            }
            (None, None) => self.say(&counted(&whole, fraction, one, many)),
        }
    }
}

/// Whether an abbreviation is one here: "No." is one only before a number.
fn is_meant(short: &str, rest: &str) -> bool {
    match short {
        "no." => rest[short.len()..].trim_start().starts_with(|c: char| c.is_ascii_digit()),
        _ => true,
    }
}

fn is_title(short: &str) -> bool {
    matches!(short, "mr." | "mrs." | "ms." | "dr." | "prof." | "no." | "e.g." | "i.e." | "vs.")
}

/// Whether a period ends a sentence, judged by the text after it.
fn ends_sentence(rest: &str) -> bool {
    let next = rest.trim_start_matches(['"', '”', ')', '\'', '’']).trim_start();
    next.is_empty() || (next.len() < rest.len() && next.starts_with(char::is_uppercase))
}

#[cfg(test)]
mod tests;
