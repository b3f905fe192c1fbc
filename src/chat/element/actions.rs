// SPDX-License-Identifier: MPL-2.0

//! Actions of the application. Each may come from any thread, and returns whether it was taken; a WARNING says why one was
//! not.

use crate::chat::conversation::io::Input;
use crate::chat::element::context::Context;
use crate::chat::element::session_start;
use gst::prelude::*;

const NO_RUN: &str = "the element is not in PAUSED or PLAYING";

/// Queues a command ahead of queued media.
pub fn command(context: &Context, input: Input) -> bool {
    match context.run() {
        Some(run) if run.input_queue.command(input) => true,
        Some(_) => context.messenger.refuse_action("the run is over"),
        None => context.messenger.refuse_action(NO_RUN),
    }
}

/// Ends the segment behind what is queued.
pub fn send(context: &Context) -> bool {
    let Some(run) = context.run() else { return context.messenger.refuse_action(NO_RUN) };
    session_start::start(context, &run);
    run.input_queue.mark(&context.audio_sink.name(), Input::Send);
    true
}

/// Takes the output of a function call.
pub fn send_function_output(context: &Context, call_id: String, output: String) -> bool {
    let Some(run) = context.run() else { return context.messenger.refuse_action(NO_RUN) };
    match run.calls.take_open(&call_id) {
        Ok(()) => command(context, Input::FunctionOutput { call_id, output }),
        Err(why) => context.messenger.refuse_action(&format!("send-function-output: {why}")),
    }
}
