// SPDX-License-Identifier: MPL-2.0

//! Differences between two sessions, as JSON: which settings an update has to hold, and where an error belongs.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Where a setting is in the session.
pub(crate) type Path = Vec<String>;

pub(crate) fn as_json(session: &impl Serialize) -> Value {
    serde_json::to_value(session).unwrap_or_else(|error| unreachable!("string keys only: {error}"))
}

/// Leaves a setting of the output audio as it is applied. True where another one was requested.
pub(crate) fn keep(session: &mut Value, applied: &Value, name: &str) -> bool {
    if session["audio"]["output"][name] == applied["audio"]["output"][name] {
        return false;
    }
    copy_setting(session, applied, &["audio".into(), "output".into(), name.to_owned()]);
    true
}

/// Copies a setting from one session to another; where it is not set there, it is removed here.
pub(crate) fn copy_setting(into: &mut Value, from: &Value, path: &[String]) {
    let Some((name, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        let Some(into) = into.as_object_mut() else { return };
        match from.get(name) {
            Some(value) => into.insert(name.clone(), value.clone()),
            None => into.remove(name),
        };
    } else if [&*into, from].iter().any(|session| session.get(name).is_some_and(Value::is_object)) {
        if !into[name.as_str()].is_object() {
            into[name.as_str()] = json!({});
        }
        copy_setting(&mut into[name.as_str()], from.get(name).unwrap_or(&Value::Null), rest);
    }
}

/// Whether the `param` of an error (`session.tools[0].name`) is in this setting.
pub(crate) fn names(param: &str, path: &[String]) -> bool {
    let param = param.strip_prefix("session.").unwrap_or(param);
    let rest = param.strip_prefix(path.join(".").as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Objects whose fields are changed one by one; every other value is replaced as a whole.
const OBJECTS: [&[&str]; 3] = [&["audio"], &["audio", "input"], &["audio", "output"]];

/// What changes a session from one state to another.
pub(crate) fn difference(from: &Value, to: &Value) -> Map<String, Value> {
    changes(from, to, &mut Vec::new())
}

fn changes<'a>(from: &'a Value, to: &'a Value, path: &mut Vec<&'a str>) -> Map<String, Value> {
    let mut changes_here = Map::new();
    let Some(to) = to.as_object() else { return changes_here };
    for (name, requested) in to {
        path.push(name);
        if OBJECTS.contains(&path.as_slice()) {
            let inner = changes(from.get(name).unwrap_or(&Value::Null), requested, path);
            if !inner.is_empty() {
                changes_here.insert(name.clone(), Value::Object(inner));
            }
        } else if from.get(name) != Some(requested) && name != "type" {
            changes_here.insert(name.clone(), requested.clone());
        }
        path.pop();
    }
    for name in from.as_object().into_iter().flat_map(Map::keys).filter(|name| !to.contains_key(*name)) {
        changes_here.insert(name.clone(), cleared(name));
    }
    changes_here
}

/// Paths of the settings in an update.
pub(crate) fn leaves(changes: &Map<String, Value>, path: &mut Path) -> Vec<Path> {
    let mut paths = Vec::new();
    for (name, value) in changes {
        path.push(name.clone());
        match value {
            Value::Object(inner) if OBJECTS.iter().any(|object| path == object) => paths.extend(leaves(inner, path)),
            _ => paths.push(path.clone()),
        }
        path.pop();
    }
    paths
}

/// One setting of an update.
pub(crate) fn only(changes: &Map<String, Value>, path: &[String]) -> Map<String, Value> {
    let Some((name, rest)) = path.split_first() else { return Map::new() };
    let value = changes.get(name).cloned().unwrap_or_default();
    let value = match &value {
        Value::Object(inner) if !rest.is_empty() => Value::Object(only(inner, rest)),
        _ => value,
    };
    Map::from_iter([(name.clone(), value)])
}

/// The value that resets a setting.
fn cleared(name: &str) -> Value {
    match name {
        "instructions" => json!(""),
        "tools" => json!([]),
        "tool_choice" => json!("auto"),
        "speed" => json!(1.0),
        "max_output_tokens" => json!("inf"),
        "truncation" => json!("auto"),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_in_an_update() {
        let from = json!({"type": "realtime", "instructions": "a", "tools": [1], "audio": {
            "input": {"format": {"type": "audio/pcm"}, "transcription": {"model": "m"}},
            "output": {"voice": "alloy", "speed": 1.2}}});
        assert!(difference(&from, &from).is_empty());
        let to = json!({"type": "realtime", "instructions": "b", "audio": {
            "input": {"format": {"type": "audio/pcm"}, "turn_detection": null},
            "output": {"voice": "alloy"}}});
        assert_eq!(
            Value::Object(difference(&from, &to)),
            json!({"instructions": "b", "tools": [], "audio": {
                "input": {"transcription": null, "turn_detection": null}, "output": {"speed": 1.0}}})
        );
    }

    #[test]
    fn a_setting_that_is_fixed_is_left_as_it_is() {
        let applied = json!({"audio": {"output": {"voice": "alloy"}}});
        let mut session = json!({"audio": {"output": {"voice": "cedar", "speed": 1.1}}});
        assert!(keep(&mut session, &applied, "voice") && keep(&mut session, &applied, "speed"));
        assert_eq!(session, applied);
        assert!(!keep(&mut session, &applied, "voice"));
    }
}
