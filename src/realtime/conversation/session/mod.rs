// SPDX-License-Identifier: MPL-2.0

//! The life of a session: opening, updates of its settings, rollover to the next one, and what that one is told.

pub(crate) mod close;
pub(crate) mod expected_errors;
pub(crate) mod formats;
pub(crate) mod history;
pub(crate) mod loss;
pub(crate) mod opening;
pub(crate) mod rollover;
pub(crate) mod session_diff;
pub(crate) mod session_update;
