// SPDX-License-Identifier: MPL-2.0

//! What needs GStreamer: looking at a recording, the session that listens to it, and the request about its words.

mod chat;
mod errors;
mod probe;
mod realtime;
mod turns;
mod wait;

pub use chat::ask;
pub use probe::probe;
pub use realtime::{Heard, Listener, require_session_type};
pub use turns::{DoneWhen, Turns};

/// Registers the element that is linked into this program.
pub fn init() -> anyhow::Result<()> {
    gst::init()?;
    gstopenairealtime::plugin_register_static()?;
    Ok(())
}
