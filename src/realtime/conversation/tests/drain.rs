// SPDX-License-Identifier: MPL-2.0

//! The end of the stream, in every way that there is to get there.

use crate::error::ErrorKind;
use crate::realtime::conversation::config::{Config, Detection};
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::{Event, Input};
use crate::types::Timing;
use serde_json::json;

#[test]
fn nothing_owed_is_the_end_at_once() {
    for detection in [own_ear(), server_vad(), Detection::Manual] {
        let mut dialogue = Dialogue::live(detection);
        dialogue.end_of_stream();
        dialogue.expect_finished(0);
        assert!(!dialogue.wants_sound());
        assert_eq!(dialogue.conversation.deadline(), None);
    }
}

#[test]
fn an_end_before_the_session_is_ready_waits_for_it() {
    let mut dialogue = Dialogue::new(config(Timing::Live, own_ear()));
    dialogue.end_of_stream();
    dialogue.connect();
    dialogue.expect_sent("session.update");
    dialogue.expect_nothing();
    dialogue.server(json!({"type": "session.updated", "session": {}}));
    dialogue.expect_ready();
    dialogue.expect_finished(0);
}

#[test]
fn our_own_ear_closes_its_turn_and_waits_for_the_answer() {
    let mut dialogue = Dialogue::live(own_ear());
    let sound = sentence();
    dialogue.hear_sound(&sound[..120_000]);
    dialogue.skip();
    dialogue.end_of_stream();
    dialogue.appended();
    dialogue.expect_speech(false, None, 2_500);
    dialogue.expect_sent("input_audio_buffer.commit");
    dialogue.expect_sent("response.create");
    dialogue.after(20_000);
    dialogue.server_all([created("r1"), delta("r1", "a1", 100)]);
    dialogue.expect_response("created");
    dialogue.expect_play("a1", 100);
    dialogue.after(20_000);
    dialogue.expect_nothing();
    dialogue.server(done("r1"));
    dialogue.expect_response("completed");
    dialogue.expect_finished(2_500);
}

fn push_to_talk(respond_on_eos: bool, transcribes: bool) -> Dialogue {
    Dialogue::ready(Config { respond_on_eos, transcribes, ..config(Timing::Live, Detection::Manual) })
}

#[test]
fn push_to_talk_is_committed_and_answered() {
    let mut dialogue = push_to_talk(true, true);
    dialogue.input = ms(700);
    dialogue.hear(300);
    dialogue.expect_appended(300);
    dialogue.end_of_stream();
    dialogue.expect_sent("input_audio_buffer.commit");
    dialogue.expect_sent("response.create");
    dialogue.server_all([committed("u1"), created("r1"), done("r1")]);
    dialogue.expect_response("created");
    dialogue.expect_response("completed");
    // The words of the user are owed as well.
    dialogue.expect_nothing();
    dialogue.server(user_transcript_delta("u1", "hello"));
    let words = dialogue.expect_transcript();
    assert_eq!((words.running_time, words.duration), (Some(ms(700)), Some(ms(300))));
    dialogue.expect_finished(1_000);
}

#[test]
fn push_to_talk_without_an_answer_still_waits_for_the_words() {
    let mut dialogue = push_to_talk(false, true);
    dialogue.hear(300);
    dialogue.expect_appended(300);
    dialogue.end_of_stream();
    dialogue.expect_sent("input_audio_buffer.commit");
    dialogue.expect_nothing();
    dialogue.server(committed("u1"));
    dialogue.expect_nothing();
    let failed = "conversation.item.input_audio_transcription.failed";
    dialogue
        .server(json!({"type": failed, "item_id": "u1", "error": {"code": "audio_unintelligible", "message": "?"}}));
    dialogue.expect_warning("audio_unintelligible");
    dialogue.expect_finished(300);

    let mut dialogue = push_to_talk(false, false);
    dialogue.hear(300);
    dialogue.expect_appended(300);
    dialogue.end_of_stream();
    dialogue.expect_sent("input_audio_buffer.commit");
    dialogue.expect_finished(300);
}

#[test]
fn less_than_a_server_takes_is_not_committed() {
    let mut dialogue = push_to_talk(true, true);
    dialogue.hear(99);
    dialogue.expect_appended(99);
    dialogue.end_of_stream();
    dialogue.expect_finished(99);
}

/// A server's detection has got its silence and the question behind it.
fn fenced(mut dialogue: Dialogue) -> Dialogue {
    dialogue.skip();
    dialogue.end_of_stream();
    dialogue.expect_appended(1_000);
    let fence = dialogue.expect_sent("session.update");
    assert_eq!(fence["session"], json!({"type": "realtime"}));
    dialogue
}

fn fence_passed(dialogue: &mut Dialogue) {
    dialogue.server(json!({"type": "session.updated", "session": {}}));
}

fn heard(length: u64) -> Dialogue {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(length);
    dialogue
}

#[test]
fn a_servers_detection_gets_its_silence_and_a_moment() {
    let mut dialogue = fenced(heard(2_000));
    fence_passed(&mut dialogue);
    dialogue.after(999);
    dialogue.expect_nothing();
    dialogue.after(1);
    dialogue.expect_finished(2_000);
}

#[test]
fn a_turn_that_the_silence_ended_is_answered() {
    let mut dialogue = fenced(heard(2_000));
    dialogue.server_all([started("u1", 500), stopped("u1", 2_400), committed("u1")]);
    fence_passed(&mut dialogue);
    dialogue.after(5_000);
    dialogue.skip();
    dialogue.server_all([created("r1"), done("r1")]);
    dialogue.expect_response("created");
    dialogue.expect_response("completed");
    dialogue.expect_finished(2_000);
}

#[test]
fn a_second_turn_in_the_last_sound_is_waited_for() {
    let mut dialogue = fenced(heard(9_000));
    dialogue.server_all([started("u1", 500), stopped("u1", 2_400), committed("u1"), created("r1")]);
    fence_passed(&mut dialogue);
    dialogue.server_all([started("u2", 6_000), done("r1")]);
    dialogue.skip();
    dialogue.after(500);
    dialogue.expect_nothing();
    dialogue.server_all([stopped("u2", 9_500), committed("u2"), created("r2"), done("r2")]);
    dialogue.expect_speech(false, Some("u2"), 9_500);
    dialogue.expect_response("created");
    dialogue.expect_response("completed");
    dialogue.expect_finished(9_000);
}

#[test]
fn speech_that_never_stops_is_ended_by_hand() {
    let mut dialogue = fenced(heard(2_000));
    dialogue.server(started("u1", 500));
    dialogue.skip();
    fence_passed(&mut dialogue);
    dialogue.after(1_000);
    dialogue.expect_speech(false, Some("u1"), 2_000);
    dialogue.expect_sent("input_audio_buffer.commit");
    dialogue.expect_sent("response.create");
    // This commit of ours is not one that the server answers by itself.
    dialogue.server_all([committed("u1"), created("r1"), done("r1")]);
    dialogue.expect_response("created");
    dialogue.expect_response("completed");
    dialogue.expect_finished(2_000);
}

#[test]
fn a_refused_question_is_an_answer_too() {
    let mut dialogue = heard(2_000);
    dialogue.skip();
    dialogue.end_of_stream();
    dialogue.appended();
    let fence = dialogue.expect_sent("session.update");
    dialogue.server(refused(&fence, "invalid_value"));
    dialogue.expect_warning("invalid_value");
    dialogue.after(1_000);
    dialogue.expect_finished(2_000);
}

#[test]
fn a_server_that_says_nothing_is_waited_for_once_only() {
    let mut dialogue = fenced(heard(2_000));
    dialogue.after(29_999);
    dialogue.expect_nothing();
    dialogue.after(1);
    dialogue.expect_warning("drain-timeout");
    dialogue.expect_finished(2_000);
}

#[test]
fn an_answer_that_never_comes_is_a_warning_at_the_end() {
    let mut dialogue = push_to_talk(true, false);
    dialogue.hear(300);
    dialogue.after(7_000);
    dialogue.skip();
    dialogue.end_of_stream();
    dialogue.skip();
    dialogue.after(29_999);
    dialogue.expect_nothing();
    dialogue.after(1);
    dialogue.expect_warning("drain-timeout");
    dialogue.expect_finished(300);
}

#[test]
fn chatter_does_not_put_the_end_off() {
    let mut dialogue = push_to_talk(true, false);
    dialogue.hear(300);
    dialogue.end_of_stream();
    dialogue.skip();
    for _ in 0..3 {
        dialogue.after(10_000);
        dialogue.server(json!({"type": "server.heartbeat"}));
    }
    dialogue.expect_warning("drain-timeout");
    dialogue.expect_finished(300);
}

#[test]
fn a_connection_that_breaks_meanwhile_is_lost() {
    let mut dialogue = push_to_talk(true, false);
    dialogue.hear(300);
    dialogue.end_of_stream();
    dialogue.skip();
    dialogue.closed(1011, "internal");
    assert_eq!(dialogue.expect_failure().kind(), ErrorKind::Lost);
}

#[test]
fn a_flush_forgets_the_turn_and_keeps_the_conversation() {
    let mut dialogue = heard(2_000);
    dialogue.server(started("u1", 500));
    dialogue.skip();
    dialogue.handle(Input::Flushed);
    let Event::Speech { active: false, .. } = dialogue.expect_notice() else { panic!("nobody speaks any more") };
    dialogue.expect_sent("input_audio_buffer.clear");
    dialogue.handle(Input::Flushed);
    dialogue.expect_nothing();
    dialogue.input = ms(0);
    dialogue.hear(1_000);
    dialogue.expect_appended(1_000);
    dialogue.server(started("u2", 2_500));
    dialogue.expect_speech(true, Some("u2"), 500);
}

#[test]
fn a_flush_takes_the_end_back() {
    let mut dialogue = fenced(heard(2_000));
    dialogue.handle(Input::Flushed);
    dialogue.skip();
    fence_passed(&mut dialogue);
    dialogue.after(60_000);
    dialogue.expect_nothing();
    assert!(dialogue.wants_sound());
}
