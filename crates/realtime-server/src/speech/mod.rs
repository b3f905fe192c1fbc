// SPDX-License-Identifier: MPL-2.0

//! Speech: voice activity detection, speech recognition, the responder's answers and speech synthesis.
//!
//! Everything runs on the CPU with small models that are downloaded once. [`Recognition`] and [`Synthesis`] hold them and
//! are shared by all sessions; each audio stream has its own [`Vad`]. Both compute for a long time and must not be called
//! on an async task.

pub mod engine;
pub mod models;
pub mod numbers;
mod pauses;
mod phonemes;
mod segmentation;
mod sentences;
mod stt;
mod text_normalization;
mod tts;
mod vocoder;

pub use crate::speech::models::ModelDir;
pub use crate::speech::numbers::value as number_word;
pub use crate::speech::sentences::sentences;
pub use crate::speech::text_normalization::{modern, plain_words};

use std::ops::Range;
use std::sync::Arc;

use anyhow::Result;
use audio_dsp::Vad;
use audio_dsp::vad::{FRAME, SAMPLE_RATE};

use crate::speech::stt::Moonshine;
use crate::speech::tts::Hibari;

/// The model that recognises speech.
pub struct Recognition(Moonshine);

impl Recognition {
    /// Loads the model, with so many threads for all sessions; one is enough for a few of them.
    pub fn load(dir: &ModelDir, threads: usize) -> Result<Arc<Self>> {
        tracing::debug!("loading the model for speech recognition from {dir}");
        Ok(Arc::new(Self(Moonshine::load(dir, &crate::speech::engine::pool(threads))?)))
    }

    /// Recognises speech (16 kHz, mono, -1 to 1). Empty when it holds less than 190 ms of speech.
    pub fn transcribe(&self, pcm16k: &[f32]) -> Result<String> {
        let probabilities = probabilities(pcm16k)?;
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
            for word in self.0.transcribe(&pcm16k[part])?.split_whitespace() {
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

    /// Recognises a recording part by part, each of at most 20 seconds, until `on_part` says that no more is wanted.
    pub fn transcribe_parts(
        &self,
        pcm16k: &[f32],
        on_part: &mut dyn FnMut(Range<usize>, String) -> bool,
    ) -> Result<()> {
        for part in crate::speech::segmentation::parts(&probabilities(pcm16k)?, pcm16k.len()) {
            let text = self.0.transcribe(&pcm16k[part.clone()])?.trim().to_owned();
            if !text.is_empty() && !on_part(part, text) {
                break;
            }
        }
        Ok(())
    }
}

/// The model that speaks.
pub struct Synthesis(Hibari);

impl Synthesis {
    /// Loads the model, with so many threads for all sessions.
    pub fn load(dir: &ModelDir, threads: usize) -> Result<Arc<Self>> {
        tracing::debug!("loading the voice from {dir}");
        Ok(Arc::new(Self(Hibari::load(dir, &crate::speech::engine::pool(threads))?)))
    }

    /// Synthesises a sentence, with the pause behind it: 24 kHz, mono, so many times faster than usual. Empty when the text
    /// has no words.
    pub fn speak_at(&self, sentence: &str, speed: f32) -> Result<Vec<i16>> {
        let sound = self.0.speak(sentence, speed)?.into_iter();
        Ok(pauses::spaced(sound.map(|sample| (sample.clamp(-1.0, 1.0) * 32_767.0) as i16).collect()))
    }
}

/// From this probability on a frame counts as speech.
const THRESHOLD: f32 = 0.5;

/// The probabilities of speech in a whole recording; the last frame is filled up with silence.
fn probabilities(pcm16k: &[f32]) -> Result<Vec<f32>> {
    let mut vad = Vad::new(SAMPLE_RATE)?;
    let mut probabilities = vad.push(pcm16k).to_vec();
    let rest = pcm16k.len() % FRAME;
    if rest > 0 {
        probabilities.extend_from_slice(vad.push(&[0.0; FRAME][rest..]));
    }
    Ok(probabilities)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod word_errors;
