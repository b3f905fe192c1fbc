// SPDX-License-Identifier: MPL-2.0

//! Sessions over real sockets, with a clock that the test moves: hours of waiting take no time, and nothing is late.

pub(crate) mod appends;
pub(crate) mod network;
pub(crate) mod peer;
pub(crate) mod recovery;
pub(crate) mod refusals;
pub(crate) mod secrets;
