// SPDX-License-Identifier: MPL-2.0

//! The source pads for text: `text_src`, `transcript_src` and `event_src`.

use crate::error::Warning;
use crate::media;
use crate::media::element_context::{HasContext, in_pad};
use crate::media::recorder;
use crate::media::text_src_task::Stream;
use crate::realtime::element::CAT;
use crate::realtime::element::context::Context;
use crate::realtime::element::pads::audio_src::{on_event, stream_query};
use crate::realtime::element::text_pad_kind::TextPadKind;
use gst::prelude::*;

/// Makes a pad.
pub fn make_pad<E: HasContext<Context = Context>>(template: &gst::PadTemplate, name: &str) -> gst::Pad {
    gst::Pad::builder_from_template(template)
        .name(name)
        .activatemode_function(|pad, parent, _mode, active| {
            // A pad that is activated before the element has it starts its task after that.
            in_pad::<E, _>(parent, || Ok(()), |context| activate(context, pad, active))
        })
        .query_function(|pad, parent, query| {
            in_pad::<E, _>(parent, || false, |context| stream_query(context, pad, query))
        })
        .event_function(|pad, parent, event| in_pad::<E, _>(parent, || false, |context| on_event(context, pad, event)))
        .build()
}

/// Starts the task of a pad that was active before the element had the pad or a run.
pub fn start_if_active(context: &Context, pad: &gst::Pad) {
    // A pad that is not active would lose its STREAM_START; its task starts when it is activated.
    if context.run().is_some()
        && pad.is_active()
        && TextPadKind::by_name(&pad.name()).is_some()
        && let Err(error) = activate(context, pad, true)
    {
        gst::error!(CAT, obj = pad, "{error:?}");
    }
}

fn activate(context: &Context, pad: &gst::Pad, active: bool) -> Result<(), gst::LoggableError> {
    if !active {
        if let Some(run) = context.run() {
            run.remove_text(pad);
        }
        return pad.stop_task().map_err(|error| gst::loggable_error!(CAT, "the task does not stop: {error}"));
    }
    // Without a run it starts when there is one.
    let Some(run) = context.run() else { return Ok(()) };
    let kind = TextPadKind::by_name(&pad.name()).ok_or_else(|| gst::loggable_error!(CAT, "no pad of text"))?;
    let (Some(task), mut stream) = (run.add_text(pad, kind), Stream::default()) else { return Ok(()) };
    if let Some(muxer) = recorder::splitmuxsink_downstream_of(pad) {
        warn_of_splitmuxsink(context, pad, &muxer);
    }
    let started = media::start_task(pad, move || task.iterate(&mut stream));
    started.map_err(|error| gst::loggable_error!(CAT, "the task does not start: {error}"))
}

fn warn_of_splitmuxsink(context: &Context, pad: &gst::Pad, muxer: &gst::Element) {
    let message = format!(
        "{}: {} writes nothing while there are no words, because it waits for a buffer on each of its pads and does not take GAP events for one. Write the words into a file of their own, or all into one file by a muxer alone",
        pad.name(),
        muxer.name()
    );
    context.messenger.warn(Warning::new("splitmuxsink", message));
}
