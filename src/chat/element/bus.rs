// SPDX-License-Identifier: MPL-2.0

//! The bus task of a run: it takes what the session posts to messages, signals and text pads.
//!
//! Handlers of an application may be slow, so nothing is posted from a thread that a session or a stream needs.

use crate::chat::conversation::io::Event;
use crate::chat::element::function_calls;
use crate::chat::element::messenger::Messenger;
use crate::chat::element::run::Run;
use crate::chat::element::text_pad_kind::TextPadKind;
use crate::chat::session::BusEvent;
use crate::error::{Error, Warning};
use crate::media::bus_task::EventHandler;
use crate::media::text_item::TextItem;
use gst::prelude::*;
use std::sync::Arc;

/// Handles the bus events of a run.
pub struct BusHandler {
    pub run: Arc<Run>,
    pub messenger: Arc<Messenger>,
}

impl EventHandler for BusHandler {
    type Event = BusEvent;

    fn handle(&self, event: BusEvent) {
        if self.run.is_stopped() {
            return;
        }
        match event {
            BusEvent::Event(event) => {
                self.messenger.post_event(&event);
                match &event {
                    Event::FunctionCall(call) => function_calls::start(&self.run, &self.messenger, call),
                    Event::CallExpired(call_id) => self.run.calls.expire(call_id),
                    _ => {}
                }
            }
            BusEvent::Text(text) => self.send_text(TextPadKind::Answers, &TextItem::Words(text)),
            BusEvent::TextGap(until) => self.send_text(TextPadKind::Answers, &TextItem::GapUntil(until)),
            BusEvent::Trace(event) => self.send_text(TextPadKind::Events, &TextItem::Event(event)),
            BusEvent::Fail(error) => self.run.fail(&error),
            BusEvent::Finished(at) => self.run.finish(at),
        }
    }

    /// A session that ends without a word must not leave the pipeline waiting.
    fn end(&self) {
        if self.run.goes_on() {
            self.run.fail(&Error::lost("the session ended unexpectedly"));
        }
    }
}

impl BusHandler {
    /// Queues text on the pads of a kind.
    fn send_text(&self, kind: TextPadKind, item: &TextItem) {
        for task in self.run.texts.of(kind) {
            task.push(item.clone());
            let dropped = task.take_dropped();
            if dropped > 0 {
                let message = format!("{} is not read: {dropped} of the oldest pieces are dropped", task.pad().name());
                self.messenger.warn(Warning::new("text-dropped", message));
            }
        }
    }
}
