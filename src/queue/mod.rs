// SPDX-License-Identifier: MPL-2.0

//! Queues between streaming threads and session tasks: the playout queue of the source pad, which both elements use.
//!
//! The input queues are in the session of each element (`realtime::session::input_queue`,
//! `chat::session::input_queue`), because their order and their limits depend on what the element does with its input.

pub(crate) mod playout;
pub(crate) mod playout_log;
pub(crate) mod push_error;
pub mod timeline;
