// SPDX-License-Identifier: MPL-2.0

//! Events against the published shapes of the API, as JSON Schemas: those that the project's own tests use, which are made
//! from the types of the official `openai` package (Apache-2.0).

use crate::trace::{Body, Line, Side};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Longest text of an error: it quotes the value, which may be a minute of sound.
const MAX_ERROR: usize = 300;

/// Checks lines of a trace.
pub struct Checker {
    is_beta: bool,
    ga: [Schema; 2],
    beta: [Schema; 2],
}

impl Default for Checker {
    fn default() -> Self {
        Self {
            is_beta: false,
            ga: [
                Schema::parse(include_str!("../../../tests/schemas/ga-client.json")),
                Schema::parse(include_str!("../../../tests/schemas/ga-server.json")),
            ],
            beta: [
                Schema::parse(include_str!("../../../tests/schemas/beta-client.json")),
                Schema::parse(include_str!("../../../tests/schemas/beta-server.json")),
            ],
        }
    }
}

impl Checker {
    /// What is wrong with a line: each time the side, the event, the field and the reason.
    pub fn errors(&mut self, line: &Line) -> Vec<String> {
        let side = if line.side == Side::Client { "client" } else { "server" };
        let json = match &line.body {
            Body::Event(json) => json.get(),
            Body::Raw(_) => return vec![format!("{side}: a message that is no JSON")],
            Body::Close { .. } => return Vec::new(),
        };
        let event: Value = match serde_json::from_str(json) {
            Ok(event) => event,
            Err(error) => return vec![format!("{side}: {}", openai_protocol::plain(&error))],
        };
        // The sessions of both generations of the API differ in that the newer have a type.
        if let Some(session) =
            event["type"].as_str().filter(|name| name.starts_with("session.")).map(|_| &event["session"])
        {
            self.is_beta = session.is_object() && session["type"].is_null();
        }
        let schemas = if self.is_beta { &mut self.beta } else { &mut self.ga };
        let schema = &mut schemas[usize::from(line.side == Side::Server)];
        schema.errors(&event).into_iter().map(|error| format!("{side}: {error}")).collect()
    }
}

/// The shapes of all events of one side. Each is compiled when it is needed first.
struct Schema {
    document: Value,
    compiled: HashMap<String, Validator>,
}

impl Schema {
    fn parse(text: &str) -> Self {
        let document = serde_json::from_str(text).unwrap_or_else(|error| unreachable!("an embedded schema: {error}"));
        Self { document, compiled: HashMap::new() }
    }

    fn errors(&mut self, event: &Value) -> Vec<String> {
        let Some(name) = event["type"].as_str() else { return vec!["an event without a `type`".into()] };
        let reference = &self.document["x-events"][name];
        if reference.is_null() {
            return vec![format!("{name}: no event of the API")];
        }
        let compile = || {
            let schema =
                json!({"$schema": self.document["$schema"], "$ref": reference, "$defs": self.document["$defs"]});
            jsonschema::validator_for(&schema).unwrap_or_else(|error| unreachable!("an embedded schema: {error}"))
        };
        let validator = self.compiled.entry(name.to_owned()).or_insert_with(compile);
        let mut errors = Vec::new();
        validator.iter_errors(event).for_each(|error| explain(name, &error, &mut errors));
        errors
    }
}

/// Says what is wrong. Where none of several shapes fits, that is what keeps the event from the one that was meant.
fn explain(name: &str, error: &ValidationError, errors: &mut Vec<String>) {
    let here = error.instance_path().as_str();
    if let ValidationErrorKind::AnyOf { context } = error.kind() {
        let meant = context.iter().filter(|branch| !branch.iter().any(|error| is_tag(error, here)));
        if let Some(nearest) = meant.min_by_key(|branch| branch.len()) {
            return nearest.iter().for_each(|error| explain(name, error, errors));
        }
    }
    let text = format!("{name} at {}: {error}", if here.is_empty() { "/" } else { here });
    errors.push(match text.char_indices().nth(MAX_ERROR) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    });
}

/// Whether an error says that another shape was meant: by its type, role or object.
fn is_tag(error: &ValidationError, here: &str) -> bool {
    let place = error.instance_path().as_str().strip_prefix(here).unwrap_or_default();
    let (kind, tags) = (error.kind(), ["", "/type", "/role", "/object"]);
    let is_kind = matches!(
        kind,
        ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. } | ValidationErrorKind::Type { .. }
    );
    is_kind && tags.contains(&place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(dir: &str, event: Value) -> Vec<String> {
        let text = json!({"dir": dir, "t": 0, "ev": event}).to_string();
        Checker::default().errors(&Line::parse(1, &text).expect("a line").expect("an event"))
    }

    #[test]
    fn an_event_of_the_published_shape_has_no_errors() {
        assert_eq!(errors("c", json!({"type": "input_audio_buffer.append", "audio": "AAAA"})), Vec::<String>::new());
    }

    #[test]
    fn an_error_names_side_event_field_and_reason() {
        let event =
            json!({"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": "1"});
        assert_eq!(
            errors("c", event),
            [r#"client: conversation.item.truncate at /audio_end_ms: "1" is not of type "integer""#]
        );
        assert_eq!(errors("s", json!({"type": "session.made"})), ["server: session.made: no event of the API"]);
        assert_eq!(errors("s", json!({"name": 1})), ["server: an event without a `type`"]);
    }

    #[test]
    fn an_item_is_held_against_the_shape_that_its_type_names() {
        let item = json!({"type": "function_call_output", "call_id": "c", "output": 3});
        let found = errors("c", json!({"type": "conversation.item.create", "item": item}));
        assert!(found.len() == 1 && found[0].contains("/item/output: 3 is not"), "{found:?}");
    }

    #[test]
    fn long_values_are_not_quoted_whole() {
        let found = errors("c", json!({"type": "input_audio_buffer.append", "audio": ["A".repeat(100_000)]}));
        assert!(found.len() == 1 && found[0].chars().count() < 350, "{}", found.len());
    }
}
