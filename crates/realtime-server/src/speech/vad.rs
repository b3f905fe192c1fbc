// SPDX-License-Identifier: MPL-2.0

//! Is somebody speaking? Silero, a small network, says it for every 32 milliseconds of sound.
//!
//! The network has a memory (it is recurrent), so a stream must be given to one and the same [`Vad`], without gaps.
//! It hears the last 4 milliseconds before each frame again, and runs over many frames in one go when they are there.

use std::sync::Arc;

use anyhow::{Result, ensure};
use rten::{NodeId, ThreadPool};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, NdTensorView};

use crate::speech::engine::Network;
use crate::speech::models::{ModelDir, ModelFile};

/// Samples at 16 kHz that one probability stands for: 32 ms.
pub const FRAME: usize = 512;

/// From this probability on a frame counts as speech.
pub const THRESHOLD: f32 = 0.5;

/// Samples before each frame that the network hears with it.
const CONTEXT: usize = 64;

/// Size of the network's memory.
const MEMORY: usize = 128;

/// Frames in one go: bounds the memory that a long recording takes.
const BLOCK: usize = 512;

/// The network, without the memory of any stream.
pub struct Silero {
    network: Network,
    input: NodeId,
    hidden: NodeId,
    cell: NodeId,
    outputs: [NodeId; 3],
}

impl Silero {
    pub fn load(dir: &ModelDir, pool: &Arc<ThreadPool>) -> Result<Self> {
        let network = Network::load(dir, ModelFile::Silero, pool)?;
        let (input, hidden, cell) = (network.node("input")?, network.node("h")?, network.node("c")?);
        let outputs = [network.node("speech_probs")?, network.node("hn")?, network.node("cn")?];
        Ok(Self { network, input, hidden, cell, outputs })
    }

    /// The probabilities of a whole recording; the last frame is filled up with silence.
    pub fn whole(self: &Arc<Self>, pcm: &[f32]) -> Result<Vec<f32>> {
        let mut vad = Vad::new(self.clone());
        let mut probabilities = vad.push(pcm)?;
        let rest = pcm.len() % FRAME;
        if rest > 0 {
            probabilities.extend(vad.push(&[0.0; FRAME][rest..])?);
        }
        Ok(probabilities)
    }
}

/// The ear for one stream of sound: 16 kHz, mono.
pub struct Vad {
    silero: Arc<Silero>,
    hidden: Vec<f32>,
    cell: Vec<f32>,
    /// The last [`CONTEXT`] samples that were judged, and behind them those that do not fill a frame yet.
    pending: Vec<f32>,
}

impl Vad {
    pub(super) fn new(silero: Arc<Silero>) -> Self {
        Self { silero, hidden: vec![0.0; MEMORY], cell: vec![0.0; MEMORY], pending: vec![0.0; CONTEXT] }
    }

    /// Takes any number of samples and gives one probability for each frame they complete, in order. Samples that do
    /// not fill a frame wait for the next call.
    pub fn push(&mut self, pcm16k: &[f32]) -> Result<Vec<f32>> {
        self.pending.extend_from_slice(pcm16k);
        let frames = (self.pending.len() - CONTEXT) / FRAME;
        let mut probabilities = Vec::with_capacity(frames);
        for first in (0..frames).step_by(BLOCK) {
            let frames = BLOCK.min(frames - first);
            let samples = &self.pending[first * FRAME..(first + frames) * FRAME + CONTEXT];
            let windows: Vec<f32> = (0..frames)
                .flat_map(|frame| &samples[frame * FRAME..][..CONTEXT + FRAME])
                .map(|sample| if sample.is_finite() { *sample } else { 0.0 })
                .collect();
            probabilities.extend(self.judge(frames, windows)?);
        }
        self.pending.drain(..frames * FRAME);
        Ok(probabilities)
    }

    fn judge(&mut self, frames: usize, windows: Vec<f32>) -> Result<Vec<f32>> {
        let silero = self.silero.clone();
        let windows = NdTensor::from_data([frames, CONTEXT + FRAME], windows);
        let hidden = NdTensorView::from_data([1, 1, MEMORY], self.hidden.as_slice());
        let cell = NdTensorView::from_data([1, 1, MEMORY], self.cell.as_slice());
        let inputs =
            vec![(silero.input, windows.view().into()), (silero.hidden, hidden.into()), (silero.cell, cell.into())];
        let mut results = silero.network.run(inputs, &silero.outputs)?.into_iter();
        let mut next = || Ok::<_, anyhow::Error>(silero.network.floats(results.next())?.to_vec());
        let (probabilities, hidden, cell) = (next()?, next()?, next()?);
        let as_expected = probabilities.len() == frames && hidden.len() == MEMORY && cell.len() == MEMORY;
        ensure!(as_expected, "{} gave results of an unexpected size", silero.network.name());
        (self.hidden, self.cell) = (hidden, cell);
        Ok(probabilities)
    }
}
