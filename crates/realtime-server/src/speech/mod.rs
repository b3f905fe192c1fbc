// SPDX-License-Identifier: MPL-2.0

//! The server's ears and voice: where there is speech, what is said, and how an answer sounds.
//!
//! Everything runs on this machine, on the processor, with small models that are fetched once. [`Speech`] holds them
//! and is shared by all sessions; what belongs to one stream of sound ([`Vad`], [`Resampler`]) each session makes for
//! itself. Recognising and speaking take a while of pure computing: call them where that blocks nobody.

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

/// All models of the server.
pub struct Speech {
    silero: Arc<Silero>,
    moonshine: Moonshine,
    hibari: Hibari,
}

impl Speech {
    /// Loads the models. Recognising and speaking get `threads` threads each, for all sessions together; one is enough
    /// for a few sessions.
    pub fn load(dir: &ModelDir, threads: usize) -> Result<Arc<Self>> {
        tracing::debug!("loading the speech models from {dir}");
        Ok(Arc::new(Self {
            silero: Arc::new(Silero::load(dir, &crate::speech::engine::pool(1))?),
            moonshine: Moonshine::load(dir, &crate::speech::engine::pool(threads))?,
            hibari: Hibari::load(dir, &crate::speech::engine::pool(threads))?,
        }))
    }

    /// An ear for one stream of sound.
    pub fn vad(&self) -> Vad {
        Vad::new(self.silero.clone())
    }

    /// What is said in a recording (16 kHz, mono, -1 to 1). Empty when nobody speaks in it for at least 190 ms.
    pub fn transcribe(&self, pcm16k: &[f32]) -> Result<String> {
        let probabilities = self.silero.whole(pcm16k)?;
        self.transcribe_judged(pcm16k, &probabilities, &mut |_| {})
    }

    /// The same for a recording that a [`Vad`] has judged already, which saves doing it again: `probabilities` are
    /// those of its frames, from the first sample on. Calls `on_piece` with each word as soon as it is certain; the
    /// pieces, one behind the other, are the result. More than 20 seconds are recognised in parts, and the words come
    /// part by part.
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

    /// A sentence as sound: 24 kHz, mono. Empty when there is nothing in it that can be spoken.
    pub fn speak(&self, sentence: &str) -> Result<Vec<i16>> {
        let sound = self.hibari.speak(sentence)?;
        Ok(sound.into_iter().map(|sample| (sample.clamp(-1.0, 1.0) * 32_767.0) as i16).collect())
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod word_errors;
