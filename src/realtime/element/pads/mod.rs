// SPDX-License-Identifier: MPL-2.0

//! Pads of the element: their templates, their functions, and those that come and go on request.

pub(crate) mod audio_sink;
pub(crate) mod audio_src;
pub(crate) mod crossing;
pub(crate) mod events;
pub(crate) mod request;
pub(crate) mod templates;
pub(crate) mod text_sink;
pub(crate) mod text_src;
pub(crate) mod video_pad;
pub(crate) mod video_sink;
