// SPDX-License-Identifier: MPL-2.0

//! Latency of turns: each stage has the time at which it was reached, and a turn is posted once.

use crate::realtime::conversation::io::TurnEvent;
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::{Command, Input};
use serde_json::json;

/// Says a sentence that ends at 4.9 s of the input, and goes on 100 ms after each stage until playback has begun.
fn answered() -> (Dialogue, TurnEvent) {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(5_000);
    dialogue.server_all([started("u1", 4_000), stopped("u1", 4_900)]);
    let (speech_end, speech_stopped) = (Some(ms(4_900)), Some(dialogue.now));
    let mut expected = TurnEvent { speech_end, speech_stopped, ..TurnEvent::default() };
    dialogue.after(100);
    dialogue.server(json!({"type": "input_audio_buffer.committed", "item_id": "u1"}));
    (expected.item_id, expected.committed) = (Some("u1".into()), Some(dialogue.now));
    dialogue.after(100);
    dialogue.server(created("r1"));
    (expected.response_id, expected.response_created) = (Some("r1".into()), Some(dialogue.now));
    dialogue.after(100);
    dialogue.server(delta("r1", "a1", 1_000));
    expected.first_delta = Some(dialogue.now);
    dialogue.after(100);
    let pushed = dialogue.now - ms(30);
    dialogue.handle(Input::Began { item_id: "a1".into(), at: ms(5_400), pushed });
    (expected.first_audio, expected.first_heard) = (Some(pushed), Some(ms(5_400)));
    assert_eq!(dialogue.turns, []);
    (dialogue, expected)
}

#[test]
fn a_turn_is_posted_with_every_stage_when_its_answer_was_played() {
    let (mut dialogue, expected) = answered();
    dialogue.after(100);
    dialogue.server_all([audio_done("r1", "a1"), done("r1")]);
    let now = |dialogue: &Dialogue| dialogue.conversation.wants_playback_position(dialogue.now);
    dialogue.after(899);
    assert!(!now(&dialogue), "its playback takes a second");
    dialogue.now += ms(1);
    assert!(now(&dialogue));
    dialogue.played(6_300, &[("a1", 950)]);
    assert_eq!(dialogue.turns, []);
    // The rest of it is shorter than the time between two looks at the position.
    dialogue.now += ms(100);
    assert!(now(&dialogue));
    dialogue.played(6_400, &[("a1", 1_000)]);
    assert_eq!(dialogue.turns, std::slice::from_ref(&expected));
    // Who speaks now interrupts nothing.
    dialogue.server(started("u2", 6_600));
    assert_eq!(dialogue.turns, std::slice::from_ref(&expected));
    dialogue.server(stopped("u2", 6_700));
    assert_eq!(dialogue.turns, [expected]);
}

#[test]
fn a_barge_in_over_an_answer_that_is_done_and_still_heard_is_in_its_turn() {
    let (mut dialogue, mut expected) = answered();
    dialogue.server_all([audio_done("r1", "a1"), done("r1")]);
    dialogue.after(500);
    dialogue.played(5_900, &[("a1", 500)]);
    dialogue.server(started("u2", 5_000));
    assert_eq!(dialogue.turns, []);
    let at = dialogue.now + ms(3);
    dialogue.after(5);
    dialogue.handle(Input::Silenced { at });
    (expected.barge_in, expected.silenced) = (Some(ms(5_000)), Some(at));
    assert_eq!(dialogue.turns, [expected]);
}

#[test]
fn an_answer_that_is_paused_is_looked_at_when_its_rest_may_be_played() {
    let (mut dialogue, expected) = answered();
    dialogue.server_all([audio_done("r1", "a1"), done("r1")]);
    dialogue.played(5_700, &[("a1", 300)]);
    // A minute in PAUSED: there is no position.
    dialogue.after(60_000);
    assert_eq!(dialogue.turns, []);
    // Then nobody looks before the rest may be over.
    dialogue.played(6_000, &[("a1", 600)]);
    dialogue.now += ms(700);
    assert!(dialogue.conversation.wants_playback_position(dialogue.now));
    dialogue.played(6_400, &[("a1", 1_000)]);
    assert_eq!(dialogue.turns, [expected]);
}

#[test]
fn a_response_that_is_done_before_it_is_played_waits_for_that() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(5_000);
    dialogue.server_all([started("u1", 4_000), stopped("u1", 4_900), created("r1"), delta("r1", "a1", 500)]);
    dialogue.server_all([audio_done("r1", "a1"), done("r1")]);
    assert_eq!(dialogue.turns, []);
    dialogue.after(20);
    dialogue.handle(Input::Began { item_id: "a1".into(), at: ms(5_100), pushed: dialogue.now });
    assert_eq!(dialogue.turns, []);
    dialogue.played(5_600, &[("a1", 500)]);
    let [turn] = &dialogue.turns[..] else { panic!("one turn, not {:?}", dialogue.turns) };
    assert_eq!((turn.first_audio, turn.first_heard), (Some(dialogue.now), Some(ms(5_100))));
}

#[test]
fn a_barge_in_ends_the_turn_with_the_time_of_silence() {
    let (mut dialogue, mut expected) = answered();
    dialogue.after(300);
    dialogue.played(5_700, &[("a1", 300)]);
    dialogue.server(started("u2", 4_950));
    assert_eq!(dialogue.turns, []);
    let at = dialogue.now + ms(3);
    dialogue.after(5);
    dialogue.handle(Input::Silenced { at });
    (expected.barge_in, expected.silenced) = (Some(ms(4_950)), Some(at));
    assert_eq!(dialogue.turns, [expected]);
}

#[test]
fn an_answer_that_the_application_cancels_has_silence_and_no_barge_in() {
    let (mut dialogue, mut expected) = answered();
    dialogue.played(5_700, &[("a1", 300)]);
    dialogue.handle(Input::Command(Command::CancelResponse));
    dialogue.handle(Input::Silenced { at: dialogue.now });
    expected.silenced = Some(dialogue.now);
    assert_eq!(dialogue.turns, [expected]);
}

#[test]
fn offline_a_place_on_the_media_time_line_is_no_stage() {
    let mut dialogue = Dialogue::offline(server_vad());
    dialogue.hear(5_000);
    dialogue.server_all([started("u1", 4_000), stopped("u1", 4_900), created("r1"), delta("r1", "a1", 500)]);
    dialogue.server_all([audio_done("r1", "a1"), done("r1")]);
    let now = dialogue.now;
    dialogue.handle(Input::Began { item_id: "a1".into(), at: ms(4_900), pushed: now });
    let [turn] = &dialogue.turns[..] else { panic!("one turn, not {:?}", dialogue.turns) };
    assert_eq!((turn.speech_end, turn.first_heard), (None, None));
    assert_eq!((turn.speech_stopped, turn.first_delta, turn.first_audio), (Some(now), Some(now), Some(now)));
}

#[test]
fn a_turn_that_is_answered_by_the_output_of_a_function_goes_on() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(5_000);
    let call = json!({"id": "f1", "type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"});
    dialogue.server_all([started("u1", 4_000), stopped("u1", 4_900), created("r1")]);
    let created_at = dialogue.now;
    dialogue.server(json!({"type": "response.output_item.done", "response_id": "r1", "item": call}));
    dialogue.server(done("r1"));
    assert_eq!(dialogue.turns, []);
    dialogue.after(1_000);
    dialogue.server_all([created("r2"), delta("r2", "a2", 500)]);
    dialogue.handle(Input::Began { item_id: "a2".into(), at: ms(6_400), pushed: dialogue.now });
    dialogue.server_all([audio_done("r2", "a2"), done("r2")]);
    dialogue.played(6_900, &[("a2", 500)]);
    let [turn] = &dialogue.turns[..] else { panic!("one turn, not {:?}", dialogue.turns) };
    assert_eq!((turn.response_id.as_deref(), turn.response_created), (Some("r2"), Some(created_at)));
    assert_eq!((turn.first_delta, turn.first_heard), (Some(dialogue.now), Some(ms(6_400))));
}

#[test]
fn a_turn_without_a_response_is_posted_with_the_next_one_or_at_the_end() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(9_000);
    dialogue.server_all([started("u1", 4_000), stopped("u1", 4_900), started("u2", 6_000), stopped("u2", 6_900)]);
    let ends = |dialogue: &Dialogue| dialogue.turns.iter().map(|turn| turn.speech_end).collect::<Vec<_>>();
    assert_eq!(ends(&dialogue), [Some(ms(4_900))]);
    dialogue.end_of_stream();
    dialogue.after(120_000);
    assert_eq!(ends(&dialogue), [Some(ms(4_900)), Some(ms(6_900))]);
}
