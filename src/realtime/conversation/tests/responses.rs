// SPDX-License-Identifier: MPL-2.0

//! The model's answers: their life, their words, their sound, and the gate.

use crate::error::ErrorKind;
use crate::realtime::conversation;
use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::io::{Command, SessionEvent};
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::{Event, Input, Output};
use crate::types::Speaker;
use crate::types::Timing;
use serde_json::{Value, json};

/// The element's own ear has heard a sentence, and an answer is asked for. Gives back the request.
fn asked() -> (Dialogue, Value) {
    let mut dialogue = Dialogue::live(own_ear());
    let request = say_something(&mut dialogue);
    (dialogue, request.unwrap_or_else(|| panic!("an answer is asked for")))
}

fn say_something(dialogue: &mut Dialogue) -> Option<Value> {
    dialogue.hear_sound(&sentence());
    dialogue.expect_notice();
    dialogue.appended();
    dialogue.expect_notice();
    dialogue.expect_sent("input_audio_buffer.commit");
    dialogue.next().map(|output| match output {
        conversation::Output::Send(event) if event.name() == "response.create" => json!(event),
        other => panic!("expected a request or nothing, got {other:?}"),
    })
}

#[test]
fn words_are_told_piece_by_piece_and_whole() {
    let (mut dialogue, _) = asked();
    dialogue.server_all([created("r1"), say("r1", "a1", "Hel", "delta"), delta("r1", "a1", 400)]);
    dialogue.expect_response("created");
    let words = dialogue.expect_transcript();
    assert_eq!((words.role, words.text.as_str(), words.last), (Speaker::Assistant, "Hel", false));
    dialogue.expect_play("a1", 400);
    dialogue.handle(Input::Began { item_id: "a1".into(), at: ms(7_000), pushed: dialogue.now });
    dialogue.server_all([audio_done("r1", "a1"), say("r1", "a1", "Hello", "done")]);
    // The whole is told when it was heard.
    dialogue.expect_nothing();
    dialogue.after(400);
    let words = dialogue.expect_transcript();
    assert_eq!((words.text.as_str(), words.last), ("Hello", true));
    assert_eq!((words.running_time, words.duration), (Some(ms(7_000)), Some(ms(400))));
    assert_eq!(words.response_id.as_deref(), Some("r1"));
}

#[test]
fn text_alone_is_an_answer_too() {
    let (mut dialogue, _) = asked();
    let place = json!({"response_id": "r1", "item_id": "a1", "content_index": 0});
    let mut text = place;
    text["type"] = "response.output_text.done".into();
    text["text"] = "Hi".into();
    dialogue.server_all([created("r1"), text, done("r1")]);
    dialogue.expect_response("created");
    assert_eq!(dialogue.expect_transcript().text, "Hi");
    assert_eq!(dialogue.expect_response("completed").first_audio, None);
}

#[test]
fn several_spoken_items_are_played_in_their_order() {
    let (mut dialogue, _) = asked();
    dialogue.server_all([created("r1"), delta("r1", "a1", 100), delta("r1", "a1", 50)]);
    dialogue.server_all([audio_done("r1", "a1"), delta("r1", "a2", 200), audio_done("r1", "a2"), done("r1")]);
    dialogue.expect_response("created");
    dialogue.expect_play("a1", 100);
    dialogue.expect_play("a1", 50);
    dialogue.expect_play("a2", 200);
    dialogue.expect_response("completed");
}

#[test]
fn what_it_cost_is_told() {
    let (mut dialogue, _) = asked();
    for (response, total) in [("r1", 0.032), ("r2", 0.064)] {
        let usage = json!({"input_tokens": 1_000, "input_token_details": {"audio_tokens": 1_000}});
        let response = json!({"id": response, "status": "completed", "usage": usage});
        dialogue.server(json!({"type": "response.done", "response": response}));
        dialogue.expect_response("completed");
        let Event::Usage { cost, total_cost, .. } = dialogue.expect_notice() else { panic!("usage is told") };
        assert!((cost.unwrap_or_default() - 0.032).abs() < 1e-9);
        assert!((total_cost.unwrap_or_default() - total).abs() < 1e-9);
    }
}

#[test]
fn a_failed_answer_is_a_warning_and_the_gate_is_free() {
    let (mut dialogue, _) = asked();
    let error = json!({"type": "server_error", "code": "rate_limit_exceeded", "message": "slower"});
    let details = json!({"type": "failed", "error": error});
    dialogue.server(created("r1"));
    dialogue.expect_response("created");
    let response = json!({"id": "r1", "status": "failed", "status_details": details});
    dialogue.server(json!({"type": "response.done", "response": response}));
    assert!(dialogue.expect_warning("rate_limit_exceeded").message.contains("slower"));
    let event = dialogue.expect_response("failed");
    assert_eq!(event.error_code.as_deref(), Some("rate_limit_exceeded"));
    dialogue.expect_nothing();
    assert!(say_something(&mut dialogue).is_some());
}

#[test]
fn a_quota_that_is_gone_is_the_end() {
    let (mut dialogue, _) = asked();
    let error = json!({"type": "insufficient_quota", "code": "insufficient_quota", "message": "no money"});
    let response = json!({"id": "r1", "status": "failed", "status_details": {"error": error}});
    dialogue.server(json!({"type": "response.done", "response": response}));
    dialogue.expect_warning("insufficient_quota");
    dialogue.expect_response("failed");
    assert_eq!(dialogue.expect_failure().kind(), ErrorKind::Quota);
}

#[test]
fn wishes_wait_for_the_answer_under_way_and_are_merged() {
    let mut dialogue = Dialogue::ready(Config { interrupt_response: false, ..config(Timing::Live, own_ear()) });
    assert!(say_something(&mut dialogue).is_some());
    dialogue.server(created("r1"));
    dialogue.expect_response("created");
    assert!(say_something(&mut dialogue).is_none());
    assert!(say_something(&mut dialogue).is_none());
    dialogue.server(done("r1"));
    dialogue.expect_response("completed");
    dialogue.expect_sent("response.create");
    dialogue.server_all([created("r2"), done("r2")]);
    dialogue.expect_response("created");
    dialogue.expect_response("completed");
    dialogue.expect_nothing();
}

#[test]
fn a_lost_race_is_no_warning_and_the_wish_is_kept() {
    const BUSY: &str = "conversation_already_has_active_response";
    let (mut dialogue, request) = asked();
    dialogue.server_all([refused(&request, BUSY), created("r0"), done("r0")]);
    dialogue.expect_response("created");
    dialogue.expect_response("completed");
    let request = dialogue.expect_sent("response.create");
    // The winner may also be told first.
    dialogue.server_all([created("r1"), refused(&request, BUSY), done("r1")]);
    dialogue.expect_response("created");
    dialogue.expect_response("completed");
    dialogue.expect_sent("response.create");
    dialogue.expect_nothing();
}

#[test]
fn the_servers_own_answer_that_lost_is_asked_for() {
    let mut dialogue = Dialogue::ready(Config { interrupt_response: false, ..config(Timing::Live, server_vad()) });
    dialogue.hear(2_000);
    dialogue.server_all([created("r1"), started("u1", 500), stopped("u1", 1_500), committed("u1")]);
    let busy = json!({"code": "conversation_already_has_active_response", "message": "busy"});
    dialogue.server(json!({"type": "error", "error": busy}));
    dialogue.skip();
    dialogue.server(done("r1"));
    dialogue.expect_response("completed");
    dialogue.expect_sent("response.create");
}

#[test]
fn a_request_that_is_wrong_is_a_warning_and_not_repeated() {
    let (mut dialogue, request) = asked();
    dialogue.server(refused(&request, "invalid_value"));
    dialogue.expect_warning("invalid_value");
    dialogue.after(100_000);
    dialogue.expect_nothing();
}

#[test]
fn a_server_that_swallows_a_request_does_not_silence_the_session() {
    let (mut dialogue, _) = asked();
    dialogue.server(committed("u1"));
    dialogue.after(29_999);
    dialogue.expect_nothing();
    dialogue.after(1);
    dialogue.expect_warning("no-answer");
    assert!(say_something(&mut dialogue).is_some());
}

#[test]
fn malformed_answers_are_survived() {
    let (mut dialogue, _) = asked();
    dialogue.server_all([
        json!({"type": "response.created", "response": {}}),
        json!({"type": "response.output_audio.delta", "delta": ""}),
        json!({"type": "response.output_audio.done"}),
        json!({"type": "response.done", "response": {}}),
    ]);
    dialogue.expect_response("created");
    dialogue.expect_response("completed");
    dialogue.expect_nothing();
    assert!(say_something(&mut dialogue).is_some());
}

#[test]
fn an_answer_that_was_cancelled_and_never_ended_is_not_waited_for_long() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all([created("r1"), delta("r1", "a1", 500)]);
    dialogue.handle(Input::Command(Command::CancelResponse));
    dialogue.handle(Input::Command(Command::Text { text: "next".into(), respond: true, at: None }));
    dialogue.skip();
    dialogue.after(2_999);
    dialogue.expect_nothing();
    dialogue.after(1);
    dialogue.expect_response("cancelled");
    dialogue.expect_sent("response.create");
    // Its end is told once, also when it comes too late.
    dialogue.server(done("r1"));
    dialogue.expect_nothing();
}

#[test]
fn nobody_waits_for_words_that_the_server_will_not_write() {
    let mut dialogue = Dialogue::new(Config { transcribes: true, ..config(Timing::Live, server_vad()) });
    dialogue.connect();
    dialogue.skip();
    let session = json!({"id": "s", "audio": {"input": {"transcription": null}}});
    dialogue.server(json!({"type": "session.updated", "session": session}));
    dialogue.expect_warning("no-transcription");
    dialogue.expect_ready();
    dialogue.server_all([started("u1", 0), stopped("u1", 0), committed("u1"), created("r1"), done("r1")]);
    dialogue.end_of_stream();
    assert!(dialogue.take_all().iter().any(|output| matches!(output, Output::Finished { .. })));
}

#[test]
fn what_the_greeting_told_is_not_forgotten() {
    let mut dialogue = Dialogue::new(config(Timing::Live, server_vad()));
    dialogue.connect();
    dialogue.skip();
    let greeting = json!({"id": "sess_1", "model": "served", "expires_at": 77});
    dialogue.server(json!({"type": "session.created", "session": greeting}));
    dialogue.server(json!({"type": "session.updated", "session": {}}));
    let Event::Session(SessionEvent::Ready { session_id, model, expires_at, .. }) = dialogue.expect_notice() else {
        panic!("ready expected")
    };
    assert_eq!((session_id.as_deref(), model.as_deref(), expires_at), (Some("sess_1"), Some("served"), Some(77)));
}

#[test]
fn a_limit_that_cannot_be_kept_is_told_once() {
    let mut dialogue = Dialogue::ready(Config { max_cost: 1.0, ..config(Timing::Live, server_vad()) });
    for _ in 0..2 {
        dialogue.server_all([
            created("r1"),
            json!({"type": "response.done", "response": {"id": "r1", "status": "completed",
                "usage": {"input_tokens": 1000, "output_tokens": 2000}}}),
        ]);
    }
    let is_it = |output: &Output| matches!(output, Output::Event(Event::Warning(warning)) if warning.code.as_deref() == Some("cost-unknown"));
    assert_eq!(dialogue.take_all().iter().filter(|output| is_it(output)).count(), 1);
}
