// SPDX-License-Identifier: MPL-2.0

//! A session ends in the midst of a conversation, and the next one goes on with it.

use crate::error::ErrorKind;
use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::io::{Command, SessionEvent};
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::{Event, Input, Output};
use crate::types::Frame;
use crate::types::Timing;
use serde_json::{Value, json};

fn dialogue() -> Dialogue {
    Dialogue::ready(Config { reconnects: true, transcribes: true, ..config(Timing::Live, server_vad()) })
}

fn lose(dialogue: &mut Dialogue, code: u16) {
    lose_with(dialogue, code, "gone");
}

fn lose_with(dialogue: &mut Dialogue, code: u16, reason: &str) {
    dialogue.closed(code, reason);
    let mut event = dialogue.expect_notice();
    if matches!(&event, Event::Response(response) if response.state == "incomplete") {
        event = dialogue.expect_notice();
    }
    assert!(matches!(event, Event::Session(SessionEvent::Reconnecting { .. })), "{event:?}");
    assert!(matches!(dialogue.next(), Some(Output::Reconnect)));
}

fn come_back(dialogue: &mut Dialogue) {
    dialogue.connect();
    dialogue.expect_sent("session.update");
    dialogue.server(json!({"type": "session.updated", "session": {"id": "sess_2"}}));
    let event = dialogue.expect_notice();
    assert!(matches!(event, Event::Session(SessionEvent::Ready { resumed: true, .. })), "{event:?}");
}

fn expect_told(dialogue: &mut Dialogue, role: &str, text: &str) {
    let item = dialogue.expect_sent("conversation.item.create")["item"].clone();
    assert_eq!((item["role"].as_str(), item["content"][0]["text"].as_str()), (Some(role), Some(text)));
}

/// A turn of each side, in words.
fn talk(dialogue: &mut Dialogue) {
    dialogue.server_all([
        started("u1", 0),
        stopped("u1", 0),
        committed("u1"),
        user_transcript_delta("u1", "How are you?"),
    ]);
    dialogue.server_all([
        created("r1"),
        say("r1", "a1", "Fine.", "done"),
        delta("r1", "a1", 100),
        audio_done("r1", "a1"),
    ]);
    dialogue.server(done("r1"));
    dialogue.handle(Input::Began { item_id: "a1".into(), at: ms(0), pushed: dialogue.now });
    dialogue.after(200);
    while dialogue.next().is_some() {}
}

#[test]
fn the_next_session_is_told_what_was_said() {
    let mut dialogue = dialogue();
    talk(&mut dialogue);
    lose(&mut dialogue, 1001);
    assert!(!dialogue.wants_sound(), "sound waits");
    come_back(&mut dialogue);
    expect_told(&mut dialogue, "user", "How are you?");
    expect_told(&mut dialogue, "assistant", "Fine.");
    dialogue.expect_nothing();
    assert!(dialogue.wants_sound());
    // The new server's clock begins anew.
    dialogue.hear(1_000);
    dialogue.expect_appended(1_000);
    dialogue.server(started("u2", 500));
    dialogue.expect_speech(true, Some("u2"), 500);
}

#[test]
fn a_turn_that_had_no_answer_is_asked_about_again() {
    let mut dialogue = dialogue();
    dialogue.handle(Input::Command(Command::Text { text: "hello".into(), respond: true, at: None }));
    dialogue.expect_sent("conversation.item.create");
    dialogue.expect_sent("response.create");
    lose(&mut dialogue, 1006);
    come_back(&mut dialogue);
    expect_told(&mut dialogue, "user", "hello");
    dialogue.expect_sent("response.create");
    dialogue.expect_nothing();
}

#[test]
fn what_is_being_heard_plays_on_and_can_still_be_interrupted() {
    let mut dialogue = dialogue();
    dialogue.server_all([created("r1"), delta("r1", "a1", 2_000)]);
    dialogue.expect_response("created");
    dialogue.expect_play("a1", 2_000);
    lose(&mut dialogue, 1006);
    come_back(&mut dialogue);
    // It was begun, so it is not asked for again.
    dialogue.expect_nothing();
    dialogue.hear(1_000);
    dialogue.expect_appended(1_000);
    dialogue.played(500, &[("a1", 500)]);
    dialogue.server(started("u1", 900));
    dialogue.expect_speech(true, Some("u1"), 900);
    dialogue.expect_cut();
    // The new server knows nothing of the message, and is told nothing.
    dialogue.expect_interrupted("a1", 500);
}

#[test]
fn a_function_that_was_called_before_gives_its_output_after() {
    let mut dialogue = dialogue();
    let call = json!({"type": "response.output_item.done", "response_id": "r1", "item": {"id": "i1", "type": "function_call",
        "status": "completed", "call_id": "c1", "name": "f", "arguments": "{}"}});
    dialogue.server_all([created("r1"), call]);
    dialogue.expect_response("created");
    dialogue.expect_notice();
    lose(&mut dialogue, 1006);
    come_back(&mut dialogue);
    let told = dialogue.expect_sent("conversation.item.create")["item"].clone();
    assert_eq!((&told["type"], &told["call_id"]), (&json!("function_call"), &json!("c1")));
    while let Some(output) = dialogue.next() {
        assert!(matches!(output, Output::Send(event) if event.name() == "response.create"));
    }
    dialogue.handle(Input::Command(Command::FunctionOutput { call_id: "c1".into(), output: "1".into() }));
    let output: Value = dialogue.expect_sent("conversation.item.create")["item"].clone();
    assert_eq!((&output["type"], &output["output"]), (&json!("function_call_output"), &json!("1")));
}

#[test]
fn a_door_that_is_shut_stays_shut() {
    for code in [3000, 4000, 1008, 1009] {
        let mut dialogue = dialogue();
        dialogue.closed(code, "no");
        assert!(matches!(dialogue.next(), Some(Output::Fail(_))), "{code}");
    }
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.closed(1006, "gone");
    assert!(
        matches!(dialogue.next(), Some(Output::Fail(error)) if error.kind() == ErrorKind::Lost),
        "no reconnecting is wished"
    );
}

#[test]
fn a_limit_of_time_is_no_reason_to_stop() {
    let mut dialogue = dialogue();
    dialogue.server(json!({"type": "error", "error": {"type": "invalid_request_error", "code": "session_expired",
        "message": "Your session hit the maximum duration of 60 minutes."}}));
    dialogue.expect_warning("session_expired");
    lose(&mut dialogue, 1001);
    come_back(&mut dialogue);
}

#[test]
fn words_that_are_heard_to_their_end_after_the_loss_are_told_then() {
    let mut dialogue = dialogue();
    dialogue.server_all([created("r1"), say("r1", "a1", "It is late.", "done"), delta("r1", "a1", 2_000)]);
    dialogue.handle(Input::Began { item_id: "a1".into(), at: ms(0), pushed: dialogue.now });
    dialogue.skip();
    dialogue.closed(1006, "gone");
    // Whoever follows the answers is told how each one ended, also this one.
    assert_eq!(dialogue.expect_response("incomplete").reason.as_deref(), Some("session_lost"));
    dialogue.skip();
    come_back(&mut dialogue);
    dialogue.expect_nothing();
    dialogue.after(2_000);
    expect_told(&mut dialogue, "assistant", "It is late.");
    assert_eq!(dialogue.expect_transcript().text, "It is late.");
    // And the session after that hears it with the rest.
    lose(&mut dialogue, 1006);
    come_back(&mut dialogue);
    expect_told(&mut dialogue, "assistant", "It is late.");
    dialogue.expect_nothing();
}

#[test]
fn words_that_waited_for_the_users_are_told_without_them() {
    let mut dialogue = dialogue();
    dialogue.server_all([started("u1", 0), stopped("u1", 0), committed("u1")]);
    dialogue.server_all([created("r1"), say("r1", "a1", "Fine.", "done"), delta("r1", "a1", 100)]);
    dialogue.server_all([audio_done("r1", "a1"), done("r1")]);
    dialogue.handle(Input::Began { item_id: "a1".into(), at: ms(0), pushed: dialogue.now });
    dialogue.after(200);
    dialogue.skip();
    dialogue.closed(1006, "gone");
    assert_eq!(dialogue.expect_transcript().text, "Fine.");
    dialogue.skip();
    come_back(&mut dialogue);
    expect_told(&mut dialogue, "assistant", "Fine.");
    dialogue.expect_warning("turns-forgotten");
    dialogue.expect_nothing();
}

#[test]
fn a_session_that_says_so_in_its_good_bye_has_expired() {
    let mut dialogue = dialogue();
    lose_with(&mut dialogue, 1000, "session_expired");
    come_back(&mut dialogue);
}

#[test]
fn a_first_session_that_does_not_come_about_is_had_from_another_connection() {
    let mut dialogue = Dialogue::new(Config { reconnects: true, ..config(Timing::Live, server_vad()) });
    for code in [1001, 1011, 1012, 1013] {
        dialogue.connect();
        dialogue.expect_sent("session.update");
        dialogue.closed(code, "not now");
        assert!(matches!(dialogue.next(), Some(Output::Reconnect)));
        let loss = dialogue.conversation.take_loss().expect("a reason");
        assert!(loss.again && loss.failure.says(ErrorKind::Connect, "not now"), "{loss:?}");
    }
    dialogue.connect();
    dialogue.expect_sent("session.update");
    dialogue.server(json!({"type": "session.updated", "session": {"id": "sess_1"}}));
    let event = dialogue.expect_notice();
    assert!(matches!(event, Event::Session(SessionEvent::Ready { resumed: false, .. })), "{event:?}");
}

#[test]
fn offline_half_an_answer_is_nobodys_and_is_asked_for_again_as_it_was() {
    let mut dialogue = Dialogue::ready(Config { reconnects: true, ..config(Timing::Offline, server_vad()) });
    let params = openai_protocol::ResponseParams { instructions: Some("Shout.".into()), ..Default::default() };
    dialogue.handle(Input::Command(Command::CreateResponse(Some(Box::new(params)))));
    assert_eq!(dialogue.expect_sent("response.create")["response"]["instructions"], "Shout.");
    dialogue.server_all([created("r1"), say("r1", "a1", "One, tw", "delta"), delta("r1", "a1", 500)]);
    dialogue.expect_response("created");
    dialogue.expect_nothing();
    lose(&mut dialogue, 1006);
    come_back(&mut dialogue);
    assert_eq!(dialogue.expect_sent("response.create")["response"]["instructions"], "Shout.");
    dialogue.server_all([
        created("r2"),
        say("r2", "a2", "One, two.", "done"),
        delta("r2", "a2", 700),
        audio_done("r2", "a2"),
    ]);
    dialogue.expect_response("created");
    dialogue.expect_nothing();
    dialogue.server(done("r2"));
    let outputs = dialogue.take_all();
    let played: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Play(speech) => Some((speech.item_id.as_str(), speech.data.len())),
            _ => None,
        })
        .collect();
    assert_eq!(played, [("a2", 700 * 48)]);
    let words: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Event(Event::Transcript(words)) if words.last => Some(words.text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(words, ["One, two."]);
}

#[test]
fn offline_an_answer_whose_end_has_no_name_or_never_comes_is_heard() {
    for event in [json!({"type": "response.done", "response": {"status": "completed"}}), created("r2")] {
        let mut dialogue = Dialogue::ready(Config { reconnects: true, ..config(Timing::Offline, server_vad()) });
        dialogue.server_all([created("r1"), delta("r1", "a1", 500)]);
        dialogue.expect_response("created");
        dialogue.expect_nothing();
        dialogue.server(event);
        dialogue.expect_play("a1", 500);
    }
}

#[test]
fn a_server_that_fails_over_the_same_question_is_not_asked_for_ever() {
    let mut dialogue = dialogue();
    dialogue.handle(Input::Command(Command::Text { text: "hello".into(), respond: true, at: None }));
    dialogue.skip();
    for _ in 0..5 {
        lose(&mut dialogue, 1011);
        come_back(&mut dialogue);
        expect_told(&mut dialogue, "user", "hello");
        dialogue.expect_sent("response.create");
    }
    dialogue.closed(1011, "again");
    dialogue.expect_warning("turn-lost");
    dialogue.skip();
    come_back(&mut dialogue);
    expect_told(&mut dialogue, "user", "hello");
    dialogue.expect_nothing();
}

#[test]
fn what_a_server_that_is_gone_has_not_heard_is_said_again() {
    let mut dialogue = dialogue();
    for second in 0..20 {
        dialogue.hear_sound(&vec![second; 48_000]);
        dialogue.after(1_000);
    }
    dialogue.skip();
    dialogue.handle(Input::Gone { silent: ms(10_000) });
    assert!(matches!(dialogue.expect_notice(), Event::Session(SessionEvent::Reconnecting { .. })));
    dialogue.skip();
    come_back(&mut dialogue);
    let again = dialogue.appended();
    assert_eq!((again[0], again.len()), (7, 13 * 48_000));
}

#[test]
fn silence_is_a_sign_only_where_something_is_owed() {
    let mut dialogue = dialogue();
    assert!(!dialogue.conversation.awaits_server());
    dialogue.handle(Input::Command(Command::Text { text: "hello".into(), respond: true, at: None }));
    assert!(dialogue.conversation.awaits_server());
    dialogue.server_all([created("r1"), done("r1")]);
    assert!(!dialogue.conversation.awaits_server());
    dialogue.server(started("u1", 0));
    assert!(dialogue.conversation.awaits_server());
}

#[test]
fn pictures_are_shown_again_where_that_is_wished() {
    for again in [false, true] {
        let config = Config { reconnects: true, replays_frames: again, ..config(Timing::Live, server_vad()) };
        let mut dialogue = Dialogue::ready(config);
        let file = bytes::Bytes::from_static(b"picture");
        let frame =
            Frame { pad: None, file, media_type: "image/jpeg", at: ms(0), interval: None, detail: None, prompt: None };
        dialogue.handle(Input::Frame(Box::new(frame)));
        let Some(Output::SendPicture(first)) = dialogue.next() else { panic!("it is sent") };
        dialogue.skip();
        dialogue.closed(1006, "gone");
        let removed = dialogue.take_all().iter().any(|output| matches!(output, Output::Event(Event::Frame(_))));
        assert_eq!(removed, !again);
        come_back(&mut dialogue);
        let second = dialogue.next();
        if again {
            let Some(Output::SendPicture(second)) = second else { panic!("it is sent again: {second:?}") };
            assert_eq!((second.item_id, second.pictures), (first.item_id, first.pictures));
            assert_ne!(second.event_id, first.event_id);
        } else {
            assert!(second.is_none(), "{second:?}");
        }
    }
}
