// SPDX-License-Identifier: MPL-2.0

//! Converts audio of the model from the format that the server names to the one that was negotiated on `src`.
//!
//! A server may not know the format that it was asked for. The resampler is causal, so that every sample of a delta can be
//! played at once; it delays the audio by less than 4 ms.

use audio_dsp::{Resampler, g711};
use openai_protocol::session::AudioFormat;

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
            Self::Ulaw => samples.extend(data.iter().map(|code| f32::from(g711::decode_ulaw(*code)))),
            Self::Alaw => samples.extend(data.iter().map(|code| f32::from(g711::decode_alaw(*code)))),
        }
    }

    fn encode(self, sample: f32, data: &mut Vec<u8>) {
        let sample = sample.round().clamp(-32_768.0, 32_767.0) as i16;
        match self {
            Self::Pcm(_) => data.extend_from_slice(&sample.to_le_bytes()),
            Self::Ulaw => data.push(g711::encode_ulaw(sample)),
            Self::Alaw => data.push(g711::encode_alaw(sample)),
        }
    }
}

/// A stream of audio that is converted piece by piece.
#[derive(Debug)]
pub(crate) struct Converter {
    from: Coding,
    to: Coding,
    resampler: Resampler,
    decoded: Vec<f32>,
    resampled: Vec<f32>,
}

impl Converter {
    /// `None` where one of the formats is not known, or no resampler fits their rates.
    pub fn new(from: &AudioFormat, to: &AudioFormat) -> Option<Self> {
        let (from, to) = (Coding::of(from)?, Coding::of(to)?);
        let resampler = Resampler::causal(from.rate(), to.rate()).ok()?;
        Some(Self { from, to, resampler, decoded: Vec::new(), resampled: Vec::new() })
    }

    /// Converts whole samples to whole samples.
    pub fn convert(&mut self, data: &[u8]) -> Vec<u8> {
        self.from.decode(data, &mut self.decoded);
        self.resampler.push(&self.decoded, &mut self.resampled);
        self.decoded.clear();
        let mut converted = Vec::new();
        self.resampled.drain(..).for_each(|sample| self.to.encode(sample, &mut converted));
        converted
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
