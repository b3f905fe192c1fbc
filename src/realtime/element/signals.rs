// SPDX-License-Identifier: MPL-2.0

//! Signals of the element: actions of the application, and questions to it.

use crate::net::credentials::CredentialsProvider;
use crate::realtime::conversation::Command;
use crate::realtime::element::actions;
use crate::realtime::element::context::{Context, HasContext};
use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use gst::subclass::prelude::*;

/// An action signal, which returns whether the action was taken.
fn action<E: HasContext>(name: &str, params: &[glib::Type], act: fn(&Context, &[glib::Value]) -> bool) -> Signal {
    Signal::builder(name)
        .param_types(params.iter().copied())
        .return_type::<bool>()
        .action()
        .class_handler(move |args| {
            let element = args.first()?.get::<gst::Element>().ok()?.downcast::<E::Type>().ok()?;
            Some(act(E::from_obj(&element).context(), &args[1..]).to_value())
        })
        .build()
}

/// A signal that asks the application; the first handler that returns a text decides.
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

fn text(args: &[glib::Value], index: usize) -> Option<String> {
    args.get(index)?.get::<Option<String>>().ok()?
}

fn flag(args: &[glib::Value], index: usize) -> bool {
    args.get(index).is_some_and(|value| value.get() == Ok(true))
}

/// All signals of the element.
pub fn signals<E: HasContext>() -> Vec<Signal> {
    let (string, boolean) = (String::static_type(), bool::static_type());
    vec![
        action::<E>("send-text", &[string, boolean], |context, args| {
            actions::send_text(context, text(args, 0).unwrap_or_default(), flag(args, 1))
        }),
        action::<E>("send-frame", &[gst::Sample::static_type()], |context, args| {
            let sample = args.first().and_then(|value| value.get::<Option<gst::Sample>>().ok().flatten());
            actions::send_frame(context, sample)
        }),
        action::<E>("commit", &[], |context, _| actions::send_command(context, Command::Commit)),
        action::<E>("clear", &[], |context, _| actions::send_command(context, Command::Clear)),
        action::<E>("create-response", &[string], |context, args| {
            actions::create_response(context, text(args, 0).as_deref())
        }),
        action::<E>("cancel-response", &[], |context, _| actions::send_command(context, Command::CancelResponse)),
        action::<E>("send-function-output", &[string, string], |context, args| {
            let (call_id, output) = (text(args, 0).unwrap_or_default(), text(args, 1).unwrap_or_default());
            actions::send_function_output(context, call_id, output)
        }),
        action::<E>("send-approval", &[string, boolean], |context, args| {
            let request_id = text(args, 0).unwrap_or_default();
            actions::send_command(context, Command::Approve { request_id, approve: flag(args, 1) })
        }),
        action::<E>("send-event", &[string], |context, args| {
            actions::send_event_json(context, &text(args, 0).unwrap_or_default())
        }),
        question("function-call", &[string, string, string]),
        question("get-credentials", &[]),
    ]
}

/// The application as a source of keys, if it has connected to `get-credentials`.
pub fn credentials(element: &gst::Element) -> Option<CredentialsProvider> {
    let signal = glib::subclass::SignalId::lookup("get-credentials", element.type_())?;
    if !glib::signal::signal_has_handler_pending(element, signal, None, true) {
        return None;
    }
    let element = element.downgrade();
    Some(CredentialsProvider::new(move || element.upgrade()?.emit_by_name::<Option<String>>("get-credentials", &[])))
}
