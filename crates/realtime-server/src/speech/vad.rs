// SPDX-License-Identifier: MPL-2.0

//! Voice activity detection with Silero: a speech probability for every frame of 32 ms.
//!
//! The network is recurrent, so all audio of a stream must go to the same [`Vad`] without gaps. Each frame is evaluated
//! with the last 4 ms before it. Several frames are evaluated in one run where they are available.

use std::sync::Arc;

use anyhow::{Result, ensure};
use rten::{NodeId, ThreadPool};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, NdTensorView};

use crate::speech::engine::Network;
use crate::speech::models::{ModelDir, ModelFile};

/// Frame length in samples at 16 kHz: 32 ms.
pub const FRAME: usize = 512;

/// Minimum probability of a frame with speech.
pub const THRESHOLD: f32 = 0.5;

/// Samples before a frame that the network takes with it.
const CONTEXT: usize = 64;

/// Size of the hidden and cell states.
const MEMORY: usize = 128;

/// Maximum number of frames in one run, which bounds the memory for a long recording.
const BLOCK: usize = 512;

/// The network, without the state of a stream.
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

    /// The probabilities of a recording; the last frame is padded with silence.
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

/// The detector for one stream: 16 kHz, mono.
pub struct Vad {
    silero: Arc<Silero>,
    hidden: Vec<f32>,
    cell: Vec<f32>,
    /// The last [`CONTEXT`] evaluated samples, followed by those that do not fill a frame yet.
    pending: Vec<f32>,
}

impl Vad {
    pub(super) fn new(silero: Arc<Silero>) -> Self {
        Self { silero, hidden: vec![0.0; MEMORY], cell: vec![0.0; MEMORY], pending: vec![0.0; CONTEXT] }
    }

    /// Takes any number of samples and returns the probability of each frame that they complete. The rest waits for
    /// the next call.
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
