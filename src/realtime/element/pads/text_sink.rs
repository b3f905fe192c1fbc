// SPDX-License-Identifier: MPL-2.0

//! The pad `text_sink`: each buffer is a message of the user.

use crate::error::Warning;
use crate::media::element_context::{HasContext, in_pad};
use crate::realtime::conversation::Command;
use crate::realtime::element::context::Context;
use crate::realtime::element::pads::crossing::own_query;
use crate::realtime::element::pads::events;
use crate::realtime::element::session_start;
use gst::prelude::*;

/// Makes the pad.
pub fn make_pad<E: HasContext<Context = Context>>(template: &gst::PadTemplate, name: &str) -> gst::Pad {
    gst::Pad::builder_from_template(template)
        .name(name)
        .chain_function(|pad, parent, buffer| {
            in_pad::<E, _>(parent, || Err(gst::FlowError::Error), |context| chain(context, pad, &buffer))
        })
        .event_function(|pad, parent, event| in_pad::<E, _>(parent, || false, |context| on_event(context, pad, event)))
        .query_function(|pad, parent, query| in_pad::<E, _>(parent, || false, |context| own_query(context, pad, query)))
        .build()
}

fn chain(context: &Context, pad: &gst::Pad, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
    let run = context.run().ok_or(gst::FlowError::Flushing)?;
    session_start::start_if_known(context, &run, true);
    let Ok(data) = buffer.map_readable() else {
        events::post_unreadable(context);
        return Err(gst::FlowError::Error);
    };
    let text = match std::str::from_utf8(&data) {
        // A text file may start with a byte order mark, and a line from a keyboard ends with a line break.
        Ok(text) => text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']),
        Err(error) => {
            let message = format!("{}: a buffer that is no UTF-8 is left out: {error}", pad.name());
            context.messenger.warn(Warning::new("not-utf8", message).about(pad.name().as_str()));
            return run.source.flow();
        }
    };
    if text.trim().is_empty() {
        return run.source.flow();
    }
    let at = events::running_time_of(pad, buffer.pts());
    if let Some(at) = at.filter(|_| run.paces_input()) {
        run.waits.of(&pad.name()).wait_until_reached(at).map_err(|_| gst::FlowError::Flushing)?;
    }
    let command = Command::Text { text: text.to_owned(), respond: true, at };
    run.input_queue.push_blocking(&pad.name(), command, at).map_err(|error| run.flow_of(error))?;
    run.source.flow()
}

fn on_event(context: &Context, pad: &gst::Pad, event: gst::Event) -> bool {
    let gst::EventView::Segment(segment) = event.view() else {
        return events::on_event(context, pad, event, false);
    };
    // Text with timestamps has a place among audio and frames.
    let is_timed = segment.segment().format() == gst::Format::Time;
    if let Some(run) = context.run() {
        run.input_queue.open(&pad.name(), is_timed);
    }
    true
}
