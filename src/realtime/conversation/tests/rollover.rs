// SPDX-License-Identifier: MPL-2.0

//! A session ends at a time that the server tells. Another one is ready before that, and nothing is lost between them.

use crate::realtime::conversation::config::{Config, Detection};
use crate::realtime::conversation::io::{Command, SessionEvent};
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::{Event, Input, Output};
use crate::types::Timing;
use openai_protocol::session::SessionKind;
use openai_protocol::{Base64, Session};
use serde_json::{Value, json};

const MINUTE: u64 = 60_000;

/// An hour's session, which began at noon of some day.
fn dialogue(detection: Detection) -> Dialogue {
    let config = Config { reconnects: true, transcribes: true, ..config(Timing::Live, detection) };
    opened(Config { time_of_day: ms(1_000 * 12 * 3_600), ..config })
}

fn opened(config: Config) -> Dialogue {
    let mut dialogue = Dialogue::new(config);
    dialogue.connect();
    dialogue.expect_sent("session.update");
    dialogue.server(json!({"type": "session.updated", "session": {"id": "sess_1", "expires_at": 13 * 3_600}}));
    dialogue.expect_ready();
    dialogue
}

fn expect_spare(dialogue: &mut Dialogue) {
    assert!(matches!(dialogue.next(), Some(Output::Preconnect)));
}

fn expect_move(dialogue: &mut Dialogue) {
    let event = dialogue.expect_notice();
    assert!(matches!(event, Event::Session(SessionEvent::Reconnecting { .. })), "{event:?}");
    assert!(matches!(dialogue.next(), Some(Output::Reconnect)));
}

fn begin_second(dialogue: &mut Dialogue) {
    dialogue.connect();
    dialogue.expect_sent("session.update");
    dialogue.server(json!({"type": "session.updated", "session": {"id": "sess_2", "expires_at": 14 * 3_600}}));
    let event = dialogue.expect_notice();
    assert!(matches!(event, Event::Session(SessionEvent::Ready { resumed: true, .. })), "{event:?}");
}

/// The sound of a message that the next session is told.
fn expect_sound_told(dialogue: &mut Dialogue) -> Vec<u8> {
    let item = dialogue.expect_sent("conversation.item.create")["item"].clone();
    assert_eq!((&item["role"], &item["content"][0]["type"]), (&json!("user"), &json!("input_audio")));
    serde_json::from_value::<Base64>(item["content"][0]["audio"].clone()).expect("base64").0.to_vec()
}

/// Sound of which each second can be told from the others.
fn seconds(from: u8, count: u8) -> Vec<u8> {
    (from..from + count).flat_map(|second| vec![second; 48_000]).collect()
}

fn hear_seconds(dialogue: &mut Dialogue, from: u8, count: u8) {
    (from..from + count).for_each(|second| dialogue.hear_sound(&seconds(second, 1)));
    dialogue.skip();
}

#[test]
fn two_minutes_before_the_end_another_connection_is_made_and_in_a_quiet_moment_it_is_the_one() {
    let mut dialogue = dialogue(server_vad());
    dialogue.after(58 * MINUTE - 1);
    dialogue.expect_nothing();
    dialogue.after(1);
    expect_spare(&mut dialogue);
    dialogue.handle(Input::StandbyReady(true));
    expect_move(&mut dialogue);
    begin_second(&mut dialogue);
    dialogue.expect_nothing();
    // And so it goes on.
    dialogue.after(60 * MINUTE);
    expect_spare(&mut dialogue);
}

#[test]
fn who_speaks_and_who_is_listened_to_is_let_finish() {
    let mut dialogue = dialogue(server_vad());
    dialogue.after(58 * MINUTE);
    expect_spare(&mut dialogue);
    dialogue.server(started("u1", 0));
    dialogue.handle(Input::StandbyReady(true));
    dialogue.server_all([stopped("u1", 0), committed("u1"), user_transcript_delta("u1", "Hello?")]);
    dialogue.server_all([
        created("r1"),
        say("r1", "a1", "Yes, please?", "done"),
        delta("r1", "a1", 3_000),
        audio_done("r1", "a1"),
        done("r1"),
    ]);
    dialogue.handle(Input::Began { item_id: "a1".into(), at: ms(0), pushed: dialogue.now });
    dialogue.after(2_999);
    assert!(!dialogue.take_all().iter().any(|output| matches!(output, Output::Reconnect)));
    dialogue.after(1);
    let whole = dialogue.expect_transcript();
    assert!(whole.last);
    expect_move(&mut dialogue);
}

#[test]
fn who_speaks_on_and_on_is_heard_by_the_next_session_from_the_beginning() {
    let mut dialogue = dialogue(server_vad());
    // The user speaks on without a sound of it here, and no silence may stand for that.
    dialogue.conversation.config.discont_wait = ms(60 * MINUTE);
    dialogue.after(58 * MINUTE);
    expect_spare(&mut dialogue);
    hear_seconds(&mut dialogue, 0, 10);
    dialogue.server(started("u1", 4_000));
    dialogue.expect_speech(true, Some("u1"), 4_000);
    dialogue.handle(Input::StandbyReady(true));
    hear_seconds(&mut dialogue, 10, 5);
    dialogue.after(2 * MINUTE - 5_001);
    dialogue.expect_nothing();
    dialogue.after(1);
    expect_move(&mut dialogue);
    begin_second(&mut dialogue);
    assert_eq!(dialogue.appended(), seconds(4, 11));
    // The server finds the turn anew, and it is told once.
    dialogue.server(started("u2", 500));
    dialogue.expect_nothing();
    dialogue.server(stopped("u2", 10_000));
    dialogue.expect_speech(false, Some("u2"), 14_000);
}

#[test]
fn a_turn_that_the_next_server_does_not_find_is_over() {
    let mut dialogue = dialogue(server_vad());
    hear_seconds(&mut dialogue, 0, 3);
    dialogue.server(started("u1", 1_000));
    dialogue.expect_speech(true, Some("u1"), 1_000);
    for _ in 0..2 {
        dialogue.closed(1006, "gone");
        expect_move(&mut dialogue);
        begin_second(&mut dialogue);
        dialogue.skip();
        dialogue.after(14_999);
        dialogue.expect_nothing();
    }
    dialogue.after(1);
    dialogue.expect_warning("turn-lost");
    dialogue.expect_speech(false, Some("u1"), 3_000);
    dialogue.server(started("u2", 2_500));
    assert!(matches!(dialogue.expect_notice(), Event::Speech { active: true, .. }));
}

#[test]
fn quiet_sound_that_may_be_the_beginning_of_a_word_is_heard_again() {
    let mut dialogue = dialogue(server_vad());
    dialogue.after(58 * MINUTE);
    expect_spare(&mut dialogue);
    for second in 0..10 {
        hear_seconds(&mut dialogue, second, 1);
        dialogue.after(1_000);
    }
    dialogue.handle(Input::StandbyReady(true));
    expect_move(&mut dialogue);
    begin_second(&mut dialogue);
    assert_eq!(dialogue.appended(), seconds(7, 3));
    dialogue.expect_nothing();
}

#[test]
fn a_connection_that_cannot_be_made_is_tried_again() {
    let mut dialogue = dialogue(server_vad());
    dialogue.after(58 * MINUTE);
    expect_spare(&mut dialogue);
    dialogue.handle(Input::StandbyReady(false));
    dialogue.after(9_999);
    dialogue.expect_nothing();
    dialogue.after(1);
    expect_spare(&mut dialogue);
    dialogue.server(started("u1", 0));
    dialogue.handle(Input::StandbyReady(true));
    dialogue.skip();
    // It breaks while it waits.
    dialogue.handle(Input::StandbyReady(false));
    dialogue.after(10_000);
    expect_spare(&mut dialogue);
}

#[test]
fn a_turn_of_the_own_ear_goes_on_in_the_next_session() {
    let mut dialogue = dialogue(own_ear());
    let sentence = sentence();
    let (begun, rest) = sentence.split_at(48_000 * 2);
    dialogue.hear_sound(begun);
    assert!(matches!(dialogue.expect_notice(), Event::Speech { active: true, .. }));
    let before = dialogue.appended();
    assert!(!before.is_empty());
    dialogue.closed(1006, "gone");
    expect_move(&mut dialogue);
    begin_second(&mut dialogue);
    assert_eq!(dialogue.appended(), before, "what was said of the turn is said again");
    dialogue.hear_sound(rest);
    assert!(!dialogue.appended().is_empty());
    assert!(matches!(dialogue.expect_notice(), Event::Speech { active: false, .. }));
    dialogue.expect_sent("input_audio_buffer.commit");
    dialogue.expect_sent("response.create");
}

#[test]
fn push_to_talk_can_be_released_in_the_next_session() {
    let mut dialogue = dialogue(Detection::Manual);
    hear_seconds(&mut dialogue, 0, 3);
    dialogue.closed(1006, "gone");
    expect_move(&mut dialogue);
    begin_second(&mut dialogue);
    assert_eq!(dialogue.appended(), seconds(0, 3));
    dialogue.handle(Input::Command(Command::Commit));
    dialogue.expect_sent("input_audio_buffer.commit");
}

#[test]
fn a_question_that_nobody_wrote_down_or_answered_is_heard_and_answered_by_the_next_session() {
    let mut dialogue = dialogue(server_vad());
    hear_seconds(&mut dialogue, 0, 2);
    dialogue.server(started("u1", 1_500));
    hear_seconds(&mut dialogue, 2, 4);
    dialogue.server_all([stopped("u1", 3_000), committed("u1")]);
    dialogue.skip();
    dialogue.closed(1006, "gone");
    expect_move(&mut dialogue);
    begin_second(&mut dialogue);
    dialogue.expect_warning("no-transcript");
    assert_eq!(expect_sound_told(&mut dialogue), seconds(1, 2)[24_000..]);
    // Before the sound: a turn that the server finds in it is answered by the server itself.
    dialogue.expect_sent("response.create");
    assert_eq!(dialogue.appended(), seconds(3, 3), "what came after it may be the next turn");
    dialogue.expect_nothing();
}

#[test]
fn where_nobody_finds_the_turns_but_we_what_was_not_written_down_is_committed_again() {
    for is_written in [false, true] {
        let mut dialogue = dialogue(Detection::Manual);
        hear_seconds(&mut dialogue, 0, 2);
        dialogue.handle(Input::Command(Command::Commit));
        dialogue.server(committed("u1"));
        if is_written {
            dialogue.server(user_transcript_delta("u1", "Hello."));
        }
        dialogue.handle(Input::Command(Command::CreateResponse(None)));
        dialogue.skip();
        dialogue.closed(1006, "gone");
        expect_move(&mut dialogue);
        begin_second(&mut dialogue);
        if is_written {
            let item = dialogue.expect_sent("conversation.item.create")["item"].clone();
            assert_eq!(item["content"][0]["text"], "Hello.");
        } else {
            assert_eq!(dialogue.appended(), seconds(0, 2));
            dialogue.expect_sent("input_audio_buffer.commit");
        }
        // The answer that was asked for is asked for again.
        dialogue.expect_sent("response.create");
        dialogue.expect_nothing();
    }
}

#[test]
fn a_session_that_writes_down_writes_down_what_the_last_one_has_not() {
    let session = Session { kind: Some(SessionKind::Transcription), ..Default::default() };
    let mut dialogue = opened(Config {
        session,
        reconnects: true,
        transcribes: true,
        create_response: false,
        ..config(Timing::Live, Detection::Manual)
    });
    hear_seconds(&mut dialogue, 0, 2);
    dialogue.handle(Input::Command(Command::Commit));
    dialogue.server(committed("u1"));
    hear_seconds(&mut dialogue, 2, 1);
    dialogue.closed(1006, "gone");
    expect_move(&mut dialogue);
    begin_second(&mut dialogue);
    assert_eq!(dialogue.appended(), seconds(0, 2));
    dialogue.expect_sent("input_audio_buffer.commit");
    assert_eq!(dialogue.appended(), seconds(2, 1));
    dialogue.expect_nothing();
    dialogue.server_all([committed("u2"), user_transcript_delta("u2", "Hello.")]);
    let words = dialogue.expect_transcript();
    assert_eq!((words.text.as_str(), words.running_time), ("Hello.", Some(ms(0))));
}

#[test]
fn an_end_that_is_close_or_makes_no_sense_is_not_planned_for() {
    for expires_at in [json!(0), json!(1), json!(u64::MAX), Value::Null] {
        let config = Config { time_of_day: ms(5_000), reconnects: true, ..config(Timing::Live, server_vad()) };
        let mut dialogue = Dialogue::new(config);
        dialogue.connect();
        dialogue.server(json!({"type": "session.updated", "session": {"expires_at": expires_at}}));
        dialogue.skip();
        dialogue.after(100 * MINUTE);
        dialogue.expect_nothing();
    }
}

#[test]
fn the_end_of_the_stream_needs_no_other_session() {
    let mut dialogue = dialogue(Detection::Manual);
    dialogue.handle(Input::Command(Command::Text { text: "hello".into(), respond: true, at: None }));
    dialogue.server(created("r1"));
    dialogue.end_of_stream();
    dialogue.skip();
    dialogue.after(59 * MINUTE);
    assert!(!dialogue.take_all().iter().any(|output| matches!(output, Output::Preconnect)));
}

#[test]
fn an_opening_that_fails_is_another_loss_if_there_was_a_session_before() {
    let mut dialogue = dialogue(server_vad());
    dialogue.closed(1006, "gone");
    expect_move(&mut dialogue);
    dialogue.connect();
    dialogue.expect_sent("session.update");
    dialogue.closed(1013, "try again later");
    expect_move(&mut dialogue);
    dialogue.connect();
    dialogue.expect_sent("session.update");
    dialogue.after(10_000);
    expect_move(&mut dialogue);
    begin_second(&mut dialogue);
    dialogue.expect_nothing();
}

#[test]
fn an_answer_that_is_coming_in_is_waited_for_until_a_second_before_the_end() {
    let mut dialogue = dialogue(server_vad());
    dialogue.after(58 * MINUTE);
    expect_spare(&mut dialogue);
    dialogue.server(started("u1", 0));
    dialogue.handle(Input::StandbyReady(true));
    dialogue.after(2 * MINUTE - 6_000);
    dialogue.server_all([stopped("u1", 0), committed("u1"), created("r1"), delta("r1", "a1", 500)]);
    dialogue.skip();
    dialogue.after(3_000);
    dialogue.expect_nothing();
    dialogue.server_all([delta("r1", "a1", 500), audio_done("r1", "a1"), done("r1")]);
    let outputs = dialogue.take_all();
    assert!(
        outputs
            .iter()
            .any(|output| matches!(output, Output::Event(Event::Response(response)) if response.state == "completed"))
    );
    assert!(outputs.iter().any(|output| matches!(output, Output::Reconnect)));
    assert_eq!(dialogue.conversation.take_loss(), None, "it was planned");
}

#[test]
fn an_answer_without_an_end_is_not_waited_for_beyond_that() {
    let mut dialogue = dialogue(server_vad());
    dialogue.after(58 * MINUTE);
    expect_spare(&mut dialogue);
    dialogue.server_all([created("r1"), delta("r1", "a1", 500)]);
    dialogue.handle(Input::StandbyReady(true));
    dialogue.skip();
    dialogue.after(15_000);
    for _ in 0..103 {
        dialogue.server(delta("r1", "a1", 500));
        dialogue.after(1_000);
    }
    dialogue.server(delta("r1", "a1", 500));
    dialogue.skip();
    dialogue.after(1_000);
    assert_eq!(dialogue.expect_response("incomplete").reason.as_deref(), Some("session_lost"));
    expect_move(&mut dialogue);
}

#[test]
fn a_session_is_renewed_before_it_is_older_than_is_wished() {
    let config =
        Config { reconnects: true, max_session_duration: ms(20 * MINUTE), ..config(Timing::Live, server_vad()) };
    for expires_at in [json!(null), json!(13 * 3_600)] {
        let mut dialogue = Dialogue::new(Config { time_of_day: ms(1_000 * 12 * 3_600), ..config.clone() });
        dialogue.connect();
        dialogue.server(json!({"type": "session.updated", "session": {"expires_at": expires_at}}));
        dialogue.skip();
        dialogue.after(18 * MINUTE - 1);
        dialogue.expect_nothing();
        dialogue.after(1);
        expect_spare(&mut dialogue);
    }
}
