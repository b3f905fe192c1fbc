// SPDX-License-Identifier: MPL-2.0

//! The engine that really listens and speaks. Ears and voice are those of `speech_services`; what it says is a
//! [`Responder`]'s matter.

use crate::audio::Sound;
use crate::engine::{
    Answer, Engine, Hints, Prompt, ResponsePart, Segments, SpeechChunk, Spoken, Translates, TurnDetector, Words,
};
use crate::llm::LanguageModel;
use crate::processors::Processors;
use crate::responder::Responder;
use crate::rules::Rules;
use crate::speech::{ModelDir, Recognition, Synthesis};
use crate::speech_services::{
    BundledRecogniser, BundledVoice, Recogniser, RemoteRecogniser, RemoteVoice, SttArgs, TtsArgs, Voice,
};
use crate::vision::Vision;
use anyhow::Context;
use audio_dsp::Vad;
use audio_dsp::pcm::to_f32;
use audio_dsp::vad::FRAME;
use futures_util::{StreamExt, TryStreamExt};
use std::path::Path;
use std::sync::Arc;

/// More threads than this make recognising and speaking no faster.
const MAX_THREADS: usize = 2;
/// Length of a frame of the network, which takes 16 kHz.
const FRAME_MS: u64 = FRAME as u64 / 16;

/// The engine.
pub struct Local {
    recogniser: Box<dyn Recogniser>,
    voice: Arc<dyn Voice>,
    responder: Box<dyn Responder>,
}

impl Local {
    /// Loads the models that are wanted. Answers come from the language model, where there is one.
    pub fn load(
        models: Option<&Path>,
        llm: Option<LanguageModel>,
        stt: &SttArgs,
        tts: &TtsArgs,
    ) -> anyhow::Result<Self> {
        let (ears, voice) = (RemoteRecogniser::of(stt)?, RemoteVoice::of(tts)?);
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        // Who has none of the models' work done here needs no models.
        let dir = match (&llm, &ears, &voice) {
            (Some(_), Some(_), Some(_)) => None,
            _ => Some(ModelDir::find(models)?),
        };
        let dir = || dir.as_ref().context("the models are not needed here");
        Ok(Self {
            recogniser: match ears {
                Some(ears) => Box::new(ears),
                None => Box::new(BundledRecogniser(Recognition::load(dir()?, threads)?)),
            },
            voice: match voice {
                Some(voice) => Arc::new(voice),
                None => Arc::new(BundledVoice(Synthesis::load(dir()?, threads)?)),
            },
            responder: match llm {
                Some(llm) => Box::new(llm),
                None => Box::new(Rules::new(Vision::load(dir()?, threads)?)),
            },
        })
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
        self.recogniser.language()
    }

    fn reads_history(&self) -> bool {
        self.responder.reads_history()
    }

    fn translates(&self) -> Translates {
        if self.responder.translates() {
            return Translates::Words;
        }
        Translates::Not("This server translates with a language model only: start it with --llm URL.")
    }

    fn spoken_language(&self) -> Option<&str> {
        self.voice.language()
    }

    fn listens_ahead(&self) -> bool {
        self.recogniser.listens_ahead()
    }

    fn transcribe(&self, sound: Sound, hints: Arc<Hints>, processors: &Processors) -> Words {
        self.recogniser.transcribe(sound, hints, processors)
    }

    fn segments(&self, sound: Sound, hints: Arc<Hints>, processors: &Processors) -> Segments {
        self.recogniser.segments(sound, hints, processors)
    }

    fn speak(&self, sentence: String, voice: Option<String>, speed: f32, processors: &Processors) -> Spoken {
        self.voice.speak(sentence, voice, speed, processors)
    }

    fn answer(&self, prompt: Prompt, processors: &Processors) -> Answer {
        let (voice, name, processors) = (self.voice.clone(), prompt.voice.clone(), processors.clone());
        let speak = prompt.speak;
        let words = self.responder.respond(prompt, &processors);
        if !speak {
            return words;
        }
        let spoken = move |part| {
            let (voice, name, processors) = (voice.clone(), name.clone(), processors.clone());
            async move {
                let ResponsePart::Speech(SpeechChunk { text, .. }) = part else { return Ok(part) };
                let sound = voice.speak(text.clone(), name, 1.0, &processors).await?;
                Ok(ResponsePart::Speech(SpeechChunk { text, sound: Some(sound) }))
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
