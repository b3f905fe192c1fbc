// SPDX-License-Identifier: MPL-2.0

//! What thinks behind the protocol.
//!
//! A session knows the rules of the wire; what was said, what to answer and how it sounds, an [`Engine`] knows. Those
//! that there are stand in `engines`.

use crate::audio::Sound;
use crate::picture::Picture;
use crate::processors::Processors;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use openai_protocol::Usage;
use openai_protocol::items::Role;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// An engine, which serves all sessions.
pub trait Engine: Send + Sync {
    /// A new turn detector for the audio of one session.
    fn turn_detector(&self, rate: u32) -> Box<dyn TurnDetector>;

    /// Whether it makes words of sound. If not, sound is handed to [`Engine::answer`] unheard.
    fn understands(&self) -> bool;

    /// The one language (ISO 639-1) that it makes words of; `None` where that does not matter.
    fn language(&self) -> Option<&str> {
        None
    }

    /// True for an engine whose answers depend on the whole conversation. Otherwise older audio need not be transcribed.
    fn reads_history(&self) -> bool {
        false
    }

    /// Whether it may be asked for words before it is sure that they are wanted.
    fn listens_ahead(&self) -> bool {
        self.understands()
    }

    /// The words in a sound, empty where there are none. What computes does so on one of these processors.
    fn transcribe(&self, sound: Sound, hints: Arc<Hints>, processors: &Processors) -> Words;

    /// The words in a recording with their times, in order, found while they are asked for.
    fn segments(&self, sound: Sound, hints: Arc<Hints>, processors: &Processors) -> Segments;

    /// A sentence as sound, in the voice of this name where there are several, so many times faster than usual.
    fn speak(&self, sentence: String, voice: Option<String>, speed: f32, processors: &Processors) -> Spoken;

    /// How it translates.
    fn translates(&self) -> Translates {
        Translates::Not("This engine does not translate.")
    }

    /// The one language (ISO 639-1) that it speaks; `None` where that does not matter.
    fn spoken_language(&self) -> Option<&str> {
        None
    }

    /// An answer, made piece by piece while it is asked for the next one. What computes does so on one of these
    /// processors; dropping the answer ends all work on it.
    fn answer(&self, prompt: Prompt, processors: &Processors) -> Answer;
}

/// How an engine translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Translates {
    /// It does not, for this reason.
    Not(&'static str),
    /// It says back what it hears.
    Back,
    /// It finds the words, and answers with their translation where it is told to.
    Words,
}

/// Words in the making.
pub type Words = BoxFuture<'static, anyhow::Result<String>>;
/// The segments of a recording in the making.
pub type Segments = BoxStream<'static, anyhow::Result<Segment>>;
/// A sentence in the making.
pub type Spoken = BoxFuture<'static, anyhow::Result<Sound>>;

/// What is known beforehand of the words in a sound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Their language (ISO 639-1).
    pub language: Option<String>,
    /// Words to expect.
    pub prompt: Option<String>,
}

/// The client's `tool_choice`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Choice {
    /// Call what matches.
    #[default]
    Auto,
    /// Never call.
    None,
    /// Always call.
    Required,
    /// Always call this function.
    Function(String),
}

impl Choice {
    /// Reads the setting of a session or response.
    pub fn read(value: &Value) -> Self {
        match value.as_str() {
            Some("none") => Self::None,
            Some("required") => Self::Required,
            _ if value["type"] == "function" => Self::Function(value["name"].as_str().unwrap_or_default().into()),
            _ => Self::Auto,
        }
    }
}

/// A function call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// The arguments as JSON.
    pub arguments: String,
}

/// An answer in the making.
pub type Answer = BoxStream<'static, anyhow::Result<ResponsePart>>;

/// What an answer consists of.
#[derive(Clone, Debug)]
pub enum ResponsePart {
    /// Something to say.
    Speech(SpeechChunk),
    /// A function to be called by the client.
    Call(Call),
    /// Tokens of the answer, where the engine counts them.
    Usage(Usage),
    /// The answer is complete no further than this, for a reason of the Realtime API: `max_output_tokens` or
    /// `content_filter`.
    Incomplete(&'static str),
}

/// A part of a recording, and the words in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Begin in the recording.
    pub start_ms: u64,
    /// End in the recording.
    pub end_ms: u64,
    /// Its words.
    pub text: String,
}

/// A sentence or so.
#[derive(Clone, Debug)]
pub struct SpeechChunk {
    /// The words, exactly as they are spoken.
    pub text: String,
    /// How they sound; `None` where only text was asked for.
    pub sound: Option<Sound>,
}

/// Tells speech from everything else.
pub trait TurnDetector: Send {
    /// The length of a frame in milliseconds.
    fn frame_ms(&self) -> u64;

    /// Hears more, and gives the probability of speech for every frame that is complete now.
    fn hear(&mut self, samples: &[i16]) -> Vec<f32>;
}

/// What to answer to.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    /// What the model is told to be.
    pub instructions: String,
    /// The conversation, oldest first.
    pub turns: Vec<Turn>,
    /// Speech, or text alone.
    pub speak: bool,
    /// The voice to speak with, where there are several.
    pub voice: Option<String>,
    /// Nobody said anything for a while; the answer is to speak up by itself.
    pub idle: bool,
    /// The functions of the client, as it described them.
    pub tools: Vec<Value>,
    /// Which of them may be called.
    pub choice: Choice,
    /// Whether several may be called at once.
    pub parallel: bool,
    /// The most tokens of the answer.
    pub max_tokens: Option<u64>,
    /// The temperature at which a model samples, where one was asked for.
    pub temperature: Option<f64>,
}

/// One item of the conversation, as far as it matters for an answer.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Whose it is.
    pub role: Role,
    /// What it consists of.
    pub parts: Vec<Part>,
}

/// A part of a turn.
#[derive(Clone, Debug)]
pub enum Part {
    /// Written, or what a spoken part is known to say.
    Text(String),
    /// Spoken.
    Sound(Utterance),
    /// A picture.
    Picture(Arc<Picture>),
    /// A function was called.
    Call {
        /// The name of the call.
        call_id: String,
        /// The function.
        name: String,
        /// JSON text.
        arguments: String,
    },
    /// What a function gave back.
    Output {
        /// Which call.
        call_id: String,
        /// Any text.
        text: String,
    },
}

impl Part {
    /// Its text, as far as it is transcribed.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Sound(utterance) => utterance.words.get().map(String::as_str),
            Self::Picture(_) | Self::Call { .. } | Self::Output { .. } => None,
        }
    }
}

/// A sound and the words in it, which are found out once however many ask.
#[derive(Clone, Debug)]
pub struct Utterance {
    /// The sound.
    pub sound: Sound,
    /// Its words, when they are known.
    pub words: SharedTranscript,
    /// What is known of them beforehand.
    pub hints: Arc<Hints>,
    /// Parts of it that were listened to while it was still spoken, from its beginning to its end in order; none where it
    /// is to be listened to as a whole.
    pub parts: Vec<UtterancePart>,
}

/// A part of an utterance, up to the next one.
#[derive(Clone, Debug)]
pub struct UtterancePart {
    /// Where it begins, in milliseconds of the utterance.
    pub start_ms: u64,
    /// Its words, when they are known.
    pub words: SharedTranscript,
}

/// The place for the words of a sound, shared by all who want them.
pub type SharedTranscript = Arc<OnceCell<String>>;

impl Utterance {
    /// A sound that nobody has listened to yet.
    pub fn new(sound: Sound) -> Self {
        Self { sound, words: Arc::default(), hints: Arc::default(), parts: Vec::new() }
    }

    /// The same with hints.
    pub fn with_hints(self, hints: Arc<Hints>) -> Self {
        Self { hints, ..self }
    }

    /// The sounds to be listened to, each with the place for its words.
    pub fn pieces(&self) -> Vec<(Sound, SharedTranscript)> {
        let end = |index: usize| self.parts.get(index + 1).map_or(u64::MAX, |next| next.start_ms);
        let piece = |(index, part): (usize, &UtterancePart)| {
            (self.sound.between(part.start_ms, end(index)), part.words.clone())
        };
        self.parts.iter().enumerate().map(piece).collect()
    }
}
