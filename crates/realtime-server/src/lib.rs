// SPDX-License-Identifier: MPL-2.0

//! Local server that speaks the OpenAI Realtime protocol, as a library: [`Server`] for a program with a tokio runtime,
//! [`ServerThread`] for a test that wants a server beside it.
//!
//! Modules: `cli` is the command line, `server` accepts connections, `http` and `auth` decide which request becomes a
//! session and `connection` runs one; `chat` and `audio_api` answer requests that stand alone; `state` is what all of them
//! share. The rules of a session are in `session`, those of a translation in `translation`, without a socket or a clock. An `engine` listens and answers; the
//! `local` one of `engines` uses the ears and the voice of `speech_services`, which are the models in `speech` or an
//! `endpoint`, those in `vision`, and a `responder` for the words of its answers: `rules`, or a language model (`llm`).
//! `trace` records.

mod api_error;
mod audio;
mod audio_api;
mod audio_file;
mod auth;
mod chat;
mod cli;
mod client_session;
mod connection;
mod duration;
mod endpoint;
mod engine;
mod engines;
mod http;
mod http_error;
mod ids;
mod instance;
mod keepalive;
mod llm;
mod metrics;
mod picture;
mod processors;
mod request_body;
mod responder;
mod rules;
mod secrets;
mod send_queue;
mod server;
mod session;
mod socket;
mod speech;
mod speech_services;
mod spoken_answers;
mod sse;
mod state;
mod trace;
mod translation;
mod vision;
mod worker_pool;

pub use cli::{Cli, EngineName};
pub use instance::{Server, ServerThread};

/// Whether a session would take this text as an event of a client. For tests that give it anything.
#[doc(hidden)]
pub fn takes_client_event(text: &str) -> bool {
    session::takes_client_event(text)
}
