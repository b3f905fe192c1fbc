// SPDX-License-Identifier: MPL-2.0

//! Arithmetic in words: "how much is seven times eight".
//!
//! The words are parsed to numbers and operators and evaluated exactly, as fractions, with multiplication and division
//! first. A result that has too many digits to be spoken is rounded, and said to be approximate.

use crate::speech::numbers::value;

/// The answer, if the words are an arithmetic expression or a question with one.
pub fn answer(words: &[&str]) -> Option<String> {
    let words: Vec<&str> = words.iter().copied().filter(|word| !matches!(*word, "please" | "the")).collect();
    let (terms, start, end) = (0..words.len()).find_map(|start| {
        let (terms, len) = in_order(&words[start..]).or_else(|| named(&words[start..]))?;
        Some((terms, start, start + len))
    })?;
    const CUES: [&str; 15] = [
        "what",
        "what's",
        "how",
        "much",
        "many",
        "calculate",
        "compute",
        "work",
        "tell",
        "solve",
        "is",
        "equals",
        "add",
        "sum",
        "product",
    ];
    let whole = start == 0 && end == words.len();
    if !whole && !words[..start].iter().chain(&words[end..]).any(|word| CUES.contains(word)) {
        return None;
    }
    let question = say(&terms);
    Some(match work_out(&terms) {
        Ok(result) => {
            let (exact, figures) = result.figures();
            format!("{question} is {}{figures}.", if exact { "" } else { "about " })
        }
        Err(Trouble::DividedByZero) => "A number cannot be divided by zero.".to_owned(),
        Err(Trouble::TooLarge) => "That is more than I can work out.".to_owned(),
    })
}

/// Larger numbers have no common name.
const LIMIT: u128 = 1_000_000_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operation {
    Plus,
    Minus,
    Times,
    Over,
}

use Operation::{Minus, Over, Plus, Times};

/// The first number, then operators with their numbers.
type Terms = (Fraction, Vec<(Operation, Fraction)>);

/// Parses "two plus three times four" at the start, with at least one operator, and returns its number of words.
fn in_order(words: &[&str]) -> Option<(Terms, usize)> {
    let (first, mut at) = number(words)?;
    let mut rest = Vec::new();
    while let Some((operation, len)) = operation(&words[at..]) {
        let Some((next, more)) = number(&words[at + len..]) else { break };
        rest.push((operation, next));
        at += len + more;
    }
    (!rest.is_empty()).then_some(((first, rest), at))
}

/// Parses "add two and three", "the sum of two and three", "divide ten by two", "subtract two from ten".
fn named(words: &[&str]) -> Option<(Terms, usize)> {
    let (operation, between, skip) = match words {
        ["add", ..] => (Plus, ["and", "to"], 1),
        ["sum", "of", ..] => (Plus, ["and", "and"], 2),
        ["multiply", ..] => (Times, ["by", "with"], 1),
        ["product", "of", ..] => (Times, ["and", "and"], 2),
        ["divide", ..] => (Over, ["by", "by"], 1),
        ["subtract", ..] => (Minus, ["from", "from"], 1),
        ["difference", "between", ..] => (Minus, ["and", "and"], 2),
        _ => return None,
    };
    let words = &words[skip..];
    let (mut first, len) = words
        .iter()
        .position(|word| between.contains(word))
        .and_then(|at| number(&words[..at]).filter(|(_, len)| *len == at))?;
    let (mut second, more) = number(&words[len + 1..])?;
    if between[0] == "from" {
        std::mem::swap(&mut first, &mut second);
    }
    Some(((first, vec![(operation, second)]), skip + len + 1 + more))
}

fn operation(words: &[&str]) -> Option<(Operation, usize)> {
    Some(match words {
        ["plus", ..] => (Plus, 1),
        ["minus" | "less", ..] => (Minus, 1),
        ["multiplied", "by", ..] => (Times, 2),
        ["times" | "x", ..] => (Times, 1),
        ["divided", "by", ..] => (Over, 2),
        ["over" | "slash", ..] => (Over, 1),
        _ => return None,
    })
}

/// Parses a number at the start: "minus one hundred and five point two".
fn number(words: &[&str]) -> Option<(Fraction, usize)> {
    let negative = matches!(words.first(), Some(&("minus" | "negative")));
    let mut at = usize::from(negative);
    let (whole, len) = whole_number(&words[at..])?;
    at += len;
    let mut number = Fraction::whole(whole);
    if words.get(at) == Some(&"point") {
        let digit = |word: &&str| value(word).map(|(digit, _)| i128::from(digit)).filter(|digit| *digit < 10);
        let digits: Vec<i128> = words[at + 1..].iter().map_while(digit).take(9).collect();
        if !digits.is_empty() {
            let below = 10_i128.checked_pow(u32::try_from(digits.len()).ok()?)?;
            let above = digits.iter().fold(0, |number, digit| number * 10 + digit);
            number = number.plus(Fraction { above, below })?;
            at += 1 + digits.len();
        }
    }
    if negative {
        number.above = -number.above;
    }
    Some((number, at))
}

/// "two hundred and five", "a thousand", "nineteen eighty four".
fn whole_number(words: &[&str]) -> Option<(i128, usize)> {
    // The completed groups (thousands and more), the current group, and the magnitude of the last word.
    let (mut complete, mut open, mut at) = (0_i128, None::<i128>, 0);
    let mut last_size = u64::MAX;
    while let Some(&word) = words.get(at) {
        let next = words.get(at + 1).and_then(|word| value(word));
        match (word, open) {
            ("a", None) if next.is_some_and(|(_, multiplies)| multiplies) => open = Some(1),
            // "One hundred and five", but not "five and seven".
            ("and", Some(_)) if last_size >= 100 && last_size != u64::MAX => {
                if next.is_none_or(|(_, multiplies)| multiplies) {
                    break;
                }
            }
            _ => match (value(word), open) {
                (Some((100, true)), Some(before)) if before < 100 => {
                    open = Some(before * 100);
                    last_size = 100;
                }
                (Some((unit, true)), Some(before)) if unit > 100 => {
                    complete = complete.checked_add(before.checked_mul(unit.into())?)?;
                    open = Some(0);
                    last_size = unit;
                }
                (Some((value, false)), None) => {
                    open = Some(value.into());
                    last_size = size(value);
                }
                (Some((value, false)), Some(before)) if fits(value, last_size) => {
                    open = Some(before + i128::from(value));
                    last_size = size(value);
                }
                // "Nineteen eighty four", "twenty twenty six": two adjacent numbers are a year.
                (Some((value @ 10..100, false)), Some(before @ 11..100)) if complete == 0 => {
                    open = Some(before * 100 + i128::from(value));
                    last_size = size(value);
                }
                _ => break,
            },
        }
        at += 1;
    }
    let number = complete.checked_add(open?)?;
    (number.unsigned_abs() < LIMIT).then_some((number, at))
}

/// Tens may be followed by ones; numbers below twenty by nothing.
fn size(value: u64) -> u64 {
    if value >= 20 { 10 } else { 1 }
}

/// Whether a number may follow a word of this magnitude: "twenty one", but not "one twenty".
fn fits(value: u64, last_size: u64) -> bool {
    match last_size {
        10 => (1..10).contains(&value),
        1 => false,
        _ => value > 0,
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    DividedByZero,
    TooLarge,
}

fn work_out((first, rest): &Terms) -> Result<Fraction, Trouble> {
    let (mut sum, mut product) = (Fraction::whole(0), *first);
    for (operation, number) in rest {
        match operation {
            Times => product = product.times(*number).ok_or(Trouble::TooLarge)?,
            Over if number.above == 0 => return Err(Trouble::DividedByZero),
            Over => product = product.times(number.turned_over()).ok_or(Trouble::TooLarge)?,
            Plus | Minus => {
                sum = sum.plus(product).ok_or(Trouble::TooLarge)?;
                product = *number;
                if *operation == Minus {
                    product.above = -product.above;
                }
            }
        }
    }
    sum.plus(product).filter(|sum| sum.whole_part() < LIMIT).ok_or(Trouble::TooLarge)
}

/// The expression as it is said, with digits.
fn say((first, rest): &Terms) -> String {
    let mut text = first.figures().1;
    for (operation, number) in rest {
        let name = match operation {
            Plus => "plus",
            Minus => "minus",
            Times => "times",
            Over => "divided by",
        };
        text.push_str(&format!(" {name} {}", number.figures().1));
    }
    text
}

/// A fraction. `below`, the denominator, is positive.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fraction {
    above: i128,
    below: i128,
}

impl Fraction {
    fn whole(number: i128) -> Self {
        Self { above: number, below: 1 }
    }

    fn reduced(above: i128, below: i128) -> Self {
        let (mut a, mut b) = (above.unsigned_abs(), below.unsigned_abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let divisor = i128::try_from(a).unwrap_or(1).max(1);
        Self { above: above / divisor, below: below / divisor }
    }

    fn plus(self, other: Self) -> Option<Self> {
        let above = self.above.checked_mul(other.below)?.checked_add(other.above.checked_mul(self.below)?)?;
        Some(Self::reduced(above, self.below.checked_mul(other.below)?))
    }

    fn times(self, other: Self) -> Option<Self> {
        Some(Self::reduced(self.above.checked_mul(other.above)?, self.below.checked_mul(other.below)?))
    }

    fn turned_over(self) -> Self {
        Self { above: self.below * self.above.signum(), below: self.above.abs() }
    }

    fn whole_part(self) -> u128 {
        self.above.unsigned_abs() / self.below.unsigned_abs()
    }

    /// The number in digits with at most four decimals, and whether that is exact.
    fn figures(self) -> (bool, String) {
        let (above, below) = (self.above.unsigned_abs().saturating_mul(10_000), self.below.unsigned_abs());
        let (exact, rounded) = (above.is_multiple_of(below), above.saturating_add(below / 2) / below);
        // Two decimals are enough for an approximate number.
        let rounded = if exact { rounded } else { (rounded + 50) / 100 * 100 };
        let (whole, fraction) = (rounded / 10_000, rounded % 10_000);
        let mut text = String::new();
        if self.above < 0 && rounded > 0 {
            text.push_str("minus ");
        }
        text.push_str(&grouped(whole));
        if fraction > 0 {
            text.push('.');
            text.push_str(format!("{fraction:04}").trim_end_matches('0'));
        }
        (exact, text)
    }
}

/// Digits with thousands separators, so that speech synthesis does not read a number as a year.
fn grouped(number: u128) -> String {
    let figures = number.to_string();
    let mut text = String::new();
    for (index, figure) in figures.chars().enumerate() {
        if index > 0 && (figures.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(figure);
    }
    text
}
