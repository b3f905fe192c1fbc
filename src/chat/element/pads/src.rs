// SPDX-License-Identifier: MPL-2.0

//! The source pads: `src`, `text_src` and `event_src`.

use crate::chat::element::CAT;
use crate::chat::element::context::Context;
use crate::chat::element::text_pad_kind::TextPadKind;
use crate::media;
use crate::media::element_context::{HasContext, in_pad};
use crate::media::{audio_src_task, text_src_task};
use gst::prelude::*;
use std::sync::atomic::Ordering;

/// Makes the pad `src`.
pub fn make_pad<E: HasContext<Context = Context>>(template: &gst::PadTemplate) -> gst::Pad {
    gst::Pad::builder_from_template(template)
        .activatemode_function(|pad, parent, _mode, active| {
            in_pad::<E, _>(parent, || Ok(()), |context| activate(context, pad, active))
        })
        .query_function(|pad, parent, query| in_pad::<E, _>(parent, || false, |context| on_query(context, pad, query)))
        .event_function(|pad, parent, event| in_pad::<E, _>(parent, || false, |context| on_event(context, pad, &event)))
        .build()
}

/// Makes a pad for text.
pub fn make_text_pad<E: HasContext<Context = Context>>(template: &gst::PadTemplate, name: &str) -> gst::Pad {
    gst::Pad::builder_from_template(template)
        .name(name)
        .activatemode_function(|pad, parent, _mode, active| {
            // A pad that is activated before the element has it starts its task after that.
            in_pad::<E, _>(parent, || Ok(()), |context| activate_text(context, pad, active))
        })
        .query_function(|pad, parent, query| in_pad::<E, _>(parent, || false, |context| on_query(context, pad, query)))
        .event_function(|pad, parent, event| in_pad::<E, _>(parent, || false, |context| on_event(context, pad, &event)))
        .build()
}

fn activate(context: &Context, pad: &gst::Pad, active: bool) -> Result<(), gst::LoggableError> {
    if !active {
        // Not only a change of state deactivates a pad.
        if let Some(run) = context.run() {
            run.source.stop();
        }
        return pad.stop_task().map_err(|error| gst::loggable_error!(CAT, "the task does not stop: {error}"));
    }
    let run = context.run().ok_or_else(|| gst::loggable_error!(CAT, "no run"))?;
    let (task, mut stream) = (run.source.clone(), audio_src_task::Stream::default());
    let started = media::start_task(pad, move || task.iterate(&mut stream));
    started.map_err(|error| gst::loggable_error!(CAT, "the task does not start: {error}"))
}

/// Starts the task of a pad for text that was active before the element had the pad or a run.
pub fn start_if_active(context: &Context, pad: &gst::Pad) {
    // A pad that is not active would lose its STREAM_START; its task starts when it is activated.
    if context.run().is_some()
        && pad.is_active()
        && TextPadKind::by_name(&pad.name()).is_some()
        && let Err(error) = activate_text(context, pad, true)
    {
        gst::error!(CAT, obj = pad, "{error:?}");
    }
}

fn activate_text(context: &Context, pad: &gst::Pad, active: bool) -> Result<(), gst::LoggableError> {
    if !active {
        if let Some(run) = context.run() {
            run.remove_text(pad);
        }
        return pad.stop_task().map_err(|error| gst::loggable_error!(CAT, "the task does not stop: {error}"));
    }
    // Without a run it starts when there is one.
    let Some(run) = context.run() else { return Ok(()) };
    let kind = TextPadKind::by_name(&pad.name()).ok_or_else(|| gst::loggable_error!(CAT, "no pad of text"))?;
    let Some(task) = run.add_text(pad, kind) else { return Ok(()) };
    let mut stream = text_src_task::Stream::default();
    let started = media::start_task(pad, move || task.iterate(&mut stream));
    started.map_err(|error| gst::loggable_error!(CAT, "the task does not start: {error}"))
}

fn on_query(context: &Context, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
    match query.view_mut() {
        gst::QueryViewMut::Latency(query) => {
            // Answers are stamped with the time at which they are pushed, so nothing is ever late.
            let is_live = context.run().is_some_and(|run| run.is_live());
            query.set(is_live, gst::ClockTime::ZERO, gst::ClockTime::NONE);
            true
        }
        gst::QueryViewMut::Seeking(query) => {
            let format = query.format();
            let none = gst::GenericFormattedValue::none_for_format(format);
            query.set(false, none, none);
            true
        }
        _ => gst::Pad::query_default(pad, context.element().as_ref(), query),
    }
}

fn on_event(context: &Context, pad: &gst::Pad, event: &gst::Event) -> bool {
    gst::log!(CAT, obj = pad, "{event:?}");
    match event.view() {
        gst::EventView::Latency(latency) => {
            if *pad == context.src {
                context.latency.store(latency.latency().nseconds(), Ordering::Relaxed);
            }
            true
        }
        gst::EventView::Qos(_) | gst::EventView::Reconfigure(_) => true,
        // The output is generated, so there is nothing to seek in.
        _ => false,
    }
}
