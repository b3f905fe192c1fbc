// SPDX-License-Identifier: MPL-2.0

//! A video frame that differs from the one before it, as far as that is asked for.

use crate::image::similarity::TileMeans;
use crate::types::Frame;

/// What a picture is compared by.
#[derive(Debug)]
pub(crate) struct Fingerprint {
    pub digest: u64,
    pub tile_means: Option<TileMeans>,
}

/// A frame that tells something new.
#[derive(Debug)]
pub(crate) struct NewFrame {
    pub frame: Frame,
    /// Its camera, and what the next frame of that is to be compared with.
    pub camera: Option<(usize, Fingerprint)>,
}
