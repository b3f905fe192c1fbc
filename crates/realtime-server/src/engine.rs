// SPDX-License-Identifier: MPL-2.0

//! What thinks behind the protocol.
//!
//! A session knows the rules of the wire; what was said, what to answer and how it sounds, an [`Engine`] knows. Those
//! that there are stand in `engines`.

use crate::audio::Sound;
use crate::picture::Picture;
use crate::processors::Processors;
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

    /// The words in a sound, empty where there are none. It takes its time and is called where blocking does no harm.
    fn transcribe(&self, sound: &Sound) -> anyhow::Result<String>;

    /// The words in a recording with their times, in order, until `on_segment` says that no more are wanted.
    fn segments(&self, sound: &Sound, on_segment: &mut dyn FnMut(Segment) -> bool) -> anyhow::Result<()>;

    /// A sentence as sound, so many times faster than usual.
    fn speak(&self, sentence: &str, speed: f32) -> anyhow::Result<Sound>;

    /// An answer, made piece by piece while it is asked for the next one. What computes does so on one of these
    /// processors; dropping the answer ends all work on it.
    fn answer(&self, prompt: Prompt, processors: &Processors) -> Answer;
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

/// A sound and the words in it, which are found out once however many ask.
#[derive(Clone, Debug)]
pub struct Utterance {
    /// The sound.
    pub sound: Sound,
    /// Its words, when they are known.
    pub words: SharedTranscript,
}

/// The place for the words of a sound, shared by all who want them.
pub type SharedTranscript = Arc<OnceCell<String>>;

impl Utterance {
    /// A sound that nobody has listened to yet.
    pub fn new(sound: Sound) -> Self {
        Self { sound, words: Arc::default() }
    }
}
