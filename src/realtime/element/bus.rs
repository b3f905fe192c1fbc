// SPDX-License-Identifier: MPL-2.0

//! What a run tells: the thread that talks to the application, and what becomes of each thing that the session posts.
//!
//! Applications do as they like in their handlers, so what is told never comes from a thread that a session or a stream
//! needs.

use crate::error::{Error, Warning};
use crate::media::errors;
use crate::media::glib_text;
use crate::media::text_item::TextItem;
use crate::media::text_src_task::TextSrcTask;
use crate::realtime::conversation::Event;
use crate::realtime::conversation::io::SessionEvent;
use crate::realtime::element::imp;
use crate::realtime::element::messages;
use crate::realtime::element::pads::text::TextPadKind;
use crate::realtime::element::run::{End, Run};
use crate::realtime::session::BusEvent;
use crate::types::TraceEvent;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

impl Run {
    pub(crate) fn start_bus_thread(self: &Arc<Self>, mut bus_tx: mpsc::Receiver<BusEvent>) {
        let run = Arc::downgrade(self);
        let started = self.bus_thread.start("openairt-bus", move || {
            while let Some(post) = bus_tx.blocking_recv() {
                let Some(run) = run.upgrade() else { return };
                run.post_all(post);
            }
            if let Some(run) = run.upgrade() {
                run.on_session_ended();
            }
        });
        if let Err(error) = started {
            self.fail(&Error::connect(format!("no thread to be had: {error}")), None);
        }
    }

    /// The session is gone. One that says nothing of it must not leave the pipeline waiting.
    fn on_session_ended(self: &Arc<Self>) {
        let is_due = {
            let state = self.state();
            state.end == End::No && !state.stopped
        };
        if is_due {
            self.fail(&Error::lost("the session ended unexpectedly"), None);
        }
    }

    /// Tells the application one thing.
    fn post_all(self: &Arc<Self>, post: BusEvent) {
        if self.state().stopped {
            return;
        }
        if let Some(element) = self.element.upgrade() {
            element.imp().post_left_out_warnings(false);
        }
        match post {
            BusEvent::Event(event) => self.post_event(&event),
            BusEvent::Text(words) => self.send_text(TextPadKind::Words(words.role), &TextItem::Words(words)),
            BusEvent::TextGap(speaker, until) => {
                self.send_text(TextPadKind::Words(speaker), &TextItem::GapUntil(until))
            }
            BusEvent::Trace(event) => self.post_trace_event(event),
            BusEvent::Fail(failure, done) => self.fail(&failure, done),
            BusEvent::Finished(at) => {
                self.state().end = End::Finished;
                // Whatever upstream still has is not waited for by anybody.
                self.input_queue.close();
                self.playout.finish(at);
                self.each_text(TextSrcTask::finish);
            }
        }
    }

    pub(crate) fn post_event(self: &Arc<Self>, event: &Event) {
        let Some(element) = self.element.upgrade() else { return };
        element.imp().note(event);
        match event {
            // The session has limited it.
            Event::Warning(warning) => element.imp().post_warning(warning),
            Event::FunctionCall(call) => {
                let mut call = call.clone();
                call.arguments = glib_text(&call.arguments).into_owned();
                self.call(&element, call);
            }
            Event::Turn(turn) => {
                let latency = element.imp().latency.load(Ordering::Relaxed);
                let now = element.current_running_time().zip(Some(Instant::now()));
                let running_time = |at: Instant| {
                    let (running_time, now) = now?;
                    Duration::from(running_time).checked_sub(now.saturating_duration_since(at))
                };
                messages::post(&element, messages::turn(turn, running_time, Duration::from_nanos(latency)));
            }
            Event::CallExpired { call_id } => self.calls.expire(call_id),
            Event::Settings { revision, without } => element.imp().on_update_result(*revision, without),
            event => {
                if let Some(structure) = messages::structure(event) {
                    messages::post(&element, structure);
                }
            }
        }
        if matches!(event, Event::Session(SessionEvent::Ready { .. })) {
            self.end_progress(gst::ProgressType::Complete, "Session is ready");
        }
    }

    fn send_text(&self, carries: TextPadKind, item: &TextItem) {
        for stream in self.text_streams(carries) {
            stream.push(item.clone());
            let lost = stream.take_dropped();
            if lost > 0
                && let Some(element) = self.element.upgrade()
            {
                let message = format!("{} is not read: {lost} of the oldest pieces are dropped", stream.pad().name());
                element.imp().warn(Warning::new("text-dropped", message).about(stream.pad().name().as_str()));
            }
        }
    }

    fn post_trace_event(&self, event: TraceEvent) {
        if self.settings().raw_events
            && let Some(element) = self.element.upgrade()
        {
            messages::post(&element, messages::event(&event));
        }
        self.send_text(TextPadKind::Events, &TextItem::Event(event));
    }

    /// Posts an ERROR, with the place on the input up to which all is done; from then on nothing more is taken from
    /// upstream, and the stream ends.
    pub(crate) fn fail(self: &Arc<Self>, failure: &Error, done: Option<Duration>) {
        self.end_progress(gst::ProgressType::Error, "No session");
        if let Some(element) = self.element.upgrade() {
            let closed = SessionEvent::Closed { reason: failure.to_string(), running_time: done };
            self.post_event(&Event::Session(closed));
            gst::error!(imp::CAT, obj = element, "{failure}");
            errors::post_error(element.upcast_ref(), failure, done);
        }
        self.state().end = End::Failed;
        self.input_queue.close();
        self.playout.abandon();
        self.each_text(TextSrcTask::finish);
    }

    pub(crate) fn end_progress(&self, kind: gst::ProgressType, text: &str) {
        if std::mem::take(&mut self.state().progress) {
            self.post_progress(kind, text);
        }
    }

    pub(crate) fn post_progress(&self, kind: gst::ProgressType, text: &str) {
        if let Some(element) = self.element.upgrade() {
            // Without a bus there is nobody to be told.
            let _ = element.post_message(gst::message::Progress::builder(kind, "connect", text).src(&element).build());
        }
    }
}
