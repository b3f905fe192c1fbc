// SPDX-License-Identifier: MPL-2.0

//! The signals of the element.

use crate::media::element_context::HasContext;
use crate::media::signals::{action, flag, question, text};
use crate::realtime::conversation::Command;
use crate::realtime::element::actions;
use crate::realtime::element::context::Context;
use gst::glib::subclass::Signal;
use gst::prelude::*;

/// All signals of the element.
pub fn signals<E: HasContext<Context = Context>>() -> Vec<Signal> {
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
