// SPDX-License-Identifier: MPL-2.0

//! What servers say in the dialogues.

use openai_protocol::server::ResponseOutputAudioDelta;
use openai_protocol::{Base64, ServerEvent};
use serde_json::{Value, json};

pub fn created(response: &str) -> Value {
    json!({"type": "response.created", "response": {"id": response, "conversation_id": "conv_1"}})
}

pub fn done(response: &str) -> Value {
    json!({"type": "response.done", "response": {"id": response, "status": "completed"}})
}

/// So many milliseconds of the model's speech.
pub fn delta(response: &str, item: &str, length: usize) -> Value {
    let (response_id, item_id) = (response.into(), item.into());
    let event = ResponseOutputAudioDelta {
        response_id,
        item_id,
        delta: Base64::from(vec![1; length * 48]),
        ..Default::default()
    };
    json!(ServerEvent::from(event))
}

pub fn audio_done(response: &str, item: &str) -> Value {
    json!({"type": "response.output_audio.done", "response_id": response, "item_id": item, "content_index": 0})
}

pub fn started(item: &str, at: u64) -> Value {
    json!({"type": "input_audio_buffer.speech_started", "item_id": item, "audio_start_ms": at})
}

pub fn stopped(item: &str, at: u64) -> Value {
    json!({"type": "input_audio_buffer.speech_stopped", "item_id": item, "audio_end_ms": at})
}

pub fn committed(item: &str) -> Value {
    json!({"type": "input_audio_buffer.committed", "item_id": item})
}

pub fn user_transcript_delta(item: &str, words: &str) -> Value {
    json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": item, "transcript": words})
}

/// The server refuses an event of ours.
pub fn refused(event: &Value, code: &str) -> Value {
    json!({"type": "error", "error": {"type": "invalid_request_error", "code": code, "message": "no", "event_id": event["event_id"]}})
}

/// A piece of the words that the model speaks (`delta`), or all of them (`done`).
pub fn say(response: &str, item: &str, words: &str, kind: &str) -> Value {
    let field = if kind == "done" { "transcript" } else { "delta" };
    json!({"type": format!("response.output_audio_transcript.{kind}"), "response_id": response, "item_id": item,
        "content_index": 0, field: words})
}

/// The user's turn, as a server tells of it.
pub fn turn(item: &str, from: u64) -> [Value; 3] {
    [started(item, from), stopped(item, from + 300), committed(item)]
}
