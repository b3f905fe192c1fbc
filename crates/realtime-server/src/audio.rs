// SPDX-License-Identifier: MPL-2.0

//! Sound inside the server: mono samples with their rate, and the way between them and the three formats of the wire.
//!
//! Whoever hands sound on, hands on a [`Sound`]; bytes of the wire exist only at the edge. Nothing at all happens to
//! sound whose rate is right already: what is echoed comes back sample for sample.

use audio_dsp::g711;
use audio_dsp::pcm::{to_f32, to_i16};
use audio_dsp::resample::{UnsupportedRates, resample};
use openai_protocol::session::AudioFormat;
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

    /// The memory that its samples take.
    pub fn bytes(&self) -> usize {
        self.samples.len() * size_of::<i16>()
    }

    /// The same sound at another rate. Between rates that do not occur here, and have no filter, nothing is converted.
    pub fn at(&self, rate: u32) -> Self {
        self.converted(rate).unwrap_or_else(|error| {
            tracing::error!("{error}");
            self.clone()
        })
    }

    /// The same sound at another rate; an error where there is no filter between the rates.
    pub fn converted(&self, rate: u32) -> Result<Self, UnsupportedRates> {
        if rate == self.rate {
            return Ok(self.clone());
        }
        let samples = resample(&self.to_f32(), self.rate, rate)?;
        Ok(Self::new(samples.into_iter().map(to_i16).collect(), rate))
    }

    /// The samples as numbers from -1 to 1.
    pub fn to_f32(&self) -> Vec<f32> {
        self.samples.iter().map(|&sample| to_f32(sample)).collect()
    }

    /// What lies between two places.
    pub fn between(&self, start_ms: u64, end_ms: u64) -> Self {
        let place = |ms: u64| {
            let sample = ms.saturating_mul(u64::from(self.rate)) / 1000;
            usize::try_from(sample).unwrap_or(usize::MAX).min(self.samples.len())
        };
        let (start, end) = (place(start_ms), place(end_ms));
        Self::new(self.samples[start.min(end)..end].to_vec(), self.rate)
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
        AudioFormat::Pcmu => bytes.iter().map(|&byte| g711::decode_ulaw(byte)).collect(),
        AudioFormat::Pcma => bytes.iter().map(|&byte| g711::decode_alaw(byte)).collect(),
        AudioFormat::Pcm | AudioFormat::Other(_) => {
            bytes.as_chunks::<2>().0.iter().map(|&pair| i16::from_le_bytes(pair)).collect()
        }
    }
}

/// The bytes of the wire for samples that have the format's rate.
pub fn encode(format: &AudioFormat, samples: &[i16]) -> Vec<u8> {
    match format {
        AudioFormat::Pcmu => samples.iter().map(|&sample| g711::encode_ulaw(sample)).collect(),
        AudioFormat::Pcma => samples.iter().map(|&sample| g711::encode_alaw(sample)).collect(),
        AudioFormat::Pcm | AudioFormat::Other(_) => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::PI;

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
