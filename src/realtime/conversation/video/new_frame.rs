// SPDX-License-Identifier: MPL-2.0

//! A video frame that differs from the one before it, as far as that is asked for.

use crate::image::similarity::TileMeans;
use crate::types::Frame;

/// What frames are compared by.
#[derive(Debug)]
pub(crate) struct Fingerprint {
    pub digest: u64,
    pub tile_means: Option<TileMeans>,
}

/// A frame that is to be sent.
#[derive(Debug)]
pub(crate) struct NewFrame {
    pub frame: Frame,
    /// Index of its pad, and what the next frame is compared with.
    pub camera: Option<(usize, Fingerprint)>,
}
