// SPDX-License-Identifier: MPL-2.0

//! Types that cross layers: audio, frames, timed text, trace events.
//!
//! `Duration`s are running times on the media time line; `Instant`s are wall-clock times.

use bytes::Bytes;
use openai_protocol::client::Detail;
use std::time::Duration;

/// `timing`: how the conversation relates to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Paced by the pipeline clock.
    Live,
    /// No clock: as fast as the server takes it.
    Offline,
}

/// Speaker of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// Text with a position on the time line, for `text_src` and `transcript_src`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedText {
    /// Speaker.
    pub role: Speaker,
    /// Item.
    pub item_id: String,
    /// A piece of its text.
    pub text: String,
    /// Last piece of the item.
    pub last: bool,
    /// Running time of its begin; `None` = now.
    pub at: Option<Duration>,
    /// Duration.
    pub duration: Option<Duration>,
}

/// A wire event, for `event_src` and `raw-events`.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceEvent {
    /// Sent by the server.
    pub from_server: bool,
    /// Time since the connection was made.
    pub time: Duration,
    /// Its `type`.
    pub name: String,
    /// JSON as on the wire, with secrets redacted.
    pub json: String,
}

/// A video frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Name of its `video_sink` pad; `None` for `send-frame`.
    pub pad: Option<String>,
    /// Encoded picture.
    pub file: Bytes,
    /// `image/jpeg` or `image/png`.
    pub media_type: &'static str,
    /// Running time.
    pub at: Duration,
    /// Pad property `interval`, if set.
    pub interval: Option<Duration>,
    /// Pad property `detail`, if set.
    pub detail: Option<Detail>,
    /// Pad property `prompt`, if set.
    pub prompt: Option<String>,
}

/// A piece of input audio.
#[derive(Clone, Debug, Default)]
pub struct AudioChunk {
    /// Samples in the input's format.
    pub data: Bytes,
    /// Running time of the first sample, if known.
    pub at: Option<Duration>,
}

/// A piece of output audio.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputAudio {
    /// Item.
    pub item_id: String,
    /// Index of the content part.
    pub content_index: u32,
    /// Samples in the output's format.
    pub data: Bytes,
    /// Earliest running time (offline: the end of the turn that is answered).
    pub not_before: Duration,
}

/// Playback position within an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlayedPart {
    /// Item.
    pub item_id: String,
    /// Index of the content part.
    pub content_index: u32,
    /// Samples played.
    pub heard: u64,
}
