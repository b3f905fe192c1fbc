//! Sound that comes twice, late, or in another format, and how far the conversation has come in it.

use super::dialogue::*;
use crate::conversation::{Config, Detection, Input, Notice, Output, Sound, Timing};
use crate::protocol::ClientEvent;
use crate::protocol::session::AudioFormat;
use std::time::Duration;

/// A second whose milliseconds can be told apart: each is made of its own number.
fn counted(milliseconds: std::ops::Range<u16>) -> Vec<u8> {
    milliseconds.flat_map(|ms| std::iter::repeat_n(ms.to_le_bytes(), 24)).flatten().collect()
}

fn say(dialogue: &mut Dialogue, at: u64, data: &[u8]) {
    dialogue.handle(Input::Sound(Sound { data: data.to_vec().into(), at: Some(ms(at)) }));
}

/// All that was appended, joined.
fn appended(dialogue: &mut Dialogue) -> Vec<u8> {
    let sound = dialogue.take_all().into_iter().filter_map(|output| match output {
        Output::Send(ClientEvent::InputAudioBufferAppend(event)) => Some(event.audio.0),
        _ => None,
    });
    sound.flatten().collect()
}

#[test]
fn sound_that_comes_twice_is_heard_once() {
    let mut dialogue = Dialogue::live(server_vad());
    // Windows of a second that overlap by half, one that comes again, and one that has a millisecond of news.
    for range in [0..1_000, 500..1_500, 1_000..2_000, 1_500..2_000, 1_001..2_001] {
        say(&mut dialogue, u64::from(range.start), &counted(range));
    }
    assert_eq!(appended(&mut dialogue), counted(0..2_001));
    dialogue.server(started("u1", 1_750));
    dialogue.expect_speech(true, Some("u1"), 1_750);
}

#[test]
fn a_piece_that_comes_late_is_left_out_and_jitter_is_not() {
    let mut dialogue = Dialogue::live(server_vad());
    say(&mut dialogue, 0, &counted(0..1_000));
    say(&mut dialogue, 200, &counted(200..700));
    say(&mut dialogue, 1_000, &counted(1_000..1_500));
    say(&mut dialogue, 1_460, &counted(1_500..2_000));
    assert_eq!(appended(&mut dialogue), counted(0..2_000));
}

#[test]
fn time_that_was_set_back_makes_nobody_deaf() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(10_000);
    dialogue.skip();
    dialogue.input = Duration::ZERO;
    // A second of it may be an echo of the past; then the sound follows what is there.
    (0..20).for_each(|_| dialogue.hear(100));
    dialogue.expect_appended(1_000);
    dialogue.server(started("u1", 10_500));
    dialogue.expect_speech(true, Some("u1"), 10_500);
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
fn a_gap_of_hours_costs_a_minute_and_time_goes_on_behind_it() {
    let mut dialogue = Dialogue::offline(own_ear());
    dialogue.hear(1_000);
    dialogue.lose(36_000_000);
    dialogue.hear_sound(&sentence());
    let began = dialogue.take_all().into_iter().find_map(|output| match output {
        Output::Notify(Notice::Speech { active: true, running_time, .. }) => running_time,
        _ => None,
    });
    assert!(began.is_some_and(|at| at > ms(36_001_000) && at < ms(36_003_000)), "{began:?}");
}

#[test]
fn words_before_another_format_are_a_turn_of_their_own() {
    let mut dialogue = Dialogue::offline(own_ear());
    let voice = recording("goforward.wav");
    dialogue.hear_sound(&voice[..voice.len() / 4 * 2]);
    assert!(matches!(dialogue.expect_notice(), Notice::Speech { active: true, .. }));
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
    assert!(matches!(dialogue.expect_notice(), Notice::Speech { active: false, .. }));
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
    let Some(Output::Notify(Notice::Speech { running_time: Some(begin), .. })) =
        dialogue.take_all().into_iter().find(|output| matches!(output, Output::Notify(_)))
    else {
        panic!("speech begins")
    };
    assert_eq!(dialogue.conversation.done_until(), Some(begin), "the turn is owed an answer");
    dialogue.server_all([committed("u1"), created("r1"), done("r1")]);
    assert_eq!(dialogue.conversation.done_until(), Some(begin), "and its words");
    dialogue.server(user_said("u1", "go"));
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
