// SPDX-License-Identifier: MPL-2.0

//! The signals of the element.

use crate::chat::conversation::io::Input;
use crate::chat::element::actions;
use crate::chat::element::context::Context;
use crate::media::element_context::HasContext;
use crate::media::signals::{action, question, text};
use gst::glib::subclass::Signal;
use gst::prelude::*;

/// All signals of the element.
pub fn signals<E: HasContext<Context = Context>>() -> Vec<Signal> {
    let string = String::static_type();
    vec![
        action::<E>("send", &[], |context, _| actions::send(context)),
        action::<E>("cancel", &[], |context, _| actions::command(context, Input::Cancel)),
        action::<E>("send-function-output", &[string, string], |context, args| {
            let (call_id, output) = (text(args, 0).unwrap_or_default(), text(args, 1).unwrap_or_default());
            actions::send_function_output(context, call_id, output)
        }),
        question("function-call", &[string, string, string]),
        question("get-credentials", &[]),
    ]
}
