// SPDX-License-Identifier: MPL-2.0

//! Sound inside the server: mono samples with their rate, and the way between them and the three formats of the wire.
//!
//! Whoever hands sound on, hands on a [`Sound`]; bytes of the wire exist only at the edge. The two rates of the wire
//! are a factor of three apart, so converting between them is one small filter, and nothing at all happens to sound
//! whose rate is right already: what is echoed comes back sample for sample.

use crate::g711;
use openai_protocol::session::AudioFormat;
use std::f32::consts::PI;
use std::sync::Arc;

/// Mono sound. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    /// The samples; shared, copied only when a shared one is changed.
    pub samples: Arc<Vec<i16>>,
    /// Samples in a second.
    pub rate: u32,
}

impl Sound {
    /// Sound of these samples.
    pub fn new(samples: Vec<i16>, rate: u32) -> Self {
        Self { samples: Arc::new(samples), rate }
    }

    /// How long it is, in whole milliseconds.
    pub fn ms(&self) -> u64 {
        self.samples.len() as u64 * 1000 / u64::from(self.rate.max(1))
    }

    /// The same sound at another rate.
    pub fn at(&self, rate: u32) -> Self {
        if rate == self.rate { self.clone() } else { Self::new(resample(&self.samples, self.rate, rate), rate) }
    }

    /// Adds more of the same rate at the end.
    pub fn extend(&mut self, samples: &[i16]) {
        Arc::make_mut(&mut self.samples).extend_from_slice(samples);
    }

    /// Forgets all after `ms`.
    pub fn truncate(&mut self, ms: u64) {
        let keep = usize::try_from(ms * u64::from(self.rate) / 1000).unwrap_or(usize::MAX);
        if keep < self.samples.len() {
            Arc::make_mut(&mut self.samples).truncate(keep);
        }
    }
}

/// The samples in bytes of the wire. A byte that is half a sample is left out.
pub fn decode(format: &AudioFormat, bytes: &[u8]) -> Vec<i16> {
    match format {
        AudioFormat::Pcmu => bytes.iter().map(|&byte| g711::ulaw_decode(byte)).collect(),
        AudioFormat::Pcma => bytes.iter().map(|&byte| g711::alaw_decode(byte)).collect(),
        AudioFormat::Pcm | AudioFormat::Other(_) => {
            bytes.as_chunks::<2>().0.iter().map(|&pair| i16::from_le_bytes(pair)).collect()
        }
    }
}

/// The bytes of the wire for samples that have the format's rate.
pub fn encode(format: &AudioFormat, samples: &[i16]) -> Vec<u8> {
    match format {
        AudioFormat::Pcmu => samples.iter().map(|&sample| g711::ulaw_encode(sample)).collect(),
        AudioFormat::Pcma => samples.iter().map(|&sample| g711::alaw_encode(sample)).collect(),
        AudioFormat::Pcm | AudioFormat::Other(_) => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
    }
}

/// Half the filter's length, in samples of the higher rate.
const REACH: isize = 30;

/// A windowed sinc that passes what both rates can carry (up to 3.4 of the lower rate's 4 kHz).
fn low_pass(offset: isize) -> f32 {
    let x = offset as f32;
    let sinc = if offset == 0 { 0.3 } else { (0.3 * PI * x).sin() / (PI * x) };
    let window = 0.54 + 0.46 * (PI * x / (REACH + 1) as f32).cos();
    sinc * window
}

/// Converts between rates of which one is three times the other. Others do not occur and come back unchanged.
fn resample(samples: &[i16], from: u32, to: u32) -> Vec<i16> {
    let taps: Vec<f32> = (-REACH..=REACH).map(low_pass).collect();
    let gain = taps.iter().sum::<f32>();
    let clip = |value: f32| value.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16;
    // `step` walks over the input, `zoom` is how many positions of the high rate one input sample takes.
    let at = |centre: isize, zoom: isize| -> f32 {
        let first = (centre - REACH).max(0).div_euclid(zoom) + isize::from((centre - REACH).max(0) % zoom != 0);
        let last = ((centre + REACH) / zoom).min(samples.len() as isize - 1);
        (first..=last).map(|i| f32::from(samples[i as usize]) * taps[(i * zoom - centre + REACH) as usize]).sum()
    };
    if from == 3 * to {
        (0..samples.len() / 3).map(|i| clip(at(3 * i as isize, 1) / gain)).collect()
    } else if to == 3 * from {
        (0..samples.len() * 3).map(|i| clip(at(i as isize, 3) * 3.0 / gain)).collect()
    } else {
        samples.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hz: f32, ms: u32) -> Vec<i16> {
        let count = rate * ms / 1000;
        (0..count).map(|i| (8000.0 * (2.0 * PI * hz * i as f32 / rate as f32).sin()) as i16).collect()
    }

    fn loudness(samples: &[i16]) -> f32 {
        (samples.iter().map(|&s| f32::from(s).powi(2)).sum::<f32>() / samples.len() as f32).sqrt()
    }

    #[test]
    fn a_tone_keeps_its_length_and_loudness_in_both_directions() {
        for (from, to) in [(24_000, 8_000), (8_000, 24_000)] {
            let sound = Sound::new(tone(from, 440.0, 500), from).at(to);
            assert_eq!(sound.ms(), 500);
            let middle = &sound.samples[1000..sound.samples.len() - 1000];
            let expected = loudness(&tone(to, 440.0, 500));
            assert!((loudness(middle) / expected - 1.0).abs() < 0.02, "{from} to {to}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_filtered_out() {
        let sound = Sound::new(tone(24_000, 6_000.0, 500), 24_000).at(8_000);
        assert!(loudness(&sound.samples[100..3_900]) < 80.0);
    }

    #[test]
    fn pcm_is_little_endian_and_an_odd_byte_is_left_out() {
        assert_eq!(decode(&AudioFormat::Pcm, &[1, 2, 0xff, 0xff, 7]), [0x0201, -1]);
        assert_eq!(encode(&AudioFormat::Pcm, &[0x0201, -1]), [1, 2, 0xff, 0xff]);
    }

    #[test]
    fn a_truncated_sound_is_as_long_as_was_heard() {
        let mut sound = Sound::new(vec![0; 24_000], 24_000);
        sound.truncate(250);
        assert_eq!((sound.ms(), sound.samples.len()), (250, 6_000));
    }
}
