// SPDX-License-Identifier: MPL-2.0

//! Events of the sink pads for text and video: they start, advance, flush and end the pad's part of the input queue.

use crate::realtime::element::context::Context;
use crate::realtime::element::pads::crossing;
use crate::realtime::element::{CAT, actions, eos};
use gst::prelude::*;
use std::time::Duration;

/// Handles an event. Offline, items of other pads wait for this pad if it is `synchronized`.
pub fn on_event(context: &Context, pad: &gst::Pad, event: gst::Event, synchronized: bool) -> bool {
    gst::log!(CAT, obj = pad, "{event:?}");
    let (name, run) = (pad.name(), context.run());
    match event.view() {
        gst::EventView::Eos(_) => {
            if let Some(run) = run {
                run.input_queue.end(&name);
            }
            eos::pad_ended(context, pad)
        }
        gst::EventView::StreamStart(_) => {
            if let Some(run) = run {
                run.on_stream_start();
                run.input_queue.open(&name, synchronized);
            }
            eos::pad_started(context, pad);
            true
        }
        gst::EventView::Gap(event) => {
            let (pts, duration) = event.get();
            let end = pts.saturating_add(duration.unwrap_or_default());
            if let (Some(run), Some(end)) = (run, running_time_of(pad, Some(end))) {
                run.input_queue.advance(&name, end);
            }
            true
        }
        gst::EventView::FlushStart(_) => {
            if let Some(run) = run {
                run.set_flushing(&name, true);
            }
            true
        }
        gst::EventView::FlushStop(_) => {
            if let Some(run) = run {
                run.set_flushing(&name, false);
            }
            eos::pad_started(context, pad);
            true
        }
        _ => on_other_event(context, pad, event),
    }
}

/// Handles an event that does not concern the input queue: those of applications are actions or pass, and TAG and the like
/// end here, because they describe the input and not the output.
pub fn on_other_event(context: &Context, pad: &gst::Pad, event: gst::Event) -> bool {
    match event.view() {
        gst::EventView::CustomDownstream(_)
        | gst::EventView::CustomDownstreamSticky(_)
        | gst::EventView::CustomDownstreamOob(_)
        | gst::EventView::CustomBoth(_)
        | gst::EventView::CustomBothOob(_) => {
            actions::custom_event(context, &event) || crossing::pass_on(context, pad, event)
        }
        _ => true,
    }
}

/// The running time of a timestamp, if the pad's segment is in format TIME.
pub fn running_time_of(pad: &gst::Pad, pts: Option<gst::ClockTime>) -> Option<Duration> {
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = segment.segment().downcast_ref::<gst::ClockTime>()?.clone();
    Some(segment.to_running_time(pts?)?.into())
}

/// Posts that a buffer cannot be mapped.
pub fn post_unreadable(context: &Context) {
    if let Some(element) = context.element() {
        gst::element_error!(element, gst::ResourceError::Failed, ["A buffer cannot be read"]);
    }
}
