// SPDX-License-Identifier: MPL-2.0

//! The bus task of a run: it takes what the session posts to messages, signals, properties and text pads.
//!
//! Handlers of an application may be slow, so nothing is posted from a thread that a session or a stream needs.

use crate::error::{Error, Warning};
use crate::media::bus_task::EventHandler;
use crate::media::glib_text;
use crate::media::text_item::TextItem;
use crate::realtime::conversation::Event;
use crate::realtime::conversation::io::{SessionEvent, TurnEvent};
use crate::realtime::element::messenger::Messenger;
use crate::realtime::element::property_sync::PropertySync;
use crate::realtime::element::run::Run;
use crate::realtime::element::text_pad_kind::TextPadKind;
use crate::realtime::element::turn_times::TurnTimes;
use crate::realtime::element::{function_calls, messages};
use crate::realtime::session::BusEvent;
use gst::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Handles the bus events of a run.
pub struct BusHandler {
    /// Weak, so that the task does not keep a run whose element is gone.
    pub run: Weak<Run>,
    pub messenger: Arc<Messenger>,
    pub property_sync: Arc<PropertySync>,
    /// Latency of the pipeline in nanoseconds.
    pub latency: Arc<AtomicU64>,
}

impl EventHandler for BusHandler {
    type Event = BusEvent;

    fn handle(&self, event: BusEvent) {
        if let Some(run) = self.run.upgrade().filter(|run| !run.is_stopped()) {
            self.handle_bus_event(&run, event);
        }
    }

    /// A session that ends without a word must not leave the pipeline waiting.
    fn end(&self) {
        if let Some(run) = self.run.upgrade().filter(|run| run.goes_on()) {
            run.fail(&Error::lost("the session ended unexpectedly"), None);
        }
    }
}

impl BusHandler {
    fn handle_bus_event(&self, run: &Arc<Run>, event: BusEvent) {
        self.messenger.post_left_out_warnings(false);
        match event {
            BusEvent::Event(event) => self.handle_event(run, &event),
            BusEvent::Text(words) => self.send_text(run, TextPadKind::Words(words.role), &TextItem::Words(words)),
            BusEvent::TextGap(speaker, until) => {
                self.send_text(run, TextPadKind::Words(speaker), &TextItem::GapUntil(until));
            }
            BusEvent::Trace(event) => {
                let is_posted = run.settings().raw_events;
                if is_posted {
                    self.messenger.post(messages::event(&event));
                }
                self.send_text(run, TextPadKind::Events, &TextItem::Event(event));
            }
            BusEvent::Fail(error, done) => run.fail(&error, done),
            BusEvent::Finished(at) => run.finish(at),
        }
    }

    fn handle_event(&self, run: &Arc<Run>, event: &Event) {
        match event {
            Event::FunctionCall(call) => {
                let mut call = call.clone();
                call.arguments = glib_text(&call.arguments).into_owned();
                function_calls::start(run, &self.messenger, call);
            }
            Event::Turn(turn) => self.post_turn(run, turn),
            Event::CallExpired { call_id } => run.calls.expire(call_id),
            Event::Settings { revision, without } => self.property_sync.on_update_result(run, *revision, without),
            event => self.messenger.post_event(event),
        }
        if matches!(event, Event::Session(SessionEvent::Ready { .. })) {
            run.end_progress(gst::ProgressType::Complete, "Session is ready");
        }
    }

    /// Queues text on the pads of a kind.
    fn send_text(&self, run: &Run, kind: TextPadKind, item: &TextItem) {
        for task in run.texts.of(kind) {
            task.push(item.clone());
            let dropped = task.take_dropped();
            if dropped > 0 {
                let name = task.pad().name();
                let message = format!("{name} is not read: {dropped} of the oldest pieces are dropped");
                self.messenger.warn(Warning::new("text-dropped", message).about(name.as_str()));
            }
        }
    }

    fn post_turn(&self, run: &Run, turn: &TurnEvent) {
        let latency = Duration::from_nanos(self.latency.load(Ordering::Relaxed));
        let times = TurnTimes::new(turn, &run.playing.running_time(), latency);
        self.messenger.status().on_turn(&times);
        self.messenger.post(messages::turn(turn, &times));
    }
}
