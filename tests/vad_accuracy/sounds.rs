// SPDX-License-Identifier: MPL-2.0

//! Sounds for ears: recorded voices, and what is no voice. All at 24 kHz, between -1 and 1.

use std::f32::consts::TAU;

pub const RATE: usize = 24_000;
const SECONDS: usize = 4;

/// A recording at 16 kHz, brought to 24 kHz. Behind the last word of one is a noise as loud as its soft syllables: it is
/// left out.
pub fn recording(name: &str) -> Vec<f32> {
    let path = format!("{}/tests/media/{name}.wav", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let samples: Vec<f32> =
        file[44..].as_chunks().0.iter().map(|s| f32::from(i16::from_le_bytes(*s)) / 32768.0).collect();
    let tail = if name == "jfk" { 450 * RATE / 1000 } else { 2 };
    (0..samples.len() * 3 / 2 - tail)
        .map(|n| {
            let (at, between) = (n * 2 / 3, (n * 2 % 3) as f32 / 3.0);
            samples[at] + (samples[at + 1] - samples[at]) * between
        })
        .collect()
}

pub fn silence(milliseconds: usize) -> Vec<f32> {
    vec![0.0; milliseconds * RATE / 1000]
}

pub fn louder(sound: &[f32], gain: f32) -> Vec<f32> {
    sound.iter().map(|sample| sample * gain).collect()
}

fn level(sound: &[f32]) -> f32 {
    (sound.iter().map(|sample| sample * sample).sum::<f32>() / sound.len() as f32).sqrt()
}

/// The sound with another one behind it, so many decibels below the voice.
pub fn over(sound: &[f32], voice: &[f32], background: &[f32], decibels: f32) -> Vec<f32> {
    let gain = level(voice) / level(background) * 10f32.powf(-decibels / 20.0);
    sound.iter().zip(background.iter().cycle()).map(|(a, b)| (a + b * gain).clamp(-1.0, 1.0)).collect()
}

fn made(mut sample: impl FnMut(f32) -> f32) -> Vec<f32> {
    (0..SECONDS * RATE).map(|n| sample(n as f32 / RATE as f32).clamp(-1.0, 1.0)).collect()
}

/// Noise with a flat spectrum, the same every time.
pub fn white(volume: f32) -> Vec<f32> {
    let mut seed = 88_172_645_463_325_252u64;
    made(|_| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        volume * ((seed >> 40) as f32 / 8_388_608.0 - 1.0)
    })
}

/// Noise with as much power in each octave.
pub fn pink(volume: f32) -> Vec<f32> {
    let mut poles = [0.0f32; 3];
    let shaped = white(1.0).into_iter().map(|white| {
        for (pole, (keep, add)) in poles.iter_mut().zip([(0.99765, 0.099), (0.963, 0.2965), (0.57, 1.0527)]) {
            *pole = keep * *pole + add * white;
        }
        volume * 0.3 * (poles.iter().sum::<f32>() + 0.1848 * white)
    });
    shaped.collect()
}

fn brown(volume: f32) -> Vec<f32> {
    let mut sum = 0.0;
    white(1.0)
        .into_iter()
        .map(|white| {
            sum = 0.995 * sum + 0.1 * white;
            volume * sum
        })
        .collect()
}

/// Noise that is the stronger the higher, as `audiotestsrc` calls it violet.
fn violet(volume: f32) -> Vec<f32> {
    white(volume).windows(2).map(|two| two[1] - two[0]).collect()
}

/// Tones at once, each with so many overtones, between them at this volume.
fn chord(tones: &[f32], overtones: usize, volume: f32) -> Vec<f32> {
    made(|t| tones.iter().map(|hertz| tone(*hertz * t, overtones)).sum::<f32>() * volume / tones.len() as f32)
}

fn tone(turns: f32, overtones: usize) -> f32 {
    (1..=overtones + 1).map(|n| (TAU * (turns * n as f32).fract()).sin() / n as f32).sum()
}

fn square(hertz: f32, volume: f32) -> Vec<f32> {
    made(|t| if (t * hertz).fract() < 0.5 { volume } else { -volume })
}

/// The mains and what it drags along.
pub fn hum(hertz: f32, volume: f32) -> Vec<f32> {
    let parts = [1.0, 0.3, 0.5, 0.15, 0.25, 0.1, 0.15];
    made(|t| parts.iter().zip(1..).map(|(part, n)| part * (TAU * hertz * n as f32 * t).sin()).sum::<f32>() * volume)
}

/// On and off in turn, in seconds.
fn beeping(sound: Vec<f32>, on: f32, off: f32) -> Vec<f32> {
    let at = |n: usize| (n as f32 / RATE as f32) % (on + off);
    sound.into_iter().enumerate().map(|(n, sample)| if at(n) < on { sample } else { 0.0 }).collect()
}

/// As loud as a voice rises and falls, four times a second.
fn swelling(sound: Vec<f32>) -> Vec<f32> {
    let gain = |n: usize| 0.5 - 0.5 * (TAU * 4.0 * n as f32 / RATE as f32).cos();
    sound.into_iter().enumerate().map(|(n, sample)| sample * gain(n)).collect()
}

/// One tone whose pitch is that of the moment.
fn gliding(pitch: impl Fn(f32) -> f32, overtones: usize, volume: f32) -> Vec<f32> {
    let mut turns = 0.0;
    made(|t| {
        turns = (turns + pitch(t) / RATE as f32).fract();
        volume * tone(turns, overtones)
    })
}

/// Keys of a telephone, or whatever has two tones at once, one pair after the other.
fn pairs(pairs: &[(f32, f32)], on: f32, off: f32) -> Vec<f32> {
    made(|t| {
        let (low, high) = pairs[(t / (on + off)) as usize % pairs.len()];
        let sounds = t % (on + off) < on;
        if sounds { 0.3 * (tone(low * t, 0) + tone(high * t, 0)) } else { 0.0 }
    })
}

/// Notes of an instrument that is struck, one after the other.
fn melody(each: f32, overtones: usize, fading: f32) -> Vec<f32> {
    let notes = [261.6, 293.7, 329.6, 349.2, 392.0, 440.0, 493.9, 523.3];
    made(|t| {
        let (note, since) = (notes[(t / each) as usize % notes.len()], t % each);
        0.3 * (since / 0.005).min(1.0) * (-since * fading).exp() * tone(note * t, overtones)
    })
}

/// Short bursts of noise that die away.
fn knocks(every: f32, fading: f32) -> Vec<f32> {
    white(0.9).into_iter().enumerate().map(|(n, s)| s * (-((n as f32 / RATE as f32) % every) / fading).exp()).collect()
}

/// What nobody says.
pub fn no_speech() -> Vec<(String, Vec<f32>)> {
    let mut sounds = Vec::new();
    let mut add = |name: &str, sound| sounds.push((name.to_owned(), sound));
    for hertz in [100.0, 200.0, 300.0, 440.0, 1000.0, 2000.0, 4000.0] {
        for volume in [0.05, 0.8] {
            add(&format!("sine {hertz} Hz at {volume}"), chord(&[hertz], 0, volume));
        }
    }
    for hertz in [100.0, 220.0, 440.0, 1000.0] {
        add(&format!("square {hertz} Hz"), square(hertz, 0.3));
    }
    for volume in [0.01, 0.1, 0.5] {
        add(&format!("white noise at {volume}"), white(volume));
        add(&format!("pink noise at {volume}"), pink(volume));
        add(&format!("brown noise at {volume}"), brown(volume));
        add(&format!("violet noise at {volume}"), violet(volume));
    }
    for hertz in [50.0, 60.0] {
        add(&format!("hum of {hertz} Hz"), hum(hertz, 0.2));
    }
    add("busy tone", beeping(chord(&[425.0], 0, 0.4), 0.48, 0.48));
    add("fast busy tone", beeping(chord(&[480.0, 620.0], 0, 0.5), 0.25, 0.25));
    add("ringing tone", beeping(chord(&[440.0, 480.0], 0, 0.5), 2.0, 1.0));
    add("dial tone", chord(&[350.0, 440.0], 0, 0.5));
    add("short beeps", beeping(chord(&[1000.0], 0, 0.5), 0.1, 0.1));
    add("alarm", beeping(square(880.0, 0.3), 0.1, 0.1));
    add("ring with two pitches", pairs(&[(800.0, 800.0), (1000.0, 1000.0)], 0.05, 0.0));
    let keys = [(697.0, 1209.0), (770.0, 1336.0), (852.0, 1477.0), (941.0, 1336.0), (697.0, 1477.0)];
    add("dialling", pairs(&keys, 0.1, 0.1));
    add("fast dialling", pairs(&keys, 0.07, 0.05));
    add("sweep", gliding(|t| 100.0 * 40f32.powf(t / 2.0 % 1.0), 0, 0.4));
    add("fast sweep", gliding(|t| 200.0 * 10f32.powf(t / 0.5 % 1.0), 0, 0.4));
    add("siren", gliding(|t| 850.0 - 350.0 * (TAU * t / 3.0).cos(), 0, 0.4));
    add("shrill siren", gliding(|t| 850.0 - 350.0 * (TAU * t).cos(), 5, 0.2));
    add("organ", chord(&[261.6, 329.6, 392.0], 5, 0.5));
    add("low organ", chord(&[130.8, 164.8, 196.0, 261.6], 7, 0.5));
    add("piano", melody(0.25, 7, 8.0));
    add("slow piano", melody(0.6, 5, 3.0));
    add("flute", melody(0.25, 1, 1.0));
    add("swelling white noise", swelling(white(0.3)));
    add("swelling pink noise", swelling(pink(0.3)));
    add("swelling tone", swelling(chord(&[440.0], 0, 0.5)));
    add("bursts of pink noise", beeping(pink(0.3), 0.3, 0.4));
    add("clicks", knocks(0.5, 0.001));
    add("typing", knocks(0.13, 0.006));
    add("knocks", knocks(0.4, 0.02));
    sounds
}
