// SPDX-License-Identifier: MPL-2.0

//! What the sink pads for text and cameras have in common: the events that open, move, flush and end their lanes in the
//! mailbox.

use crate::realtime::element::imp::{CAT, OpenAIRealtime};
use gst::prelude::*;
use std::time::Duration;

impl OpenAIRealtime {
    /// An event on a pad besides the sound's. With `holds`, the other pads wait for it, offline.
    pub(crate) fn queue_pad_event(&self, pad: &gst::Pad, event: gst::Event, holds: bool) -> bool {
        gst::log!(CAT, obj = pad, "{event:?}");
        let (name, run) = (pad.name(), self.run());
        let input_queue = run.as_ref().map(|run| &run.input_queue);
        match event.view() {
            gst::EventView::Eos(_) => {
                input_queue.inspect(|input_queue| input_queue.end(&name));
                self.pad_is_at_its_end(pad)
            }
            gst::EventView::StreamStart(_) => {
                run.as_ref().inspect(|run| run.arrived());
                input_queue.inspect(|input_queue| input_queue.open(&name, holds));
                self.pad_goes_on(pad);
                true
            }
            gst::EventView::Gap(event) => {
                let (pts, duration) = event.get();
                let end = pts.saturating_add(duration.unwrap_or_default());
                if let (Some(input_queue), Some(end)) = (input_queue, self.running_time_of(pad, Some(end))) {
                    input_queue.advance(&name, end);
                }
                true
            }
            gst::EventView::FlushStart(_) => {
                run.inspect(|run| run.set_flushing(&name, true));
                true
            }
            gst::EventView::FlushStop(_) => {
                run.inspect(|run| run.set_flushing(&name, false));
                self.pad_goes_on(pad);
                true
            }
            gst::EventView::CustomDownstream(_)
            | gst::EventView::CustomDownstreamSticky(_)
            | gst::EventView::CustomDownstreamOob(_)
            | gst::EventView::CustomBoth(_)
            | gst::EventView::CustomBothOob(_) => self.custom_event(&event) || self.pass_on(pad, event),
            // What the input's stream says of itself is not true of the answer.
            _ => true,
        }
    }

    /// The running time of a timestamp on a pad, where its segment is one of time.
    pub(crate) fn running_time_of(&self, pad: &gst::Pad, pts: Option<gst::ClockTime>) -> Option<Duration> {
        let segment = pad.sticky_event::<gst::event::Segment>(0)?;
        let segment = segment.segment().downcast_ref::<gst::ClockTime>()?.clone();
        Some(segment.to_running_time(pts?)?.into())
    }
}
