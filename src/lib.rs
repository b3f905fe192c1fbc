// SPDX-License-Identifier: MPL-2.0

//! # GStreamer plugin `openairealtime`
//!
//! Puts a realtime voice-and-vision model into a media pipeline. Modules import from the element down to the protocol,
//! never back:
//!
//! 1. [`openai_protocol`], a crate of its own: the events of the API as serde types, and nothing else. JSON names of
//!    the API occur there alone.
//! 2. `realtime::conversation`, sans-I/O: turns, responses, barge-in, function calls, frames. It takes inputs and the
//!    time and returns outputs, so that a test of it is a dialogue that takes microseconds.
//! 3. `realtime::session`: one tokio task that owns the conversation and its WebSocket, with the parts in `net`.
//! 4. `realtime::element`: pads, properties, messages and states, with the GStreamer parts in `media`.
//!
//! The second element, `openaichat`, has the same layers in `chat`: its conversation makes requests of segments of the
//! input, its session sends them over HTTP.
//!
//! Between 3 and 4 stand the two hand-over types in `queue`: a bounded input queue and the playout timeline.
//! Arithmetic on samples and pixels is in `audio` and `image`.

pub mod audio;
pub mod chat;
pub mod error;
mod image;
mod media;
mod net;
pub mod pricing;
pub mod queue;
pub mod realtime;
pub mod types;

use gst::glib;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    realtime::element::register(plugin)?;
    chat::element::register(plugin)
}

pub use plugin::plugin_register_static;

#[allow(missing_docs, reason = "the items are defined by GStreamer's macro")]
mod plugin {
    use super::plugin_init;

    gst::plugin_define!(
        openairealtime,
        env!("CARGO_PKG_DESCRIPTION"),
        plugin_init,
        concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
        "MPL",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_REPOSITORY"),
        env!("BUILD_REL_DATE")
    );
}
