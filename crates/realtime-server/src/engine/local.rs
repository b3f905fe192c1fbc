// SPDX-License-Identifier: MPL-2.0

//! The engine that really listens, answers and speaks, with the models of the speech room, and looks with
//! those of the vision room.

use crate::audio::Sound;
use crate::engine::{Answer, Engine, Prompt, ResponsePart, SpeechChunk, TurnDetector};
use crate::function_calling::Call;
use crate::speech::responder::{self, Context};
use crate::speech::sentences;
use crate::speech::{ModelDir, Speech};
use crate::vision::Vision;
use crate::vision::image_context::{Shown, said};
use audio_dsp::Vad;
use audio_dsp::pcm::to_f32;
use audio_dsp::resample::resample;
use audio_dsp::vad::{FRAME, SAMPLE_RATE};
use jiff::Zoned;
use openai_protocol::items::Role;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

/// What the model speaks with.
const VOICE_RATE: u32 = 24_000;
/// More threads than this make recognising and speaking no faster.
const MAX_THREADS: usize = 2;
/// What the ear's network looks at at a time: frames at 16 kHz.
const FRAME_MS: u64 = FRAME as u64 / 16;

/// The engine.
pub struct Local {
    speech: Arc<Speech>,
    vision: Vision,
}

impl Local {
    /// Loads the models.
    pub fn load(models: Option<&Path>) -> anyhow::Result<Self> {
        let dir = ModelDir::find(models)?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        Ok(Self { speech: Speech::load(&dir, threads)?, vision: Vision::load(&dir, threads)? })
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

    fn transcribe(&self, sound: &Sound) -> anyhow::Result<String> {
        self.speech.transcribe(&resample(&sound.to_f32(), sound.rate, SAMPLE_RATE)?)
    }

    fn answer(&self, prompt: Prompt) -> Answer {
        let plan = crate::function_calling::plan(&prompt);
        let text: Vec<String> =
            plan.words.into_iter().chain(plan.answer.then(|| reply(&prompt, &self.vision))).collect();
        let text = text.join(" ");
        let sentences: VecDeque<String> = sentences(&text).map(|sentence| sentence.trim().to_string()).collect();
        let calls = plan.calls.into();
        Box::new(Spoken { speech: self.speech.clone(), sentences, speak: prompt.speak, calls })
    }
}

/// The words of the answer.
fn reply(prompt: &Prompt, vision: &Vision) -> String {
    if prompt.idle {
        return "Are you still there?".into();
    }
    let mut users: Vec<String> = Vec::new();
    for turn in prompt.turns.iter().filter(|turn| turn.role == Role::User) {
        let words = said(turn);
        if !words.is_empty() {
            users.push(words.join(" "));
        }
    }
    let shown = Shown::of(&prompt.turns);
    let heard = if shown.are_alone { String::new() } else { users.pop().unwrap_or_default() };
    let picture = vision.tell(&shown, &heard);
    let now = Zoned::now();
    let context = Context {
        now: &now,
        turn: users.len() + 1,
        instructions: Some(prompt.instructions.as_str()).filter(|text| !text.is_empty()),
        earlier: &users,
        picture: picture.as_deref(),
    };
    responder::answer(&heard, &context)
}

/// An answer that is spoken sentence by sentence; then come the calls.
struct Spoken {
    speech: Arc<Speech>,
    sentences: VecDeque<String>,
    speak: bool,
    calls: VecDeque<Call>,
}

impl Iterator for Spoken {
    type Item = anyhow::Result<ResponsePart>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(text) = self.sentences.pop_front() else {
            return self.calls.pop_front().map(|call| Ok(ResponsePart::Call(call)));
        };
        if !self.speak {
            return Some(Ok(ResponsePart::SharedTranscript(SpeechChunk { text, sound: None })));
        }
        let samples = self.speech.speak(&text);
        Some(samples.map(|samples| {
            ResponsePart::SharedTranscript(SpeechChunk { text, sound: Some(Sound::new(samples, VOICE_RATE)) })
        }))
    }
}

/// The ear: a network that looks at some 30 ms at a time.
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

/// An ear that hears nothing, for when the real one cannot be had.
struct NullTurnDetector;

impl TurnDetector for NullTurnDetector {
    fn frame_ms(&self) -> u64 {
        FRAME_MS
    }

    fn hear(&mut self, _: &[i16]) -> Vec<f32> {
        Vec::new()
    }
}
