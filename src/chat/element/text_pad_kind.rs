// SPDX-License-Identifier: MPL-2.0

//! What each source pad for text carries, by its name.

/// What a source pad for text carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextPadKind {
    /// Answers: `text_src`.
    Answers,
    /// Requests and events of answers as JSON lines: `event_src`.
    Events,
}

impl TextPadKind {
    /// By the name of the pad.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "text_src" => Some(Self::Answers),
            "event_src" => Some(Self::Events),
            _ => None,
        }
    }
}
