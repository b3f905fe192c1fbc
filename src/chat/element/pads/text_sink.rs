// SPDX-License-Identifier: MPL-2.0

//! The pad `text_sink`: each buffer is a text of its segment.

use crate::chat::conversation::io::Input;
use crate::chat::element::context::Context;
use crate::chat::element::pads::events;
use crate::chat::element::session_start;
use crate::error::Warning;
use crate::media::element_context::{HasContext, in_pad};
use gst::prelude::*;

/// Makes the pad.
pub fn make_pad<E: HasContext<Context = Context>>(template: &gst::PadTemplate, name: &str) -> gst::Pad {
    gst::Pad::builder_from_template(template)
        .name(name)
        .chain_function(|pad, parent, buffer| {
            in_pad::<E, _>(parent, || Err(gst::FlowError::Error), |context| chain(context, pad, &buffer))
        })
        .event_function(|pad, parent, event| {
            in_pad::<E, _>(parent, || false, |context| events::on_event(context, pad, &event))
        })
        .build()
}

fn chain(context: &Context, pad: &gst::Pad, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
    let run = context.run().ok_or(gst::FlowError::Flushing)?;
    session_start::start(context, &run);
    let data = buffer.map_readable().map_err(|_| events::post_unreadable(context))?;
    let text = match std::str::from_utf8(&data) {
        // A text file may start with a byte order mark.
        Ok(text) => text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']),
        Err(error) => {
            let message = format!("{}: a buffer that is no UTF-8 is left out: {error}", pad.name());
            context.messenger.warn(Warning::new("not-utf8", message));
            return run.source.flow();
        }
    };
    if text.trim().is_empty() {
        return run.source.flow();
    }
    let at = context.input_pads().running_time(&pad.name(), buffer.pts());
    let input = Input::Text { text: text.to_owned(), at };
    run.input_queue.push(&pad.name(), input, 0).map_err(|error| run.flow_of(error))?;
    if let Some(at) = at {
        run.input_queue.mark(&pad.name(), Input::PadReached(pad.name().into(), at));
    }
    run.source.flow()
}
