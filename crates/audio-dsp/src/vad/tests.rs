// SPDX-License-Identifier: MPL-2.0

//! The detector on recorded speech: the same at every rate and in every piece, and robust.

use super::*;
use crate::pcm::to_f32;
use crate::resample::resample;

const THRESHOLD: f32 = 0.5;

/// A recording at 16 kHz between two silences of one second.
fn recording(name: &str) -> Vec<f32> {
    let path = format!("{}/../../tests/media/{name}.wav", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let voice = file[44..].as_chunks().0.iter().map(|sample| to_f32(i16::from_le_bytes(*sample)));
    let silence = || std::iter::repeat_n(0.0, SAMPLE_RATE as usize);
    silence().chain(voice).chain(silence()).collect()
}

fn probabilities(rate: u32, samples: &[f32], piece: usize) -> Vec<f32> {
    let mut vad = Vad::new(rate).expect("a usual rate");
    samples.chunks(piece).flat_map(|piece| vad.push(piece).to_vec()).collect()
}

/// The first and the last frame with speech.
fn edges(probabilities: &[f32]) -> (usize, usize) {
    let is_speech = |probability: &f32| *probability >= THRESHOLD;
    let first = probabilities.iter().position(is_speech).expect("there is speech");
    (first, probabilities.iter().rposition(is_speech).expect("there is speech"))
}

#[test]
fn edges_are_within_one_frame_at_every_rate() {
    for name in ["goforward", "jfk", "lv0870", "lv0880"] {
        let sound = recording(name);
        let expected = probabilities(SAMPLE_RATE, &sound, 160);
        let (first, last) = edges(&expected);
        for rate in [22_050, 24_000, 44_100, 48_000] {
            let found = probabilities(rate, &resample(&sound, SAMPLE_RATE, rate).expect("usual rates"), 480);
            assert_eq!(found.len(), expected.len(), "{name} at {rate} Hz");
            let (first_found, last_found) = edges(&found);
            assert!(first.abs_diff(first_found) <= 1, "{name} at {rate} Hz begins in frame {first_found}, not {first}");
            assert!(last.abs_diff(last_found) <= 1, "{name} at {rate} Hz ends in frame {last_found}, not {last}");
        }
    }
}

/// At 8 kHz the network hears less. So it is compared with what 8 kHz leaves, listened to without a delay; a soft begin may
/// still differ, but as a whole the frames must lie where they are.
#[test]
fn frames_at_8_khz_are_not_shifted() {
    for name in ["goforward", "jfk", "lv0870", "lv0880"] {
        let narrow = resample(&recording(name), SAMPLE_RATE, 8_000).expect("usual rates");
        let aligned = resample(&narrow, 8_000, SAMPLE_RATE).expect("usual rates");
        let expected = probabilities(SAMPLE_RATE, &aligned, 160);
        let found = probabilities(8_000, &narrow, 160);
        let difference = |expected: &[f32], found: &[f32]| -> f32 {
            expected.iter().zip(found).map(|(expected, found)| (expected - found).abs()).sum()
        };
        let here = difference(&expected, &found);
        assert!(here < difference(&expected, &found[1..]), "{name} is late");
        assert!(here < difference(&expected[1..], &found), "{name} is early");
    }
}

#[test]
fn a_frame_of_any_rate_is_one_probability_at_once() {
    for rate in [8_000, 16_000, 24_000, 48_000] {
        let mut vad = Vad::new(rate).expect("a usual rate");
        let frame = vec![0.0; FRAME * rate as usize / SAMPLE_RATE as usize];
        assert!((0..10).all(|_| vad.push(&frame).len() == 1), "{rate}");
    }
}

#[test]
fn pieces_make_no_difference() {
    let sound = recording("lv0880");
    let whole = probabilities(24_000, &sound, sound.len());
    for piece in [1, 160, 512, 1_000, 4_096] {
        assert_eq!(probabilities(24_000, &sound, piece), whole, "pieces of {piece}");
    }
}

#[test]
fn what_is_no_audio_is_no_speech_and_is_forgotten() {
    let sound = recording("goforward");
    let expected = edges(&probabilities(SAMPLE_RATE, &sound, 512));
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
        let mut vad = Vad::new(SAMPLE_RATE).expect("the network's own rate");
        assert!(vad.push(&[odd; 4 * FRAME]).iter().all(|probability| *probability < THRESHOLD), "{odd}");
        let after = vad.push(&sound);
        assert!(after.iter().all(|probability| (0.0..=1.0).contains(probability)), "{odd}");
        assert_eq!(edges(after), expected, "{odd}");
    }
}

/// Not a test: prints what a minute costs. `cargo test --release -p audio-dsp cost -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn cost_of_a_minute() {
    for rate in [8_000, 16_000, 24_000, 48_000] {
        let speech = resample(&recording("jfk"), SAMPLE_RATE, rate).expect("usual rates");
        let minute: Vec<f32> = speech.into_iter().cycle().take(60 * rate as usize).collect();
        let best = (0..5).map(|_| {
            let start = std::time::Instant::now();
            probabilities(rate, &minute, rate as usize / 50);
            start.elapsed()
        });
        eprintln!("a minute at {rate} Hz: {:.1?}", best.min().unwrap_or_default());
    }
}
