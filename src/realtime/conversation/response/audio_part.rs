// SPDX-License-Identifier: MPL-2.0

//! An audio content part of a response: how much of it was received and played, and where it lies on the output.

use crate::audio::format_converter::Converter;
use std::time::{Duration, Instant};

/// Audio parts remembered.
pub(crate) const MAX_AUDIO_PARTS: usize = 64;

/// An audio content part.
#[derive(Debug, Default)]
pub(crate) struct AudioPart {
    pub response_id: String,
    pub item_id: String,
    pub content_index: u32,
    /// Samples received.
    pub received: u64,
    /// Samples played; never decreases.
    pub heard: u64,
    /// More deltas may come.
    pub growing: bool,
    /// First byte of a sample that the next delta completes.
    pub rest: Vec<u8>,
    /// Set if the server's format is not the output's.
    pub converter: Option<Converter>,
    /// Offline: running time of the end of the turn it answers.
    pub not_before: Duration,
    /// Running time of its begin on the output, once known.
    pub starts: Option<Duration>,
    /// When its playback began.
    pub began: Option<Instant>,
    /// Session it belongs to; a later one does not know its item.
    pub session_generation: u32,
}
