// SPDX-License-Identifier: MPL-2.0

//! The answer's timeline.

use crate::queue::timeline::*;
use crate::realtime::conversation::tests::dialogue::ms;
use crate::types::OutputAudio;
use bytes::Bytes;
use openai_protocol::session::AudioFormat;
use std::time::Duration;

fn speech(item: &str, samples: usize, value: u8, not_before_ms: u64) -> OutputAudio {
    OutputAudio {
        item_id: item.into(),
        content_index: 0,
        data: Bytes::from(vec![value; samples * 2]),
        not_before: ms(not_before_ms),
    }
}

fn piece(next: Next) -> Piece {
    match next {
        Next::Piece(piece) => piece,
        other => panic!("expected a piece, got {other:?}"),
    }
}

#[test]
fn live_is_continuous_with_sound_where_there_is_some() {
    let mut timeline = Timeline::new(AudioFormat::Pcm, false);
    let first = piece(timeline.next_live(480));
    assert!(first.silent && first.samples == 480);
    timeline.play(speech("a", 600, 1, 0));
    timeline.play(speech("a", 100, 2, 0));
    let second = piece(timeline.next_live(480));
    assert_eq!((second.position, second.samples, second.data.len()), (480, 480, 960));
    assert_eq!(second.begins, [("a".into(), 480)]);
    let third = piece(timeline.next_live(480));
    assert_eq!(third.position, 960);
    assert_eq!(&third.data[..240], &[1; 240]);
    assert_eq!(&third.data[240..440], &[2; 200]);
    assert_eq!(&third.data[440..], &[0; 520]);
    assert!(third.begins.is_empty());
    assert!(piece(timeline.next_live(480)).silent);
}

#[test]
fn sound_that_fits_is_not_copied() {
    let mut timeline = Timeline::new(AudioFormat::Pcm, false);
    let data = Bytes::from(vec![7; 2000]);
    let address = data.as_ptr();
    timeline.play(OutputAudio { item_id: "a".into(), content_index: 0, data, not_before: Duration::ZERO });
    assert_eq!(piece(timeline.next_live(480)).data.as_ptr(), address);
}

#[test]
fn offline_waits_until_a_piece_is_settled() {
    let mut timeline = Timeline::new(AudioFormat::Pcm, false);
    assert_eq!(timeline.next_offline(2400), Next::Wait);
    timeline.gap_until(ms(150));
    assert!(piece(timeline.next_offline(2400)).silent);
    assert_eq!(timeline.next_offline(2400), Next::Wait);
    // The answer begins at 150 ms, the middle of the second piece.
    timeline.play(speech("a", 2400, 9, 150));
    let second = piece(timeline.next_offline(2400));
    assert_eq!((second.position, second.samples), (2400, 2400));
    assert_eq!(&second.data[..2400], &[0; 2400]);
    assert_eq!(&second.data[2400..], &[9; 2400]);
    assert_eq!(second.begins, [("a".into(), 3600)]);
    timeline.finish(ms(200));
    let last = piece(timeline.next_offline(2400));
    assert_eq!((last.samples, last.data.len()), (1200, 2400));
    assert_eq!(timeline.next_offline(2400), Next::End);
}

#[test]
fn the_end_of_the_input_is_the_least_length() {
    let mut timeline = Timeline::new(AudioFormat::Pcm, false);
    timeline.finish(ms(130));
    assert_eq!(piece(timeline.next_offline(2400)).samples, 2400);
    assert_eq!(piece(timeline.next_offline(2400)).samples, 720);
    assert_eq!(timeline.next_offline(2400), Next::End);
}

#[test]
fn split_silence_never_mixes() {
    let mut timeline = Timeline::new(AudioFormat::Pcm, true);
    timeline.gap_until(ms(50));
    timeline.play(speech("a", 600, 1, 50));
    timeline.finish(ms(100));
    let pieces: Vec<_> = std::iter::from_fn(|| match timeline.next_offline(2400) {
        Next::Piece(piece) => Some((piece.position, piece.samples, piece.silent)),
        _ => None,
    })
    .collect();
    assert_eq!(pieces, [(0, 1200, true), (1200, 600, false), (1800, 600, true)]);
}

#[test]
fn heard_is_what_the_listener_has_passed() {
    let mut timeline = Timeline::new(AudioFormat::Pcm, false);
    timeline.play(speech("a", 960, 1, 0));
    timeline.play(speech("b", 2400, 1, 0));
    for _ in 0..5 {
        timeline.next_live(480);
    }
    let heard = |at| {
        let items = timeline.played_at(ms(at));
        items.into_iter().map(|item| (item.item_id, item.heard)).collect::<Vec<_>>()
    };
    assert_eq!(heard(0), [("a".into(), 0), ("b".into(), 0)]);
    assert_eq!(heard(30), [("a".into(), 720), ("b".into(), 0)]);
    assert_eq!(heard(60), [("a".into(), 960), ("b".into(), 480)]);
    // Never more than went out.
    assert_eq!(heard(10_000), [("a".into(), 960), ("b".into(), 1440)]);
}

#[test]
fn g711_silence_is_not_zero() {
    let mut timeline = Timeline::new(AudioFormat::Pcmu, false);
    timeline.play(OutputAudio {
        item_id: "a".into(),
        content_index: 0,
        data: Bytes::from(vec![1; 80]),
        not_before: Duration::ZERO,
    });
    assert_eq!(piece(timeline.next_live(160)).data[80..], [0xff; 80]);
}

#[test]
fn messages_that_interleave_keep_their_counts() {
    let mut timeline = Timeline::new(AudioFormat::Pcm, false);
    for item in ["a", "b", "a"] {
        timeline.play(speech(item, 240, 1, 0));
    }
    let piece = piece(timeline.next_live(720));
    assert_eq!(piece.begins, [("a".into(), 0), ("b".into(), 240)]);
    let heard: Vec<_> = timeline.played_at(ms(1_000)).into_iter().map(|item| (item.item_id, item.heard)).collect();
    assert_eq!(heard, [("a".into(), 480), ("b".into(), 240)]);
}

#[test]
fn an_offline_stream_leaves_out_hours_of_silence() {
    let mut timeline = Timeline::new(AudioFormat::Pcm, false);
    timeline.gap_until(ms(100));
    timeline.gap_until(ms(3_600_000));
    timeline.gap_until(ms(3_600_100));
    timeline.play(speech("a", 480, 1, 7_200_000));
    timeline.finish(ms(0));
    let mut pieces = Vec::new();
    while let Next::Piece(piece) = timeline.next_offline(2_400) {
        pieces.push((piece.position, piece.samples, piece.silent));
    }
    let hour = 3_600 * 24_000;
    assert_eq!(pieces, [(0, 2_400, true), (hour, 2_400, true), (2 * hour, 480, false)]);
}
