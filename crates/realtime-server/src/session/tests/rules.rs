// SPDX-License-Identifier: MPL-2.0

//! What a session takes and refuses: settings, items, mistakes; and its end.

use crate::audio::Sound;
use crate::engine::{Answer, Engine, Hints, Prompt, Segments, Spoken, TurnDetector, Words};
use crate::engines::echo::Echo;
use crate::processors::Processors;
use crate::session::tests::dialogue::{Dialogue, realtime};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn an_update_is_taken_as_a_whole_or_not_at_all() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "session.update", "event_id": "e1", "session":
        {"type": "realtime", "instructions": "x", "temperature": 1}}));
    assert_eq!(dialogue.errors(), [("unknown_parameter".into(), Some("e1".into()))]);
    dialogue.say(json!({"type": "session.update", "session": {"type": "realtime", "tools": []}}));
    assert_ne!(dialogue.events()[0]["session"]["instructions"], "x");
}

#[test]
fn mistakes_have_their_codes_and_leave_the_session_open() {
    let mut dialogue = realtime();
    let table = [
        (json!({"type": "input_audio_buffer.commit"}), "input_audio_buffer_commit_empty"),
        (json!({"type": "input_audio_buffer.append", "audio": "AAAA"}), "invalid_value"),
        (json!({"type": "response.cancel"}), "response_cancel_not_active"),
        (json!({"type": "conversation.item.delete", "item_id": "x"}), "item_delete_invalid_item_id"),
        (json!({"type": "conversation.item.retrieve", "item_id": "x"}), "item_retrieve_invalid_item_id"),
        (
            json!({"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 0}),
            "item_truncate_invalid_item_id",
        ),
        (
            json!({"type": "conversation.item.create", "previous_item_id": "x", "item": {"type": "message", "role": "user",
                "content": [{"type": "input_text", "text": "hi"}]}}),
            "item_create_invalid_previous_item_id",
        ),
        (
            json!({"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "x", "output": ""}}),
            "invalid_tool_call_id",
        ),
        (json!({"type": "output_audio_buffer.clear"}), "invalid_value"),
    ];
    for (index, (mut event, code)) in table.into_iter().enumerate() {
        event["event_id"] = format!("e{index}").into();
        dialogue.say(event);
        assert_eq!(dialogue.errors(), [(code.to_string(), Some(format!("e{index}")))]);
    }
    dialogue.say(json!({"type": "response.create"}));
    dialogue.say(json!({"type": "response.create", "event_id": "second"}));
    assert_eq!(dialogue.errors(), [("conversation_already_has_active_response".into(), Some("second".into()))]);
}

/// The echo, as if it understood one language.
pub struct English;

impl Engine for English {
    fn turn_detector(&self, rate: u32) -> Box<dyn TurnDetector> {
        Echo.turn_detector(rate)
    }

    fn understands(&self) -> bool {
        true
    }

    fn language(&self) -> Option<&str> {
        Some("en")
    }

    fn transcribe(&self, sound: Sound, hints: Arc<Hints>, processors: &Processors) -> Words {
        Echo.transcribe(sound, hints, processors)
    }

    fn segments(&self, sound: Sound, hints: Arc<Hints>, processors: &Processors) -> Segments {
        Echo.segments(sound, hints, processors)
    }

    fn speak(&self, sentence: String, voice: Option<String>, speed: f32, processors: &Processors) -> Spoken {
        Echo.speak(sentence, voice, speed, processors)
    }

    fn answer(&self, prompt: Prompt, processors: &Processors) -> Answer {
        Echo.answer(prompt, processors)
    }
}

#[test]
fn a_language_that_the_engine_does_not_understand_is_refused() {
    let update = |language: &str| {
        let transcription = json!({"model": "whisper-1", "language": language});
        json!({"type": "session.update", "session":
            {"type": "realtime", "audio": {"input": {"transcription": transcription}}}})
    };
    let mut dialogue = Dialogue::with(Arc::new(English));
    for language in ["en", "en-GB", "EN"] {
        dialogue.say(update(language));
        assert_eq!(dialogue.names(), ["session.updated"], "{language}");
    }
    dialogue.say(update("de"));
    let event = dialogue.events().remove(0);
    assert_eq!(event["error"]["param"], "session.audio.input.transcription.language");
    assert!(event["error"]["message"].as_str().is_some_and(|text| text.contains("'en'") && text.contains("'de'")));
    // The echo understands nothing of any language.
    let mut dialogue = realtime();
    dialogue.say(update("de"));
    assert_eq!(dialogue.names(), ["session.updated"]);
}

#[test]
fn the_voice_is_fixed_after_the_first_sound() {
    let mut dialogue = realtime();
    let voice = |name: &str| {
        json!({"type": "session.update", "session":
        {"type": "realtime", "audio": {"output": {"voice": name}}}})
    };
    dialogue.say(voice("cedar"));
    dialogue.say(json!({"type": "response.create"}));
    dialogue.work();
    dialogue.events();
    dialogue.say(voice("ash"));
    assert_eq!(dialogue.errors(), [("cannot_update_voice".into(), None)]);
}

#[test]
fn the_speed_stays_while_the_model_speaks() {
    let mut dialogue = realtime();
    let speed = |speed: f64| json!({"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"speed": speed}}}});
    dialogue.say(json!({"type": "response.create"}));
    dialogue.events();
    dialogue.say(speed(1.2));
    assert_eq!(dialogue.errors(), [("invalid_value".into(), None)]);
    dialogue.say(speed(1.0));
    assert_eq!(dialogue.names(), ["session.updated"]);
    dialogue.work();
    dialogue.work();
    dialogue.events();
    dialogue.say(speed(1.2));
    assert_eq!(dialogue.events()[0]["session"]["audio"]["output"]["speed"], 1.2);
}

#[test]
fn items_are_kept_told_and_given_back_with_their_sound() {
    let mut dialogue = realtime();
    let audio = STANDARD.encode([1u8; 4_800]);
    dialogue.say(json!({"type": "conversation.item.create", "item": {"id": "mine", "type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "hi"}, {"type": "input_audio", "audio": audio}]}}));
    let events = dialogue.events();
    assert_eq!(events[0]["item"]["content"][1], json!({"type": "input_audio", "transcript": null}));
    assert_eq!(events[0]["item"]["status"], "completed");
    dialogue.say(json!({"type": "conversation.item.retrieve", "item_id": "mine"}));
    assert_eq!(dialogue.events()[0]["item"]["content"][1]["audio"], audio);
    dialogue.say(json!({"type": "conversation.item.create", "item": {"id": "mine", "type": "message", "role": "user",
        "content": []}}));
    assert_eq!(dialogue.errors()[0].0, "invalid_value");
}

#[test]
fn the_end_of_the_session_is_told() {
    for (ms, duration) in [
        (3_600_000, "60 minutes"),
        (60_000, "1 minute"),
        (90_000, "90 seconds"),
        (1_000, "1 second"),
        (1_500, "1500 milliseconds"),
    ] {
        let mut dialogue = realtime();
        dialogue.session.expire(Duration::from_millis(ms));
        dialogue.drain();
        let events = dialogue.events();
        assert_eq!(events[0]["error"]["code"], "session_expired");
        let reason = format!("Your session hit the maximum duration of {duration}.");
        assert_eq!(events[1], json!({"type": "close", "code": 1001, "reason": reason}));
    }
}
