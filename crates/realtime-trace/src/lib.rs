// SPDX-License-Identifier: MPL-2.0

//! Reads traces of Realtime sessions, as `event_src` of the element `openairealtime` and `realtime-server --record`
//! write them, and what `gst-launch-1.0 -m` prints of the element's messages. No GStreamer is needed for it.

pub mod audio;
pub mod check;
pub mod cli;
mod commands;
pub mod latency;
pub mod redact;
pub mod show;
pub mod stats;
pub mod structure;
pub mod tail;
pub mod timeline;
pub mod trace;
pub mod words;

// The plugin's table of prices: there is one, and the plugin itself cannot be linked here, because it needs GStreamer.
#[allow(dead_code, reason = "only the prices are needed")]
#[path = "../../../src/pricing.rs"]
mod pricing;
