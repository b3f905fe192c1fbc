// SPDX-License-Identifier: MPL-2.0

//! Network parts that know neither GStreamer nor the events of an API: endpoint and credentials, TCP, TLS and HTTP
//! handshake, WebSocket, HTTP requests, retry delays, and the runtime that all sessions share.

pub(crate) mod backoff;
pub(crate) mod clock;
pub(crate) mod connect;
pub(crate) mod connection_pool;
pub(crate) mod credentials;
pub(crate) mod endpoint;
pub(crate) mod handshake;
pub(crate) mod http;
pub(crate) mod liveness;
pub(crate) mod proxy;
pub(crate) mod round_trip;
pub(crate) mod runtime;
pub(crate) mod secret;
pub(crate) mod session_task;
pub(crate) mod sigpipe;
pub(crate) mod tcp;
pub(crate) mod websocket;
