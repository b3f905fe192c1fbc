// SPDX-License-Identifier: MPL-2.0

//! What goes over the data channel, without a socket, a pipeline or a clock: which client events reach the model's
//! session, what becomes of the server's, and the events that only WebRTC has.

pub mod client;
pub mod notice;
pub mod output_audio_buffer;
pub mod server;
pub mod session;

use serde_json::{Value, json};

/// An `error` event as the API's servers send it. `event_id` is the client's event that is at fault.
pub fn error_event(code: &str, message: &str, event_id: Option<&str>) -> Value {
    json!({
        "type": "error",
        "event_id": crate::ids::event(),
        "error": {
            "type": "invalid_request_error", "code": code, "message": message, "param": null, "event_id": event_id,
        },
    })
}
