// SPDX-License-Identifier: MPL-2.0

//! The pad `src`: its activation, and the queries and upstream events that all source pads have in common.

use crate::media;
use crate::media::audio_src_task::Stream;
use crate::media::element_context::{HasContext, in_pad};
use crate::realtime::element::context::Context;
use crate::realtime::element::pads::crossing::{self, own_query};
use crate::realtime::element::text_pad_kind::TextPadKind;
use crate::realtime::element::{CAT, actions};
use gst::prelude::*;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Makes the pad.
pub fn make_pad<E: HasContext<Context = Context>>(template: &gst::PadTemplate) -> gst::Pad {
    gst::Pad::builder_from_template(template)
        .activatemode_function(|pad, parent, _mode, active| {
            in_pad::<E, _>(parent, || Ok(()), |context| activate(context, pad, active))
        })
        .query_function(|pad, parent, query| in_pad::<E, _>(parent, || false, |context| on_query(context, pad, query)))
        .event_function(|pad, parent, event| in_pad::<E, _>(parent, || false, |context| on_event(context, pad, event)))
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
    let (task, mut stream) = (run.source.clone(), Stream::default());
    let started = media::start_task(pad, move || task.iterate(&mut stream));
    started.map_err(|error| gst::loggable_error!(CAT, "the task does not start: {error}"))
}

fn on_query(context: &Context, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
    match query.view_mut() {
        gst::QueryViewMut::Seeking(query) => {
            let format = query.format();
            let none = gst::GenericFormattedValue::none_for_format(format);
            query.set(false, none, none);
            true
        }
        _ => stream_query(context, pad, query),
    }
}

/// Answers LATENCY, POSITION and DURATION for every source pad. The output is at least as long as the input.
pub fn stream_query(context: &Context, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
    let position = || context.run().and_then(|run| gst::ClockTime::try_from(run.position()).ok());
    match query.view_mut() {
        gst::QueryViewMut::Latency(query) => {
            // Audio is stamped with the time at which it is pushed, so upstream's latency does not delay it.
            let is_live = context.run().is_some_and(|run| run.is_live());
            let latency = match TextPadKind::by_name(&pad.name()) {
                _ if !is_live => Duration::ZERO,
                Some(kind) => kind.latency(&context.settings()),
                None => context.settings().source_delay(),
            };
            let latency = gst::ClockTime::from_nseconds(latency.as_nanos() as u64);
            query.set(is_live, latency, gst::ClockTime::NONE);
            true
        }
        gst::QueryViewMut::Position(query) => {
            let position = position().filter(|_| query.format() == gst::Format::Time);
            position.inspect(|position| query.set(*position)).is_some()
        }
        gst::QueryViewMut::Duration(query) => {
            let sink = &context.audio_sink;
            let input = || crossing::cross(context, || sink.peer_query_duration::<gst::ClockTime>()).flatten();
            let is_known = query.format() == gst::Format::Time && sink.is_linked();
            let duration = is_known.then(input).flatten().map(|input| position().unwrap_or_default().max(input));
            duration.inspect(|duration| query.set(*duration)).is_some()
        }
        _ => own_query(context, pad, query),
    }
}

/// Handles an upstream event on any source pad.
pub fn on_event(context: &Context, pad: &gst::Pad, event: gst::Event) -> bool {
    gst::log!(CAT, obj = pad, "{event:?}");
    match event.view() {
        gst::EventView::Latency(latency) => {
            // It is not passed on, because upstream is a stream of its own with sinks of its own.
            if *pad == context.src {
                context.latency.store(latency.latency().nseconds(), Ordering::Relaxed);
            }
            true
        }
        gst::EventView::Qos(_) | gst::EventView::Reconfigure(_) => true,
        // The output is generated, so there is nothing to seek in.
        gst::EventView::Seek(_) | gst::EventView::Navigation(_) => false,
        gst::EventView::CustomUpstream(_) | gst::EventView::CustomBoth(_) | gst::EventView::CustomBothOob(_) => {
            actions::custom_event(context, &event) || crossing::forward(context, pad, event)
        }
        _ => false,
    }
}
