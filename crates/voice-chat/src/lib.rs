// SPDX-License-Identifier: MPL-2.0

//! Voice and vision chat in a browser: a gateway from WebRTC to the OpenAI Realtime API, built on the GStreamer element
//! `openairealtime`. It speaks OpenAI's own WebRTC interface, so that existing clients work with any server of the API.
//!
//! Modules: `cli` is the command line, `server` and `tls` accept connections, `http` has the paths and `access` says who
//! may come in. A `visitor` is a task that owns two pipelines of `media` and has a place in the `registry`, and `events` translates between the data channel
//! and the element, without a socket or a clock. The page is in the folder `page`.

mod access;
mod app;
mod cli;
mod events;
mod http;
mod ids;
mod media;
mod metrics;
mod registry;
mod server;
mod tls;
mod visitor;

pub use cli::Cli;
pub use server::Server;
