// SPDX-License-Identifier: MPL-2.0

//! Element messages: the structure of each event. The names of messages and fields stand here alone.

use crate::media::glib_text;
use crate::realtime::conversation::Event;
use crate::realtime::conversation::io::{
    FrameEvent, FrameState, FunctionCall, ResponseEvent, SessionEvent, TranscriptEvent, TurnEvent,
};
use crate::realtime::element::turn_times::{STAGES, TurnTimes};
use crate::types::Speaker;
use crate::types::TraceEvent;
use gst::prelude::*;
use openai_protocol::Usage;
use std::time::Duration;

/// The element message of an event, if it has one.
pub fn structure(event: &Event) -> Option<gst::Structure> {
    Some(match event {
        Event::Session(session) => session_structure(session),
        Event::Speech { active, item_id, running_time } => {
            let mut message = gst::Structure::builder("openairealtime/speech").field("active", *active).build();
            set_text(&mut message, "item-id", item_id.as_deref());
            set_time(&mut message, "running-time", *running_time);
            message
        }
        Event::IdleTimeout { item_id, running_time, duration } => {
            let mut message = gst::Structure::new_empty("openairealtime/idle-timeout");
            set_text(&mut message, "item-id", item_id.as_deref());
            set_time(&mut message, "running-time", *running_time);
            set_time(&mut message, "duration", *duration);
            message
        }
        Event::Transcript(transcript) => transcript_structure(transcript),
        Event::Response(response) => response_structure(response),
        Event::Interrupted { response_id, item_id, heard, running_time } => {
            let mut message = gst::Structure::new_empty("openairealtime/interrupted");
            set_text(&mut message, "item-id", Some(item_id));
            set_text(&mut message, "response-id", response_id.as_deref());
            set_time(&mut message, "heard", Some(*heard));
            set_time(&mut message, "running-time", Some(*running_time));
            message
        }
        Event::Usage { usage, cost, total_cost } => usage_structure(usage, *cost, *total_cost),
        Event::RateLimit { name, limit, remaining, reset } => {
            let mut message = gst::Structure::new_empty("openairealtime/rate-limits");
            set_text(&mut message, "name", name.as_deref());
            set(&mut message, "limit", *limit);
            set(&mut message, "remaining", *remaining);
            set_time(&mut message, "reset", *reset);
            message
        }
        Event::ApprovalRequest { request_id, server_label, name, arguments } => {
            let mut message = gst::Structure::new_empty("openairealtime/approval-request");
            set_text(&mut message, "approval-request-id", Some(request_id));
            set_text(&mut message, "server-label", Some(server_label));
            set_text(&mut message, "name", Some(name));
            set_text(&mut message, "arguments", Some(arguments));
            message
        }
        Event::Frame(frame) => frame_structure(frame),
        Event::TranslationDelay { delay, running_time } => {
            let mut message = gst::Structure::new_empty("openairealtime/translation-delay");
            set_time(&mut message, "delay", Some(*delay));
            set_time(&mut message, "running-time", Some(*running_time));
            message
        }
        // The bus handler takes these, and a warning is a WARNING message.
        Event::FunctionCall(_)
        | Event::Turn(_)
        | Event::CallExpired { .. }
        | Event::RoundTrip(_)
        | Event::Settings { .. }
        | Event::Aligned { .. }
        | Event::Warning(_) => return None,
    })
}

/// A wire event.
pub fn event(event: &TraceEvent) -> gst::Structure {
    gst::Structure::builder("openairealtime/event")
        .field("direction", if event.from_server { "server" } else { "client" })
        .field("type", &*glib_text(&event.name))
        .field("json", &*glib_text(&event.json))
        .build()
}

/// The latency of a turn.
pub fn turn(turn: &TurnEvent, times: &TurnTimes) -> gst::Structure {
    let mut message = gst::Structure::new_empty("openairealtime/turn");
    set_text(&mut message, "item-id", turn.item_id.as_deref());
    set_text(&mut message, "response-id", turn.response_id.as_deref());
    for (name, time) in STAGES.into_iter().zip(times.stages) {
        set_time(&mut message, name, time);
    }
    set_time(&mut message, "barge-in", times.barge_in);
    set_time(&mut message, "silenced", times.silenced);
    message
}

/// A function call; `handled` says whether a handler or a program answers it.
pub fn function_call(call: &FunctionCall, handled: bool) -> gst::Structure {
    let mut message = gst::Structure::builder("openairealtime/function-call").field("handled", handled).build();
    set_text(&mut message, "call-id", Some(&call.call_id));
    set_text(&mut message, "name", Some(&call.name));
    set_text(&mut message, "arguments", Some(&call.arguments));
    set_text(&mut message, "item-id", Some(&call.item_id));
    set_text(&mut message, "response-id", Some(&call.response_id));
    message
}

fn session_structure(session: &SessionEvent) -> gst::Structure {
    let mut message = gst::Structure::new_empty("openairealtime/session");
    match session {
        SessionEvent::Connecting { attempt, delay, uri, reason } => {
            message.set("state", "connecting");
            message.set("attempt", *attempt);
            set_time(&mut message, "delay", Some(*delay).filter(|delay| !delay.is_zero()));
            set(&mut message, "uri", uri.as_deref());
            set(&mut message, "reason", reason.as_deref());
        }
        SessionEvent::Reconnecting { reason } => {
            message.set("state", "reconnecting");
            set_text(&mut message, "reason", Some(reason));
        }
        SessionEvent::Ready { session_id, model, expires_at, resumed } => {
            message.set("state", "ready");
            message.set("resumed", *resumed);
            set_text(&mut message, "session-id", session_id.as_deref());
            set_text(&mut message, "model", model.as_deref());
            set(&mut message, "expires-at", *expires_at);
        }
        SessionEvent::Closed { reason, running_time } => {
            message.set("state", "closed");
            set_text(&mut message, "reason", Some(reason));
            set_time(&mut message, "running-time", *running_time);
        }
    }
    message
}

fn transcript_structure(transcript: &TranscriptEvent) -> gst::Structure {
    let role = match transcript.role {
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
    };
    let mut message = gst::Structure::builder("openairealtime/transcript")
        .field("role", role)
        .field("text", &*glib_text(&transcript.text))
        .field("final", transcript.last)
        .build();
    set_text(&mut message, "item-id", Some(&transcript.item_id));
    set_text(&mut message, "response-id", transcript.response_id.as_deref());
    set_time(&mut message, "running-time", transcript.running_time);
    set_time(&mut message, "duration", transcript.duration);
    message
}

fn response_structure(response: &ResponseEvent) -> gst::Structure {
    let mut message = gst::Structure::new_empty("openairealtime/response");
    set_text(&mut message, "state", Some(&response.state));
    set_text(&mut message, "response-id", Some(&response.response_id));
    set_text(&mut message, "reason", response.reason.as_deref());
    set_text(&mut message, "error-code", response.error_code.as_deref());
    set_text(&mut message, "error-message", response.error_message.as_deref());
    set_time(&mut message, "first-audio", response.first_audio);
    if let Some(pairs) = &response.metadata {
        let mut metadata = gst::Structure::new_empty("metadata");
        for (key, value) in pairs {
            metadata.set(&*glib_text(key), &*glib_text(value));
        }
        message.set("metadata", metadata);
    }
    message
}

fn frame_structure(frame: &FrameEvent) -> gst::Structure {
    let (state, reason) = match frame.state {
        FrameState::Sent => ("sent", None),
        FrameState::Skipped { reason } => ("skipped", Some(reason)),
        FrameState::Removed => ("removed", None),
    };
    let mut message = gst::Structure::builder("openairealtime/frame").field("state", state).build();
    set_text(&mut message, "reason", reason);
    set_text(&mut message, "pad", frame.pad.as_deref());
    set_text(&mut message, "item-id", frame.item_id.as_deref());
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

/// Leaves out what is not known, or empty in the server's event.
fn set_text(message: &mut gst::Structure, name: &str, text: Option<&str>) {
    set(message, name, text.filter(|text| !text.is_empty()).map(|text| glib_text(text).into_owned()));
}

fn set_time(message: &mut gst::Structure, name: &str, time: Option<Duration>) {
    set(message, name, time.map(|time| time.as_nanos() as u64));
}
