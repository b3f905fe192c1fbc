// SPDX-License-Identifier: MPL-2.0

//! From a message of the wire to a checked event of a client.

use crate::api_error::ApiError;
use crate::session::schema::{Field, Schema, check_fields, required};
use crate::session::{Bad, MAX_APPEND, MAX_EVENT_ID, bad_audio, long_audio};
use crate::translation::config::UPDATE;
use openai_protocol::ReadError;
use openai_protocol::translation::ClientEvent;
use serde_json::Value;

const APPEND: &str = "session.input_audio_buffer.append";
const EVENTS: &[(&str, &[Field])] = &[
    ("session.update", &[required("session", UPDATE)]),
    (APPEND, &[required("audio", Schema::Text(usize::MAX))]),
    ("session.close", &[]),
];

/// Reads and checks one message.
pub fn read(text: &str) -> Result<ClientEvent, Bad> {
    let bad = |refusal| Bad { refusal, event_id: None };
    let value: Value = serde_json::from_str(text)
        .map_err(|error| bad(ApiError::new("invalid_json", format!("The message is not valid JSON: {error}."))))?;
    let Some(map) = value.as_object() else {
        return Err(bad(ApiError::new("invalid_event", "The event is not a JSON object.")));
    };
    let event_id = map.get("event_id").and_then(Value::as_str).filter(|id| id.len() <= MAX_EVENT_ID);
    let bad = |refusal| Bad { refusal, event_id: event_id.map(str::to_owned) };
    let Some(name) = map.get("type").and_then(Value::as_str) else {
        return Err(bad(ApiError::new("invalid_event", "The event has no string 'type'.").at("type")));
    };
    let Some((_, fields)) = EVENTS.iter().find(|(known, _)| *known == name) else {
        return Err(bad(ApiError::unknown_word("type", name, ClientEvent::NAMES)));
    };
    if let Some(id) = map.get("event_id").filter(|id| !id.is_null()) {
        Schema::Text(MAX_EVENT_ID).check(id, "event_id").map_err(bad)?;
    }
    check_fields(map, fields, &["type", "event_id"], "").map_err(bad)?;
    let event = ClientEvent::from_json(text).map_err(|error| match error {
        ReadError::BadField { source, .. } if name == APPEND => bad(bad_audio(&source)),
        error => bad(ApiError::new("invalid_event", error.to_string())),
    })?;
    if let ClientEvent::InputAudioBufferAppend(append) = &event
        && append.audio.0.len() > MAX_APPEND
    {
        return Err(bad(long_audio()));
    }
    Ok(event)
}
