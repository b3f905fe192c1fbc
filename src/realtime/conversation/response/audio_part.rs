// SPDX-License-Identifier: MPL-2.0

//! An audio content part of a response: how much of it was received and played, and where it lies on the output.

use crate::audio::format_converter::Converter;
use std::time::{Duration, Instant};

/// Spoken items that are remembered.
pub(crate) const MAX_AUDIO_PARTS: usize = 64;

/// A message of the model, as far as its sound goes.
#[derive(Debug, Default)]
pub(crate) struct AudioPart {
    pub response_id: String,
    pub item_id: String,
    pub content_index: u32,
    /// Samples so far.
    pub received: u64,
    /// Samples that the listener has heard; it only grows.
    pub heard: u64,
    /// More may come.
    pub growing: bool,
    /// The beginning of a sample whose end comes with the next delta.
    pub rest: Vec<u8>,
    /// Where it comes in another format than the output's.
    pub converter: Option<Converter>,
    /// Offline: the end of the turn that it answers.
    pub not_before: Duration,
    /// Where it begins on the output, once that is known.
    pub starts: Option<Duration>,
    /// When it began to be played.
    pub began: Option<Instant>,
    /// The session that it belongs to; a later one knows nothing of it.
    pub session_generation: u32,
}
