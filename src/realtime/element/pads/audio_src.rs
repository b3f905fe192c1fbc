// SPDX-License-Identifier: MPL-2.0

//! The pad `src`: what downstream asks of the answer's stream and says to it.

use crate::realtime::element::imp::{CAT, OpenAIRealtime};
use crate::realtime::element::pads::audio_sink;
use gst::prelude::*;
use gst::subclass::prelude::*;
use openai_protocol::session::AudioFormat;
use std::sync::atomic::Ordering;

impl OpenAIRealtime {
    pub(crate) fn src_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Seeking(query) => {
                let format = query.format();
                let none = gst::GenericFormattedValue::none_for_format(format);
                query.set(false, none, none);
                true
            }
            _ => self.stream_query(pad, query),
        }
    }

    /// What every source pad tells: whether it is live, how far the answer's stream is, and how long it will be at
    /// least, which is as long as the input.
    pub(crate) fn stream_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        let position = || self.run().and_then(|run| gst::ClockTime::try_from(run.position()).ok());
        match query.view_mut() {
            gst::QueryViewMut::Latency(query) => {
                // Pieces leave ahead of their time, and what upstream needs does not delay them: the answer is
                // stamped when it is spoken.
                let is_live = self.run().is_some_and(|run| run.is_live());
                let latency = self.text_latency_of(pad).filter(|_| is_live).unwrap_or_default();
                query.set(is_live, latency, gst::ClockTime::NONE);
                true
            }
            gst::QueryViewMut::Position(query) => {
                let position = position().filter(|_| query.format() == gst::Format::Time);
                position.inspect(|position| query.set(*position)).is_some()
            }
            gst::QueryViewMut::Duration(query) => {
                let input = || self.cross(|| self.audio_sink.peer_query_duration::<gst::ClockTime>()).flatten();
                let is_known = query.format() == gst::Format::Time && self.audio_sink.is_linked();
                let duration = is_known.then(input).flatten().map(|input| position().unwrap_or_default().max(input));
                duration.inspect(|duration| query.set(*duration)).is_some()
            }
            _ => self.own_query(pad, query),
        }
    }

    pub(crate) fn src_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "{event:?}");
        match event.view() {
            gst::EventView::Latency(latency) if *pad == self.src => {
                // Upstream is another stream, which its own sinks delay.
                self.latency.store(latency.latency().nseconds(), Ordering::Relaxed);
                true
            }
            gst::EventView::Latency(_) => true,
            gst::EventView::Qos(_) | gst::EventView::Reconfigure(_) => true,
            // The answer's stream is made as it is listened to.
            gst::EventView::Seek(_) | gst::EventView::Navigation(_) => false,
            gst::EventView::CustomUpstream(_) | gst::EventView::CustomBoth(_) | gst::EventView::CustomBothOob(_) => {
                self.custom_event(&event)
                    || self.cross(|| gst::Pad::event_default(pad, Some(&*self.obj()), event)).unwrap_or(false)
            }
            _ => false,
        }
    }

    /// The caps of the answer: of what a server can send the best that downstream takes.
    pub(crate) fn choose_output(&self) -> (gst::Caps, AudioFormat) {
        let template = self.src.pad_template_caps();
        let mut caps = match self.src.is_linked() {
            true => template.intersect_with_mode(&self.src.peer_query_caps(None), gst::CapsIntersectMode::First),
            false => template.clone(),
        };
        if caps.is_empty() {
            // Downstream will say that it does not fit.
            caps = template;
        }
        caps.fixate();
        let format = audio_sink::format_of(&caps).unwrap_or_default();
        (caps, format)
    }
}
