// SPDX-License-Identifier: MPL-2.0

//! The pads of text: `text_sink` in, and `text_src`, `transcript_src` and `event_src` out.

use crate::error::Warning;
use crate::media;
use crate::media::recorder;
use crate::media::text_src_task::{Stream, TextSrcTask};
use crate::realtime::conversation::Command;
use crate::realtime::element::imp::{CAT, OpenAIRealtime};
use crate::realtime::element::run::Run;
use crate::realtime::element::settings::Settings;
use crate::types::Speaker;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::Arc;
use std::time::Duration;

/// What a pad of text carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextPadKind {
    /// Somebody's words.
    Words(Speaker),
    /// The events of the wire.
    Events,
}

impl TextPadKind {
    /// By the name of the pad.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "text_src" => Some(Self::Words(Speaker::Assistant)),
            "transcript_src" => Some(Self::Words(Speaker::User)),
            "event_src" => Some(Self::Events),
            _ => None,
        }
    }
}

impl OpenAIRealtime {
    /// A typed message. Line breaks at its end are the keyboard's.
    pub(crate) fn text_chain(&self, pad: &gst::Pad, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let run = self.run().ok_or(gst::FlowError::Flushing)?;
        self.begin_if_known(&run, true);
        let Ok(data) = buffer.map_readable() else {
            gst::element_imp_error!(self, gst::ResourceError::Failed, ["A buffer cannot be read"]);
            return Err(gst::FlowError::Error);
        };
        let text = match std::str::from_utf8(&data) {
            // A file of text may begin with a byte order mark.
            Ok(text) => text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']),
            Err(error) => {
                let message = format!("{}: a buffer that is no UTF-8 is left out: {error}", pad.name());
                self.warn(Warning::new("not-utf8", message).about(pad.name().as_str()));
                return run.source.flow();
            }
        };
        if text.trim().is_empty() {
            return run.source.flow();
        }
        let at = self.running_time_of(pad, buffer.pts());
        if let Some(at) = at.filter(|_| run.paces_input()) {
            run.pace_of(&pad.name()).wait_until_reached(at).map_err(|_| gst::FlowError::Flushing)?;
        }
        let command = Command::Text { text: text.to_owned(), respond: true, at };
        run.input_queue.push_blocking(&pad.name(), command, at).map_err(|refused| run.flow_of(refused))?;
        run.source.flow()
    }

    pub(crate) fn text_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        let gst::EventView::Segment(segment) = event.view() else { return self.queue_pad_event(pad, event, false) };
        // What has times has a place among the sound and the frames.
        let is_timed = segment.segment().format() == gst::Format::Time;
        self.run().inspect(|run| run.input_queue.open(&pad.name(), is_timed));
        true
    }

    /// What a pad of text answers to LATENCY.
    pub(crate) fn text_latency_of(&self, pad: &gst::Pad) -> Option<gst::ClockTime> {
        let carries = TextPadKind::by_name(&pad.name())?;
        Some(gst::ClockTime::from_nseconds(self.settings().text_latency(carries)))
    }

    pub(crate) fn text_src_activate(&self, pad: &gst::Pad, active: bool) -> Result<(), gst::LoggableError> {
        if !active {
            if let Some(run) = self.run() {
                run.remove_text(pad);
            }
            return pad.stop_task().map_err(|error| gst::loggable_error!(CAT, "the task does not stop: {error}"));
        }
        // Without a run it begins when there is one.
        let Some(run) = self.run() else { return Ok(()) };
        let carries = TextPadKind::by_name(&pad.name()).ok_or_else(|| gst::loggable_error!(CAT, "no pad of text"))?;
        let (Some(source), mut stream) = (run.add_text(pad, carries), Stream::default()) else { return Ok(()) };
        if let Some(muxer) = recorder::splitmuxsink_downstream_of(pad) {
            self.warn_of_splitmuxsink(pad, &muxer);
        }
        let started = media::start_task(pad, move || source.iterate(&mut stream));
        started.map_err(|error| gst::loggable_error!(CAT, "the task does not start: {error}"))
    }
}

impl OpenAIRealtime {
    fn warn_of_splitmuxsink(&self, pad: &gst::Pad, muxer: &gst::Element) {
        let message = format!(
            "{}: {} writes nothing while there are no words, because it waits for a buffer on each of its pads and does not take GAP events for one. Write the words into a file of their own, or all into one file by a muxer alone",
            pad.name(),
            muxer.name()
        );
        self.warn(Warning::new("splitmuxsink", message));
    }
}

impl Settings {
    /// How late, live, what a pad carries may be and still be stamped as it is.
    fn text_latency(&self, carries: TextPadKind) -> u64 {
        match carries {
            TextPadKind::Words(Speaker::User) => self.transcript_latency,
            TextPadKind::Words(Speaker::Assistant) => self.text_latency,
            TextPadKind::Events => 0,
        }
    }
}

impl Run {
    /// A pad of text joins. `None` where it has.
    fn add_text(&self, pad: &gst::Pad, carries: TextPadKind) -> Option<Arc<TextSrcTask>> {
        let latency = Duration::from_nanos(self.settings().text_latency(carries));
        let (pace, group) = (self.source.clock_wait.clone(), self.source.group);
        let stream = Arc::new(TextSrcTask::new(pad.clone(), pace, group, latency, self.timing()));
        {
            let mut texts = self.texts();
            if texts.iter().any(|(_, other)| other.pad() == pad) {
                return None;
            }
            texts.push((carries, stream.clone()));
        }
        // It may have become known meanwhile.
        if let Some(timing) = self.timing() {
            stream.set_timing(timing);
        }
        self.update_traces();
        Some(stream)
    }

    fn remove_text(&self, pad: &gst::Pad) {
        let removed: Vec<_> = {
            let mut texts = self.texts();
            let (gone, stay) = std::mem::take(&mut *texts).into_iter().partition(|(_, stream)| stream.pad() == pad);
            *texts = stay;
            gone
        };
        removed.iter().for_each(|(_, stream): &(TextPadKind, Arc<TextSrcTask>)| stream.stop());
        self.update_traces();
    }

    /// Ends the stream of a pad that is about to be released: [`TextSrcTask::leave`].
    pub(crate) fn leave_text(&self, pad: &gst::Pad) -> Option<gst::Pad> {
        let stream = self.texts().iter().find(|(_, stream)| stream.pad() == pad).map(|(_, stream)| stream.clone())?;
        stream.leave()
    }

    /// The streams that carry this.
    pub(crate) fn text_streams(&self, carries: TextPadKind) -> Vec<Arc<TextSrcTask>> {
        self.texts().iter().filter(|(is, _)| *is == carries).map(|(_, stream)| stream.clone()).collect()
    }
}
