// SPDX-License-Identifier: MPL-2.0

//! Sound that comes twice, late, or in another format, and how far the conversation has come in it.

use crate::realtime::conversation::config::{Config, Detection};
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::{Event, Input, Output};
use crate::types::{AudioChunk, Timing};
use openai_protocol::ClientEvent;
use openai_protocol::session::AudioFormat;
use std::time::Duration;

/// A second whose milliseconds can be told apart: each is made of its own number.
fn counted(milliseconds: std::ops::Range<u16>) -> Vec<u8> {
    milliseconds.flat_map(|ms| std::iter::repeat_n(ms.to_le_bytes(), 24)).flatten().collect()
}

fn say(dialogue: &mut Dialogue, at: u64, data: &[u8]) {
    dialogue.handle(Input::Audio(AudioChunk { data: data.to_vec().into(), at: Some(ms(at)) }));
}

/// The sound that was sent, the codes of the warnings, and how much was put in.
fn events(dialogue: &mut Dialogue) -> (Vec<u8>, Vec<String>, Duration) {
    let (mut sound, mut codes, mut all) = (Vec::new(), Vec::new(), Duration::ZERO);
    for output in dialogue.take_all() {
        match output {
            Output::Send(ClientEvent::InputAudioBufferAppend(event)) => sound.extend_from_slice(&event.audio.0),
            Output::Event(Event::Warning(warning)) => codes.extend(warning.code),
            Output::Event(Event::Aligned { inserted, .. }) => all += inserted,
            _ => {}
        }
    }
    (sound, codes, all)
}

#[test]
fn bursts_with_times_of_arrival_are_heard_as_they_were_said() {
    for burst in [1, 3, 5, 10, 25, 50] {
        for timing in [Timing::Live, Timing::Offline] {
            let mut dialogue = Dialogue::ready(config(timing, server_vad()));
            for n in 0..500_u16 {
                let arrival = u64::from(n / burst + 1) * u64::from(burst) * 20 + u64::from(n % 3);
                say(&mut dialogue, arrival, &counted(n * 20..n * 20 + 20));
            }
            let (sound, codes, _) = events(&mut dialogue);
            assert_eq!((sound, codes), (counted(0..10_000), vec![]), "bursts of {burst}, {timing:?}");
        }
    }
}

#[test]
fn jitter_of_timestamps_moves_nothing() {
    let mut dialogue = Dialogue::offline(server_vad());
    for n in 0..100_u16 {
        let at = u64::from(n) * 20 + 100 + [0, 30, 5, 55, 15, 2][usize::from(n % 6)];
        say(&mut dialogue, at, &counted(n * 20..n * 20 + 20));
    }
    assert_eq!(events(&mut dialogue).0, counted(0..2_000));
}

#[test]
fn a_device_clock_that_drifts_is_followed_without_a_cut() {
    let mut dialogue = Dialogue::live(server_vad());
    for n in 0..2_000_u64 {
        // One in a thousand too slow: 40 ms in 40 s.
        let at = Duration::from_micros(n * 20_020);
        dialogue.handle(Input::Audio(AudioChunk { data: vec![0; 960].into(), at: Some(at) }));
    }
    let (sound, codes, _) = events(&mut dialogue);
    assert_eq!((sound.len(), codes), (2_000 * 960, vec![]));
    dialogue.server(started("u1", 39_980));
    let Event::Speech { running_time: Some(at), .. } = dialogue.expect_notice() else { panic!("speech") };
    assert!(at.abs_diff(ms(40_020)) < ms(5), "{at:?}");
}

#[test]
fn a_hole_is_believed_when_it_lasts_or_is_told() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(1_000);
    dialogue.lose(300);
    (0..49).for_each(|_| dialogue.hear(20));
    dialogue.expect_appended(1_980);
    (0..11).for_each(|_| dialogue.hear(20));
    let (sound, codes, inserted) = events(&mut dialogue);
    assert_eq!((sound.len(), codes.as_slice()), ((220 + 300) * 48, &["audio-inserted".to_owned()][..]));
    assert_eq!(inserted, ms(300));
    // With DISCONT, at once; and it is not told again so soon, but counted.
    dialogue.lose(100);
    dialogue.handle(Input::Discont);
    dialogue.hear(20);
    let (sound, codes, inserted) = events(&mut dialogue);
    assert_eq!((sound.len(), codes, inserted), (120 * 48, vec![], ms(100)));
    dialogue.after(10_000);
    dialogue.expect_warning("audio-inserted");
    dialogue.expect_nothing();
}

#[test]
fn a_long_hole_is_no_longer_than_what_ends_a_turn() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(1_000);
    dialogue.lose(20_000);
    dialogue.handle(Input::Discont);
    dialogue.hear(1_000);
    assert_eq!(events(&mut dialogue).0.len(), (2_000 + 1_000) * 48);
    // What the server says of it is at its place all the same.
    dialogue.server(started("u1", 2_500));
    dialogue.expect_speech(true, Some("u1"), 21_500);
}

#[test]
fn after_a_pause_of_the_input_the_hole_is_before_what_is_said_next() {
    let mut dialogue = Dialogue::live(server_vad());
    say(&mut dialogue, 0, &counted(0..1_000));
    dialogue.after(20_000);
    for n in 0..100_u16 {
        say(&mut dialogue, 21_000 + u64::from(n) * 20, &counted(1_000 + n * 20..1_020 + n * 20));
    }
    let (sound, codes, inserted) = events(&mut dialogue);
    let silence = vec![0; 1_000 * 48];
    assert_eq!(inserted, ms(1_000));
    assert!(sound == [counted(0..1_000), silence, counted(1_000..3_000)].concat(), "it stands elsewhere");
    assert_eq!(codes, ["audio-inserted"]);
}

#[test]
fn a_clip_from_zero_again_is_heard_whole_behind_what_was_there() {
    let mut dialogue = Dialogue::live(server_vad());
    for range in [0..2_000, 2_000..4_000] {
        dialogue.handle(Input::Discont);
        say(&mut dialogue, 0, &counted(range));
    }
    let (sound, codes, _) = events(&mut dialogue);
    assert_eq!((sound, codes), (counted(0..4_000), vec!["timestamps-back".to_owned()]));
    dialogue.server(started("u1", 3_500));
    dialogue.expect_speech(true, Some("u1"), 3_500);
}

#[test]
fn input_without_timestamps_is_counted_from_zero() {
    for timing in [Timing::Live, Timing::Offline] {
        let mut dialogue = Dialogue::ready(config(timing, server_vad()));
        dialogue.handle(Input::Audio(AudioChunk { data: vec![0; 96_000].into(), at: None }));
        dialogue.skip();
        dialogue.server(started("u1", 500));
        dialogue.expect_speech(true, Some("u1"), 500);
    }
}

#[test]
fn input_that_stops_in_mid_speech_gets_the_silence_that_ends_the_turn() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(1_000);
    dialogue.after(5_000);
    dialogue.expect_appended(1_000);
    dialogue.expect_nothing();
    dialogue.server(started("u1", 500));
    dialogue.expect_speech(true, Some("u1"), 500);
    dialogue.after(1);
    let (sound, codes, inserted) = events(&mut dialogue);
    assert_eq!((sound.len(), codes, inserted), (48_000, vec!["audio-stalled".to_owned()], ms(1_000)));
    dialogue.after(60_000);
    dialogue.expect_nothing();
    // Sound is back, 20 s later on the timeline.
    dialogue.lose(20_000);
    dialogue.hear(1_000);
    dialogue.expect_appended(1_000);
    dialogue.server(started("u2", 2_500));
    dialogue.expect_speech(true, Some("u2"), 21_500);
}

#[test]
fn the_own_ear_ends_a_turn_too_when_input_stops() {
    let mut dialogue = Dialogue::live(own_ear());
    let voice = recording("goforward.wav");
    dialogue.hear_sound(&voice[..voice.len() / 4 * 2]);
    dialogue.skip();
    dialogue.after(3_000);
    let all = dialogue.take_all();
    let ended = |output: &Output| matches!(output, Output::Event(Event::Speech { active: false, .. }));
    assert!(all.iter().any(ended), "{all:?}");
}

#[test]
fn empty_pieces_are_nothing() {
    let mut dialogue = Dialogue::offline(own_ear());
    say(&mut dialogue, 0, &[]);
    say(&mut dialogue, 500, &[]);
    dialogue.expect_nothing();
    dialogue.end_of_stream();
    dialogue.expect_finished(0);
}

#[test]
fn a_gap_of_hours_costs_a_moment_and_time_goes_on_behind_it() {
    let mut dialogue = Dialogue::offline(own_ear());
    dialogue.hear(1_000);
    dialogue.lose(36_000_000);
    dialogue.hear_sound(&sentence());
    let began = dialogue.take_all().into_iter().find_map(|output| match output {
        Output::Event(Event::Speech { active: true, running_time, .. }) => running_time,
        _ => None,
    });
    assert!(began.is_some_and(|at| at > ms(36_001_000) && at < ms(36_003_000)), "{began:?}");
}

#[test]
fn words_before_another_format_are_a_turn_of_their_own() {
    let mut dialogue = Dialogue::offline(own_ear());
    let voice = recording("goforward.wav");
    dialogue.hear_sound(&voice[..voice.len() / 4 * 2]);
    assert!(matches!(dialogue.expect_notice(), Event::Speech { active: true, .. }));
    dialogue.handle(Input::Format(AudioFormat::Pcmu));
    let said: Vec<String> = dialogue
        .take_all()
        .into_iter()
        .filter_map(|output| match output {
            Output::Send(event) => Some(event.name().to_owned()),
            _ => None,
        })
        .filter(|name| name != "input_audio_buffer.append")
        .collect();
    assert_eq!(said, ["input_audio_buffer.commit", "session.update", "response.create"]);
    assert!(!dialogue.wants_sound(), "it is answered first");
    dialogue.server_all([created("r1"), done("r1")]);
    assert!(dialogue.wants_sound());
}

#[test]
fn a_flush_drops_the_turn_in_hand_and_keeps_the_conversation() {
    let mut dialogue = Dialogue::offline(own_ear());
    let voice = recording("goforward.wav");
    dialogue.hear_sound(&voice[..voice.len() / 4 * 2]);
    dialogue.skip();
    dialogue.handle(Input::Flushed);
    assert!(matches!(dialogue.expect_notice(), Event::Speech { active: false, .. }));
    dialogue.expect_sent("input_audio_buffer.clear");
    dialogue.expect_nothing();
    dialogue.input = Duration::ZERO;
    dialogue.hear_sound(&sentence());
    let asked = dialogue
        .take_all()
        .iter()
        .filter(|output| matches!(output, Output::Send(ClientEvent::ResponseCreate(_))))
        .count();
    assert_eq!(asked, 1);
}

#[test]
fn it_is_known_up_to_where_all_is_done() {
    let config = Config { transcribes: true, ..config(Timing::Offline, own_ear()) };
    let mut dialogue = Dialogue::ready(config);
    assert_eq!(dialogue.conversation.done_until(), None);
    dialogue.hear(1_000);
    assert_eq!(dialogue.conversation.done_until(), Some(ms(1_000)));
    dialogue.hear_sound(&sentence());
    let Some(Output::Event(Event::Speech { running_time: Some(begin), .. })) =
        dialogue.take_all().into_iter().find(|output| matches!(output, Output::Event(_)))
    else {
        panic!("speech begins")
    };
    assert_eq!(dialogue.conversation.done_until(), Some(begin), "the turn is owed an answer");
    dialogue.server_all([committed("u1"), created("r1"), done("r1")]);
    assert_eq!(dialogue.conversation.done_until(), Some(begin), "and its words");
    dialogue.server(user_transcript_delta("u1", "go"));
    assert_eq!(dialogue.conversation.done_until(), Some(dialogue.input));
    // Push to talk: all that is not committed.
    let mut dialogue = Dialogue::live(Detection::Manual);
    dialogue.hear(1_000);
    assert_eq!(dialogue.conversation.done_until(), Some(Duration::ZERO));
}

#[test]
fn a_connection_that_is_lost_leaves_the_place_to_go_on_from() {
    let mut dialogue = Dialogue::offline(own_ear());
    dialogue.hear(2_000);
    dialogue.skip();
    dialogue.closed(1006, "");
    dialogue.expect_failure();
    assert_eq!(dialogue.conversation.done_until(), Some(ms(2_000)));
}
