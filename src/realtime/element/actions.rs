// SPDX-License-Identifier: MPL-2.0

//! Actions of the application: action signals and custom events of the same names.
//!
//! Every action may come from any thread, and returns whether it was taken. A WARNING says why one was not.

use crate::media::frame::{self, PadSettings};
use crate::queue::push_error::PushError;
use crate::realtime::conversation::Command;
use crate::realtime::element::CAT;
use crate::realtime::element::context::Context;
use openai_protocol::{self, ClientEvent, ResponseParams};
use std::time::Duration;

const NO_RUN: &str = "the element is not in PAUSED or PLAYING";

/// Queues a command. Those that must not wait for queued audio overtake it.
pub fn send_command(context: &Context, command: Command) -> bool {
    let in_order =
        !matches!(command, Command::CancelResponse | Command::FunctionOutput { .. } | Command::Approve { .. });
    let Some(run) = context.run() else { return context.messenger.refuse_action(NO_RUN) };
    match run.input_queue.push_command(command, in_order) {
        Ok(()) => {
            run.texts.start();
            true
        }
        Err(PushError::Full) => context.messenger.refuse_action("too many commands wait already"),
        Err(PushError::Closed | PushError::Flushing) => context.messenger.refuse_action("the session is over"),
    }
}

pub fn send_text(context: &Context, text: String, respond: bool) -> bool {
    if text.trim().is_empty() {
        return context.messenger.refuse_action("send-text: the text is empty");
    }
    send_command(context, Command::Text { text, respond, at: None })
}

pub fn create_response(context: &Context, options: Option<&str>) -> bool {
    let options = options.filter(|text| !text.trim().is_empty());
    let params = options.map(openai_protocol::object::<ResponseParams>).transpose();
    match params {
        Ok(params) => send_command(context, Command::CreateResponse(params.map(Box::new))),
        Err(error) => context.messenger.refuse_action(&format!("create-response: the options: {error}")),
    }
}

pub fn send_function_output(context: &Context, call_id: String, output: String) -> bool {
    let Some(run) = context.run() else { return context.messenger.refuse_action(NO_RUN) };
    if let Err(why) = run.calls.take_open(&call_id) {
        return context.messenger.refuse_action(&format!("send-function-output: {why}"));
    }
    send_command(context, Command::FunctionOutput { call_id, output })
}

pub fn send_event_json(context: &Context, json: &str) -> bool {
    match ClientEvent::from_json(json) {
        Ok(event) => send_command(context, Command::Event(Box::new(event))),
        Err(error) => context.messenger.refuse_action(&format!("send-event: {}", error.plain())),
    }
}

/// Takes a custom event that has the name of an action. False if it is another event.
pub fn custom_event(context: &Context, event: &gst::EventRef) -> bool {
    let Some(structure) = event.structure() else { return false };
    let Some(name) = structure.name().strip_prefix("openairealtime/") else { return false };
    let text = |field: &str| structure.get::<String>(field).ok();
    let flag = |field: &str, otherwise: bool| structure.get::<bool>(field).unwrap_or(otherwise);
    let taken = match name {
        "send-text" => send_text(context, text("text").unwrap_or_default(), flag("respond", true)),
        "send-frame" => send_frame(context, structure.get::<gst::Sample>("sample").ok()),
        "commit" => send_command(context, Command::Commit),
        "clear" => send_command(context, Command::Clear),
        "create-response" => create_response(context, text("options").as_deref()),
        "cancel-response" => send_command(context, Command::CancelResponse),
        "send-function-output" => {
            send_function_output(context, text("call-id").unwrap_or_default(), text("output").unwrap_or_default())
        }
        "send-approval" => send_command(
            context,
            Command::Approve {
                request_id: text("approval-request-id").unwrap_or_default(),
                approve: flag("approve", false),
            },
        ),
        "send-event" => send_event_json(context, &text("json").unwrap_or_default()),
        _ => return false,
    };
    gst::debug!(CAT, "event {name}: {}", if taken { "taken" } else { "not taken" });
    true
}

/// Sends the frame in a sample, or without one the newest frame of each pad.
pub fn send_frame(context: &Context, sample: Option<gst::Sample>) -> bool {
    let refuse = |why: &str| context.messenger.refuse_action(why);
    let Some(run) = context.run() else { return refuse(NO_RUN) };
    let Some(sample) = sample else { return send_command(context, Command::SendFrame(None)) };
    let Some(buffer) = sample.buffer_owned() else { return refuse("send-frame: the sample is empty") };
    let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
    let at = segment.zip(buffer.pts()).and_then(|(segment, pts)| segment.to_running_time(pts));
    let at = at.map(Duration::from).or_else(|| run.waits.audio.now()).unwrap_or_default();
    let max_size = context.settings().max_frame_size as usize;
    match frame::frame_of(buffer, at, max_size, PadSettings::default()) {
        Ok(frame) => send_command(context, Command::SendFrame(Some(Box::new(frame)))),
        Err(error) => refuse(&format!("send-frame: {}", error.message)),
    }
}
