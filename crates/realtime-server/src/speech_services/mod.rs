// SPDX-License-Identifier: MPL-2.0

//! Where the engine `local` has its ears and its voice from: the bundled models, or endpoints that speak OpenAI's audio
//! API, which know other languages and voices.

mod bundled;
mod form;
mod settings;
mod speech_to_text;
mod text_to_speech;

pub use crate::speech_services::bundled::{BundledRecogniser, BundledVoice};
pub use crate::speech_services::settings::{SttArgs, TtsArgs};
pub use crate::speech_services::speech_to_text::RemoteRecogniser;
pub use crate::speech_services::text_to_speech::RemoteVoice;

use crate::audio::Sound;
use crate::engine::{Hints, Segments, Spoken, Words};
use crate::processors::Processors;
use std::sync::Arc;

/// Finds the words in sound.
pub trait Recogniser: Send + Sync {
    /// The one language (ISO 639-1) that it knows; `None` where it knows several.
    fn language(&self) -> Option<&'static str>;

    /// Whether it may be asked before it is sure that the words are wanted.
    fn listens_ahead(&self) -> bool;

    /// The words in a sound, empty where there are none.
    fn transcribe(&self, sound: Sound, hints: Arc<Hints>, processors: &Processors) -> Words;

    /// The words in a recording with their times.
    fn segments(&self, sound: Sound, hints: Arc<Hints>, processors: &Processors) -> Segments;
}

/// Speaks.
pub trait Voice: Send + Sync {
    /// The one language (ISO 639-1) that it speaks; `None` where it speaks several.
    fn language(&self) -> Option<&'static str>;

    /// A sentence as sound, in the voice of this name where there are several, so many times faster than usual.
    fn speak(&self, sentence: String, voice: Option<String>, speed: f32, processors: &Processors) -> Spoken;
}
