// SPDX-License-Identifier: MPL-2.0

//! Answers to questions about time and date.

use crate::rules::words::has;
use jiff::{Span, Zoned};

const TIME: &str = "what time is it|what's the time|what is the time|tell me the time|what time it is|the time please|\
    time is it|current time|do you have the time|know the time";
const ASKING: &str = "what|what's|which|tell me|today's date|do you know|give me|say";
const DAY: &str = "what day|which day|what weekday|which weekday|day is it|day of the week|day is today";
const NOW: &str = "is it|is this|current|this year|year are we|month are we";

/// The answer, if the question is about now, today, tomorrow or yesterday.
pub fn answer(words: &[String], now: &Zoned) -> Option<String> {
    if has(words, TIME) {
        // The sentence has the last period.
        return Some(format!("It is {} {}.", now.strftime("%-I:%M"), if now.hour() < 12 { "a.m" } else { "p.m" }));
    }
    if !has(words, ASKING) {
        return None;
    }
    let (days, day) = match () {
        () if has(words, "day after tomorrow") => (2, "The day after tomorrow"),
        () if has(words, "tomorrow|tomorrow's") => (1, "Tomorrow"),
        () if has(words, "yesterday|yesterday's") => (-1, "Yesterday"),
        () => (0, "Today"),
    };
    let date = now.checked_add(Span::new().days(days)).ok()?;
    if has(words, "date") {
        return Some(format!("{day} is {}.", date.strftime("%A, %B %-d, %Y")));
    }
    if has(words, DAY) {
        return Some(format!("{day} is {}.", date.strftime("%A")));
    }
    let (year, month) = (has(words, "year"), has(words, "month"));
    let format = if year { "the year %Y" } else { "%B" };
    ((year || month) && has(words, NOW)).then(|| format!("It is {}.", now.strftime(format)))
}
