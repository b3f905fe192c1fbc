// SPDX-License-Identifier: MPL-2.0

//! Turns function results into sentences: JSON as facts, errors as errors.

use crate::engine::{Part, Turn};
use crate::function_calling::json::Fact;
use crate::function_calling::tokens::of_name;
use openai_protocol::items::Role;
use serde_json::Value;

/// The results since the model's last answer, if there are any.
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

/// Whether this is a message of the model.
fn speaks(turn: &Turn) -> bool {
    turn.role == Role::Assistant && turn.parts.iter().any(|part| matches!(part, Part::Text(_)))
}

/// An output with its call.
fn result<'a>(part: &'a Part, turns: &'a [Turn]) -> Option<(Option<&'a Part>, &'a str)> {
    let Part::Output { call_id: wanted, text } = part else { return None };
    let is_it = |part: &&Part| matches!(part, Part::Call { call_id, .. } if call_id == wanted);
    Some((turns.iter().flat_map(|turn| &turn.parts).find(is_it), text))
}

/// The subject of a call: the first string among its arguments.
fn subject(call: &Part) -> Option<String> {
    let Part::Call { arguments, .. } = call else { return None };
    let arguments: Value = serde_json::from_str(arguments).ok()?;
    arguments.as_object()?.values().find_map(|value| value.as_str().map(str::to_owned))
}

/// An output as a sentence, with the function's name when there are several.
pub fn sentence(output: &str, title: Option<&String>) -> String {
    let fact = serde_json::from_str(output).unwrap_or_else(|_| Fact::Text(output.trim().into()));
    let words = match (fact.error(), title) {
        (Some(error), None) => format!("that did not work: {error}"),
        (Some(error), Some(title)) => format!("{title} did not work: {error}"),
        (None, None) => fact.say(),
        (None, Some(title)) => format!("{title}: {}", fact.say()),
    };
    let words = capitalized(words.trim());
    if words.ends_with(['.', '!', '?']) { words } else { format!("{words}.") }
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
