// SPDX-License-Identifier: MPL-2.0

//! Arithmetic on audio samples: G.711, the sample clock, voice activity detection. No GStreamer, no I/O.

pub(crate) mod format_converter;
pub(crate) mod g711;
pub mod sample_clock;
pub mod vad;
