// SPDX-License-Identifier: MPL-2.0

//! Signal processing of audio samples: G.711, WAV files, sample rate conversion, voice activity detection.
//!
//! Samples are mono `f32` between -1 and 1, or `i16` where a format is made of them. There is no I/O, no thread and no
//! clock: what a stream needs to remember is a value that the caller keeps.

#![forbid(unsafe_code)]

pub mod g711;
pub mod pcm;
pub mod resample;
pub mod vad;
pub mod wav;

pub use resample::{Resampler, UnsupportedRates};
pub use vad::Vad;
