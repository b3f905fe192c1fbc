// SPDX-License-Identifier: MPL-2.0

//! Numbers in words and in figures: "two hundred and five", "minus three point one", "1,200.5", "nineteen eighty four".

use crate::rules::words::{Word, is_in};
use crate::speech::number_word;
use num_rational::Ratio;

/// An exact number.
pub type Fraction = Ratio<i128>;

/// Larger numbers have no common name.
pub const LIMIT: u64 = 1_000_000_000_000_000;
/// The longest number in figures.
const MAX_FIGURES: usize = 20;

/// A number among words, and the range of its words.
pub struct Number {
    pub value: f64,
    pub from: usize,
    pub until: usize,
}

/// All numbers, from left to right. None goes on behind a punctuation mark.
pub fn numbers(words: &[Word<'_>]) -> Vec<Number> {
    let mut found: Vec<Number> = Vec::new();
    let mut from = 0;
    while from < words.len() {
        let end = words[from..].iter().position(|word| word.sign.is_some()).map_or(words.len(), |at| from + at + 1);
        let pronoun = words[from].lower == "one" && from > 0 && words[from - 1].is_any("this that which the any");
        let subtracts = words[from].is_any(NEGATIVE) && found.last().is_some_and(|last| last.until == from);
        let number = number(&words[from..end]).filter(|_| !pronoun && !subtracts);
        let until = from + number.map_or(1, |(_, count)| count);
        let value = number.map(|(number, _)| *number.numer() as f64 / *number.denom() as f64);
        found.extend(value.map(|value| Number { value, from, until }));
        from = until;
    }
    found
}

const NEGATIVE: &str = "minus negative";

/// The number with which the words begin, and how many of them it takes.
pub fn number<W: AsRef<str>>(words: &[W]) -> Option<(Fraction, usize)> {
    let sign = usize::from(is_in(words.first()?.as_ref(), NEGATIVE));
    let words = &words[sign..];
    let figures = in_figures(words.first()?.as_ref()).map(|number| (number, 1));
    let (number, count) = figures.or_else(|| in_words(words))?;
    Some((if sign > 0 { -number } else { number }, sign + count))
}

fn in_figures(word: &str) -> Option<Fraction> {
    let (whole, decimals) = word.split_once('.').unwrap_or((word, ""));
    if word.len() > MAX_FIGURES { None } else { decimal(&whole.replace(',', ""), decimals) }
}

/// The number with these figures before and behind its point.
fn decimal(whole: &str, decimals: &str) -> Option<Fraction> {
    let above = format!("{whole}{decimals}").parse().ok()?;
    Some(Fraction::new(above, 10_i128.checked_pow(u32::try_from(decimals.len()).ok()?)?))
}

fn in_words<W: AsRef<str>>(words: &[W]) -> Option<(Fraction, usize)> {
    let (whole, count) = whole_in_words(words)?;
    let digit = |word: &W| number_word(word.as_ref()).map(|(value, _)| value).filter(|value| *value < 10);
    let digits: String = match words.get(count).map(AsRef::as_ref) {
        Some("point") => words[count + 1..].iter().map_while(digit).take(9).map(|digit| digit.to_string()).collect(),
        _ => String::new(),
    };
    let point = usize::from(!digits.is_empty());
    Some((decimal(&whole.to_string(), &digits)?, count + point + digits.len()))
}

fn whole_in_words<W: AsRef<str>>(words: &[W]) -> Option<(u64, usize)> {
    let number_at = |at: usize| words.get(at).and_then(|word| number_word(word.as_ref()));
    // The groups that are complete (thousands and more), and the current one.
    let (mut complete, mut group, mut at) = (0_u64, None::<u64>, 0);
    while let Some(word) = words.get(at) {
        match (number_at(at), group) {
            (Some((100, true)), None | Some(..100)) => group = Some(group.unwrap_or(1) * 100),
            (Some((unit @ 101.., true)), _) => {
                complete = complete.checked_add(group.unwrap_or(1).checked_mul(unit)?)?;
                group = None;
            }
            (Some((value, false)), None) => group = Some(value),
            (Some((value, false)), Some(before)) if is_one_number(before, value) => group = Some(before + value),
            // "Nineteen eighty four", "twenty twenty six".
            (Some((value @ 10.., false)), Some(before @ 11..100)) if complete == 0 => {
                group = Some(before * 100 + value);
            }
            _ if word.as_ref() == "a" && at == 0 && number_at(1).is_some_and(|(_, multiplies)| multiplies) => {}
            // "One hundred and five", but not "five and seven".
            _ if word.as_ref() == "and"
                && (group.is_some_and(|group| group > 0 && group % 100 == 0) || (group.is_none() && complete > 0))
                && number_at(at + 1).is_some_and(|(_, multiplies)| !multiplies) => {}
            _ => break,
        }
        at += 1;
    }
    let whole = complete.checked_add(group.or((complete > 0).then_some(0))?)?;
    (whole < LIMIT).then_some((whole, at))
}

/// Whether words form one number: "twenty" "five", "hundred" "twelve", but not "two" "three".
fn is_one_number(before: u64, value: u64) -> bool {
    match before % 100 {
        0 => before != 0 && value > 0,
        tens => tens >= 20 && tens % 10 == 0 && (1..10).contains(&value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::words::read;

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
