// SPDX-License-Identifier: MPL-2.0

//! What each source pad for text carries, by its name, and its latency.

use crate::realtime::element::settings::Settings;
use crate::types::Speaker;
use std::time::Duration;

/// What a source pad for text carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextPadKind {
    /// Transcripts of one speaker: `text_src` of the model, `transcript_src` of the user.
    Words(Speaker),
    /// Wire events: `event_src`.
    Events,
}

impl TextPadKind {
    /// By the name of the pad.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "text_src" => Some(Self::Words(Speaker::Assistant)),
            "transcript_src" => Some(Self::Words(Speaker::User)),
            "event_src" => Some(Self::Events),
            _ => None,
        }
    }

    /// Latency of the pad when live: text that comes within it keeps its timestamp.
    pub fn latency(self, settings: &Settings) -> Duration {
        let own = match self {
            Self::Words(Speaker::User) => settings.transcript_latency,
            Self::Words(Speaker::Assistant) => settings.text_latency,
            Self::Events => return Duration::ZERO,
        };
        // Both languages are shown with the picture that the voice is played with.
        settings.source_delay().max(Duration::from_nanos(own))
    }
}
