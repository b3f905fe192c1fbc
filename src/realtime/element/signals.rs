// SPDX-License-Identifier: MPL-2.0

//! What an application asks the element for: action signals, and custom events of the same names.
//!
//! Every action is safe from any thread and gives back whether it was taken. What is wrong with one that was not is
//! told as a WARNING.

use crate::error::Warning;
use crate::queue::push_error::PushError;
use crate::realtime::conversation::Command;
use crate::realtime::element::imp::{CAT, OpenAIRealtime};
use crate::realtime::session::CredentialsProvider;
use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use gst::subclass::prelude::*;
use openai_protocol::{self, ClientEvent, ResponseParams};
use std::sync::LazyLock;

/// A signal that is emitted to ask for something.
fn action(name: &str, params: &[glib::Type], act: fn(&OpenAIRealtime, &[glib::Value]) -> bool) -> Signal {
    Signal::builder(name)
        .param_types(params.iter().copied())
        .return_type::<bool>()
        .action()
        .class_handler(move |args| {
            let element = args.first()?.get::<crate::realtime::element::OpenAIRealtime>().ok()?;
            Some(act(element.imp(), &args[1..]).to_value())
        })
        .build()
}

fn text(args: &[glib::Value], index: usize) -> Option<String> {
    args.get(index)?.get::<Option<String>>().ok()?
}

fn flag(args: &[glib::Value], index: usize) -> bool {
    args.get(index).is_some_and(|value| value.get() == Ok(true))
}

/// All signals of the element.
pub fn signals() -> &'static [Signal] {
    static SIGNALS: LazyLock<Vec<Signal>> = LazyLock::new(|| {
        let (string, boolean) = (String::static_type(), bool::static_type());
        vec![
            action("send-text", &[string, boolean], |this, args| {
                this.send_text(text(args, 0).unwrap_or_default(), flag(args, 1))
            }),
            action("send-frame", &[gst::Sample::static_type()], |this, args| {
                let sample = args.first().and_then(|value| value.get::<Option<gst::Sample>>().ok().flatten());
                this.send_frame(sample)
            }),
            action("commit", &[], |this, _| this.command(Command::Commit)),
            action("clear", &[], |this, _| this.command(Command::Clear)),
            action("create-response", &[string], |this, args| this.create_response(text(args, 0).as_deref())),
            action("cancel-response", &[], |this, _| this.command(Command::CancelResponse)),
            action("send-function-output", &[string, string], |this, args| {
                this.send_function_output(text(args, 0).unwrap_or_default(), text(args, 1).unwrap_or_default())
            }),
            action("send-approval", &[string, boolean], |this, args| {
                let request_id = text(args, 0).unwrap_or_default();
                this.command(Command::Approve { request_id, approve: flag(args, 1) })
            }),
            action("send-event", &[string], |this, args| this.send_event_json(&text(args, 0).unwrap_or_default())),
            Signal::builder("function-call")
                .param_types([string, string, string])
                .return_type::<Option<String>>()
                .run_last()
                .accumulator(|_hint, _so_far, answer| match answer.get::<Option<String>>() {
                    Ok(Some(_)) => std::ops::ControlFlow::Break(answer.clone()),
                    _ => std::ops::ControlFlow::Continue(answer.clone()),
                })
                .build(),
            Signal::builder("get-credentials")
                .return_type::<Option<String>>()
                .run_last()
                .accumulator(|_hint, _so_far, answer| match answer.get::<Option<String>>() {
                    Ok(Some(_)) => std::ops::ControlFlow::Break(answer.clone()),
                    _ => std::ops::ControlFlow::Continue(answer.clone()),
                })
                .build(),
        ]
    });
    &SIGNALS
}

impl OpenAIRealtime {
    /// The application, if it listens to be asked for the key of each connection.
    pub(crate) fn credentials(&self) -> Option<CredentialsProvider> {
        let element = self.obj();
        let signal = glib::subclass::SignalId::lookup(
            "get-credentials",
            crate::realtime::element::OpenAIRealtime::static_type(),
        )?;
        if !glib::signal::signal_has_handler_pending(&*element, signal, None, true) {
            return None;
        }
        let element = element.downgrade();
        Some(CredentialsProvider::new(move || {
            element.upgrade()?.emit_by_name::<Option<String>>("get-credentials", &[])
        }))
    }

    /// Hands a command over.
    pub(crate) fn command(&self, command: Command) -> bool {
        let in_order =
            !matches!(command, Command::CancelResponse | Command::FunctionOutput { .. } | Command::Approve { .. });
        let Some(run) = self.run() else { return self.not_taken("the element is not in PAUSED or PLAYING") };
        match run.input_queue.push_command(command, in_order) {
            Ok(()) => true,
            Err(PushError::Full) => self.not_taken("too many commands wait already"),
            Err(PushError::Closed | PushError::Flushing) => self.not_taken("the session is over"),
        }
    }

    pub(crate) fn not_taken(&self, why: &str) -> bool {
        gst::warning!(CAT, imp = self, "not taken: {why}");
        self.warn(Warning::new("not-taken", format!("an action was not taken: {why}")).about(why));
        false
    }

    fn send_text(&self, text: String, respond: bool) -> bool {
        if text.trim().is_empty() {
            return self.not_taken("send-text: the text is empty");
        }
        self.command(Command::Text { text, respond, at: None })
    }

    fn create_response(&self, options: Option<&str>) -> bool {
        let options = options.filter(|text| !text.trim().is_empty());
        let params = options.map(openai_protocol::object::<ResponseParams>).transpose();
        match params {
            Ok(params) => self.command(Command::CreateResponse(params.map(Box::new))),
            Err(error) => self.not_taken(&format!("create-response: the options: {error}")),
        }
    }

    fn send_function_output(&self, call_id: String, output: String) -> bool {
        let Some(run) = self.run() else { return self.not_taken("the element is not in PAUSED or PLAYING") };
        if let Err(why) = run.calls.take_open(&call_id) {
            return self.not_taken(&format!("send-function-output: {why}"));
        }
        self.command(Command::FunctionOutput { call_id, output })
    }

    fn send_event_json(&self, json: &str) -> bool {
        match ClientEvent::from_json(json) {
            Ok(event) => self.command(Command::Event(Box::new(event))),
            Err(error) => self.not_taken(&format!("send-event: {}", error.plain())),
        }
    }

    /// A custom event that asks for what an action of the same name does. False where it is none of these.
    pub(crate) fn custom_event(&self, event: &gst::EventRef) -> bool {
        let Some(structure) = event.structure() else { return false };
        let Some(name) = structure.name().strip_prefix("openairealtime/") else { return false };
        let text = |field: &str| structure.get::<String>(field).ok();
        let flag = |field: &str, otherwise: bool| structure.get::<bool>(field).unwrap_or(otherwise);
        let taken = match name {
            "send-text" => self.send_text(text("text").unwrap_or_default(), flag("respond", true)),
            "send-frame" => self.send_frame(structure.get::<gst::Sample>("sample").ok()),
            "commit" => self.command(Command::Commit),
            "clear" => self.command(Command::Clear),
            "create-response" => self.create_response(text("options").as_deref()),
            "cancel-response" => self.command(Command::CancelResponse),
            "send-function-output" => {
                self.send_function_output(text("call-id").unwrap_or_default(), text("output").unwrap_or_default())
            }
            "send-approval" => self.command(Command::Approve {
                request_id: text("approval-request-id").unwrap_or_default(),
                approve: flag("approve", false),
            }),
            "send-event" => self.send_event_json(&text("json").unwrap_or_default()),
            _ => return false,
        };
        gst::debug!(CAT, imp = self, "event {name}: {}", if taken { "taken" } else { "not taken" });
        true
    }
}
