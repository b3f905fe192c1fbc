// SPDX-License-Identifier: MPL-2.0

//! Speech: voice activity detection, speech recognition, the responder's answers and speech synthesis.
//!
//! Everything runs on the CPU with small models that are downloaded once. [`Speech`] holds the models and is shared by
//! all sessions; each audio stream has its own [`Vad`] and [`Resampler`]. Recognition and synthesis compute for a long
//! time and must not be called on an async task.

pub mod engine;
pub mod models;
mod numbers;
mod phonemes;
mod resample;
pub mod responder;
mod segmentation;
mod sentences;
mod stt;
mod text_normalization;
mod tts;
mod vad;
mod vocoder;

pub use crate::speech::models::ModelDir;
pub use crate::speech::numbers::value as number_word;
pub use crate::speech::resample::Resampler;
pub use crate::speech::sentences::sentences;
pub use crate::speech::vad::{FRAME, Vad};

use std::sync::Arc;

use anyhow::Result;

use crate::speech::stt::Moonshine;
use crate::speech::tts::Hibari;
use crate::speech::vad::Silero;

/// The speech models.
pub struct Speech {
    silero: Arc<Silero>,
    moonshine: Moonshine,
    hibari: Hibari,
}

impl Speech {
    /// Loads the models. Recognition and synthesis get `threads` threads each, shared by all sessions; one is enough
    /// for a few sessions.
    pub fn load(dir: &ModelDir, threads: usize) -> Result<Arc<Self>> {
        tracing::debug!("loading the speech models from {dir}");
        Ok(Arc::new(Self {
            silero: Arc::new(Silero::load(dir, &crate::speech::engine::pool(1))?),
            moonshine: Moonshine::load(dir, &crate::speech::engine::pool(threads))?,
            hibari: Hibari::load(dir, &crate::speech::engine::pool(threads))?,
        }))
    }

    /// A voice activity detector for one audio stream.
    pub fn vad(&self) -> Vad {
        Vad::new(self.silero.clone())
    }

    /// Recognises speech (16 kHz, mono, -1 to 1). Empty when it holds less than 190 ms of speech.
    pub fn transcribe(&self, pcm16k: &[f32]) -> Result<String> {
        let probabilities = self.silero.whole(pcm16k)?;
        self.transcribe_judged(pcm16k, &probabilities, &mut |_| {})
    }

    /// The same with the frame probabilities that a [`Vad`] gave for this audio, from its first sample on.
    /// Calls `on_piece` with each word as soon as it is final; concatenated, the pieces are the result.
    /// Audio of more than 20 seconds is recognised in parts, and the words come part by part.
    pub fn transcribe_judged(
        &self,
        pcm16k: &[f32],
        probabilities: &[f32],
        on_piece: &mut dyn FnMut(&str),
    ) -> Result<String> {
        let mut text = String::new();
        for part in crate::speech::segmentation::parts(probabilities, pcm16k.len()) {
            for word in self.moonshine.transcribe(&pcm16k[part])?.split_whitespace() {
                let start = text.len();
                if start > 0 {
                    text.push(' ');
                }
                text.push_str(word);
                on_piece(&text[start..]);
            }
        }
        Ok(text)
    }

    /// Synthesises a sentence: 24 kHz, mono. Empty when the text has no words.
    pub fn speak(&self, sentence: &str) -> Result<Vec<i16>> {
        let sound = self.hibari.speak(sentence)?;
        Ok(sound.into_iter().map(|sample| (sample.clamp(-1.0, 1.0) * 32_767.0) as i16).collect())
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod word_errors;
