//! # GStreamer plugin `openairealtime`
//!
//! Puts a realtime voice model into a media pipeline. This page is the map of the house; every room opens
//! with a few sentences of its own.
//!
//! The house has four rings. Imports run from the outer ones to the inner ones and never back.
//!
//! 1. **Words** ([`protocol`]): the events of the Realtime API as serde types, and nothing else. The only place where
//!    the JSON names of the API stand.
//! 2. **Decisions** ([`conversation`]): a conversation as a value. It takes inputs and the time and gives outputs: what
//!    to send, what to play, what to tell. It knows no socket, no clock, no thread and no GStreamer, so it is tested
//!    with dialogues in microseconds.
//! 3. **Link** ([`link`]): one task a session, which owns the conversation and the socket: connects, reads, writes, and
//!    sleeps until the conversation wants to be woken.
//! 4. **Elements** ([`realtime`], with [`media`] for what elements share): pads, properties, messages, states. They
//!    convert, and never decide.
//!
//! Between 3 and 4 stand two hand-over types: a bounded [`link::Mailbox`] in and a bounded [`link::Playout`] timeline
//! out. What is told to the application goes as posts, in order, through a thread of its own, so that handlers may do
//! as they like.
//!
//! `src/bin/realtime-server` stands beside the house: a local server of the same protocol, which uses the words and
//! nothing else of it.

pub mod conversation;
pub mod link;
pub mod media;
pub mod protocol;
pub mod realtime;

use gst::glib;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    realtime::register(plugin)
}

pub use plugin::plugin_register_static;

#[allow(missing_docs, reason = "what the macro defines is GStreamer's")]
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
