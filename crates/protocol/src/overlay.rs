// SPDX-License-Identifier: MPL-2.0

//! Settings as JSON that are laid over others.

use serde_json::{Map, Value};

/// Fields that every type of turn detection has.
const FIELDS_OF_ALL_TYPES: [&str; 2] = ["create_response", "interrupt_response"];

/// Lays settings of a session over those so far: objects are merged, everything else is replaced. An object of another
/// `type` replaces the one below it as well, but for what all types have, because the fields of one type mean nothing in
/// another (`server_vad` has `prefix_padding_ms`, `semantic_vad` refuses it).
pub fn overlay(session: &mut Map<String, Value>, over: Map<String, Value>) {
    for (name, value) in over {
        overlay_value(session.entry(name).or_insert(Value::Null), value);
    }
}

fn overlay_value(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            let is_other = matches!((under.get("type"), over.get("type")), (Some(is), Some(becomes)) if is != becomes);
            if is_other {
                under.retain(|name, _| FIELDS_OF_ALL_TYPES.contains(&name.as_str()));
            }
            overlay(under, over);
        }
        (under, over) => *under = over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn laid(under: Value, over: Value) -> Value {
        let mut laid = under;
        overlay_value(&mut laid, over);
        laid
    }

    #[test]
    fn objects_are_merged_and_everything_else_is_replaced() {
        let under =
            json!({"instructions": "a", "tools": [1], "audio": {"output": {"voice": "x", "speed": 1.5}, "input": {}}});
        let over = json!({"tools": [2], "audio": {"output": {"voice": "y"}, "input": null}});
        let expected = json!({"instructions": "a", "tools": [2], "audio": {"output": {"voice": "y", "speed": 1.5}, "input": null}});
        assert_eq!(laid(under, over), expected);
    }

    #[test]
    fn an_object_of_another_type_takes_over_what_it_has_too() {
        let server = json!({"type": "server_vad", "prefix_padding_ms": 300, "create_response": true});
        let semantic = json!({"type": "semantic_vad", "eagerness": "low"});
        let expected = json!({"type": "semantic_vad", "eagerness": "low", "create_response": true});
        assert_eq!(laid(server.clone(), semantic), expected);
        let same = json!({"type": "server_vad", "prefix_padding_ms": 100});
        assert_eq!(laid(server.clone(), same)["create_response"], true);
        assert_eq!(laid(server, json!({"threshold": 0.5}))["prefix_padding_ms"], 300);
    }
}
