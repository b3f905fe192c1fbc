// SPDX-License-Identifier: MPL-2.0

//! Arithmetic on audio samples: sample clock, turn detection, format conversion. No GStreamer, no I/O.

pub(crate) mod format_converter;
pub mod sample_clock;
pub mod vad;
