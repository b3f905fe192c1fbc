// SPDX-License-Identifier: MPL-2.0

//! Sessions in the beta of the protocol.

use crate::session::tests::dialogue::{Dialogue, squeezed};
use openai_protocol::session::SessionKind;
use serde_json::{Value, json};

#[test]
fn a_beta_session_is_flat_and_announces_items_once() {
    let mut dialogue = Dialogue::beta(SessionKind::Realtime);
    dialogue.say(
        json!({"type": "session.update", "session": {"voice": "ash", "temperature": 0.7, "turn_detection": null}}),
    );
    let session = dialogue.events().remove(0)["session"].clone();
    assert_eq!(
        (&session["voice"], &session["temperature"], &session["input_audio_format"]),
        (&json!("ash"), &json!(0.7), &json!("pcm16"))
    );
    assert_eq!(
        (&session["audio"], &session["type"], &session["turn_detection"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    dialogue.append(&[1; 4_800]);
    dialogue.say(json!({"type": "input_audio_buffer.commit"}));
    assert_eq!(dialogue.names(), ["input_audio_buffer.committed", "conversation.item.created"]);
    dialogue.say(json!({"type": "response.create", "response": {"temperature": 1.1}}));
    dialogue.work();
    dialogue.work();
    let events = dialogue.events();
    let names = squeezed(events.iter().map(|event| event["type"].as_str().unwrap_or_default().to_string()).collect());
    assert_eq!(
        names,
        [
            "response.created",
            "response.output_item.added",
            "conversation.item.created",
            "response.content_part.added",
            "response.audio_transcript.delta",
            "response.audio.delta",
            "response.audio.done",
            "response.audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.done",
            "rate_limits.updated"
        ]
    );
    let response = &events[events.len() - 2]["response"];
    assert_eq!(
        (&response["temperature"], &response["voice"], &response["modalities"]),
        (&json!(1.1), &json!("ash"), &json!(["text", "audio"]))
    );
    assert_eq!(response["output"][0]["content"][0]["type"], "audio");
}

#[test]
fn a_beta_transcription_session_has_its_own_update() {
    let mut dialogue = Dialogue::beta(SessionKind::Transcription);
    dialogue.say(json!({"type": "transcription_session.update", "session": {"input_audio_format": "g711_alaw"}}));
    let events = dialogue.events();
    assert_eq!(
        (&events[0]["type"], &events[0]["session"]["input_audio_format"]),
        (&json!("transcription_session.updated"), &json!("g711_alaw"))
    );
    dialogue.say(json!({"type": "session.update", "event_id": "e", "session": {"type": "realtime"}}));
    assert_eq!(dialogue.errors(), [("unknown_parameter".into(), Some("e".into()))]);
}
