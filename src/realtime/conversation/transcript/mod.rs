// SPDX-License-Identifier: MPL-2.0

//! Transcripts of both sides, in order, and captions along the audio.

pub(crate) mod captions;
pub(crate) mod lines;
pub(crate) mod streamed;
pub(crate) mod text_gap;
pub(crate) mod transcripts;
pub(crate) mod word_break;
