// SPDX-License-Identifier: MPL-2.0

//! Number words of American English: "forty two", "twenty first", "nineteen eighty four".
//!
//! There are no hyphens and no "and" between hundreds and tens. So every number has exactly one spelling, and
//! transcripts can be compared word by word.

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const LARGE: [(u64, &str); 6] = [
    (1_000_000_000_000_000, "quadrillion"),
    (1_000_000_000_000, "trillion"),
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1_000, "thousand"),
    (100, "hundred"),
];

/// A cardinal number: "one hundred five".
pub fn cardinal(number: u64) -> String {
    if let Some(&(unit, name)) = LARGE.iter().find(|(unit, _)| number >= *unit) {
        let most = format!("{} {name}", cardinal(number / unit));
        return if number.is_multiple_of(unit) { most } else { format!("{most} {}", cardinal(number % unit)) };
    }
    match (number / 10, number % 10) {
        (0 | 1, _) => SMALL[number as usize].to_owned(),
        (tens, 0) => TENS[tens as usize].to_owned(),
        (tens, ones) => format!("{} {}", TENS[tens as usize], SMALL[ones as usize]),
    }
}

/// An ordinal number: "one hundred fifth".
pub fn ordinal(number: u64) -> String {
    let words = cardinal(number);
    let (before, last) = words.rsplit_once(' ').map_or(("", words.as_str()), |(before, last)| (before, last));
    let last = match last {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        tens if tens.ends_with('y') => format!("{}ieth", tens.trim_end_matches('y')),
        other => format!("{other}th"),
    };
    if before.is_empty() { last } else { format!("{before} {last}") }
}

/// A year: "nineteen eighty four", "two thousand five", "twenty twenty six".
pub fn year(year: u64) -> String {
    match (year / 100, year % 100) {
        (century @ 11..=99, 0) if century % 10 != 0 => format!("{} hundred", cardinal(century)),
        (century @ 11..=99, rest @ 1..=9) if century % 10 != 0 => {
            format!("{} oh {}", cardinal(century), cardinal(rest))
        }
        (century @ 11..=99, rest @ 10..) => format!("{} {}", cardinal(century), cardinal(rest)),
        _ => cardinal(year),
    }
}

/// A number in digits without separators: "3.14", "007", "42".
pub fn figures(whole: &str, fraction: Option<&str>) -> String {
    let mut words = match whole.parse() {
        // A very long number, or one with leading zeros, is an identifier such as a telephone number.
        Ok(number) if whole.len() <= 15 && (whole.len() == 1 || !whole.starts_with('0')) => cardinal(number),
        _ if whole.is_empty() => "zero".to_owned(),
        _ => one_by_one(whole),
    };
    if let Some(fraction) = fraction.filter(|fraction| !fraction.is_empty()) {
        words.push_str(" point ");
        words.push_str(&one_by_one(fraction));
    }
    words
}

/// Digit by digit.
fn one_by_one(figures: &str) -> String {
    let names: Vec<&str> =
        figures.bytes().filter_map(|c| SMALL.get(usize::from(c.wrapping_sub(b'0'))).copied()).collect();
    names.join(" ")
}

/// The value of a number word, and whether it multiplies the number before it ("hundred").
pub fn value(word: &str) -> Option<(u64, bool)> {
    let position = |names: &[&str]| names.iter().position(|name| *name == word);
    if let Some(&(unit, _)) = LARGE.iter().find(|(_, name)| *name == word) {
        return Some((unit, true));
    }
    let small = position(&SMALL).map(|number| number as u64);
    let tens = || position(&TENS).filter(|_| !word.is_empty()).map(|tens| 10 * tens as u64);
    small.or_else(tens).map(|number| (number, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        assert_eq!(cardinal(0), "zero");
        assert_eq!(cardinal(42), "forty two");
        assert_eq!(cardinal(110), "one hundred ten");
        assert_eq!(cardinal(1_000_001), "one million one");
        assert_eq!(cardinal(20_300), "twenty thousand three hundred");
        assert!(cardinal(u64::MAX).starts_with("eighteen thousand four hundred forty six quadrillion"));
    }

    #[test]
    fn ranks() {
        let ranks = [1, 2, 3, 5, 8, 9, 11, 12, 20, 21, 30, 100, 1_000].map(ordinal);
        let expected = "first second third fifth eighth ninth eleventh twelfth twentieth twenty-first thirtieth \
                        one-hundredth one-thousandth";
        assert_eq!(ranks.map(|rank| rank.replace(' ', "-")).join(" "), expected);
    }

    #[test]
    fn years() {
        assert_eq!(year(1984), "nineteen eighty four");
        assert_eq!(year(1900), "nineteen hundred");
        assert_eq!(year(1905), "nineteen oh five");
        assert_eq!(year(2000), "two thousand");
        assert_eq!(year(2005), "two thousand five");
        assert_eq!(year(2026), "twenty twenty six");
    }

    #[test]
    fn written_figures() {
        assert_eq!(figures("3", Some("14")), "three point one four");
        assert_eq!(figures("007", None), "zero zero seven");
        assert_eq!(figures("", Some("5")), "zero point five");
        assert_eq!(figures("0", None), "zero");
        assert!(figures("12345678901234567890123", None).starts_with("one two three four"));
    }

    #[test]
    fn every_number_word_has_its_value_back() {
        for number in (0..20).chain((20..100).step_by(10)) {
            assert_eq!(value(&cardinal(number)), Some((number, false)));
        }
        assert_eq!(value("thousand"), Some((1000, true)));
        assert_eq!(value(""), None);
        assert_eq!(value("forth"), None);
    }
}
