// SPDX-License-Identifier: MPL-2.0

//! From a message of the wire to a checked client event.
//!
//! Sound is the one event that comes many times a second, so it is read in one pass; all others are first held
//! against the tables of `client_schema.rs`, so that a refusal names the field at fault.

use crate::api_error::ApiError;
use crate::session::client_schema::EVENTS;
use crate::session::schema::Schema;
use crate::session::schema::{check_fields, drop_nulls};
use openai_protocol::{ClientEvent, ReadError};
use serde_json::Value;

/// The most sound that one append may carry.
pub const MAX_APPEND: usize = 15 * 1024 * 1024;
/// The longest name of an event.
pub const MAX_EVENT_ID: usize = 512;

/// A message that is no event that can be followed, and the event's name where it could be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Bad {
    /// What is wrong.
    pub refusal: ApiError,
    /// The client's name for the event.
    pub event_id: Option<String>,
}

/// Reads and checks one message.
pub fn read(text: &str) -> Result<ClientEvent, Bad> {
    match ClientEvent::from_json(text) {
        Ok(ClientEvent::InputAudioBufferAppend(event)) if event.extra.is_empty() && !event.audio.0.is_empty() => {
            if event.audio.0.len() > MAX_APPEND {
                return Err(Bad { refusal: long_audio(), event_id: event.event_id });
            }
            Ok(event.into())
        }
        event => check(text, event),
    }
}

/// Holds a message against its table; `event` is what the deserializer made of it.
fn check(text: &str, event: Result<ClientEvent, ReadError>) -> Result<ClientEvent, Bad> {
    let bad = |refusal| Bad { refusal, event_id: None };
    let mut value: Value = serde_json::from_str(text)
        .map_err(|error| bad(ApiError::new("invalid_json", format!("The message is not valid JSON: {error}."))))?;
    let Some(map) = value.as_object_mut() else {
        return Err(bad(ApiError::new("invalid_event", "The event is not a JSON object.")));
    };
    let event_id = map.get("event_id").and_then(Value::as_str).map(str::to_owned);
    let bad = |refusal| Bad { refusal, event_id: event_id.clone().filter(|id| id.len() <= MAX_EVENT_ID) };
    let Some(name) = map.get("type").and_then(Value::as_str).map(str::to_owned) else {
        return Err(bad(ApiError::new("invalid_event", "The event has no string 'type'.").at("type")));
    };
    let Some((_, fields)) = EVENTS.iter().find(|(known, _)| *known == name) else {
        return Err(bad(ApiError::unknown_word("type", &name, ClientEvent::NAMES)));
    };
    let before = map.clone();
    if map.get("event_id").is_some_and(Value::is_null) {
        map.remove("event_id");
    }
    drop_nulls(map, fields);
    let event = if *map == before { event } else { ClientEvent::from_json(&Value::Object(map.clone()).to_string()) };
    Schema::Text(MAX_EVENT_ID)
        .check(map.get("event_id").unwrap_or(&Value::String(String::new())), "event_id")
        .map_err(bad)?;
    check_fields(map, fields, &["type", "event_id"], "").map_err(bad)?;
    event.map_err(|error| match error {
        ReadError::BadField { source, .. } if name == "input_audio_buffer.append" => bad(bad_audio(&source)),
        error => bad(ApiError::new("invalid_event", error.to_string())),
    })
}

/// Sound that is no base64.
pub fn bad_audio(error: &serde_json::Error) -> ApiError {
    let message = format!("Invalid 'audio'. Expected base64-encoded audio bytes: {error}.");
    ApiError::new("invalid_value", message).at("audio")
}

/// More sound than one append may carry.
pub fn long_audio() -> ApiError {
    let message = format!("Invalid 'audio': at most {MAX_APPEND} bytes of audio may be appended at once.");
    ApiError::new("string_above_max_length", message).at("audio")
}

/// Sound that has half a sample at its end.
pub fn cut_audio() -> ApiError {
    ApiError::new("invalid_value", "Invalid 'audio': the audio ends in the middle of a sample.").at("audio")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The code and the param of the refusal of an event, `None` where it is taken.
    fn refused(event: Value) -> Option<(String, Option<String>)> {
        read(&event.to_string()).err().map(code)
    }

    fn code(bad: Bad) -> (String, Option<String>) {
        let event: Value = serde_json::from_str(&bad.refusal.event(None).to_json()).expect("JSON");
        let text = |value: &Value| value.as_str().map(str::to_owned);
        (text(&event["error"]["code"]).unwrap_or_default(), text(&event["error"]["param"]))
    }

    /// Every optional field of a table, and of the tables in it, is `null` once: it is taken, and is as good as left out,
    /// but for those that `null` switches off.
    #[test]
    fn null_is_the_same_as_leaving_an_optional_field_out() {
        let mut tried = 0;
        for (name, required) in [
            ("session.update", json!({"session": {"type": "realtime"}})),
            ("session.update", json!({"session": {"type": "transcription"}})),
            ("response.create", json!({})),
            ("conversation.item.create", json!({"item": {"type": "message", "role": "user", "content": []}})),
            ("input_audio_buffer.commit", json!({})),
            ("response.cancel", json!({})),
        ] {
            let (_, fields) = EVENTS.iter().find(|(known, _)| *known == name).expect("an event");
            let mut plain = required.clone();
            plain["type"] = name.into();
            let without = read(&plain.to_string()).expect("taken");
            for path in optional(fields, &required, &[]) {
                let mut event = plain.clone();
                let (last, above) = path.split_last().expect("a field");
                let place = above.iter().fold(&mut event, |value, name| &mut value[name.as_str()]);
                place[last.as_str()] = Value::Null;
                let with = read(&event.to_string()).unwrap_or_else(|bad| panic!("{name} {path:?}: {bad:?}"));
                if above.iter().all(|name| required.get(name).is_some() || name == "session" || name == "item") {
                    assert_eq!(with, without, "{name} {path:?}");
                }
                tried += 1;
            }
        }
        assert!(tried > 40, "{tried} fields were tried");
    }

    /// The paths of optional fields to which `null` means nothing.
    fn optional(fields: &[crate::session::schema::Field], given: &Value, above: &[String]) -> Vec<Vec<String>> {
        let path = |name: &str| above.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
        let mut paths = Vec::new();
        for field in fields.iter() {
            if !field.required && !field.nullable {
                paths.push(path(field.name));
            }
            match &field.shape {
                Schema::Object(inner) => paths.extend(optional(inner, &given[field.name], &path(field.name))),
                Schema::Tagged(kinds) => {
                    let tag = given[field.name]["type"].as_str();
                    if let Some((_, inner)) = kinds.iter().find(|(name, _)| Some(*name) == tag) {
                        paths.extend(optional(inner, &given[field.name], &path(field.name)));
                    }
                }
                _ => {}
            }
        }
        paths
    }

    #[test]
    fn every_fault_has_its_code_and_place() {
        let session = |session: Value| json!({"type": "session.update", "session": session});
        let vad = |vad: Value| session(json!({"type": "realtime", "audio": {"input": {"turn_detection": vad}}}));
        let table = [
            (json!({"type": "scooby.dooby.doo"}), "invalid_value", "type"),
            (json!({"event_id": "x"}), "invalid_event", "type"),
            (json!({"type": 5}), "invalid_event", "type"),
            (json!({"type": "session.update"}), "missing_required_parameter", "session"),
            (session(json!({"instructions": "hi"})), "missing_required_parameter", "session.type"),
            (session(json!({"type": "realtime", "temperature": 0.7})), "unknown_parameter", "session.temperature"),
            (session(json!({"type": "realtime", "modalities": ["text"]})), "unknown_parameter", "session.modalities"),
            (session(json!({"type": "realtime", "instructions": 5})), "invalid_type", "session.instructions"),
            (session(json!({"type": "chat"})), "invalid_value", "session.type"),
            (
                session(json!({"type": "realtime", "output_modalities": ["audio", "text"]})),
                "invalid_value",
                "session.output_modalities",
            ),
            (
                session(
                    json!({"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}),
                ),
                "integer_below_min_value",
                "session.audio.input.format.rate",
            ),
            (
                session(json!({"type": "realtime", "audio": {"output": {"voice": "nobody"}}})),
                "invalid_value",
                "session.audio.output.voice",
            ),
            (
                session(json!({"type": "realtime", "audio": {"output": {"speed": 2.0}}})),
                "decimal_above_max_value",
                "session.audio.output.speed",
            ),
            (
                vad(json!({"type": "server_vad", "threshold": -0.1})),
                "decimal_below_min_value",
                "session.audio.input.turn_detection.threshold",
            ),
            (
                vad(json!({"type": "server_vad", "eagerness": "low"})),
                "unknown_parameter",
                "session.audio.input.turn_detection.eagerness",
            ),
            (
                vad(json!({"type": "server_vad", "idle_timeout_ms": 100})),
                "integer_below_min_value",
                "session.audio.input.turn_detection.idle_timeout_ms",
            ),
            (
                session(json!({"type": "realtime", "tools": [{"type": "function", "name": "a", "strict": true}]})),
                "unknown_parameter",
                "session.tools[0].strict",
            ),
            (
                session(json!({"type": "realtime", "max_output_tokens": 0})),
                "integer_below_min_value",
                "session.max_output_tokens",
            ),
            (json!({"type": "input_audio_buffer.append"}), "missing_required_parameter", "audio"),
            (json!({"type": "input_audio_buffer.append", "audio": "%%"}), "invalid_value", "audio"),
            (json!({"type": "input_audio_buffer.append", "audio": "AAA=", "rate": 1}), "unknown_parameter", "rate"),
            (
                json!({"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": -1}),
                "integer_below_min_value",
                "audio_end_ms",
            ),
            (
                json!({"type": "response.create", "response": {"metadata": {"a": "x".repeat(513)}}}),
                "string_above_max_length",
                "response.metadata.a",
            ),
            (json!({"type": "response.create", "event_id": "x".repeat(513)}), "string_above_max_length", "event_id"),
        ];
        for (event, code, param) in table {
            assert_eq!(refused(event.clone()), Some((code.into(), Some(param.into()))), "{event}");
        }
    }

    #[test]
    fn what_is_not_an_event_at_all_is_told_apart() {
        assert_eq!(read("{\"type\":").map_err(code), Err(("invalid_json".into(), None)));
        assert_eq!(read("[1]").map_err(code), Err(("invalid_event".into(), None)));
    }

    #[test]
    fn good_events_are_taken() {
        let session = json!({"type": "realtime", "instructions": "", "tools": [], "tracing": null, "prompt": null,
            "audio": {"input": {"turn_detection": null, "transcription": null, "noise_reduction": null},
                      "output": {"voice": {"id": "voice_1"}}}});
        for event in [
            json!({"type": "session.update", "session": session}),
            json!({"type": "input_audio_buffer.append", "audio": "AAA="}),
            json!({"type": "input_audio_buffer.append", "audio": ""}),
            json!({"type": "response.create"}),
            json!({"type": "response.create", "response": {"conversation": "none", "metadata": null,
                   "input": [{"type": "item_reference", "id": "item_1"}]}}),
            json!({"type": "response.cancel", "response_id": null, "event_id": "mine"}),
        ] {
            assert_eq!(refused(event.clone()), None, "{event}");
        }
    }
}
