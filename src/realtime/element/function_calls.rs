// SPDX-License-Identifier: MPL-2.0

//! Function calls of a session: how they are told, and how their outputs come back into it.

use crate::error::Warning;
use crate::media::function_calls::{Call, CallHost, Program};
use crate::realtime::conversation::Command;
use crate::realtime::conversation::io::FunctionCall;
use crate::realtime::element::OpenAIRealtime;
use crate::realtime::element::imp::CAT;
use crate::realtime::element::messages;
use crate::realtime::element::run::Run;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::Arc;

/// A call of a run.
struct RunCall {
    run: Arc<Run>,
    element: OpenAIRealtime,
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
        messages::post(&self.element, messages::function_call(&self.call, handled));
    }

    fn warn(&self, warning: Warning) {
        self.element.imp().warn(warning);
    }

    fn send_output(&self, call_id: &str, output: String) {
        let command = Command::FunctionOutput { call_id: call_id.to_owned(), output };
        if self.run.input_queue.push_command(command, false).is_err() {
            gst::debug!(CAT, obj = self.element, "the session was over before the output of {call_id} was there");
        }
    }
}

impl Run {
    /// The model calls a function.
    pub fn call(self: &Arc<Self>, element: &OpenAIRealtime, call: FunctionCall) {
        let plain = Call { call_id: call.call_id.clone(), name: call.name.clone(), arguments: call.arguments.clone() };
        self.calls.start(RunCall { run: self.clone(), element: element.clone(), call }, plain);
    }
}
