//! The pads of text: `text_sink` in, and `text_src`, `transcript_src` and `event_src` out.

use super::imp::{CAT, OpenAIRealtime};
use super::run::{End, Run};
use crate::conversation::events::Speaker;
use crate::conversation::{Command, Timing, Warning};
use crate::link::mailbox::Refused;
use crate::media::errors;
use crate::media::text::{Stream, TextStream};
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::Arc;
use std::time::Duration;

/// What a pad of text carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// Somebody's words.
    Words(Speaker),
    /// The events of the wire.
    Events,
}

impl Carries {
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
    pub(super) fn text_chain(&self, pad: &gst::Pad, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let run = self.run().ok_or(gst::FlowError::Flushing)?;
        self.begin_if_known(&run, true);
        let Ok(data) = buffer.map_readable() else {
            gst::element_imp_error!(self, gst::ResourceError::Failed, ["A buffer cannot be read"]);
            return Err(gst::FlowError::Error);
        };
        let text = match std::str::from_utf8(&data) {
            Ok(text) => text.trim_end_matches(['\r', '\n']),
            Err(error) => {
                let message = format!("{}: a buffer that is no UTF-8 is left out: {error}", pad.name());
                errors::post_warning(self.obj().upcast_ref(), &Warning::new("not-utf8", message));
                return run.source.flow();
            }
        };
        if text.trim().is_empty() {
            return run.source.flow();
        }
        let at = self.running_time_of(pad, buffer.pts());
        if let Some(at) = at.filter(|_| run.paces_input()) {
            run.pace_of(&pad.name()).wait_until_unnudged(at).map_err(|_| gst::FlowError::Flushing)?;
        }
        let command = Command::Text { text: text.to_owned(), respond: true, at };
        run.mailbox.push_patiently(&pad.name(), command, at).map_err(|refused| match (refused, run.end()) {
            (Refused::Closed, End::Failed) => gst::FlowError::Error,
            (Refused::Closed, End::Finished) => gst::FlowError::Eos,
            _ => gst::FlowError::Flushing,
        })?;
        run.source.flow()
    }

    /// The running time of a timestamp on a pad, where its segment is one of time.
    pub(super) fn running_time_of(&self, pad: &gst::Pad, pts: Option<gst::ClockTime>) -> Option<Duration> {
        let segment = pad.sticky_event::<gst::event::Segment>(0)?;
        let segment = segment.segment().downcast_ref::<gst::ClockTime>()?.clone();
        Some(segment.to_running_time(pts?)?.into())
    }

    pub(super) fn text_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "{event:?}");
        let name = pad.name();
        let run = self.run();
        let mailbox = run.as_ref().map(|run| &run.mailbox);
        match event.view() {
            gst::EventView::Eos(_) => {
                mailbox.inspect(|mailbox| mailbox.end(&name));
                self.pad_is_at_its_end(pad)
            }
            gst::EventView::StreamStart(_) => {
                mailbox.inspect(|mailbox| mailbox.open(&name, false));
                self.pad_goes_on(pad);
                true
            }
            gst::EventView::Segment(event) => {
                // What has times has a place among the sound and the frames.
                let is_timed = event.segment().format() == gst::Format::Time;
                mailbox.inspect(|mailbox| mailbox.open(&name, is_timed));
                true
            }
            gst::EventView::Gap(event) => {
                let (pts, duration) = event.get();
                let end = pts.saturating_add(duration.unwrap_or_default());
                if let (Some(mailbox), Some(end)) = (mailbox, self.running_time_of(pad, Some(end))) {
                    mailbox.advance(&name, end);
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
            gst::EventView::CustomDownstream(_) | gst::EventView::CustomDownstreamOob(_) => {
                self.custom_event(&event) || gst::Pad::event_default(pad, Some(&*self.obj()), event)
            }
            _ => true,
        }
    }

    pub(super) fn text_src_activate(&self, pad: &gst::Pad, active: bool) -> Result<(), gst::LoggableError> {
        if !active {
            if let Some(run) = self.run() {
                run.remove_text(pad);
            }
            return pad.stop_task().map_err(|error| gst::loggable_error!(CAT, "the task does not stop: {error}"));
        }
        let run = self.run().ok_or_else(|| gst::loggable_error!(CAT, "no run"))?;
        let carries = Carries::by_name(&pad.name()).ok_or_else(|| gst::loggable_error!(CAT, "no pad of text"))?;
        let (source, weak) = (run.add_text(pad, carries), pad.downgrade());
        let mut stream = Stream::default();
        let started = pad.start_task(move || {
            if !source.iterate(&mut stream)
                && let Some(pad) = weak.upgrade()
            {
                // It fails only when the pad is being shut, which ends the task as well.
                let _ = pad.pause_task();
            }
        });
        started.map_err(|error| gst::loggable_error!(CAT, "the task does not start: {error}"))
    }

    pub(super) fn text_src_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Latency(query) => {
                let live = self.run().and_then(|run| run.timing()) == Some(Timing::Live);
                query.set(live, gst::ClockTime::ZERO, gst::ClockTime::NONE);
                true
            }
            _ => self.progress_query(pad, query),
        }
    }
}

impl Run {
    /// A pad of text joins.
    fn add_text(&self, pad: &gst::Pad, carries: Carries) -> Arc<TextStream> {
        let is_prompt = carries != Carries::Words(Speaker::User);
        let stream = TextStream::new(pad.clone(), self.source.pace.clone(), is_prompt, self.timing());
        let stream = Arc::new(stream);
        self.texts().push((carries, stream.clone()));
        self.update_traces();
        stream
    }

    fn remove_text(&self, pad: &gst::Pad) {
        let removed: Vec<_> = {
            let mut texts = self.texts();
            let (gone, stay) = std::mem::take(&mut *texts).into_iter().partition(|(_, stream)| stream.pad() == pad);
            *texts = stay;
            gone
        };
        removed.iter().for_each(|(_, stream): &(Carries, Arc<TextStream>)| stream.stop());
        self.update_traces();
    }

    /// The streams that carry this.
    pub(super) fn text_streams(&self, carries: Carries) -> Vec<Arc<TextStream>> {
        self.texts().iter().filter(|(is, _)| *is == carries).map(|(_, stream)| stream.clone()).collect()
    }
}
