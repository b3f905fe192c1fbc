// SPDX-License-Identifier: MPL-2.0

//! Responses that are streams of server-sent events, as OpenAI sends them.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// A line of a stream.
pub fn chunk(value: &Value) -> Bytes {
    format!("data: {value}\n\n").into()
}

/// A line that breaks a stream off.
pub fn error_line(message: &str) -> Bytes {
    chunk(&json!({"error": {"message": message, "type": "server_error", "param": null, "code": null}}))
}

/// A response whose body is these lines.
pub fn stream_body(lines: mpsc::Receiver<Result<Bytes, std::io::Error>>) -> Response {
    let lines = futures_util::stream::unfold(lines, |mut lines| async move { Some((lines.recv().await?, lines)) });
    let headers = [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(lines)).into_response()
}
