// SPDX-License-Identifier: MPL-2.0

//! The model's sound in another format than was asked for, made into the one that was.
//!
//! A server may not know the format that it was asked for, and says so. What it sends is decoded, brought to the other
//! rate by a low-pass filter that hears only what was before, and coded again, so that every sample of a delta can be
//! played at once. The filter is late by half its length, which is less than two milliseconds.

use crate::audio::g711;
use openai_protocol::session::AudioFormat;

/// Zero crossings of the filter on each side of its middle.
const CROSSINGS: f64 = 8.0;

/// How samples are coded, and how many there are in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Pcm(u32),
    Ulaw,
    Alaw,
}

impl Coding {
    fn of(format: &AudioFormat) -> Option<Self> {
        match format {
            AudioFormat::Pcm => Some(Self::Pcm(format.rate())),
            AudioFormat::Pcmu => Some(Self::Ulaw),
            AudioFormat::Pcma => Some(Self::Alaw),
            AudioFormat::Other(_) => format.pcm_rate().map(Self::Pcm),
        }
    }

    fn rate(self) -> u32 {
        match self {
            Self::Pcm(rate) => rate,
            Self::Ulaw | Self::Alaw => 8_000,
        }
    }

    fn decode(self, data: &[u8], samples: &mut Vec<f32>) {
        match self {
            Self::Pcm(_) => {
                samples.extend(data.chunks_exact(2).map(|two| f32::from(i16::from_le_bytes([two[0], two[1]]))));
            }
            Self::Ulaw => samples.extend(data.iter().map(|code| f32::from(g711::ulaw(*code)))),
            Self::Alaw => samples.extend(data.iter().map(|code| f32::from(g711::alaw(*code)))),
        }
    }

    fn encode(self, sample: f32, data: &mut Vec<u8>) {
        let sample = sample.round().clamp(-32_768.0, 32_767.0) as i16;
        match self {
            Self::Pcm(_) => data.extend_from_slice(&sample.to_le_bytes()),
            Self::Ulaw => data.push(g711::to_ulaw(sample)),
            Self::Alaw => data.push(g711::to_alaw(sample)),
        }
    }
}

/// A stream of sound on its way from one format to another.
#[derive(Debug)]
pub(crate) struct Converter {
    from: Coding,
    to: Coding,
    /// The newest samples, as far as the filter needs them.
    input: Vec<f32>,
    /// Samples that were before those.
    forgotten: u64,
    /// Samples given out.
    output: u64,
}

impl Converter {
    /// `None` where one of the formats is not known.
    pub fn new(from: &AudioFormat, to: &AudioFormat) -> Option<Self> {
        let (from, to) = (Coding::of(from)?, Coding::of(to)?);
        Some(Self { from, to, input: Vec::new(), forgotten: 0, output: 0 })
    }

    /// Makes whole samples into whole samples.
    pub fn convert(&mut self, data: &[u8]) -> Vec<u8> {
        self.from.decode(data, &mut self.input);
        let mut converted = Vec::new();
        let (from, to) = (u64::from(self.from.rate()), u64::from(self.to.rate()));
        if from == to {
            self.input.drain(..).for_each(|sample| self.to.encode(sample, &mut converted));
            return converted;
        }
        // What is above half of the lower rate cannot be in both.
        let cutoff = (to as f64 / from as f64).min(1.0);
        let reach = CROSSINGS / cutoff;
        let total = self.forgotten + self.input.len() as u64;
        while self.output * from < total * to {
            let at = self.output as f64 * from as f64 / to as f64 - self.forgotten as f64;
            let sample = self.filter(at - reach, reach, cutoff);
            self.to.encode(sample, &mut converted);
            self.output += 1;
        }
        let needed = (2.0 * reach).ceil() as usize + 2;
        let surplus = self.input.len().saturating_sub(needed);
        self.input.drain(..surplus);
        self.forgotten += surplus as u64;
        converted
    }

    /// The value of the sound between its samples, by a windowed sinc. Before the first sample there is silence.
    fn filter(&self, middle: f64, reach: f64, cutoff: f64) -> f32 {
        let first = (middle - reach).ceil().max(0.0) as usize;
        let last = ((middle + reach).floor() + 1.0).max(0.0) as usize;
        let near = self.input.get(first..last.min(self.input.len())).unwrap_or_default();
        let weigh = |(index, sample): (usize, &f32)| {
            let away = (first + index) as f64 - middle;
            let sinc = if away == 0.0 {
                1.0
            } else {
                (std::f64::consts::PI * away * cutoff).sin() / (std::f64::consts::PI * away * cutoff)
            };
            let window = (std::f64::consts::FRAC_PI_2 * away / reach).cos();
            f64::from(*sample) * sinc * window * window * cutoff
        };
        near.iter().enumerate().map(weigh).sum::<f64>() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tone(rate: u32, hertz: f64, ms: u32) -> Vec<u8> {
        let samples = 0..rate / 1000 * ms;
        let at = |n: u32| (12_000.0 * (f64::from(n) * hertz * std::f64::consts::TAU / f64::from(rate)).sin()) as i16;
        samples.flat_map(|n| at(n).to_le_bytes()).collect()
    }

    /// Loudness, and zero crossings in a second.
    fn measure(pcm: &[u8], rate: u32) -> (f64, f64) {
        let samples: Vec<f64> =
            pcm.chunks_exact(2).map(|two| f64::from(i16::from_le_bytes([two[0], two[1]]))).skip(200).collect();
        let power = samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len() as f64;
        let crossings = samples.windows(2).filter(|two| (two[0] < 0.0) != (two[1] < 0.0)).count() as f64;
        (power.sqrt(), crossings * f64::from(rate) / samples.len() as f64)
    }

    #[test]
    fn a_tone_keeps_its_height_loudness_and_length_in_every_format() {
        let wide = AudioFormat::Other(json!({"type": "audio/pcm", "rate": 16_000}));
        let odd = AudioFormat::Other(json!({"type": "audio/pcm", "rate": 22_050}));
        for (from, rate) in [(AudioFormat::Pcm, 24_000), (wide, 16_000), (odd, 22_000)] {
            for to in [AudioFormat::Pcm, AudioFormat::Pcmu, AudioFormat::Pcma] {
                let mut there = Converter::new(&from, &to).expect("it is there");
                let data = tone(rate, 440.0, 1_000);
                let converted: Vec<u8> = data.chunks(962).flat_map(|piece| there.convert(piece)).collect();
                let mut pcm = Vec::new();
                let mut samples = Vec::new();
                Coding::of(&to).expect("it is there").decode(&converted, &mut samples);
                samples.iter().for_each(|sample| Coding::Pcm(0).encode(*sample, &mut pcm));
                let ((loud, crossings), length) =
                    (measure(&pcm, to.rate()), samples.len() as f64 / f64::from(to.rate()));
                assert!((loud - 8_485.0).abs() < 300.0, "{from:?} to {to:?}: {loud}");
                assert!((crossings - 880.0).abs() < 12.0, "{from:?} to {to:?}: {crossings}");
                assert!((length - 1.0).abs() < 0.01, "{from:?} to {to:?}: {length} s");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_taken_away() {
        let mut there = Converter::new(&AudioFormat::Pcm, &AudioFormat::Pcmu).expect("it is there");
        let mut samples = Vec::new();
        Coding::Ulaw.decode(&there.convert(&tone(24_000, 7_000.0, 500)), &mut samples);
        let loudest = samples.iter().skip(100).fold(0.0_f32, |loudest, sample| loudest.max(sample.abs()));
        assert!(loudest < 600.0, "{loudest}");
    }

    #[test]
    fn a_format_that_nobody_knows_is_not_converted() {
        let opus = AudioFormat::Other(json!({"type": "audio/opus"}));
        assert!(Converter::new(&opus, &AudioFormat::Pcm).is_none());
    }
}
