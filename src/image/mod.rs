// SPDX-License-Identifier: MPL-2.0

//! Checks and comparisons of JPEG and PNG files. No GStreamer, no I/O.

pub(crate) mod check;
pub(crate) mod huffman;
pub(crate) mod similarity;
