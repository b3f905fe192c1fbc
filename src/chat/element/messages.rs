// SPDX-License-Identifier: MPL-2.0

//! Element messages: the structure of each event. The names of messages and fields stand here alone.

use crate::chat::conversation::io::{Event, FunctionCall, RequestEvent, ResponseEvent};
use crate::media::glib_text;
use openai_protocol::Usage;
use std::time::Duration;

/// The element message of an event, if it has one.
pub fn structure(event: &Event) -> Option<gst::Structure> {
    Some(match event {
        Event::Request(request) => request_structure(request),
        Event::Response(response) => response_structure(response),
        Event::Usage { request_id, usage, cost, total_cost } => usage_structure(request_id, usage, *cost, *total_cost),
        Event::Frame { sent, pad, at, size } => {
            let state = if sent.is_some() { "sent" } else { "skipped" };
            let mut message = gst::Structure::builder("openaichat/frame").field("state", state).build();
            set_text(&mut message, "pad", pad.as_deref());
            set_text(&mut message, "request-id", sent.as_deref());
            set_time(&mut message, "running-time", Some(*at));
            message.set("size", *size as u64);
            message
        }
        Event::FunctionCall(_) | Event::CallExpired(_) | Event::Warning(_) | Event::Info(_) => return None,
    })
}

/// A function call; `handled` says whether a handler or a program answers it.
pub fn function_call(call: &FunctionCall, handled: bool) -> gst::Structure {
    let mut message = gst::Structure::builder("openaichat/function-call").field("handled", handled).build();
    set_text(&mut message, "call-id", Some(&call.call_id));
    set_text(&mut message, "name", Some(&call.name));
    set_text(&mut message, "arguments", Some(&call.arguments));
    set_text(&mut message, "request-id", Some(&call.request_id));
    message
}

fn request_structure(request: &RequestEvent) -> gst::Structure {
    let mut message = gst::Structure::builder("openaichat/request").field("state", request.state).build();
    set_text(&mut message, "request-id", Some(&request.request_id));
    set_text(&mut message, "model", Some(&request.model));
    message.set("attempt", request.attempt);
    set_time(&mut message, "delay", request.delay);
    set_text(&mut message, "reason", request.reason.as_deref());
    set_time(&mut message, "running-time", Some(request.running_time));
    set_time(&mut message, "duration", Some(request.duration));
    message
}

fn response_structure(response: &ResponseEvent) -> gst::Structure {
    let mut message = gst::Structure::builder("openaichat/response").field("state", response.state).build();
    set_text(&mut message, "request-id", Some(&response.request_id));
    set_text(&mut message, "response-id", response.response_id.as_deref());
    message.set("text", &*glib_text(&response.text));
    set_text(&mut message, "finish-reason", response.finish_reason.as_deref());
    set_text(&mut message, "error-code", response.error_code.as_deref());
    set_text(&mut message, "error-message", response.error_message.as_deref());
    set_time(&mut message, "running-time", Some(response.running_time));
    set_time(&mut message, "duration", Some(response.duration));
    set_time(&mut message, "first-output", response.first_output);
    set_time(&mut message, "latency", response.latency);
    message
}

fn usage_structure(request_id: &str, usage: &Usage, cost: Option<f64>, total_cost: Option<f64>) -> gst::Structure {
    let (input, output) = (&usage.input_token_details, &usage.output_token_details);
    let mut message = gst::Structure::builder("openaichat/usage")
        .field("request-id", request_id)
        .field("input-text", input.text_tokens)
        .field("input-audio", input.audio_tokens)
        .field("input-image", input.image_tokens)
        .field("cached-text", input.cached_tokens_details.text_tokens)
        .field("output-text", output.text_tokens)
        .field("output-audio", output.audio_tokens)
        .build();
    for (name, value) in [("cost", cost), ("total-cost", total_cost)] {
        if let Some(value) = value {
            message.set(name, value);
        }
    }
    message
}

/// What is not known is left out.
fn set_text(message: &mut gst::Structure, name: &str, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        message.set(name, &*glib_text(text));
    }
}

fn set_time(message: &mut gst::Structure, name: &str, time: Option<Duration>) {
    if let Some(time) = time {
        message.set(name, time.as_nanos() as u64);
    }
}
