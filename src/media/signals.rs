// SPDX-License-Identifier: MPL-2.0

//! Signals that elements have: actions of the application, and questions to it.

use crate::media::element_context::HasContext;
use crate::net::credentials::CredentialsProvider;
use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use gst::subclass::prelude::*;

/// An action signal, which returns whether the action was taken.
pub fn action<E: HasContext>(
    name: &str,
    params: &[glib::Type],
    act: fn(&E::Context, &[glib::Value]) -> bool,
) -> Signal {
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
pub fn question(name: &str, params: &[glib::Type]) -> Signal {
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

/// An argument that is a string.
pub fn text(args: &[glib::Value], index: usize) -> Option<String> {
    args.get(index)?.get::<Option<String>>().ok()?
}

/// An argument that is a boolean.
pub fn flag(args: &[glib::Value], index: usize) -> bool {
    args.get(index).is_some_and(|value| value.get() == Ok(true))
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
