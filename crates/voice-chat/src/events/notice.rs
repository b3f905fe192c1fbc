// SPDX-License-Identifier: MPL-2.0

//! What this server tells beyond the API: latency, cost, frames and warnings. They go over a data channel of their own,
//! labelled [`LABEL`], for the clients that open one, so that no other client meets an event that it does not know.

use serde_json::{Map, Value, json};

/// The label of the data channel for these events.
pub const LABEL: &str = "voice-chat";

/// What an element message says to a visitor. Times are milliseconds.
pub fn from_message(name: &str, structure: &gst::StructureRef) -> Option<Value> {
    let ms = |field: &str| structure.get::<u64>(field).ok().map(|ns| ns as f64 / 1e6);
    let text = |field: &str| structure.get::<&str>(field).ok();
    let event = match name {
        "response" => json!({
            "type": "voice_chat.response",
            "state": text("state")?,
            "response_id": text("response-id"),
            "reason": text("reason"),
            "first_audio_ms": ms("first-audio"),
        }),
        "interrupted" => json!({
            "type": "voice_chat.interrupted",
            "response_id": text("response-id"),
            "item_id": text("item-id"),
            "heard_ms": ms("heard"),
        }),
        "transcript" if structure.get("final") == Ok(true) => json!({
            "type": "voice_chat.transcript",
            "role": text("role"),
            "text": text("text"),
            "item_id": text("item-id"),
        }),
        "usage" => json!({
            "type": "voice_chat.usage",
            "cost": structure.get::<f64>("cost").ok(),
            "total_cost": structure.get::<f64>("total-cost").ok(),
        }),
        "frame" => json!({
            "type": "voice_chat.frame",
            "state": text("state")?,
            "reason": text("reason"),
            "item_id": text("item-id"),
            "size": structure.get::<u64>("size").ok(),
        }),
        "session" => json!({
            "type": "voice_chat.session",
            "state": text("state")?,
            "model": text("model"),
            "reason": text("reason"),
        }),
        _ => return None,
    };
    Some(without_nulls(event))
}

/// A warning of the element.
pub fn warning(code: Option<&str>, message: &str) -> Value {
    without_nulls(json!({"type": "voice_chat.warning", "code": code, "message": message}))
}

/// The visitor's connection ends, and why.
pub fn ended(reason: &str, message: &str) -> Value {
    json!({"type": "voice_chat.ended", "reason": reason, "message": message})
}

fn without_nulls(event: Value) -> Value {
    match event {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_told_with_the_fields_that_it_has() {
        gst::init().expect("GStreamer");
        let response = gst::Structure::builder("openairealtime/response")
            .field("state", "completed")
            .field("first-audio", 250_000_000_u64)
            .build();
        let expected = json!({"type": "voice_chat.response", "state": "completed", "first_audio_ms": 250.0});
        assert_eq!(from_message("response", &response), Some(expected));
        assert_eq!(from_message("rate-limits", &response), None);
    }
}
