// SPDX-License-Identifier: MPL-2.0

//! The session: how it opens, why it fails.

use crate::error::ErrorKind;
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::{Event, Input};
use crate::types::AudioChunk;
use crate::types::Timing;
use openai_protocol::session::AudioFormat;
use serde_json::json;

fn opening() -> Dialogue {
    let mut dialogue = Dialogue::new(config(Timing::Live, server_vad()));
    assert!(!dialogue.wants_sound());
    dialogue.connect();
    dialogue
}

#[test]
fn settings_go_first_and_sound_waits_for_them() {
    let mut dialogue = opening();
    let update = dialogue.expect_sent("session.update");
    assert_eq!(update["session"]["type"], "realtime");
    dialogue.server(json!({"type": "session.created", "session": {"id": "sess_1"}}));
    assert!(!dialogue.wants_sound());
    dialogue.expect_nothing();
    dialogue.server(json!({"type": "session.updated", "session": {"id": "sess_1", "expires_at": 12}}));
    dialogue.expect_ready();
    dialogue.hear(20);
    dialogue.expect_appended(20);
}

#[test]
fn refused_settings_are_named() {
    let mut dialogue = opening();
    let update = dialogue.expect_sent("session.update");
    let error = json!({"type": "invalid_request_error", "code": "invalid_value", "message": "no such voice",
        "param": "session.audio.output.voice", "event_id": update["event_id"]});
    dialogue.server(json!({"type": "error", "error": error}));
    let error = dialogue.expect_failure();
    assert_eq!(error.kind(), ErrorKind::Settings);
    let message = error.to_string();
    assert!(message.contains("session.audio.output.voice") && message.contains("no such voice"), "{message}");
    // What comes after the end is nothing.
    dialogue.closed(1000, "bye");
    dialogue.expect_nothing();
}

#[test]
fn a_wrong_key_or_model_is_told_by_the_first_error() {
    for (code, kind) in [
        ("invalid_api_key", ErrorKind::NotAuthorized),
        ("invalid_model", ErrorKind::NotFound),
        ("insufficient_quota", ErrorKind::Quota),
    ] {
        let mut dialogue = opening();
        dialogue.skip();
        dialogue.server(json!({"type": "error", "error": {"code": code, "message": "no"}}));
        assert_eq!(dialogue.expect_failure().kind(), kind);
    }
}

#[test]
fn a_wrong_key_or_model_is_told_by_the_close_code() {
    let failure = |code, reason| {
        let mut dialogue = opening();
        dialogue.skip();
        dialogue.closed(code, reason);
        dialogue.expect_failure()
    };
    assert_eq!(failure(3000, "invalid_request_error.invalid_api_key").kind(), ErrorKind::NotAuthorized);
    assert_eq!(failure(4000, "invalid_request_error.invalid_model").kind(), ErrorKind::NotFound);
    assert_eq!(failure(4004, "no such thing").kind(), ErrorKind::NotFound);
    assert_eq!(failure(4000, "invalid_request_error.beta_api_shape_disabled").kind(), ErrorKind::Settings);
    assert_eq!(failure(1006, "").kind(), ErrorKind::Connect);
}

#[test]
fn a_close_is_told_in_words_and_its_reason_once() {
    let failure = |error: Option<&str>, code, reason| {
        let mut dialogue = opening();
        dialogue.skip();
        if let Some(message) = error {
            dialogue.server(json!({"type": "error", "error": {"type": "x", "message": message}}));
            dialogue.skip();
        }
        dialogue.closed(code, reason);
        dialogue.expect_failure().to_string()
    };
    for (code, expected) in [
        (3000, "the server closed the connection with code 3000"),
        (4000, "the server closed the connection with code 4000"),
        (
            4004,
            "the server does not offer the model 'gpt-realtime-2.1': the server closed the connection with code 4004",
        ),
        (1008, "the server closed the connection with code 1008 before the session began"),
    ] {
        assert_eq!(failure(None, code, ""), expected);
    }
    assert_eq!(failure(None, 3000, "who?"), "the server closed the connection with code 3000: who?");
    let ended = "the server closed the connection with code 1008 before the session began: ";
    for (error, reason, expected) in [
        ("Your hour is over.", "Your hour is over.", "Your hour is over."),
        ("Your hour is over.", "Your hour", "Your hour is over."),
        ("Over.", "Over. Come again.", "Over. Come again."),
        ("Over.", "bye", "Over. (bye)"),
        ("Over.", "", "Over."),
    ] {
        assert_eq!(failure(Some(error), 1008, reason), format!("{ended}{expected}"));
    }
}

#[test]
fn a_server_that_never_accepts_the_settings_is_given_up() {
    let mut dialogue = opening();
    dialogue.skip();
    dialogue.server(json!({"type": "error", "error": {"message": "I am not well"}}));
    dialogue.skip();
    dialogue.after(9_999);
    dialogue.expect_nothing();
    dialogue.after(1);
    let error = dialogue.expect_failure();
    assert_eq!(error.kind(), ErrorKind::Connect);
    let message = error.to_string();
    assert!(message.contains("10.0s") && message.contains("not well"), "{message}");
    assert_eq!(dialogue.conversation.deadline(), None);
}

#[test]
fn a_running_session_that_is_closed_is_lost_whatever_the_code() {
    for code in [1000, 1001, 1006] {
        let mut dialogue = Dialogue::live(server_vad());
        dialogue.closed(code, "maximum duration");
        let error = dialogue.expect_failure();
        assert_eq!(error.kind(), ErrorKind::Lost);
        let message = error.to_string();
        assert!(message.contains("maximum duration"), "{message}");
    }
}

#[test]
fn only_a_fresh_error_explains_a_close() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server(json!({"type": "error", "error": {"code": "session_expired", "message": "time is up"}}));
    dialogue.expect_warning("session_expired");
    dialogue.after(1_000);
    dialogue.closed(1001, "");
    assert!(dialogue.expect_failure().to_string().contains("time is up"));

    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server(json!({"type": "error", "error": {"code": "invalid_value", "message": "bad item"}}));
    dialogue.expect_warning("invalid_value");
    dialogue.after(60_000);
    dialogue.closed(1001, "");
    assert!(!dialogue.expect_failure().to_string().contains("bad item"));
}

#[test]
fn harmless_and_unknown_events_change_nothing() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server(json!({"type": "something.new", "content": [1, 2, 3]}));
    dialogue.server(json!({"type": "response.output_item.added"}));
    dialogue.server(json!({"type": "error", "error": {"code": "response_cancel_not_active", "message": "late"}}));
    dialogue.expect_nothing();
    dialogue.server(json!({"type": "error", "error": {"type": "server_error", "message": "oops", "param": null}}));
    assert!(matches!(dialogue.expect_notice(), Event::Warning(warning) if warning.message == "oops"));
    assert!(dialogue.wants_sound());
}

#[test]
fn limits_are_told() {
    let mut dialogue = Dialogue::live(server_vad());
    let limit = json!({"name": "tokens", "limit": 100, "remaining": 40, "reset_seconds": 1.5});
    dialogue.server(json!({"type": "rate_limits.updated", "rate_limits": [limit]}));
    let Event::RateLimit { name, reset, .. } = dialogue.expect_notice() else { panic!("a limit was told") };
    assert_eq!((name.as_deref(), reset), (Some("tokens"), Some(ms(1500))));
}

#[test]
fn another_format_forgets_the_turn_and_goes_on_in_time() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(1_000);
    dialogue.expect_appended(1_000);
    dialogue.handle(Input::Format(AudioFormat::Pcmu));
    dialogue.expect_sent("input_audio_buffer.clear");
    let update = dialogue.expect_sent("session.update");
    assert_eq!(update["session"], json!({"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}}));
    dialogue.handle(Input::Audio(AudioChunk { data: vec![0xff; 8_000].into(), at: Some(ms(1_000)) }));
    dialogue.expect_sent("input_audio_buffer.append");
    dialogue.server(started("u1", 1_500));
    dialogue.expect_speech(true, Some("u1"), 1_500);
    // The same format again is no change.
    dialogue.handle(Input::Format(AudioFormat::Pcmu));
    dialogue.expect_nothing();
}
