// SPDX-License-Identifier: MPL-2.0

//! Arithmetic in words: "how much is seven times eight".
//!
//! The words are parsed to numbers and operators and evaluated exactly, as fractions, with multiplication and division
//! first. A result that has too many digits to be spoken is rounded, and said to be approximate.

use crate::rules::numbers::{Fraction, LIMIT, number};
use crate::rules::words::{is_in, opening};
use num_traits::{CheckedAdd, CheckedDiv, CheckedMul, Zero};

/// Operators with their phrases.
const OPERATORS: [(&str, &str); 4] = [
    ("plus", "plus"),
    ("minus", "minus|less"),
    ("times", "times|multiplied by|x"),
    ("divided by", "divided by|over|slash"),
];
/// Operations that begin with their name, with the words between the two numbers: "divide ten by two".
const OPERATIONS: [(&str, &str, &str); 7] = [
    ("add", "plus", "and to"),
    ("sum of", "plus", "and"),
    ("multiply", "times", "by with"),
    ("product of", "times", "and"),
    ("divide", "divided by", "by"),
    ("subtract", "minus", "from"),
    ("difference between", "minus", "and"),
];
/// Words beside an expression, of which one shows that it is a question.
const CUES: &str = "what what's how much many calculate compute work tell solve is equals add sum product";

/// Operators with their numbers; the first one is "plus".
type Terms = Vec<(&'static str, Fraction)>;

/// The answer, if the words are an arithmetic expression or a question with one.
pub fn answer(words: &[String]) -> Option<String> {
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !is_in(word, "please the")).collect();
    let (terms, before, behind) = (0..words.len()).find_map(|start| {
        let (before, rest) = words.split_at(start);
        in_order(rest).or_else(|| named(rest)).map(|(terms, count)| (terms, before, &rest[count..]))
    })?;
    let mut beside = before.iter().chain(behind).peekable();
    if beside.peek().is_some() && !beside.any(|word| is_in(word, CUES)) {
        return None;
    }
    if terms.iter().any(|(operator, number)| *operator == "divided by" && number.is_zero()) {
        return Some("A number cannot be divided by zero.".to_owned());
    }
    let Some((exact, result)) = work_out(&terms).and_then(figures) else {
        return Some("That is more than I can work out.".to_owned());
    };
    let said = terms.iter().filter_map(|(operator, number)| Some(format!("{operator} {}", figures(*number)?.1)));
    let question = said.collect::<Vec<_>>().join(" ");
    Some(format!("{} is {}{result}.", question.trim_start_matches("plus "), if exact { "" } else { "about " }))
}

/// Parses "two plus three times four" at the start, with at least one operator, and returns its number of words.
fn in_order(words: &[&str]) -> Option<(Terms, usize)> {
    let operator = |words| OPERATORS.iter().find_map(|(name, phrases)| Some((*name, opening(words, phrases)?)));
    let (first, mut at) = number(words)?;
    let mut terms = vec![("plus", first)];
    while let Some((operator, skip)) = operator(&words[at..]) {
        let Some((next, count)) = number(&words[at + skip..]) else { break };
        terms.push((operator, next));
        at += skip + count;
    }
    (terms.len() > 1).then_some((terms, at))
}

/// Parses "add two and three", "the sum of two and three", "subtract two from ten".
fn named(words: &[&str]) -> Option<(Terms, usize)> {
    let (skip, operator, between) =
        OPERATIONS.iter().find_map(|(name, operator, between)| Some((opening(words, name)?, *operator, *between)))?;
    let at = skip + words[skip..].iter().position(|word| is_in(word, between))?;
    let (first, _) = number(&words[skip..at]).filter(|(_, count)| skip + count == at)?;
    let (second, count) = number(&words[at + 1..])?;
    let (first, second) = if between == "from" { (second, first) } else { (first, second) };
    Some((vec![("plus", first), (operator, second)], at + 1 + count))
}

/// The result; `None` when it is too large.
fn work_out(terms: &Terms) -> Option<Fraction> {
    let (mut sum, mut product) = (Fraction::zero(), Fraction::zero());
    for (operator, number) in terms {
        match *operator {
            "times" => product = product.checked_mul(number)?,
            "divided by" => product = product.checked_div(number)?,
            sign => {
                sum = sum.checked_add(&product)?;
                product = if sign == "minus" { -number } else { *number };
            }
        }
    }
    sum.checked_add(&product).filter(|sum| sum.to_integer().abs() < LIMIT.into())
}

/// A number in digits with at most four decimals, two when that is not exact, and whether it is exact. Thousands have
/// separators, so that speech synthesis does not read a number as a year.
fn figures(number: Fraction) -> Option<(bool, String)> {
    let exact = number.checked_mul(&10_000.into())?.is_integer();
    let unit = if exact { 10_000 } else { 100 };
    let rounded = (number * unit).round().to_integer();
    let (whole, decimals) = ((rounded.abs() / unit).to_string(), (rounded.abs() % unit + unit).to_string());
    let first = (whole.len() + 2) % 3 + 1;
    let groups = whole.as_bytes()[first..].chunks(3).map(String::from_utf8_lossy);
    let whole = groups.fold(whole[..first].to_owned(), |text, group| format!("{text},{group}"));
    let sign = if rounded < 0 { "minus " } else { "" };
    let decimals = decimals[1..].trim_end_matches('0');
    Some((exact, format!("{sign}{whole}{}{decimals}", if decimals.is_empty() { "" } else { "." })))
}
