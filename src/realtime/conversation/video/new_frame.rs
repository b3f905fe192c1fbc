// SPDX-License-Identifier: MPL-2.0

//! A video frame that differs from the one before it, as far as `frame-dedupe` asks for that.

use crate::image::similarity::TileMeans;
use crate::realtime::conversation::config::Dedupe;
use crate::types::Frame;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What frames are compared by.
#[derive(Debug)]
pub(crate) struct Fingerprint {
    digest: u64,
    tile_means: Option<TileMeans>,
}

impl Fingerprint {
    /// Compares a frame with the one sent before it. Returns the fingerprint for the next comparison, or why the frame is
    /// not sent. What cannot be decoded counts as changed.
    pub fn of_changed(frame: &Frame, last: Option<&Self>, dedupe: Dedupe) -> Result<Self, &'static str> {
        let digest = digest(&frame.file);
        if dedupe != Dedupe::None && last.is_some_and(|last| last.digest == digest) {
            return Err("same");
        }
        let Dedupe::Similar(most) = dedupe else { return Ok(Self { digest, tile_means: None }) };
        let tile_means = TileMeans::of(&frame.file, frame.media_type);
        let before = last.and_then(|last| last.tile_means.as_ref());
        let distance = tile_means.as_ref().zip(before).map(|(now, before)| now.distance(before));
        if distance.is_some_and(|distance| distance <= most) { Err("similar") } else { Ok(Self { digest, tile_means }) }
    }
}

fn digest(file: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    file.hash(&mut hasher);
    hasher.finish()
}

/// A frame that is to be sent.
#[derive(Debug)]
pub(crate) struct NewFrame {
    pub frame: Frame,
    /// Index of its pad, and what the next frame is compared with.
    pub camera: Option<(usize, Fingerprint)>,
}
