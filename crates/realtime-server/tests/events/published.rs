// SPDX-License-Identifier: MPL-2.0

//! Everything that the published shapes allow a client to say is understood, in examples that are made of the shapes.

use super::{Talk, echo, examples, schema};
use openai_protocol::ClientEvent;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What an example is refused for although its shape is right: what it names is not there, its text is none of what the
/// field is for, or the session is of another kind. A refusal of the shape itself is never among them.
const REFUSED_FOR_WHAT_IT_SAYS: &[(&str, &str)] = &[
    ("input_audio_buffer_commit_empty", ""),
    ("invalid_tool_call_id", "item.call_id"),
    ("invalid_value", "item.content[0].image_url"),
    ("invalid_value", "response.audio.output.voice"),
    ("invalid_value", "response.conversation"),
    ("invalid_value", "session.audio.output.voice"),
    ("invalid_value", "session.model"),
    ("invalid_value", "session.type"),
    // Of `output_audio_buffer.clear`, which is for WebRTC.
    ("invalid_value", "type"),
    ("item_create_invalid_previous_item_id", "previous_item_id"),
    ("item_delete_invalid_item_id", "item_id"),
    ("item_retrieve_invalid_item_id", "item_id"),
    ("item_truncate_invalid_item_id", "item_id"),
    ("response_cancel_not_active", ""),
];

/// The fields that each kind of part has. The types describe all parts as one record; an example of one kind that has
/// the fields of another is rightly refused.
const PARTS: &[(&str, &[&str])] = &[
    ("input_text", &["text"]),
    ("input_audio", &["audio", "transcript"]),
    ("input_image", &["image_url", "detail"]),
    ("output_text", &["text"]),
    ("output_audio", &["transcript"]),
];

fn keep_what_fits(value: &mut Value) {
    match value {
        Value::Object(object) => {
            let kind = object.get("type").and_then(Value::as_str);
            if let Some((_, fields)) = PARTS.iter().find(|(name, _)| Some(*name) == kind) {
                object.retain(|name, _| name == "type" || fields.contains(&name.as_str()));
            }
            object.values_mut().for_each(keep_what_fits);
        }
        Value::Array(array) => array.iter_mut().for_each(keep_what_fits),
        _ => {}
    }
}

#[tokio::test]
async fn every_published_request_is_understood() {
    let server = echo();
    let mut misunderstood = BTreeSet::new();
    for mut event in ClientEvent::NAMES.iter().flat_map(|name| examples::examples(schema::client(), name)) {
        keep_what_fits(&mut event);
        event["event_id"] = "the-example".into();
        let mut talk = Talk::with(&server.realtime()).await;
        talk.say(event).await;
        // Events are answered in order, and this one is always answered.
        talk.say(json!({"type": "conversation.item.retrieve", "item_id": "no such item", "event_id": "the-end"})).await;
        let error = loop {
            let said = talk.event().await;
            if said["type"] == "error" {
                break said["error"].clone();
            }
        };
        let text = |name: &str| error[name].as_str().unwrap_or_default();
        if text("event_id") != "the-end" && !REFUSED_FOR_WHAT_IT_SAYS.contains(&(text("code"), text("param"))) {
            misunderstood.insert(format!("{} at '{}': {}", text("code"), text("param"), text("message")));
        }
    }
    let lines: Vec<String> = misunderstood.into_iter().collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}
