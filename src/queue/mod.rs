// SPDX-License-Identifier: MPL-2.0

//! Hand-over between streaming threads and the session task: a bounded input queue in, the playout timeline out.

pub(crate) mod input_queue;
pub(crate) mod pad_queues;
pub(crate) mod playout;
pub mod timeline;
