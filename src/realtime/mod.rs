// SPDX-License-Identifier: MPL-2.0

//! Element `openairealtime`: the Realtime API over a WebSocket.
//!
//! `conversation` decides, or `translation` where that is the kind of session; `session` runs it on a socket, `element` is
//! the GStreamer element.

pub mod conversation;
pub(crate) mod element;
pub(crate) mod session;
pub(crate) mod translation;
