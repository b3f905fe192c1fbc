// SPDX-License-Identifier: MPL-2.0

//! Pads of the element: their templates, their functions, and those that come and go on request.

pub(crate) mod audio_sink;
pub(crate) mod events;
pub(crate) mod request;
pub(crate) mod src;
pub(crate) mod templates;
pub(crate) mod text_sink;
pub(crate) mod video_sink;
