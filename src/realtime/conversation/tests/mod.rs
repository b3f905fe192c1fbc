// SPDX-License-Identifier: MPL-2.0

//! Dialogues with an invented clock, one theme a file, and one monkey who says anything at any time.

pub(crate) mod barge_in;
pub(crate) mod captions;
pub(crate) mod commands;
pub(crate) mod compatible;
pub(crate) mod dialogue;
pub(crate) mod drain;
pub(crate) mod floor_control;
pub(crate) mod frames;
pub(crate) mod image_items;
pub(crate) mod image_similarity;
pub(crate) mod input;
pub(crate) mod late;
pub(crate) mod offline;
pub(crate) mod opening;
pub(crate) mod outputs;
pub(crate) mod playout;
pub(crate) mod random_walk;
pub(crate) mod responses;
pub(crate) mod resume;
pub(crate) mod rollover;
pub(crate) mod server;
pub(crate) mod turn_latency;
mod turns;

pub(crate) use crate::realtime::conversation::tests::dialogue::recording;
