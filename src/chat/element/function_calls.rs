// SPDX-License-Identifier: MPL-2.0

//! Function calls of a run: the signal, the message, and the output on its way back to the session.

use crate::chat::conversation::io::{FunctionCall, Input};
use crate::chat::element::messenger::Messenger;
use crate::chat::element::run::Run;
use crate::chat::element::{CAT, messages};
use crate::error::Warning;
use crate::media::function_calls::{Call, CallHost, Program};
use crate::media::glib_text;
use gst::prelude::*;
use std::sync::Arc;

/// A call of a run.
struct RunCall {
    run: Arc<Run>,
    messenger: Arc<Messenger>,
    element: gst::Element,
    call: FunctionCall,
}

impl CallHost for RunCall {
    fn emit_signal(&self, call: &Call) -> Option<String> {
        self.element.emit_by_name::<Option<String>>("function-call", &[&call.name, &call.call_id, &call.arguments])
    }

    fn program(&self) -> Option<Program> {
        self.run.program()
    }

    fn post(&self, handled: bool) {
        self.messenger.post(messages::function_call(&self.call, handled));
    }

    fn warn(&self, warning: Warning) {
        self.messenger.warn(warning);
    }

    fn send_output(&self, call_id: &str, output: String) {
        if !self.run.input_queue.command(Input::FunctionOutput { call_id: call_id.to_owned(), output }) {
            gst::debug!(CAT, obj = self.element, "the run was over before the output of {call_id} was there");
        }
    }
}

/// Starts to answer a call.
pub fn start(run: &Arc<Run>, messenger: &Arc<Messenger>, call: &FunctionCall) {
    let Some(element) = messenger.element() else { return };
    let plain = Call {
        call_id: call.call_id.clone(),
        name: call.name.clone(),
        arguments: glib_text(&call.arguments).into_owned(),
    };
    run.calls.start(RunCall { run: run.clone(), messenger: messenger.clone(), element, call: call.clone() }, plain);
}
