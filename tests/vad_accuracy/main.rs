// SPDX-License-Identifier: MPL-2.0

//! The element's own ear: it finds what people say, from the first syllable to the last, and takes nothing else for it.
//!
//!     cargo test --test vad_accuracy -- --nocapture

mod sounds;

use audio_dsp::g711::{encode_alaw, encode_ulaw};
use gstopenairealtime::audio::vad::{TurnDetector, VadConfig, VadEvent};
use openai_protocol::session::AudioFormat;
use sounds::{RATE, hum, louder, no_speech, over, pink, recording, silence, white};
use std::ops::Range;
use std::time::Duration;

const RECORDINGS: [&str; 4] = ["goforward", "jfk", "lv0870", "lv0880"];
const PREFIX: usize = 300;
const SILENCE: usize = 500;
/// How far an edge may be off.
const TOLERANCE: usize = 200;
/// How far a begin may be: less than the padding, so that no word is lost.
const BEGIN_TOLERANCE: usize = 250;
/// How late an end may be: a last syllable may be softer than what counts as words here.
const SOFT_END: usize = 400;

fn ms(milliseconds: usize) -> Duration {
    Duration::from_millis(milliseconds as u64)
}

fn settings(silence: usize) -> VadConfig {
    VadConfig { threshold: 0.5, prefix: ms(PREFIX), silence: ms(silence) }
}

/// The sound as this format has it.
fn encoded(sound: &[f32], format: &AudioFormat) -> Vec<u8> {
    let samples = sound.iter().map(|sample| (sample * 32767.0) as i16);
    if *format == AudioFormat::Pcm {
        return samples.flat_map(i16::to_le_bytes).collect();
    }
    let samples: Vec<i16> = samples.collect();
    let narrow = samples.chunks_exact(3).map(|three| (three.iter().map(|s| i32::from(*s)).sum::<i32>() / 3) as i16);
    narrow.map(if *format == AudioFormat::Pcmu { encode_ulaw } else { encode_alaw }).collect()
}

/// The turns in a sound, in its milliseconds, and that each has all its sound.
fn turns_as(sound: &[f32], silence: usize, format: &AudioFormat) -> Vec<Range<usize>> {
    let data = encoded(sound, format);
    let (rate, size) = if *format == AudioFormat::Pcm { (24, 2) } else { (8, 1) };
    let mut ear = TurnDetector::new(&settings(silence), format.clone());
    let mut heard = Vec::new();
    let mut rest = &data[..];
    while !rest.is_empty() {
        rest = &rest[ear.push(&rest[..rest.len().min(960)], &mut heard)..];
    }
    ear.finish(&mut heard);
    let (mut turns, mut began, mut said) = (Vec::new(), 0, Vec::new());
    for what in heard {
        match what {
            VadEvent::SpeechStarted(sample) => (began, said) = (sample as usize, Vec::new()),
            VadEvent::Audio(piece) => said.extend(piece),
            VadEvent::SpeechStopped(sample) => {
                assert_eq!(said, data[began * size..sample as usize * size]);
                turns.push(began / rate..sample as usize / rate);
            }
        }
    }
    turns
}

fn turns(sound: &[f32]) -> Vec<Range<usize>> {
    turns_as(sound, SILENCE, &AudioFormat::Pcm)
}

/// Where the words are: the 50 ms pieces that are less than 20 dB below the loud ones, because what is softer is the
/// room. In milliseconds.
fn words(voice: &[f32]) -> Vec<usize> {
    let powers: Vec<f32> = voice.chunks(RATE / 20).map(|piece| piece.iter().map(|s| s * s).sum()).collect();
    let mut sorted = powers.clone();
    sorted.sort_by(f32::total_cmp);
    let loud = sorted[sorted.len() * 95 / 100];
    (0..powers.len()).filter(|n| powers[*n] > loud / 100.0).map(|n| n * 50).collect()
}

/// A second before the voice, a second after it.
fn padded(voice: &[f32]) -> Vec<f32> {
    [&silence(1000), voice, &silence(1000)].concat()
}

/// A voice under all conditions that have to be borne: their names, and how it sounds there.
fn conditions(voice: &[f32]) -> Vec<(&'static str, Vec<f32>, AudioFormat)> {
    let clean = padded(voice);
    let noisy = |background: &[f32], decibels| over(&clean, voice, background, decibels);
    let (white, pink, hum) = (white(0.3), pink(0.3), hum(50.0, 0.3));
    vec![
        ("clean", clean.clone(), AudioFormat::Pcm),
        ("30 dB quieter", louder(&clean, 0.0316), AudioFormat::Pcm),
        ("white noise, 20 dB", noisy(&white, 20.0), AudioFormat::Pcm),
        ("white noise, 10 dB", noisy(&white, 10.0), AudioFormat::Pcm),
        ("pink noise, 20 dB", noisy(&pink, 20.0), AudioFormat::Pcm),
        ("pink noise, 10 dB", noisy(&pink, 10.0), AudioFormat::Pcm),
        ("hum, 10 dB", noisy(&hum, 10.0), AudioFormat::Pcm),
        ("G.711 µ-law", clean.clone(), AudioFormat::Pcmu),
        ("G.711 A-law", clean.clone(), AudioFormat::Pcma),
    ]
}

#[test]
fn all_words_are_found_and_the_turns_edges_are_theirs() {
    eprintln!("{:12} {:20} {:>6} {:>10} {:>8}", "recording", "condition", "words", "begin", "end");
    let mut wrong = Vec::new();
    for name in RECORDINGS {
        let voice = recording(name);
        let words: Vec<usize> = words(&voice).into_iter().map(|at| at + 1000).collect();
        for (condition, sound, format) in conditions(&voice) {
            let turns = turns_as(&sound, SILENCE, &format);
            let found = words.iter().filter(|at| turns.iter().any(|turn| turn.contains(*at))).count();
            let found = found as f32 / words.len() as f32 * 100.0;
            let (Some(first), Some(last)) = (turns.first(), turns.last()) else {
                wrong.push(format!("{name}, {condition}: nothing was found"));
                continue;
            };
            let begin = (first.start + PREFIX) as isize - words[0] as isize;
            let end = last.end as isize - SILENCE as isize - (words[words.len() - 1] + 50) as isize;
            eprintln!("{name:12} {condition:20} {found:5.1}% {begin:+7} ms {end:+5} ms   {turns:?}");
            let tolerance = TOLERANCE as isize;
            let edges_hold = begin.unsigned_abs() <= BEGIN_TOLERANCE && (-tolerance..=SOFT_END as isize).contains(&end);
            if found < 100.0 || !edges_hold {
                wrong.push(format!("{name}, {condition}: {found:.1} %, begin {begin} ms, end {end} ms"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_else_is_taken_for_speech() {
    let sounds = no_speech();
    let taken: Vec<_> = sounds.iter().filter(|(_, sound)| !turns(sound).is_empty()).map(|(name, _)| name).collect();
    eprintln!("{} of {} sounds taken for speech: {taken:?}", taken.len(), sounds.len());
    assert!(taken.is_empty(), "{taken:?}");
}

#[test]
fn a_pause_that_is_shorter_than_the_silence_ends_nothing() {
    for name in RECORDINGS {
        let voice = recording(name);
        let words = words(&voice);
        let pause = words.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default();
        let turns = turns_as(&padded(&voice), pause + TOLERANCE, &AudioFormat::Pcm);
        assert_eq!(turns.len(), 1, "{name}: a pause of {pause} ms");
    }
}

#[test]
fn speech_from_the_first_to_the_last_sample_is_one_turn() {
    for name in RECORDINGS {
        let voice = recording(name);
        let first = words(&voice)[0];
        // To the middle of the words: nobody falls silent there.
        let middle = first + 1200;
        let sound = &voice[first * RATE / 1000..middle * RATE / 1000];
        assert_eq!(turns(sound), vec![0..middle - first; 1], "{name}");
    }
}

#[test]
fn two_speakers_have_two_turns() {
    let (one, other) = (recording("goforward"), recording("lv0880"));
    let sound = [&one[..], &silence(1000), &other, &silence(1000)].concat();
    let turns = turns(&sound);
    assert_eq!(turns.len(), 2, "{turns:?}");
    let shift = one.len() / 24 + 1000;
    let mut others = words(&other).into_iter().map(|at| at + shift);
    assert!(words(&one).iter().all(|at| turns[0].contains(at)), "{turns:?}");
    assert!(others.all(|at| turns[1].contains(&at)), "{turns:?}");
}

#[test]
fn a_minute_of_noise_makes_nobody_deaf() {
    let (voice, background) = (recording("lv0870"), pink(0.1));
    let noise: Vec<f32> = background.iter().copied().cycle().take(60 * RATE).collect();
    let speech = over(&padded(&voice), &voice, &background, 10.0);
    let turns = turns(&[noise, speech].concat());
    let words = words(&voice).into_iter().map(|at| at + 61_000);
    let missed: Vec<usize> = words.filter(|at| !turns.iter().any(|turn| turn.contains(at))).collect();
    assert!(missed.is_empty(), "{turns:?} miss {missed:?}");
    assert!(turns[0].start > 60_000, "{turns:?}");
}
