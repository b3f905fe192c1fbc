// SPDX-License-Identifier: MPL-2.0

//! Numbers with their context: "3:45", "11/21/2026", "22nd", "1/2", "16 kHz".
//!
//! Each function looks at the start of a text. If its pattern matches, it returns the words, and the number of bytes
//! that they stand for.

use crate::speech::numbers::{cardinal, figures, ordinal, year};

/// The names of the months.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Units: symbol, singular, plural. A longer symbol comes before its own prefixes.
const UNITS: [(&str, &str, &str); 29] = [
    ("%", "percent", "percent"),
    ("°C", "degree Celsius", "degrees Celsius"),
    ("°F", "degree Fahrenheit", "degrees Fahrenheit"),
    ("°", "degree", "degrees"),
    ("¢", "cent", "cents"),
    ("kHz", "kilohertz", "kilohertz"),
    ("MHz", "megahertz", "megahertz"),
    ("GHz", "gigahertz", "gigahertz"),
    ("Hz", "hertz", "hertz"),
    ("dB", "decibel", "decibels"),
    ("km/h", "kilometer per hour", "kilometers per hour"),
    ("mph", "mile per hour", "miles per hour"),
    ("km", "kilometer", "kilometers"),
    ("cm", "centimeter", "centimeters"),
    ("mm", "millimeter", "millimeters"),
    ("kg", "kilogram", "kilograms"),
    ("mg", "milligram", "milligrams"),
    ("ml", "milliliter", "milliliters"),
    ("KB", "kilobyte", "kilobytes"),
    ("MB", "megabyte", "megabytes"),
    ("GB", "gigabyte", "gigabytes"),
    ("TB", "terabyte", "terabytes"),
    ("px", "pixel", "pixels"),
    ("ms", "millisecond", "milliseconds"),
    ("min", "minute", "minutes"),
    ("lbs", "pound", "pounds"),
    ("lb", "pound", "pounds"),
    ("ft", "foot", "feet"),
    ("m", "meter", "meters"),
];

/// The digits at the start, without separators: integer part, fraction, and the length of both as written.
pub fn figure(text: &str) -> Option<(String, Option<&str>, usize)> {
    let run = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut len = run(text);
    let mut whole = text[..len].to_owned();
    while (1..=3).contains(&len) || len > 4 {
        let Some(group) = text[len..].strip_prefix(',') else { break };
        if run(group) != 3 {
            break;
        }
        whole.push_str(&group[..3]);
        len += 4;
    }
    let fraction = text[len..].strip_prefix('.').map(|rest| &rest[..run(rest)]).filter(|digits| !digits.is_empty());
    // "1.2.3" is not a number but three.
    let fraction = fraction.filter(|f| !dotted(&text[len + 1 + f.len()..]));
    let end = len + fraction.map_or(0, |fraction| 1 + fraction.len());
    (end > 0).then_some((whole, fraction, end))
}

fn dotted(rest: &str) -> bool {
    rest.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// "2026-11-21" and "11/21/2026".
pub fn date(text: &str) -> Option<(String, usize)> {
    let len = text.bytes().take_while(|c| c.is_ascii_digit() || matches!(c, b'-' | b'/')).count();
    let written = text[..len].trim_end_matches(['-', '/']);
    let sign = if written.contains('-') { '-' } else { '/' };
    let parts: Vec<&str> = written.split(sign).collect();
    let (y, month, day) = match (sign, parts.as_slice()) {
        ('-', &[y, month, day]) if y.len() == 4 && month.len() == 2 && day.len() == 2 => (y, month, day),
        ('/', &[month, day, y]) if y.len() == 4 && month.len() <= 2 && day.len() <= 2 => (y, month, day),
        _ => return None,
    };
    let (y, month, day): (u64, usize, u64) = (y.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let month = MONTHS.get(month.checked_sub(1)?).filter(|_| (1..=31).contains(&day))?;
    Some((format!("{month} {}, {}", ordinal(day), year(y)), written.len()))
}

/// "3:45", "15:45:10", also before "p.m.".
pub fn clock(text: &str) -> Option<(String, usize)> {
    let len = text.bytes().take_while(|c| c.is_ascii_digit() || *c == b':').count();
    let written = text[..len].trim_end_matches(':');
    let parts: Vec<&str> = written.split(':').collect();
    let well_written = parts.iter().enumerate().all(|(i, part)| part.len() == 2 || (i == 0 && part.len() == 1));
    let numbers: Vec<u64> = parts.iter().map_while(|part| part.parse().ok()).collect();
    if !well_written || numbers.len() != parts.len() || numbers.iter().skip(1).any(|number| *number > 59) {
        return None;
    }
    let half = text[written.len()..]
        .trim_start()
        .get(..1)
        .is_some_and(|c| c.eq_ignore_ascii_case("a") || c.eq_ignore_ascii_case("p"));
    let (hour, minute) = match *numbers.as_slice() {
        [hour @ 0..=24, minute] | [hour @ 0..=24, minute, _] => (hour, minute),
        _ => return None,
    };
    let mut words = cardinal(hour);
    match minute {
        0 if half || numbers.len() > 2 => {}
        0 => words.push_str(" o'clock"),
        1..=9 => words.push_str(&format!(" oh {}", cardinal(minute))),
        _ => words.push_str(&format!(" {}", cardinal(minute))),
    }
    if let Some(&second) = numbers.get(2) {
        words.push_str(&format!(" and {} {}", cardinal(second), if second == 1 { "second" } else { "seconds" }));
    }
    Some((words, written.len()))
}

/// Any other number: with a unit, ordinal, year, fraction.
pub fn quantity(text: &str) -> Option<(String, usize)> {
    let (whole, fraction, len) = figure(text)?;
    let rest = &text[len..];
    let number = whole.parse::<u64>().ok().filter(|_| fraction.is_none());
    if let Some(number) = number {
        let ending = rank_ending(rest);
        if ending > 0 {
            return Some((ordinal(number), len + ending));
        }
        if let Some((words, more)) = part(number, rest) {
            return Some((words, len + more));
        }
    }
    let spaces = rest.len() - rest.trim_start_matches(' ').len();
    for (sign, one, many) in UNITS.iter().filter(|_| spaces <= 1) {
        let behind = rest[spaces..].strip_prefix(sign);
        if behind.is_some_and(|behind| !behind.starts_with(char::is_alphanumeric) && !behind.starts_with('\'')) {
            return Some((counted(&whole, fraction, one, many), len + spaces + sign.len()));
        }
    }
    let is_year = whole.len() == 4 && len == 4 && fraction.is_none();
    Some(match number.filter(|number| is_year && (1900..=2099).contains(number)) {
        Some(number) => (year(number), len),
        None => (figures(&whole, fraction), len),
    })
}

/// "1/2" is one half, "7/12" is seven over twelve.
fn part(number: u64, rest: &str) -> Option<(String, usize)> {
    let (below, None, len) = figure(rest.strip_prefix('/')?)? else { return None };
    let below: u64 = below.parse().ok().filter(|_| !rest[1 + len..].starts_with('/'))?;
    let words = match (number, below) {
        (1, 2) => "one half".to_owned(),
        (1, 4) => "one quarter".to_owned(),
        (_, 4) if number < 4 => format!("{} quarters", cardinal(number)),
        (1, 3..=10) => format!("one {}", ordinal(below)),
        (_, 3..=10) if number < below => format!("{} {}s", cardinal(number), ordinal(below)),
        _ => format!("{} over {}", cardinal(number), cardinal(below)),
    };
    Some((words, 1 + len))
}

/// The length of "st", "nd", "rd" or "th" at the start.
pub fn rank_ending(rest: &str) -> usize {
    let is_ending = ["st", "nd", "rd", "th"].iter().any(|ending| rest.starts_with(ending));
    if is_ending && !rest[2..].starts_with(char::is_alphabetic) { 2 } else { 0 }
}

/// A number with its unit in singular or plural.
pub fn counted(whole: &str, fraction: Option<&str>, one: &str, many: &str) -> String {
    let unit = if whole == "1" && fraction.is_none() { one } else { many };
    format!("{} {unit}", figures(whole, fraction))
}
