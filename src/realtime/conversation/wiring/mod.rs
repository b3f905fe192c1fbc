// SPDX-License-Identifier: MPL-2.0

//! What several parts do together. A part knows itself alone and returns what others have to do; this folder and the
//! `mod.rs` above it are the only places that know more than one part.

pub(crate) mod audio;
pub(crate) mod barge_in;
pub(crate) mod calls;
pub(crate) mod commands;
pub(crate) mod drain;
pub(crate) mod frames;
pub(crate) mod gap;
pub(crate) mod loss;
pub(crate) mod opening;
pub(crate) mod order;
pub(crate) mod owed;
pub(crate) mod responses;
pub(crate) mod resume;
pub(crate) mod session_change;
pub(crate) mod transcripts;
pub(crate) mod turns;
