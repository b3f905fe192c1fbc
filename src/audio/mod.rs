// SPDX-License-Identifier: MPL-2.0

//! The input's audio: the sample clock, and the turns in it. No GStreamer, no I/O.

pub(crate) mod format_converter;
pub mod sample_clock;
pub mod vad;
