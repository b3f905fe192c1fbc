// SPDX-License-Identifier: MPL-2.0

//! Voice activity detection: how probable it is that somebody speaks, for each 32 ms of a stream.
//!
//! The probabilities are those of Silero VAD, a small recurrent network whose weights are built in. What a turn is, is
//! for the caller to decide.

mod silero;

use crate::resample::{Resampler, UnsupportedRates};
use silero::Silero;

/// The rate at which the network listens.
pub const SAMPLE_RATE: u32 = 16_000;
/// Samples at [`SAMPLE_RATE`] that one probability stands for: 32 ms.
pub const FRAME: usize = 512;

/// The detector for one stream, at any usual rate.
///
/// Frame n covers the same 32 ms of the input at every rate: resampling makes the network listen a few milliseconds
/// late, and no probability comes later for it.
#[derive(Debug)]
pub struct Vad {
    resampler: Resampler,
    network: Box<Silero>,
    /// What has been resampled and does not fill a frame yet.
    pending: Vec<f32>,
    probabilities: Vec<f32>,
}

impl Vad {
    /// A detector for samples at this rate.
    pub fn new(rate: u32) -> Result<Self, UnsupportedRates> {
        let resampler = Resampler::causal(rate, SAMPLE_RATE)?;
        Ok(Self { resampler, network: Box::new(Silero::new()), pending: Vec::new(), probabilities: Vec::new() })
    }

    /// Takes any number of samples, and gives the probability of speech, 0 to 1, in each frame that is complete now.
    pub fn push(&mut self, samples: &[f32]) -> &[f32] {
        self.resampler.push(samples, &mut self.pending);
        let (frames, rest) = self.pending.as_chunks::<FRAME>();
        self.probabilities.clear();
        self.probabilities.extend(frames.iter().map(|frame| self.network.probability(frame)));
        let rest = self.pending.len() - rest.len();
        self.pending.drain(..rest);
        &self.probabilities
    }
}

#[cfg(test)]
mod tests;
