// SPDX-License-Identifier: MPL-2.0

//! Media types that cross layers: audio, frames, timed text, trace events.
//!
//! Times on the media timeline are running times; an `Instant` is a time of the world.

use bytes::Bytes;
use openai_protocol::client::Detail;
use std::time::Duration;

/// How the conversation relates to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// In step with the pipeline's clock.
    Live,
    /// As fast as the server takes it.
    Offline,
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// Text with a place on the timeline, for the pads of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedText {
    /// Who said it.
    pub role: Speaker,
    /// The message.
    pub item_id: String,
    /// A piece of it.
    pub text: String,
    /// The message ends with it.
    pub last: bool,
    /// Where it begins; now, where that is not known.
    pub at: Option<Duration>,
    /// How long it is.
    pub duration: Option<Duration>,
}

/// An event of the wire, for traces.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceEvent {
    /// True where the server sent it.
    pub from_server: bool,
    /// Since the connection was made.
    pub time: Duration,
    /// Its `type`.
    pub name: String,
    /// As on the wire, but for secrets.
    pub json: String,
}

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The pad that it came from, if it came from one.
    pub pad: Option<String>,
    /// The file.
    pub file: Bytes,
    /// `image/jpeg` or `image/png`.
    pub media_type: &'static str,
    /// Running time.
    pub at: Duration,
    /// Where the camera is to be treated in another way than all.
    pub interval: Option<Duration>,
    /// How closely this one is looked at.
    pub detail: Option<Detail>,
    /// What is said beside this one.
    pub prompt: Option<String>,
}

/// Some of the user's sound.
#[derive(Clone, Debug, Default)]
pub struct AudioChunk {
    /// Samples in the input's format.
    pub data: Bytes,
    /// Running time of the first sample, where it is known.
    pub at: Option<Duration>,
}

/// Sound of the model, ready to be played.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputAudio {
    /// The message.
    pub item_id: String,
    /// Its part.
    pub content_index: u32,
    /// Samples in the output's format.
    pub data: Bytes,
    /// Not before this running time (offline: the end of the turn that is answered).
    pub not_before: Duration,
}

/// How much of an item of the model's speech has been played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlayedPart {
    /// The message.
    pub item_id: String,
    /// Its part.
    pub content_index: u32,
    /// Samples that were heard.
    pub heard: u64,
}
