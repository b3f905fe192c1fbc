// SPDX-License-Identifier: MPL-2.0

use super::*;
use crate::audio::sample_clock::samples_to_time;
use bytes::Bytes;
use futures_util::FutureExt;
use std::sync::Arc;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn sound(at_ms: u64, length: usize) -> AudioChunk {
    AudioChunk { data: Bytes::from(vec![at_ms as u8; length * 48]), at: Some(ms(at_ms)) }
}

fn frame(at_ms: u64) -> Frame {
    let file = Bytes::from_static(b"picture");
    let (media_type, at) = ("image/jpeg", ms(at_ms));
    Frame { pad: None, file, media_type, at, interval: None, detail: None, prompt: None }
}

fn text(at_ms: u64) -> (Command, Option<Duration>) {
    (Command::Text { text: "t".into(), respond: true, at: Some(ms(at_ms)) }, Some(ms(at_ms)))
}

/// What can be taken: `s` for sound, `f` for a frame, `t` for a text, with its time and length.
fn taken(input_queue: &InputQueue) -> Vec<String> {
    let tell = |input| match input {
        Input::Audio(sound) => {
            format!("s{}+{}", sound.at.unwrap_or_default().as_millis(), sound.data.len() / 48)
        }
        Input::Frame(frame) => format!("f{}", frame.at.as_millis()),
        Input::Command(Command::Text { at, .. }) => format!("t{}", at.unwrap_or_default().as_millis()),
        Input::EndOfStream => "end".into(),
        Input::Discont => "discont".into(),
        other => panic!("{other:?}"),
    };
    std::iter::from_fn(|| input_queue.take(true, true)).map(tell).collect()
}

fn offline(pad_queues: &[&str]) -> Arc<InputQueue> {
    let input_queue = InputQueue::default();
    input_queue.set_offline(true);
    pad_queues.iter().for_each(|pad_queue| input_queue.open(pad_queue, true));
    Arc::new(input_queue)
}

#[test]
fn a_live_stream_loses_its_oldest_and_counts() {
    let input_queue = InputQueue::default();
    (0..150).for_each(|n| input_queue.push_audio(sound(n * 100, 100)).expect("taken"));
    assert_eq!(input_queue.take_dropped().connected, Duration::from_secs(5));
    assert_eq!(input_queue.take_dropped(), Dropped::default());
    assert_eq!(taken(&input_queue)[..2], ["discont", "s5000+100"]);
}

#[test]
fn without_a_session_more_is_kept_and_then_handed_over() {
    let input_queue = InputQueue::default();
    input_queue.set_connected(false);
    input_queue.set_reconnect_buffer(Duration::from_secs(20));
    (0..250).for_each(|n| input_queue.push_audio(sound(n * 100, 100)).expect("taken"));
    let unconnected = Duration::from_secs(5);
    assert_eq!(input_queue.take_dropped(), Dropped { unconnected, ..Dropped::default() });
    input_queue.set_connected(true);
    input_queue.push_audio(sound(25_000, 100)).expect("taken");
    assert_eq!(input_queue.take_dropped(), Dropped::default());
    assert_eq!(taken(&input_queue)[..2], ["discont", "s5000+100"]);
    // What was kept is gone, and the limit is the usual one.
    (300..450).for_each(|n| input_queue.push_audio(sound(n * 100, 100)).expect("taken"));
    assert_eq!(input_queue.take_dropped().connected, Duration::from_secs(5));
}

#[test]
fn small_pieces_are_joined_unless_there_is_a_break() {
    let input_queue = InputQueue::default();
    (0..7).for_each(|n| input_queue.push_audio(sound(n * 20, 20)).expect("taken"));
    input_queue.push_audio(sound(500, 20)).expect("taken");
    assert_eq!(taken(&input_queue), ["s0+100", "s100+40", "s500+20"]);
}

#[test]
fn sound_is_gathered_for_one_append_and_goes_before_what_comes_after_it() {
    let (input_queue, clock) = (InputQueue::default(), Clock::stopped());
    input_queue.set_append_interval(ms(200));
    let woken = || input_queue.arrived(&clock).now_or_never().is_some();
    let push = |from: u64, count: u64| {
        (from..from + count).for_each(|n| input_queue.push_audio(sound(n * 20, 20)).expect("taken"));
    };
    push(0, 1);
    assert!(woken(), "the first does not wait");
    assert_eq!(taken(&input_queue), ["s0+20"]);
    push(1, 9);
    assert!(!woken(), "180 ms are not enough");
    push(10, 1);
    assert!(woken());
    assert_eq!(taken(&input_queue), ["s20+200"]);
    push(11, 2);
    assert!(!woken());
    assert_eq!(input_queue.push_command(text(260).0, true), Ok(()));
    assert!(woken());
    assert_eq!(taken(&input_queue), ["s220+40", "t260"]);
    // Buffers of 160 samples, which are no whole number of nanoseconds.
    (0..30).for_each(|n| {
        let at = Some(ms(1_000) + samples_to_time(n * 160, 24_000));
        input_queue.push_audio(AudioChunk { data: Bytes::from(vec![0; 320]), at }).expect("taken");
    });
    assert!(woken());
    assert_eq!(taken(&input_queue), ["s1000+200"]);
    // What is not live waits for nothing.
    input_queue.set_offline(true);
    woken();
    push(100, 1);
    assert!(woken());
}

#[tokio::test]
async fn what_is_gathered_does_not_wait_for_sound_that_does_not_come() {
    let (input_queue, clock) = (InputQueue::default(), Clock::stopped());
    input_queue.set_append_interval(ms(200));
    input_queue.push_audio(sound(0, 20)).expect("taken");
    input_queue.arrived(&clock).await;
    assert_eq!(taken(&input_queue), ["s0+20"]);
    input_queue.push_audio(sound(20, 20)).expect("taken");
    let mut arrived = std::pin::pin!(input_queue.arrived(&clock));
    assert!(arrived.as_mut().now_or_never().is_none());
    clock.advance(ms(299));
    assert!(arrived.as_mut().now_or_never().is_none());
    clock.advance(ms(1));
    arrived.await;
    assert_eq!(taken(&input_queue), ["s20+20"]);
}

#[test]
fn an_offline_stream_waits_until_there_is_room_or_it_is_let_go() {
    let input_queue = offline(&[AUDIO_PAD]);
    (0..10).for_each(|n| input_queue.push_audio(sound(n * 100, 100)).expect("taken"));
    let pusher = |input_queue: &Arc<InputQueue>| {
        let input_queue = input_queue.clone();
        std::thread::spawn(move || input_queue.push_audio(sound(1000, 100)))
    };
    let waits = pusher(&input_queue);
    assert!(input_queue.take(true, true).is_some());
    assert_eq!(waits.join().expect("no panic"), Ok(()));
    let waits = pusher(&input_queue);
    input_queue.set_flushing(AUDIO_PAD, true);
    assert_eq!(waits.join().expect("no panic"), Err(PushError::Flushing));
    input_queue.set_flushing(AUDIO_PAD, false);
    input_queue.close();
    assert_eq!(input_queue.push_audio(sound(0, 20)), Err(PushError::Closed));
}

#[test]
fn commands_keep_their_place_and_are_bounded() {
    let input_queue = InputQueue::default();
    input_queue.push_audio(sound(0, 20)).expect("taken");
    assert_eq!(input_queue.push_command(Command::Commit, true), Ok(()));
    assert_eq!(input_queue.push_command(Command::CancelResponse, false), Ok(()));
    assert!(matches!(input_queue.take(true, true), Some(Input::Command(Command::CancelResponse))));
    assert!(matches!(input_queue.take(true, true), Some(Input::Audio(_))));
    assert!(matches!(input_queue.take(true, true), Some(Input::Command(Command::Commit))));
    while input_queue.push_command(Command::Commit, true).is_ok() {}
    assert_eq!(input_queue.push_command(Command::Commit, false), Err(PushError::Full));
    input_queue.close();
    assert_eq!(input_queue.push_command(Command::Commit, true), Err(PushError::Closed));
}

#[test]
fn what_is_no_command_does_not_wait_for_sound() {
    let input_queue = InputQueue::default();
    input_queue.push_audio(sound(0, 20)).expect("taken");
    input_queue.push_in_order(Input::EndOfStream);
    input_queue.push(Input::Behind(true));
    assert!(matches!(input_queue.take(false, false), Some(Input::Behind(true))));
    assert!(input_queue.take(false, false).is_none());
    assert_eq!(taken(&input_queue), ["s0+20", "end"]);
}

#[test]
fn live_the_newest_frame_waits_and_passes_the_sound() {
    let input_queue = InputQueue::default();
    input_queue.push_audio(sound(0, 20)).expect("taken");
    for at in [10, 20, 30] {
        input_queue.push_frame("video_sink_0", frame(at)).expect("taken");
    }
    input_queue.push_frame("video_sink_1", frame(5)).expect("taken");
    assert!(input_queue.take(true, false).is_some_and(|input| matches!(input, Input::Audio(_))));
    assert!(input_queue.take(true, false).is_none());
    assert_eq!(taken(&input_queue), ["f30", "f5"]);
}

#[test]
fn offline_pads_are_merged_by_time_and_audio_is_split_where_a_frame_stands() {
    let input_queue = offline(&[AUDIO_PAD, "video_sink_0", "text_sink"]);
    input_queue.push_audio(sound(0, 100)).expect("taken");
    assert_eq!(taken(&input_queue), [""; 0], "the others have not come so far");
    input_queue.push_frame("video_sink_0", frame(40)).expect("taken");
    assert_eq!(taken(&input_queue), [""; 0], "a text may come before it");
    let (command, at) = text(40);
    input_queue.push_blocking("text_sink", command, at).expect("taken");
    // The frame comes before the text of the same time; then there may be more of both at any time.
    assert_eq!(taken(&input_queue), ["s0+40", "f40", "t40"]);
    input_queue.advance("video_sink_0", ms(70));
    input_queue.end("text_sink");
    assert_eq!(taken(&input_queue), [""; 0]);
    input_queue.push_frame("video_sink_0", frame(100)).expect("taken");
    assert_eq!(taken(&input_queue), ["s40+60", "f100"]);
    input_queue.end("video_sink_0");
    input_queue.push_audio(sound(100, 50)).expect("taken");
    input_queue.push_in_order(Input::EndOfStream);
    assert_eq!(taken(&input_queue), ["s100+50", "end"]);
}

#[test]
fn offline_frames_hold_their_pad_back_and_the_end_comes_last() {
    let input_queue = offline(&[AUDIO_PAD, "video_sink_0"]);
    input_queue.push_frame("video_sink_0", frame(40)).expect("taken");
    let waits = std::thread::spawn({
        let input_queue = input_queue.clone();
        move || (input_queue.push_frame("video_sink_0", frame(80)), input_queue.push_frame("video_sink_0", frame(90)))
    });
    assert!(input_queue.take(true, true).is_none(), "there may be sound before it");
    input_queue.advance(AUDIO_PAD, ms(60));
    assert!(matches!(input_queue.take(true, true), Some(Input::Frame(_))));
    // The first of them has room now, and a flush lets the second one go.
    while input_queue.state().pad_queues.count("video_sink_0") == 0 {
        std::thread::yield_now();
    }
    input_queue.set_flushing("video_sink_0", true);
    assert_eq!(waits.join().expect("no panic"), (Ok(()), Err(PushError::Flushing)));
    input_queue.set_flushing("video_sink_0", false);
    input_queue.push_frame("video_sink_0", frame(10)).expect("taken");
    input_queue.push_in_order(Input::EndOfStream);
    assert_eq!(taken(&input_queue), ["f10", "end"]);
}

#[test]
fn a_pad_that_brings_nothing_more_is_not_waited_for_for_ever() {
    let input_queue = offline(&[AUDIO_PAD, "video_sink_0"]);
    input_queue.push_frame("video_sink_0", frame(40)).expect("taken");
    assert!(input_queue.take(true, true).is_none(), "there may be sound before it");
    let waits = std::thread::spawn({
        let input_queue = input_queue.clone();
        move || input_queue.push_frame("video_sink_0", frame(80))
    });
    let first = loop {
        match input_queue.take(true, true) {
            Some(first) => break first,
            None => std::thread::yield_now(),
        }
    };
    assert!(matches!(first, Input::Frame(_)));
    assert_eq!(waits.join().expect("no panic"), Ok(()));
    // When it brings something again, it is waited for again.
    input_queue.push_audio(sound(50, 10)).expect("taken");
    assert_eq!(taken(&input_queue), ["s50+10"]);
}

#[test]
fn nothing_waits_for_a_pad_without_timestamps() {
    let input_queue = offline(&[AUDIO_PAD]);
    input_queue.open("text_sink", false);
    input_queue.push_audio(sound(0, 100)).expect("taken");
    assert_eq!(taken(&input_queue), ["s0+100"]);
    input_queue.open("video_sink_0", true);
    input_queue.push_audio(sound(100, 100)).expect("taken");
    assert_eq!(taken(&input_queue), [""; 0]);
    input_queue.remove("video_sink_0");
    assert_eq!(taken(&input_queue), ["s100+100"]);
}
