//! What functions gave back, as a sentence: JSON read as words, errors as errors.

use super::words::of_name;
use crate::engine::{Part, Turn};
use gstopenairealtime::protocol::items::Role;
use serde_json::Value;

/// More facts than this are counted, not said.
const MAX_FACTS: usize = 12;
/// Names of fields that say nothing beside their value.
const PLAIN: &[&str] = &["message", "text", "answer", "summary", "description", "content"];

/// What the functions gave back since the model spoke last, if they gave anything.
pub fn outputs(turns: &[Turn]) -> Option<String> {
    let since = turns.iter().rposition(speaks).map_or(0, |index| index + 1);
    let results: Vec<(Option<&Part>, &str)> =
        turns[since..].iter().flat_map(|turn| &turn.parts).filter_map(|part| result(part, turns)).collect();
    let name = |call: Option<&Part>| match call {
        Some(Part::Call { name, .. }) => name.clone(),
        _ => "function".into(),
    };
    let names: Vec<String> = results.iter().map(|(call, _)| name(*call)).collect();
    let sentences = results.iter().zip(&names).map(|((call, output), name)| {
        let title = of_name(name).join(" ");
        let again = names.iter().filter(|other| *other == name).count() > 1;
        let title = match call.and_then(subject).filter(|_| again) {
            Some(subject) => format!("{title} for {subject}"),
            None => title,
        };
        sentence(output, (results.len() > 1).then_some(&title))
    });
    let sentences: Vec<String> = sentences.collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// Whether this is something that the model said.
fn speaks(turn: &Turn) -> bool {
    turn.role == Role::Assistant && turn.parts.iter().any(|part| matches!(part, Part::Text(_)))
}

/// An output with its call.
fn result<'a>(part: &'a Part, turns: &'a [Turn]) -> Option<(Option<&'a Part>, &'a str)> {
    let Part::Output { call_id: wanted, text } = part else { return None };
    let is_it = |part: &&Part| matches!(part, Part::Call { call_id, .. } if call_id == wanted);
    Some((turns.iter().flat_map(|turn| &turn.parts).find(is_it), text))
}

/// What a call was about: the first text among its arguments.
fn subject(call: &Part) -> Option<String> {
    let Part::Call { arguments, .. } = call else { return None };
    let arguments: Value = serde_json::from_str(arguments).ok()?;
    arguments.as_object()?.values().find_map(|value| value.as_str().map(str::to_owned))
}

/// An output as a sentence, with the name of its function where there are several.
pub fn sentence(output: &str, title: Option<&String>) -> String {
    let value = serde_json::from_str(output).unwrap_or_else(|_| Value::String(output.trim().into()));
    let words = match (error(&value), title) {
        (Some(error), None) => format!("that did not work: {error}"),
        (Some(error), Some(title)) => format!("{title} did not work: {error}"),
        (None, None) => say(&value),
        (None, Some(title)) => format!("{title}: {}", say(&value)),
    };
    let words = capitalized(words.trim());
    if words.ends_with(['.', '!', '?']) { words } else { format!("{words}.") }
}

/// What went wrong, where the output says that something did.
fn error(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let rest =
                text.get(5..).filter(|_| text.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("error")))?;
            let rest = rest.trim_start_matches([':', ' ']);
            Some(if rest.is_empty() { "there was an error".into() } else { rest.into() })
        }
        Value::Object(map) => {
            let text = |value: &Value| match value {
                Value::Null | Value::Bool(false) => None,
                Value::String(text) if text.is_empty() => None,
                Value::Object(inner) => Some(inner.get("message").map_or_else(|| say(value), say)),
                Value::Bool(true) => Some(map.get("message").map_or_else(|| "there was an error".into(), say)),
                other => Some(say(other)),
            };
            let failed = map.get("success").or_else(|| map.get("ok")) == Some(&Value::Bool(false))
                || map
                    .get("status")
                    .and_then(Value::as_str)
                    .is_some_and(|word| matches!(word, "error" | "failed" | "failure"));
            let why = || {
                ["message", "reason", "detail"]
                    .iter()
                    .find_map(|name| map.get(*name))
                    .map_or_else(|| "there was an error".into(), say)
            };
            map.get("error").or_else(|| map.get("errors")).and_then(text).or_else(|| failed.then(why))
        }
        _ => None,
    }
}

/// A value as words.
fn say(value: &Value) -> String {
    match value {
        Value::Null => "it is done".into(),
        Value::Bool(true) => "yes, that is done".into(),
        Value::Bool(false) => "no".into(),
        Value::Number(number) => format!("the result is {number}"),
        Value::String(text) if text.is_empty() || text.eq_ignore_ascii_case("ok") => "it is done".into(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "there is nothing".into(),
        Value::Object(map) if map.is_empty() => "it is done".into(),
        Value::Object(map) if map.len() == 1 && PLAIN.iter().any(|name| map.contains_key(*name)) => {
            map.values().map(say).collect()
        }
        value => {
            let mut facts = Vec::new();
            collect("", value, &mut facts);
            let more = facts.len().saturating_sub(MAX_FACTS);
            facts.truncate(MAX_FACTS);
            let facts = facts.join(", ");
            if more > 0 { format!("{facts}, and {more} more") } else { facts }
        }
    }
}

/// The facts in a value, one each: "wind speed is 5".
fn collect(name: &str, value: &Value, facts: &mut Vec<String>) {
    let plain = |text: String| if name.is_empty() { text } else { format!("{name} is {text}") };
    match value {
        Value::Object(map) => {
            let says = |(field, value): &(&String, &Value)| !value.is_null() || !field.starts_with("error");
            for (field, value) in map.iter().filter(says) {
                let field = of_name(field).join(" ");
                collect(&if name.is_empty() { field } else { format!("{name} {field}") }, value, facts);
            }
        }
        Value::Array(list) if list.iter().any(|entry| entry.is_object() || entry.is_array()) => {
            for (index, entry) in list.iter().enumerate() {
                collect(format!("{name} {}", index + 1).trim(), entry, facts);
            }
        }
        Value::Array(list) if list.is_empty() => facts.push(plain("empty".into())),
        Value::Array(list) => {
            let words: Vec<String> = list.iter().map(scalar).collect();
            let list = match words.split_last() {
                Some((last, most)) if !most.is_empty() => format!("{} and {last}", most.join(", ")),
                _ => words.concat(),
            };
            facts.push(if name.is_empty() { list } else { format!("{name}: {list}") });
        }
        value => facts.push(plain(scalar(value))),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "not known".into(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_as_words() {
        for (output, expected) in [
            (r#"{"temperature": 21, "condition": "sunny"}"#, "Condition is sunny, temperature is 21."),
            (
                r#"{"wind": {"speedKmh": 5}, "days": ["Monday", "Tuesday"]}"#,
                "Days: Monday and Tuesday, wind speed kmh is 5.",
            ),
            (r#"[{"name": "a"}, {"name": "b"}]"#, "1 name is a, 2 name is b."),
            (r#"{"message": "All set!"}"#, "All set!"),
            ("12:30", "12:30."),
            ("8", "The result is 8."),
            ("{}", "It is done."),
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
