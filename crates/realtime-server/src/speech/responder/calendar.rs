// SPDX-License-Identifier: MPL-2.0

//! Answers to questions about time and date.

use jiff::{Span, Zoned, civil::Weekday};

use crate::speech::responder::Question;
use crate::speech::text_normalization::MONTHS;

/// The answer, if the question is about now, today, tomorrow or yesterday.
pub fn answer(question: &Question<'_>, now: &Zoned) -> Option<String> {
    let time = [
        "what time is it",
        "what's the time",
        "what is the time",
        "tell me the time",
        "what time it is",
        "the time please",
        "time is it",
        "current time",
        "do you have the time",
        "know the time",
    ];
    if question.has_any(&time) {
        return Some(format!("It is {}.", time_of_day(now)));
    }
    let asks =
        question.has_any(&["what", "what's", "which", "tell me", "today's date", "do you know", "give me", "say"]);
    if !asks {
        return None;
    }
    let (day, is) = relative_day(question);
    let date = now.checked_add(Span::new().days(day)).ok()?;
    if question.has_any(&["date"]) {
        let name = if day == 0 { "Today" } else { is };
        return Some(format!("{name} is {}, {}.", weekday(&date), full_date(&date)));
    }
    if question.has_any(&[
        "what day",
        "which day",
        "what weekday",
        "which weekday",
        "day is it",
        "day of the week",
        "day is today",
    ]) {
        return Some(format!("{is} is {}.", weekday(&date)));
    }
    let now_asked = question.has_any(&["is it", "is this", "current", "this year", "year are we", "month are we"]);
    if now_asked && question.has_any(&["year"]) {
        return Some(format!("It is the year {}.", now.year()));
    }
    if now_asked && question.has_any(&["month"]) {
        return Some(format!("It is {}.", month(now)));
    }
    None
}

fn relative_day(question: &Question<'_>) -> (i64, &'static str) {
    if question.has_any(&["day after tomorrow"]) {
        (2, "The day after tomorrow")
    } else if question.has_any(&["tomorrow", "tomorrow's"]) {
        (1, "Tomorrow")
    } else if question.has_any(&["yesterday", "yesterday's"]) {
        (-1, "Yesterday")
    } else {
        (0, "Today")
    }
}

/// "3:45 p.m": the sentence adds the last period.
fn time_of_day(now: &Zoned) -> String {
    let (hour, half) = match now.hour() {
        0 => (12, "a.m"),
        hour @ 1..12 => (hour, "a.m"),
        12 => (12, "p.m"),
        hour => (hour - 12, "p.m"),
    };
    format!("{hour}:{:02} {half}", now.minute())
}

fn full_date(date: &Zoned) -> String {
    format!("{} {}, {}", month(date), date.day(), date.year())
}

fn month(date: &Zoned) -> &'static str {
    let index = usize::try_from(date.month() - 1).unwrap_or_default();
    MONTHS.get(index).copied().unwrap_or("a month without a name")
}

fn weekday(date: &Zoned) -> &'static str {
    match date.weekday() {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}
