// SPDX-License-Identifier: MPL-2.0

//! The engines: `local` with its models, and `echo`.
//!
//! The other two, `script` and `replay`, are no engines in the sense of [`Engine`](crate::engine::Engine): they take the
//! place of the whole session, because they must be able to break its rules.

pub mod audio_placeholder;
pub mod echo;
pub mod local;
pub mod replay;
pub mod script;
pub mod scripted_socket;
