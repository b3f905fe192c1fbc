//! The bus: every message of the element, by name and field. Nothing else knows these names.

use super::imp::CAT;
use crate::conversation::Notice;
use crate::conversation::events::{
    FrameNotice, FrameState, FunctionCall, ResponseNotice, SessionNotice, Speaker, TranscriptNotice,
};
use crate::link::WireEvent;
use crate::protocol::Usage;
use gst::prelude::*;
use std::time::Duration;

/// Posts an element message.
pub fn post(element: &super::OpenAIRealtime, structure: gst::Structure) {
    gst::log!(CAT, obj = element, "{structure}");
    // Without a bus there is nobody to be told.
    let _ = element.post_message(gst::message::Element::builder(structure).src(element).build());
}

/// What a notice becomes: an element message, unless it is a warning.
pub fn structure(notice: &Notice) -> Option<gst::Structure> {
    Some(match notice {
        Notice::Session(session) => session_structure(session),
        Notice::Speech { active, item_id, running_time } => {
            let mut message = gst::Structure::builder("openairealtime/speech").field("active", *active).build();
            set(&mut message, "item-id", item_id.as_deref());
            set_time(&mut message, "running-time", *running_time);
            message
        }
        Notice::Transcript(transcript) => transcript_structure(transcript),
        Notice::Response(response) => response_structure(response),
        Notice::Interrupted { response_id, item_id, heard, running_time } => {
            let mut message = gst::Structure::builder("openairealtime/interrupted").field("item-id", item_id).build();
            set(&mut message, "response-id", response_id.as_deref());
            set_time(&mut message, "heard", Some(*heard));
            set_time(&mut message, "running-time", Some(*running_time));
            message
        }
        Notice::Usage { usage, cost, total_cost } => usage_structure(usage, *cost, *total_cost),
        Notice::RateLimit { name, limit, remaining, reset } => {
            let mut message = gst::Structure::builder("openairealtime/rate-limits").field("name", name).build();
            set(&mut message, "limit", *limit);
            set(&mut message, "remaining", *remaining);
            set_time(&mut message, "reset", *reset);
            message
        }
        Notice::ApprovalRequest { request_id, server_label, name, arguments } => {
            gst::Structure::builder("openairealtime/approval-request")
                .field("approval-request-id", request_id)
                .field("server-label", server_label)
                .field("name", name)
                .field("arguments", arguments)
                .build()
        }
        Notice::Frame(frame) => frame_structure(frame),
        // These are told in another way.
        Notice::FunctionCall(_) | Notice::Settings { .. } | Notice::Warning(_) => return None,
    })
}

/// An event of the wire.
pub fn event(event: &WireEvent) -> gst::Structure {
    gst::Structure::builder("openairealtime/event")
        .field("direction", if event.from_server { "server" } else { "client" })
        .field("type", &event.name)
        .field("json", &event.json)
        .build()
}

/// A call of a function, and whether somebody answers it.
pub fn function_call(call: &FunctionCall, handled: bool) -> gst::Structure {
    gst::Structure::builder("openairealtime/function-call")
        .field("call-id", &call.call_id)
        .field("name", &call.name)
        .field("arguments", &call.arguments)
        .field("item-id", &call.item_id)
        .field("response-id", &call.response_id)
        .field("handled", handled)
        .build()
}

fn session_structure(session: &SessionNotice) -> gst::Structure {
    let mut message = gst::Structure::new_empty("openairealtime/session");
    match session {
        SessionNotice::Connecting { attempt, delay, uri, reason } => {
            message.set("state", "connecting");
            message.set("attempt", *attempt);
            set_time(&mut message, "delay", Some(*delay).filter(|delay| !delay.is_zero()));
            set(&mut message, "uri", uri.as_deref());
            set(&mut message, "reason", reason.as_deref());
        }
        SessionNotice::Reconnecting { reason } => {
            message.set("state", "reconnecting");
            message.set("reason", reason);
        }
        SessionNotice::Ready { session_id, model, expires_at, resumed } => {
            message.set("state", "ready");
            message.set("resumed", *resumed);
            set(&mut message, "session-id", session_id.as_deref());
            set(&mut message, "model", model.as_deref());
            set(&mut message, "expires-at", *expires_at);
        }
        SessionNotice::Closed { reason, running_time } => {
            message.set("state", "closed");
            message.set("reason", reason);
            set_time(&mut message, "running-time", *running_time);
        }
    }
    message
}

fn transcript_structure(transcript: &TranscriptNotice) -> gst::Structure {
    let role = match transcript.role {
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
    };
    let mut message = gst::Structure::builder("openairealtime/transcript")
        .field("role", role)
        .field("text", &transcript.text)
        .field("final", transcript.last)
        .field("item-id", &transcript.item_id)
        .build();
    set(&mut message, "response-id", transcript.response_id.as_deref());
    set_time(&mut message, "running-time", transcript.running_time);
    set_time(&mut message, "duration", transcript.duration);
    message
}

fn response_structure(response: &ResponseNotice) -> gst::Structure {
    let mut message = gst::Structure::builder("openairealtime/response")
        .field("state", &response.state)
        .field("response-id", &response.response_id)
        .build();
    set(&mut message, "reason", response.reason.as_deref());
    set(&mut message, "error-code", response.error_code.as_deref());
    set(&mut message, "error-message", response.error_message.as_deref());
    set_time(&mut message, "first-audio", response.first_audio);
    if let Some(pairs) = &response.metadata {
        let mut metadata = gst::Structure::new_empty("metadata");
        for (key, value) in pairs {
            metadata.set(key.as_str(), value);
        }
        message.set("metadata", metadata);
    }
    message
}

fn frame_structure(frame: &FrameNotice) -> gst::Structure {
    let (state, reason) = match frame.state {
        FrameState::Sent => ("sent", None),
        FrameState::Skipped { reason } => ("skipped", Some(reason)),
        FrameState::Removed => ("removed", None),
    };
    let mut message = gst::Structure::builder("openairealtime/frame").field("state", state).build();
    set(&mut message, "reason", reason);
    set(&mut message, "pad", frame.pad.as_deref());
    set(&mut message, "item-id", frame.item_id.as_deref());
    set_time(&mut message, "running-time", frame.at);
    message.set("size", frame.size as u64);
    message
}

fn usage_structure(usage: &Usage, cost: Option<f64>, total_cost: Option<f64>) -> gst::Structure {
    let (input, output) = (&usage.input_token_details, &usage.output_token_details);
    let cached = &input.cached_tokens_details;
    let mut message = gst::Structure::new_empty("openairealtime/usage");
    if usage.tells_input() {
        message.set("input-text", input.text_tokens);
        message.set("input-audio", input.audio_tokens);
        message.set("input-image", input.image_tokens);
        message.set("cached-text", cached.text_tokens);
        message.set("cached-audio", cached.audio_tokens);
        message.set("cached-image", cached.image_tokens);
    }
    if usage.tells_output() {
        message.set("output-text", output.text_tokens);
        message.set("output-audio", output.audio_tokens);
    }
    set(&mut message, "cost", cost);
    set(&mut message, "total-cost", total_cost);
    message
}

fn set<T: Into<gst::glib::Value> + gst::glib::value::ToValue + Send>(
    message: &mut gst::Structure,
    name: &str,
    value: Option<T>,
) {
    if let Some(value) = value {
        message.set_value(name, value.to_send_value());
    }
}

fn set_time(message: &mut gst::Structure, name: &str, time: Option<Duration>) {
    set(message, name, time.map(|time| time.as_nanos() as u64));
}
