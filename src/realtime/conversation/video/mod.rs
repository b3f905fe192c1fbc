// SPDX-License-Identifier: MPL-2.0

//! Video frames: which are sent, and which stay in the conversation.

pub(crate) mod frames;
pub(crate) mod image_items;
pub(crate) mod new_frame;
