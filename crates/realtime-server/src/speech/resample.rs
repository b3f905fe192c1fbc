// SPDX-License-Identifier: MPL-2.0

//! From any sampling rate to the 16 kHz that the models hear with.
//!
//! The sound comes in portions of any size and must give the same samples as if it had come at once; so a resampler
//! is kept for each stream. It works in blocks, therefore what comes out lags behind what went in (by some
//! 15 ms for 8 and 24 kHz). The start of the stream is not shifted by it: the filter's own delay is cut away.

use anyhow::{Context, Result};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _};

/// The rate of what comes out.
pub const RATE: u32 = 16_000;

/// A resampler for one stream of mono sound.
pub struct Resampler {
    /// `None` when the sound has the right rate already.
    fft: Option<Fft<f32>>,
    rate: u32,
    /// What has come in and does not fill a block yet.
    pending: Vec<f32>,
    /// Samples that are still to be cut away at the start.
    skip: usize,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// A resampler for sound with `rate` samples per second.
    pub fn new(rate: u32) -> Result<Self> {
        let mut resampler = Self { fft: None, rate, pending: Vec::new(), skip: 0, taken: 0, given: 0 };
        if rate != RATE {
            // Blocks of some 10 ms, made as long as the two rates ask for.
            let block = (rate / 100).max(1) as usize;
            let fft = Fft::new(rate as usize, RATE as usize, block, 1, FixedSync::Both)
                .with_context(|| format!("cannot resample from {rate} Hz to {RATE} Hz"))?;
            resampler.skip = fft.output_delay();
            resampler.fft = Some(fft);
        }
        Ok(resampler)
    }

    /// The longest time, in samples of the 16 kHz, by which what came out lags behind what went in: the filter's delay
    /// and one block. For 8 and 24 kHz this is some 15 ms.
    #[cfg(test)]
    fn delay(&self) -> usize {
        self.fft.as_ref().map_or(0, |fft| fft.output_delay() + fft.output_frames_max())
    }

    /// Takes any number of samples and gives those that are ready.
    pub fn push(&mut self, samples: &[f32]) -> Result<Vec<f32>> {
        self.taken += samples.len() as u64;
        let Some(fft) = &mut self.fft else { return Ok(samples.to_vec()) };
        self.pending.extend_from_slice(samples);
        let block = fft.input_frames_next();
        let whole = self.pending.len() / block * block;
        let mut ready = Vec::new();
        for block in self.pending[..whole].chunks_exact(block) {
            ready.extend(convert(fft, block)?);
        }
        self.pending.drain(..whole);
        let skipped = self.skip.min(ready.len());
        self.skip -= skipped;
        ready.drain(..skipped);
        self.given += ready.len() as u64;
        Ok(ready)
    }

    /// Gives what is left at the end of the stream. All together are then as long, in time, as what went in. The
    /// resampler begins a new stream after that.
    pub fn flush(&mut self) -> Result<Vec<f32>> {
        let mut left = Vec::new();
        if self.fft.is_some() {
            let due = (self.taken * u64::from(RATE)).div_ceil(u64::from(self.rate)) - self.given;
            let due = usize::try_from(due)?;
            let silence = vec![0.0; self.rate as usize / 50];
            while left.len() < due {
                left.extend(self.push(&silence)?);
            }
            left.truncate(due);
        }
        *self = Self::new(self.rate)?;
        Ok(left)
    }
}

fn convert(fft: &mut Fft<f32>, block: &[f32]) -> Result<Vec<f32>> {
    let mut output = vec![0.0; fft.output_frames_next()];
    let frames = output.len();
    let input = InterleavedSlice::new(block, 1, block.len())?;
    let mut adapter = InterleavedSlice::new_mut(&mut output, 1, frames)?;
    let (_, written) = fft.process_into_buffer(&input, &mut adapter, None::<&Indexing>)?;
    output.truncate(written);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hertz: f32, seconds: f32) -> Vec<f32> {
        let angle = |n: usize| n as f32 / rate as f32 * hertz * std::f32::consts::TAU;
        (0..(rate as f32 * seconds) as usize).map(|n| angle(n).sin()).collect()
    }

    fn resampled(rate: u32, sound: &[f32], portion: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(rate).expect("a usual rate");
        let mut out = Vec::new();
        let mut sent = 0;
        for part in sound.chunks(portion) {
            out.extend(resampler.push(part).expect("a portion"));
            sent += part.len();
            let due = sent * RATE as usize / rate as usize;
            assert!(out.len() + resampler.delay() >= due, "lags more than promised");
        }
        out.extend(resampler.flush().expect("the end"));
        out
    }

    #[test]
    fn a_tone_stays_where_and_what_it_is() {
        for rate in [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000] {
            let out = resampled(rate, &tone(rate, 440.0, 1.0), 480);
            let expected = tone(RATE, 440.0, 1.0);
            assert_eq!(out.len(), expected.len(), "{rate}");
            let inside = 1000..15_000;
            let error =
                out[inside.clone()].iter().zip(&expected[inside]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // Where the rates have an odd ratio the filter's delay is no whole number of samples: half of one is lost.
            let half_a_sample = 440.0 * std::f32::consts::TAU * 0.5 / rate as f32;
            assert!(error < half_a_sample + 0.01, "{rate}: {error}");
        }
    }

    #[test]
    fn what_16_khz_cannot_hold_is_removed() {
        let out = resampled(48_000, &tone(48_000, 10_000.0, 0.5), 1000);
        let loudest = out[1000..7000].iter().fold(0.0_f32, |loudest, sample| loudest.max(sample.abs()));
        assert!(loudest < 0.01, "{loudest}");
    }

    #[test]
    fn portions_make_no_difference() {
        let sound = tone(24_000, 300.0, 0.4);
        let at_once = resampled(24_000, &sound, sound.len());
        for portion in [1, 7, 160, 999] {
            assert_eq!(resampled(24_000, &sound, portion), at_once);
        }
    }

    #[test]
    fn an_empty_stream_and_a_second_one() {
        let mut resampler = Resampler::new(24_000).expect("a usual rate");
        assert!(resampler.flush().expect("nothing").is_empty());
        for _ in 0..2 {
            let mut out = resampler.push(&[0.5; 2400]).expect("100 ms");
            out.extend(resampler.flush().expect("the end"));
            assert_eq!(out.len(), 1600);
        }
        assert!(Resampler::new(0).is_err());
    }
}
