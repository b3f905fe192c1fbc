// SPDX-License-Identifier: MPL-2.0

//! What the user says: audio alignment, turns, commands, and the end of the input.

pub(crate) mod alignment_report;
pub(crate) mod audio_align;
pub(crate) mod audio_gap;
pub(crate) mod audio_input;
pub(crate) mod drain;
pub(crate) mod early_commands;
pub(crate) mod local_vad;
pub(crate) mod pacing;
pub(crate) mod resumed_turn;
pub(crate) mod turns;
pub(crate) mod uncommitted;
