// SPDX-License-Identifier: MPL-2.0

//! The engine that really listens and speaks, with speech models; what it says is a [`Responder`]'s matter.

use crate::audio::Sound;
use crate::engine::{Answer, Engine, Prompt, ResponsePart, Segment, SpeechChunk, TurnDetector};
use crate::llm::LanguageModel;
use crate::processors::Processors;
use crate::responder::{Responder, Rules};
use crate::speech::{ModelDir, Speech};
use crate::vision::Vision;
use audio_dsp::Vad;
use audio_dsp::pcm::to_f32;
use audio_dsp::resample::resample;
use audio_dsp::vad::{FRAME, SAMPLE_RATE};
use futures_util::{StreamExt, TryStreamExt};
use std::path::Path;
use std::sync::Arc;

/// What the model speaks with.
const VOICE_RATE: u32 = 24_000;
/// More threads than this make recognising and speaking no faster.
const MAX_THREADS: usize = 2;
/// Length of a frame of the network, which takes 16 kHz.
const FRAME_MS: u64 = FRAME as u64 / 16;

/// The engine.
pub struct Local {
    speech: Arc<Speech>,
    responder: Box<dyn Responder>,
}

impl Local {
    /// Loads the models. Answers come from the language model, where there is one.
    pub fn load(models: Option<&Path>, llm: Option<LanguageModel>) -> anyhow::Result<Self> {
        let dir = ModelDir::find(models)?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let responder: Box<dyn Responder> = match llm {
            Some(llm) => Box::new(llm),
            None => Box::new(Rules::new(Vision::load(&dir, threads)?)),
        };
        Ok(Self { speech: Speech::load(&dir, threads)?, responder })
    }
}

impl Engine for Local {
    fn turn_detector(&self, rate: u32) -> Box<dyn TurnDetector> {
        match Vad::new(rate) {
            Ok(vad) => Box::new(Silero(vad)),
            Err(error) => {
                tracing::error!("no voice activity detection: {error}");
                Box::new(NullTurnDetector)
            }
        }
    }

    fn understands(&self) -> bool {
        true
    }

    fn language(&self) -> Option<&str> {
        Some("en")
    }

    fn reads_history(&self) -> bool {
        self.responder.reads_history()
    }

    fn transcribe(&self, sound: &Sound) -> anyhow::Result<String> {
        self.speech.transcribe(&resample(&sound.to_f32(), sound.rate, SAMPLE_RATE)?)
    }

    fn segments(&self, sound: &Sound, on_segment: &mut dyn FnMut(Segment) -> bool) -> anyhow::Result<()> {
        let ms = |sample: usize| sample as u64 * 1000 / u64::from(SAMPLE_RATE);
        self.speech.transcribe_parts(&resample(&sound.to_f32(), sound.rate, SAMPLE_RATE)?, &mut |part, text| {
            on_segment(Segment { start_ms: ms(part.start), end_ms: ms(part.end), text })
        })
    }

    fn speak(&self, sentence: &str, speed: f32) -> anyhow::Result<Sound> {
        Ok(Sound::new(self.speech.speak_at(sentence, speed)?, VOICE_RATE))
    }

    fn answer(&self, prompt: Prompt, processors: &Processors) -> Answer {
        let (speak, speech, processors) = (prompt.speak, self.speech.clone(), processors.clone());
        let words = self.responder.respond(prompt, &processors);
        if !speak {
            return words;
        }
        let spoken = move |part| {
            let (speech, processors) = (speech.clone(), processors.clone());
            async move {
                let ResponsePart::Speech(SpeechChunk { text, .. }) = part else { return Ok(part) };
                let synthesize = move || {
                    let sound = Sound::new(speech.speak(&text)?, VOICE_RATE);
                    Ok(ResponsePart::Speech(SpeechChunk { text, sound: Some(sound) }))
                };
                processors.compute(synthesize).await?
            }
        };
        words.and_then(spoken).boxed()
    }
}

/// Voice activity detection by a network, some 30 ms at a time.
struct Silero(Vad);

impl TurnDetector for Silero {
    fn frame_ms(&self) -> u64 {
        FRAME_MS
    }

    fn hear(&mut self, samples: &[i16]) -> Vec<f32> {
        let samples: Vec<f32> = samples.iter().map(|&sample| to_f32(sample)).collect();
        self.0.push(&samples).to_vec()
    }
}

/// Detects nothing, for when the network cannot be had.
struct NullTurnDetector;

impl TurnDetector for NullTurnDetector {
    fn frame_ms(&self) -> u64 {
        FRAME_MS
    }

    fn hear(&mut self, _: &[i16]) -> Vec<f32> {
        Vec::new()
    }
}
