// SPDX-License-Identifier: MPL-2.0

//! Resampling of a stream to 16 kHz, the rate of the models.
//!
//! The result does not depend on how the audio is divided into chunks. The filter works in blocks, so output lags
//! behind input (by about 15 ms at 8 and 24 kHz); the filter's delay is removed from the start, so that timestamps stay
//! exact.

use anyhow::{Context, Result};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _};

/// The output rate.
pub const RATE: u32 = 16_000;

/// A resampler for one mono stream.
pub struct Resampler {
    /// `None` when the input has the output rate.
    fft: Option<Fft<f32>>,
    rate: u32,
    /// Input that does not fill a block yet.
    pending: Vec<f32>,
    /// Output samples to discard at the start: the filter's delay.
    skip: usize,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// A resampler for audio of `rate` samples per second.
    pub fn new(rate: u32) -> Result<Self> {
        let mut resampler = Self { fft: None, rate, pending: Vec::new(), skip: 0, taken: 0, given: 0 };
        if rate != RATE {
            // Blocks of about 10 ms whose length suits the ratio of the rates.
            let block = (rate / 100).max(1) as usize;
            let fft = Fft::new(rate as usize, RATE as usize, block, 1, FixedSync::Both)
                .with_context(|| format!("cannot resample from {rate} Hz to {RATE} Hz"))?;
            resampler.skip = fft.output_delay();
            resampler.fft = Some(fft);
        }
        Ok(resampler)
    }

    /// The maximum latency in samples at 16 kHz: the filter's delay and one block. About 15 ms at 8 and 24 kHz.
    #[cfg(test)]
    fn delay(&self) -> usize {
        self.fft.as_ref().map_or(0, |fft| fft.output_delay() + fft.output_frames_max())
    }

    /// Takes any number of samples and returns those that are ready.
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

    /// Returns the rest at the end of the stream; the total duration is then that of the input. The next sample starts
    /// a new stream.
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
            // For some ratios the filter's delay is not a whole number of samples: up to half a sample is lost.
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
