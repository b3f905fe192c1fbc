// SPDX-License-Identifier: MPL-2.0

//! Offline: as fast as the server goes, and always with the same result.

use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::{Event, Input, Output};
use crate::types::{AudioChunk, Timing};
use bytes::Bytes;
use openai_protocol::ClientEvent;
use serde_json::json;
use std::time::Duration;

/// What happened in a run, without what may differ: names of events, and how sound was cut into pieces.
#[derive(Debug, Default, PartialEq)]
struct Record {
    events: Vec<String>,
    quiet: Duration,
    ended: Option<Duration>,
    requests: usize,
}

impl Record {
    fn add(&mut self, output: Output) -> Option<&'static str> {
        match output {
            Output::Send(ClientEvent::InputAudioBufferAppend(event)) => {
                let last = self.events.last().and_then(|last| last.strip_prefix("append "));
                let before = last.and_then(|count| count.parse::<usize>().ok());
                if before.is_some() {
                    self.events.pop();
                }
                self.events.push(format!("append {}", before.unwrap_or(0) + event.audio.0.len()));
            }
            Output::Send(mut event) => {
                event.set_event_id("e".into());
                self.events.push(event.to_json());
                match event {
                    ClientEvent::InputAudioBufferCommit(_) => return Some("commit"),
                    ClientEvent::ResponseCreate(_) => return Some("request"),
                    _ => {}
                }
            }
            Output::GapUntil(until) => {
                assert!(until > self.quiet, "silence is told once");
                self.quiet = until;
            }
            Output::Play(speech) => {
                let begins = speech.not_before;
                assert!(begins >= self.quiet, "told silent to {:?}, and speech begins at {begins:?}", self.quiet);
                self.events.push(format!("play {} {} {begins:?}", speech.item_id, speech.data.len()));
            }
            Output::Finished { at } => self.ended = Some(at),
            other => self.events.push(format!("{other:?}")),
        }
        None
    }
}

/// Plays all of the sound to a server that answers each turn.
fn run(sound: &[u8], piece: usize) -> Record {
    let mut dialogue = Dialogue::offline(own_ear());
    let mut record = Record::default();
    let sound = Bytes::copy_from_slice(sound);
    let mut at = 0;
    let mut turns = 0;
    loop {
        for output in dialogue.take_all() {
            match record.add(output) {
                Some("commit") => {
                    turns += 1;
                    dialogue.server(committed(&format!("u{turns}")));
                }
                Some("request") => {
                    assert!(!dialogue.wants_sound(), "the input is held while an answer is owed");
                    record.requests += 1;
                    let (response, item) = (format!("r{turns}"), format!("a{turns}"));
                    dialogue.server_all([created(&response), delta(&response, &item, 300)]);
                    dialogue.server_all([delta(&response, &item, 900), done(&response)]);
                }
                _ => {}
            }
        }
        if record.ended.is_some() {
            return record;
        }
        if !dialogue.wants_sound() {
            continue;
        }
        let end = (at + piece).min(sound.len());
        let time = Duration::from_nanos(at as u64 / 2 * 1_000_000_000 / 24_000);
        match end == at {
            true => dialogue.end_of_stream(),
            false => dialogue.handle(Input::Audio(AudioChunk { data: sound.slice(at..end), at: Some(time) })),
        }
        at = end;
    }
}

#[test]
fn the_result_does_not_depend_on_how_the_input_is_cut() {
    let mut sound = [sentence(), sentence()].concat();
    sound.extend(recording("goforward.wav"));
    let whole = run(&sound, sound.len());
    assert_eq!(whole.requests, 3, "one answer for each turn");
    for piece in [2, 466, 960, 4_800, 48_000, 480_000] {
        let cut = run(&sound, piece);
        assert_eq!((cut.events, cut.ended), (whole.events.clone(), whole.ended), "pieces of {piece} bytes");
    }
}

#[test]
fn an_answer_begins_where_the_turn_ends_or_the_answer_before_it() {
    let mut dialogue = Dialogue::offline(own_ear());
    dialogue.hear_sound(&sentence());
    let end = turn_end(&mut dialogue);
    dialogue.server_all([created("r1"), delta("r1", "a1", 60_000), delta("r1", "a1", 10)]);
    dialogue.expect_response("created");
    assert_eq!(dialogue.expect_play("a1", 60_000).not_before, end);
    assert_eq!(dialogue.expect_play("a1", 10).not_before, end);
    let words = json!({"type": "response.output_audio_transcript.done", "response_id": "r1", "item_id": "a1", "transcript": "So"});
    dialogue.server_all([audio_done("r1", "a1"), words, done("r1")]);
    let words = dialogue.expect_transcript();
    assert_eq!((words.running_time, words.duration), (Some(end), Some(ms(60_010))));
    dialogue.expect_response("completed");
    let Some(Output::GapUntil(_)) = dialogue.next() else { panic!("the rest of the input is quiet") };
    dialogue.hear_sound(&sentence());
    turn_end(&mut dialogue);
    dialogue.server_all([created("r2"), delta("r2", "a2", 100), done("r2")]);
    dialogue.end_of_stream();
    let Some(Output::Finished { at }) = dialogue.take_all().pop() else { panic!("the stream ends") };
    assert_eq!(at, end + ms(60_110));
}

fn turn_end(dialogue: &mut Dialogue) -> Duration {
    dialogue.expect_notice();
    dialogue.appended();
    let Event::Speech { running_time: Some(end), .. } = dialogue.expect_notice() else { panic!("speech ends") };
    dialogue.expect_sent("input_audio_buffer.commit");
    dialogue.expect_sent("response.create");
    dialogue.expect_nothing();
    end
}

#[test]
fn quiet_is_told_as_far_as_the_input_has_come() {
    let mut dialogue = Dialogue::offline(own_ear());
    dialogue.hear(500);
    dialogue.expect_quiet(500);
    dialogue.hear(500);
    dialogue.expect_quiet(1_000);
    // Live nobody needs to know.
    let mut dialogue = Dialogue::live(own_ear());
    dialogue.hear(500);
    dialogue.expect_nothing();
}

#[test]
fn a_servers_detection_is_not_overtaken_by_quiet() {
    let mut dialogue = Dialogue::offline(server_vad());
    dialogue.hear(4_000);
    dialogue.expect_appended(4_000);
    dialogue.expect_quiet(1_500);
    dialogue.server_all([started("u1", 300), stopped("u1", 1_000), committed("u1")]);
    dialogue.skip();
    assert!(!dialogue.wants_sound());
    // The server was late; what is told is told.
    dialogue.server_all([created("r1"), delta("r1", "a1", 100)]);
    dialogue.expect_response("created");
    assert_eq!(dialogue.expect_play("a1", 100).not_before, ms(1_500));
}

#[test]
fn an_answer_stays_in_one_piece_when_the_next_turn_is_found_meanwhile() {
    let mut dialogue = Dialogue::offline(server_vad());
    dialogue.hear(4_000);
    dialogue.server_all([
        started("u1", 300),
        stopped("u1", 2_000),
        committed("u1"),
        created("r1"),
        delta("r1", "a1", 100),
    ]);
    dialogue.server_all([started("u2", 3_000), stopped("u2", 3_800)]);
    dialogue.skip();
    dialogue.server(delta("r1", "a1", 100));
    assert_eq!(dialogue.expect_play("a1", 100).not_before, ms(2_000));
}

#[test]
fn an_answer_that_never_comes_does_not_hold_the_input_for_ever() {
    let mut dialogue = Dialogue::offline(own_ear());
    dialogue.hear_sound(&sentence());
    turn_end(&mut dialogue);
    dialogue.server(json!({"type": "some.chatter"}));
    dialogue.after(29_999);
    assert!(!dialogue.wants_sound());
    dialogue.after(1);
    dialogue.expect_warning("no-answer");
    assert!(dialogue.wants_sound());
}

#[test]
fn sound_that_comes_though_it_has_to_wait_keeps_its_place() {
    let mut dialogue = Dialogue::offline(own_ear());
    let sound = [sentence(), sentence()].concat();
    for piece in sound.chunks(9_600) {
        let at = Some(dialogue.input);
        dialogue.handle(Input::Audio(AudioChunk { data: piece.to_vec().into(), at }));
        dialogue.input += ms(200);
    }
    dialogue.end_of_stream();
    let mut record = Record::default();
    for output in dialogue.take_all() {
        record.add(output);
    }
    assert_eq!(record.events.iter().filter(|event| event.contains("response.create")).count(), 1);
    dialogue.server_all([created("r1"), done("r1")]);
    for output in dialogue.take_all() {
        record.add(output);
    }
    dialogue.server_all([created("r2"), done("r2")]);
    for output in dialogue.take_all() {
        record.add(output);
    }
    assert!(record.ended.is_some());
    assert_eq!(record.events.iter().filter(|event| event.contains("response.create")).count(), 2);
}

#[test]
fn a_set_speed_is_kept_and_not_caught_up_with() {
    let mut dialogue = Dialogue::ready(Config { max_speed: 2.0, ..config(Timing::Offline, own_ear()) });
    dialogue.hear(1_000);
    assert!(!dialogue.wants_sound());
    dialogue.after(499);
    assert!(!dialogue.wants_sound());
    dialogue.after(1);
    assert!(dialogue.wants_sound());
    // A long rest is no credit but for 200 ms.
    dialogue.after(60_000);
    dialogue.hear(1_000);
    dialogue.after(299);
    assert!(!dialogue.wants_sound());
    dialogue.after(1);
    assert!(dialogue.wants_sound());
}

#[test]
fn input_that_waits_for_the_output_is_not_waited_for() {
    let mut dialogue = Dialogue::offline(server_vad());
    dialogue.hear(1_000);
    dialogue.expect_appended(1_000);
    dialogue.after(999);
    dialogue.expect_nothing();
    dialogue.after(1);
    dialogue.expect_quiet(1_000);
    let warning = dialogue.expect_warning("standstill");
    assert!(warning.message.contains("queues of 4 s"), "{warning:?}");
    dialogue.after(60_000);
    dialogue.expect_nothing();
    dialogue.hear(1_000);
    dialogue.expect_appended(1_000);
    dialogue.after(1_000);
    dialogue.expect_quiet(2_000);
    dialogue.expect_nothing();
}

#[test]
fn odd_speeds_are_survived() {
    for max_speed in [1e-300, f64::NAN, f64::INFINITY, -1.0, 1e300] {
        let mut dialogue = Dialogue::ready(Config { max_speed, ..config(Timing::Offline, own_ear()) });
        dialogue.hear(1_000);
        dialogue.wants_sound();
        dialogue.conversation.deadline();
    }
}

#[test]
fn many_turns_wait_for_a_server_that_writes_slowly() {
    let config = Config { create_response: false, transcribes: true, ..config(Timing::Offline, own_ear()) };
    let mut dialogue = Dialogue::ready(config);
    let mut turns = 0;
    while dialogue.wants_sound() {
        turns += 1;
        assert!(turns <= 16, "the server has not acknowledged a single turn");
        dialogue.hear_sound(&sentence());
    }
    dialogue.skip();
    dialogue.server_all([committed("u1"), user_transcript_delta("u1", "go")]);
    assert!(dialogue.wants_sound());
    assert!(dialogue.expect_transcript().running_time.is_some_and(|at| at < ms(3_000)));
    dialogue.hear_sound(&sentence());
    dialogue.after(30_000);
    assert!(dialogue.wants_sound(), "but not for ever");
}
