// SPDX-License-Identifier: MPL-2.0

//! Turns function results into sentences: JSON as facts, errors as errors.

use crate::engine::{Part, Turn};
use crate::rules::words::{capitalized, is_in, listed, of_name};
use indexmap::IndexMap;
use openai_protocol::items::Role;
use serde::Deserialize;
use serde_json::{Number, Value};

/// Maximum number of facts that are said; the rest is only counted.
const MAX_FACTS: usize = 12;
/// Field names that add nothing to their value.
const PLAIN: &str = "message text answer summary description content";
/// The text for an error without a message.
const UNKNOWN: &str = "there was an error";

/// The results since the model's last answer, if there are any. Several have the names of their functions.
pub fn outputs(turns: &[Turn]) -> Option<String> {
    let speaks = |part: &Part| matches!(part, Part::Text(_));
    let since = turns.iter().rposition(|turn| turn.role == Role::Assistant && turn.parts.iter().any(speaks));
    let call = |wanted: &String| {
        let mut calls = turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match part {
            Part::Call { call_id, name, arguments } if call_id == wanted => Some((name.as_str(), arguments.as_str())),
            _ => None,
        });
        calls.next().unwrap_or(("function", ""))
    };
    let new = turns[since.map_or(0, |index| index + 1)..].iter().flat_map(|turn| &turn.parts);
    let results = new.filter_map(|part| match part {
        Part::Output { call_id, text } => Some((call(call_id), text)),
        _ => None,
    });
    let results: Vec<((&str, &str), &String)> = results.collect();
    let sentences = results.iter().map(|((name, arguments), output)| {
        let again = results.iter().filter(|((other, _), _)| other == name).count() > 1;
        let title = match subject(arguments).filter(|_| again) {
            Some(subject) => format!("{} for {subject}", of_name(name).join(" ")),
            None => of_name(name).join(" "),
        };
        sentence(output, (results.len() > 1).then_some(&title))
    });
    (!results.is_empty()).then(|| sentences.collect::<Vec<_>>().join(" "))
}

/// The subject of a call: the first string among its arguments.
fn subject(arguments: &str) -> Option<String> {
    let arguments: Value = serde_json::from_str(arguments).ok()?;
    arguments.as_object()?.values().find_map(|value| value.as_str().map(str::to_owned))
}

/// An output as a sentence, with the function's name when there are several.
fn sentence(output: &str, title: Option<&String>) -> String {
    let fact = serde_json::from_str(output).unwrap_or_else(|_| Fact::Text(output.trim().into()));
    let words = match (fact.error(), title) {
        (Some(error), title) => format!("{} did not work: {error}", title.map_or("that", String::as_str)),
        (None, None) => fact.say(),
        (None, Some(title)) => format!("{title}: {}", fact.say()),
    };
    let words = capitalized(words.trim());
    if words.ends_with(['.', '!', '?']) { words } else { format!("{words}.") }
}

/// A JSON value that keeps the order of its fields, so that it can be read out.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
enum Fact {
    Nothing,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Fact>),
    Fields(IndexMap<String, Fact>),
}

impl Fact {
    fn get(&self, names: &[&str]) -> Option<&Self> {
        let Self::Fields(fields) = self else { return None };
        names.iter().find_map(|name| fields.get(*name))
    }

    /// The error message, if the value reports an error.
    fn error(&self) -> Option<String> {
        if let Self::Text(text) = self {
            let rest =
                text.get(5..).filter(|_| text[..5].eq_ignore_ascii_case("error"))?.trim_start_matches([':', ' ']);
            return Some(if rest.is_empty() { UNKNOWN } else { rest }.to_owned());
        }
        let why = || self.get(&["message", "reason", "detail"]).map_or_else(|| UNKNOWN.into(), Self::say);
        let failed = |fact: &Self| matches!(fact, Self::Text(status) if is_in(status, "error failed failure"));
        match self.get(&["error", "errors"]) {
            Some(Self::Bool(true)) => Some(why()),
            Some(Self::Text(text)) if !text.is_empty() => Some(text.clone()),
            Some(error @ (Self::Number(_) | Self::List(_) | Self::Fields(_))) => {
                Some(error.get(&["message"]).unwrap_or(error).say())
            }
            _ if self.get(&["success", "ok"]) == Some(&Self::Bool(false)) => Some(why()),
            _ => self.get(&["status"]).filter(|status| failed(status)).map(|_| why()),
        }
    }

    /// The value in words.
    fn say(&self) -> String {
        let mut facts = Vec::new();
        match self {
            Self::Bool(true) => return "yes, that is done".into(),
            Self::Bool(false) => return "no".into(),
            Self::Number(number) => return format!("the result is {number}"),
            Self::List(list) if list.is_empty() => return "there is nothing".into(),
            Self::Text(text) if text.eq_ignore_ascii_case("ok") => {}
            Self::Fields(fields) => match fields.first() {
                Some((name, fact)) if fields.len() == 1 && is_in(name, PLAIN) => return fact.say(),
                _ => self.collect("", &mut facts),
            },
            Self::Nothing | Self::Text(_) | Self::List(_) => self.collect("", &mut facts),
        }
        let more = facts.len().saturating_sub(MAX_FACTS);
        facts.truncate(MAX_FACTS);
        match (facts.join(", "), more) {
            (said, _) if said.is_empty() => "it is done".into(),
            (said, 0) => said,
            (said, more) => format!("{said}, and {more} more"),
        }
    }

    /// Adds its facts, such as "wind speed is 5".
    fn collect(&self, name: &str, facts: &mut Vec<String>) {
        let nested = |fact: &Self| matches!(fact, Self::List(_) | Self::Fields(_));
        match self {
            Self::Fields(fields) => {
                // An empty error field is not worth mentioning.
                for (field, fact) in
                    fields.iter().filter(|(field, fact)| **fact != Self::Nothing || !field.starts_with("error"))
                {
                    fact.collect(format!("{name} {}", of_name(field).join(" ")).trim(), facts);
                }
            }
            Self::List(list) if list.iter().any(nested) => {
                for (index, fact) in list.iter().enumerate() {
                    fact.collect(format!("{name} {}", index + 1).trim(), facts);
                }
            }
            Self::Nothing if name.is_empty() => {}
            fact if name.is_empty() => facts.push(fact.word()),
            Self::List(list) if !list.is_empty() => facts.push(format!("{name}: {}", self.word())),
            fact => facts.push(format!("{name} is {}", fact.word())),
        }
    }

    fn word(&self) -> String {
        match self {
            Self::Nothing => "not known".into(),
            Self::Bool(yes) => yes.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::List(list) if !list.is_empty() => listed(&list.iter().map(Self::word).collect::<Vec<_>>()),
            Self::List(_) | Self::Fields(_) => "empty".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_as_words() {
        for (output, expected) in [
            (r#"{"temperature": 21, "condition": "sunny"}"#, "Temperature is 21, condition is sunny."),
            (
                r#"{"wind": {"speedKmh": 5}, "days": ["Monday", "Tuesday"]}"#,
                "Wind speed kmh is 5, days: Monday and Tuesday.",
            ),
            (r#"[{"name": "a"}, {"name": "b"}]"#, "1 name is a, 2 name is b."),
            (r#"{"message": "All set!"}"#, "All set!"),
            ("12:30", "12:30."),
            ("8", "The result is 8."),
            ("{}", "It is done."),
            (r#"{"error": null}"#, "It is done."),
            ("ok", "It is done."),
            ("It rains", "It rains."),
        ] {
            assert_eq!(sentence(output, None), expected);
        }
    }

    #[test]
    fn errors_are_said_as_errors() {
        for output in [
            r#"{"error": "no such city"}"#,
            r#"{"error": {"code": 4, "message": "no such city"}}"#,
            r#"{"success": false, "message": "no such city"}"#,
            r#"{"status": "error", "reason": "no such city"}"#,
            "Error: no such city",
        ] {
            assert_eq!(sentence(output, None), "That did not work: no such city.", "{output}");
        }
        assert_eq!(sentence(r#"{"error": null, "price": 3}"#, None), "Price is 3.");
        assert_eq!(sentence(r#"{"error": "x"}"#, Some(&"get time".into())), "Get time did not work: x.");
    }
}
