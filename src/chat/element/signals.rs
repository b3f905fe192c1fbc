// SPDX-License-Identifier: MPL-2.0

//! What an application asks the element for, and what the element asks the application for.

use crate::chat::conversation::io::Input;
use crate::chat::element::OpenAIChat;
use crate::chat::element::imp::{CAT, OpenAIChat as Imp};
use crate::error::Warning;
use crate::net::credentials::CredentialsProvider;
use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::LazyLock;

/// A signal that is emitted to ask for something; it returns whether that was taken.
fn action(name: &str, params: &[glib::Type], act: fn(&Imp, &[glib::Value]) -> bool) -> Signal {
    Signal::builder(name)
        .param_types(params.iter().copied())
        .return_type::<bool>()
        .action()
        .class_handler(move |args| {
            let element = args.first()?.get::<OpenAIChat>().ok()?;
            Some(act(element.imp(), &args[1..]).to_value())
        })
        .build()
}

/// A signal whose first handler that answers counts.
fn question(name: &str, params: &[glib::Type]) -> Signal {
    Signal::builder(name)
        .param_types(params.iter().copied())
        .return_type::<Option<String>>()
        .run_last()
        .accumulator(|_hint, _so_far, answer| match answer.get::<Option<String>>() {
            Ok(Some(_)) => std::ops::ControlFlow::Break(answer.clone()),
            _ => std::ops::ControlFlow::Continue(answer.clone()),
        })
        .build()
}

fn text(args: &[glib::Value], index: usize) -> String {
    args.get(index).and_then(|value| value.get::<Option<String>>().ok().flatten()).unwrap_or_default()
}

/// All signals of the element.
pub fn signals() -> &'static [Signal] {
    static SIGNALS: LazyLock<Vec<Signal>> = LazyLock::new(|| {
        let string = String::static_type();
        vec![
            action("send", &[], |this, _| this.send_now()),
            action("cancel", &[], |this, _| this.command(Input::Cancel)),
            action("send-function-output", &[string, string], |this, args| {
                this.send_function_output(text(args, 0), text(args, 1))
            }),
            question("function-call", &[string, string, string]),
            question("get-credentials", &[]),
        ]
    });
    &SIGNALS
}

impl Imp {
    fn command(&self, input: Input) -> bool {
        match self.run() {
            Some(run) if run.input_queue.command(input) => true,
            Some(_) => self.not_taken("the run is over"),
            None => self.not_taken("the element is not in PAUSED or PLAYING"),
        }
    }

    fn not_taken(&self, why: &str) -> bool {
        gst::warning!(CAT, imp = self, "not taken: {why}");
        self.warn(Warning::new("not-taken", format!("an action was not taken: {why}")));
        false
    }

    /// Behind all that has come in so far.
    fn send_now(&self) -> bool {
        let Some(run) = self.run() else { return self.not_taken("the element is not in PAUSED or PLAYING") };
        self.begin(&run);
        run.input_queue.mark(&self.audio_sink.name(), Input::Send);
        true
    }

    fn send_function_output(&self, call_id: String, output: String) -> bool {
        let Some(run) = self.run() else { return self.not_taken("the element is not in PAUSED or PLAYING") };
        match run.calls.take_open(&call_id) {
            Ok(()) => self.command(Input::FunctionOutput { call_id, output }),
            Err(why) => self.not_taken(&format!("send-function-output: {why}")),
        }
    }

    /// The application, where it has connected to `get-credentials`.
    pub(crate) fn credentials(&self) -> Option<CredentialsProvider> {
        let element = self.obj();
        let signal = glib::subclass::SignalId::lookup("get-credentials", OpenAIChat::static_type())?;
        if !glib::signal::signal_has_handler_pending(&*element, signal, None, true) {
            return None;
        }
        let element = element.downgrade();
        Some(CredentialsProvider::new(move || {
            element.upgrade()?.emit_by_name::<Option<String>>("get-credentials", &[])
        }))
    }
}
