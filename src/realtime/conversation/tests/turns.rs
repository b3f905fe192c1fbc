// SPDX-License-Identifier: MPL-2.0

//! The user's turns: where they are, what they are called, what was said in them.

use crate::realtime::conversation;
use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::{Event, Input, Output};
use crate::types::Speaker;
use crate::types::{AudioChunk, Timing};
use openai_protocol::ClientEvent;
use serde_json::json;

#[test]
fn a_turn_of_the_servers_detection() {
    let mut dialogue = Dialogue::ready(Config { transcribes: true, ..config(Timing::Live, server_vad()) });
    dialogue.input = ms(10_000);
    dialogue.hear(2_000);
    dialogue.expect_appended(2_000);
    dialogue.server(started("u1", 300));
    dialogue.expect_speech(true, Some("u1"), 10_300);
    dialogue.server(stopped("u1", 1_800));
    dialogue.expect_speech(false, Some("u1"), 11_800);
    dialogue.server_all([committed("u1"), created("r1")]);
    dialogue.expect_response("created");
    dialogue.after(250);
    dialogue.server(delta("r1", "a1", 100));
    dialogue.expect_play("a1", 100);
    dialogue.server(done("r1"));
    assert_eq!(dialogue.expect_response("completed").first_audio, Some(ms(450)));
    // The user's words come last, and belong to their place.
    dialogue.server(user_transcript_delta("u1", "go forward"));
    let words = dialogue.expect_transcript();
    assert_eq!((words.role, words.text.as_str(), words.last), (Speaker::User, "go forward", true));
    assert_eq!((words.running_time, words.duration), (Some(ms(10_300)), Some(ms(1_500))));
    dialogue.expect_nothing();
}

/// Milliseconds of sound that were appended, whatever was told meanwhile.
fn appended_in_all(dialogue: &mut Dialogue) -> usize {
    let bytes = |output: Output| match output {
        Output::Send(ClientEvent::InputAudioBufferAppend(event)) => event.audio.0.len(),
        _ => 0,
    };
    dialogue.take_all().into_iter().map(bytes).sum::<usize>() / 48
}

#[test]
fn a_hole_is_filled_with_silence_so_that_the_server_hears_the_pause() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(500);
    dialogue.lose(700);
    // One timestamp alone could be a late arrival.
    dialogue.handle(Input::Discont);
    dialogue.hear(500);
    assert_eq!(appended_in_all(&mut dialogue), 1_700);
    dialogue.server(started("u1", 1_250));
    dialogue.expect_speech(true, Some("u1"), 1_250);
}

#[test]
fn a_long_break_is_filled_only_so_far_and_time_goes_on_behind_it() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(500);
    dialogue.lose(3_600_000);
    dialogue.handle(Input::Discont);
    dialogue.hear(500);
    // What ends a turn, and a margin: more would only delay the words behind it.
    assert_eq!(appended_in_all(&mut dialogue), 500 + 1_000 + 500);
    dialogue.server(started("u1", 1_600));
    dialogue.expect_speech(true, Some("u1"), 3_600_600);
}

#[test]
fn jitter_is_no_hole() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(500);
    dialogue.lose(30);
    dialogue.hear(500);
    dialogue.expect_appended(1_000);
    dialogue.server(started("u1", 600));
    // The count stays, until such differences persist.
    dialogue.expect_speech(true, Some("u1"), 600);
}

#[test]
fn what_a_server_says_of_the_future_is_about_now() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(1_000);
    dialogue.expect_appended(1_000);
    dialogue.server(started("u1", u64::MAX));
    dialogue.expect_speech(true, Some("u1"), 1_000);
}

#[test]
fn torn_samples_are_left_out() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.handle(Input::Audio(AudioChunk { data: vec![0; 1].into(), at: None }));
    dialogue.expect_nothing();
    dialogue.handle(Input::Audio(AudioChunk { data: vec![0; 97].into(), at: None }));
    dialogue.expect_appended(2);
}

#[test]
fn the_idle_servers_own_turn_has_a_place_too() {
    let mut dialogue = Dialogue::ready(Config { transcribes: true, ..config(Timing::Live, server_vad()) });
    dialogue.hear(6_000);
    dialogue.expect_appended(6_000);
    let event = "input_audio_buffer.timeout_triggered";
    dialogue.server(json!({"type": event, "item_id": "u1", "audio_start_ms": 500, "audio_end_ms": 5_500}));
    let Event::IdleTimeout { running_time, duration, .. } = dialogue.expect_notice() else { panic!("it is told") };
    assert_eq!((running_time, duration), (Some(ms(500)), Some(ms(5_000))));
    dialogue.server(committed("u1"));
    // Not every server writes down that nobody spoke; nobody waits for it.
    assert_eq!(dialogue.conversation.turns.backlog(), 0);
    dialogue.server(user_transcript_delta("u1", ""));
    let words = dialogue.expect_transcript();
    assert_eq!((words.running_time, words.duration), (Some(ms(500)), Some(ms(5_000))));
}

#[test]
fn our_own_ear_live() {
    let mut dialogue = Dialogue::live(own_ear());
    let sound = sentence();
    for piece in sound.chunks(960) {
        dialogue.hear_sound(piece);
    }
    let Event::Speech { active: true, running_time: Some(start), .. } = dialogue.expect_notice() else {
        panic!("speech begins")
    };
    let turn = dialogue.appended();
    let Event::Speech { active: false, running_time: Some(end), .. } = dialogue.expect_notice() else {
        panic!("speech ends")
    };
    dialogue.expect_sent("input_audio_buffer.commit");
    dialogue.expect_sent("response.create");
    dialogue.expect_nothing();
    let byte = |time: std::time::Duration| time.as_millis() as usize * 48;
    assert_eq!(turn, sound[byte(start)..byte(end)]);
    // The server's name for it comes with the commit.
    dialogue.server_all([committed("u1"), user_transcript_delta("u1", "go forward")]);
    assert_eq!(dialogue.expect_transcript().running_time, Some(start));
}

#[test]
fn after_a_flush_the_ear_counts_anew() {
    let mut dialogue = Dialogue::live(own_ear());
    dialogue.hear(5_000);
    let sound = sentence();
    dialogue.hear_sound(&sound[..96_000]);
    let Event::Speech { active: true, .. } = dialogue.expect_notice() else { panic!("speech begins") };
    dialogue.appended();
    dialogue.handle(Input::Flushed);
    let Event::Speech { active: false, .. } = dialogue.expect_notice() else { panic!("it is not to be") };
    dialogue.expect_sent("input_audio_buffer.clear");
    // The seek went back to the start.
    dialogue.input = ms(0);
    dialogue.hear_sound(&sound);
    let Event::Speech { active: true, running_time: Some(start), .. } = dialogue.expect_notice() else {
        panic!("speech begins")
    };
    assert!(start < ms(2_000), "{start:?}");
    let turn = dialogue.appended();
    let from = start.as_millis() as usize * 48;
    assert_eq!(turn, sound[from..from + turn.len()]);
}

#[test]
fn a_refused_commit_does_not_shift_the_names_of_the_others() {
    let mut dialogue = Dialogue::ready(Config { create_response: false, ..config(Timing::Live, own_ear()) });
    let mut commits = Vec::new();
    let mut starts = Vec::new();
    for _ in 0..2 {
        dialogue.hear_sound(&sentence());
        let Event::Speech { running_time, .. } = dialogue.expect_notice() else { panic!("speech begins") };
        starts.push(running_time);
        dialogue.appended();
        dialogue.expect_notice();
        commits.push(dialogue.expect_sent("input_audio_buffer.commit"));
    }
    dialogue.server(refused(&commits[0], "input_audio_buffer_commit_empty"));
    dialogue.expect_warning("input_audio_buffer_commit_empty");
    dialogue.server_all([committed("u2"), user_transcript_delta("u2", "again")]);
    assert_eq!(dialogue.expect_transcript().running_time, starts[1]);
}
#[test]
fn push_to_talk_has_no_holes_between_its_turns() {
    let mut dialogue = Dialogue::live(Detection::Manual);
    dialogue.hear(500);
    dialogue.expect_appended(500);
    dialogue.handle(Input::Flushed);
    dialogue.expect_sent("input_audio_buffer.clear");
    dialogue.lose(20_000);
    dialogue.hear(500);
    dialogue.expect_appended(500);
    // But within a turn a pause is part of it.
    dialogue.lose(300);
    dialogue.handle(Input::Discont);
    dialogue.hear(500);
    dialogue.expect_appended(800);
}

#[test]
fn sound_goes_through_without_a_copy() {
    let mut dialogue = Dialogue::live(server_vad());
    let data = bytes::Bytes::from(vec![0; 960]);
    let address = data.as_ptr();
    dialogue.handle(Input::Audio(AudioChunk { data, at: Some(ms(0)) }));
    let Some(conversation::Output::Send(openai_protocol::ClientEvent::InputAudioBufferAppend(event))) = dialogue.next()
    else {
        panic!("sound is appended")
    };
    assert_eq!(event.audio.0.as_ptr(), address);
}
