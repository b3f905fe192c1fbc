// SPDX-License-Identifier: MPL-2.0

//! The rows of the list of events. Pieces of sound, words and arguments that follow each other within a second are one row, and
//! long texts are shortened: an hour of sound is a gigabyte in the trace.

use crate::trace::{Body, Line, Side};
use serde::Serialize;
use serde_json::{Value, json};

/// Pieces that follow each other for so many seconds are one row.
const MAX_ROW: f64 = 1.0;
/// Longest text in an event, in characters, and how much of a longer one is kept.
const MAX_TEXT: usize = 400;
const KEPT_TEXT: usize = 80;

/// A row: an event, or some of one kind.
#[derive(Debug, Serialize)]
pub struct Row {
    at: f64,
    until: f64,
    side: char,
    #[serde(rename = "type")]
    name: String,
    count: usize,
    /// As text: a page of an hour has tens of thousands, of which a few are looked at.
    json: String,
}

/// The rows so far.
#[derive(Debug, Default)]
pub struct Events {
    rows: Vec<Row>,
    /// Rows that take more events of their kind.
    open: Vec<usize>,
}

impl Events {
    /// All rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Adds a line of a trace.
    pub fn line(&mut self, line: &Line, position: f64) {
        let side = if line.side == Side::Client { 'c' } else { 's' };
        let (name, json) = match &line.body {
            Body::Event(json) => (name(json.get()), json.get()),
            Body::Close { code, reason } => {
                return self.add(position, side, "close".into(), json!({"code": code, "reason": reason}).to_string());
            }
            Body::Raw(text) => return self.add(position, side, "raw".into(), json!(shortened(text)).to_string()),
        };
        if !name.ends_with(".delta") && !name.ends_with(".append") {
            self.open.clear();
            return self.add(position, side, name, event(json));
        }
        let rows = &mut self.rows;
        let same = |index: &usize| rows[*index].side == side && rows[*index].name == name;
        match self.open.iter().copied().find(same).filter(|index| position - rows[*index].at < MAX_ROW) {
            Some(index) => {
                rows[index].count += 1;
                rows[index].until = position;
            }
            None => {
                self.open.retain(|index| !same(index));
                self.open.push(self.rows.len());
                self.add(position, side, name, event(json));
            }
        }
    }

    fn add(&mut self, at: f64, side: char, name: String, json: String) {
        self.rows.push(Row { at, until: at, side, name, count: 1, json });
    }
}

/// The type of an event.
fn name(json: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Head {
        #[serde(rename = "type")]
        name: String,
    }
    serde_json::from_str(json).map_or_else(|_| "(no type)".into(), |head: Head| head.name)
}

/// An event as it is on the wire, unless it has long texts.
fn event(json: &str) -> String {
    let value: Value = serde_json::from_str(json).unwrap_or_default();
    let short = shorten(value.clone());
    if short == value { json.to_owned() } else { short.to_string() }
}

fn shorten(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(shortened(&text)),
        Value::Array(values) => values.into_iter().map(shorten).collect(),
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(key, value)| (key, shorten(value))).collect()),
        value => value,
    }
}

fn shortened(text: &str) -> String {
    match (text.char_indices().nth(MAX_TEXT), text.char_indices().nth(KEPT_TEXT)) {
        (Some(_), Some((end, _))) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(events: &[(f64, &str, Value)]) -> Vec<(String, usize)> {
        let mut rows = Events::default();
        for (time, side, event) in events {
            let text = json!({"dir": side, "t": time, "ev": event}).to_string();
            rows.line(&Line::parse(1, &text).expect("a line").expect("an event"), *time);
        }
        rows.rows.into_iter().map(|row| (row.name, row.count)).collect()
    }

    #[test]
    fn pieces_within_a_second_are_one_row_until_something_else_happens() {
        let append = json!({"type": "a.append"});
        let delta = json!({"type": "b.delta"});
        let done = json!({"type": "b.done"});
        let read = rows(&[
            (0.0, "c", append.clone()),
            (0.1, "s", delta.clone()),
            (0.2, "c", append.clone()),
            (1.1, "c", append.clone()),
            (1.2, "s", done),
            (1.3, "c", append),
            (1.4, "s", delta),
        ]);
        let counts: Vec<_> = read.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(
            counts,
            [("a.append", 2), ("b.delta", 1), ("a.append", 1), ("b.done", 1), ("a.append", 1), ("b.delta", 1)]
        );
    }

    #[test]
    fn long_texts_are_shortened_wherever_they_stand() {
        let long = "ü".repeat(500);
        let short = shorten(json!({"a": [{"b": long}], "c": "short", "d": 1}));
        assert_eq!(short["a"][0]["b"], format!("{}… (500 characters)", "ü".repeat(80)));
        assert_eq!((&short["c"], &short["d"]), (&json!("short"), &json!(1)));
    }
}
