// SPDX-License-Identifier: MPL-2.0

//! Queue of outputs, and the ids of the client events in it.

use crate::error::Warning;
use crate::realtime::conversation::io::{Event, Output};
use openai_protocol::ClientEvent;
use std::collections::VecDeque;

/// Outputs that [`Conversation::poll`](super::Conversation::poll) has not taken yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Output>,
    sent_events: u64,
}

impl Outbox {
    pub fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    pub fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    /// Queues a client event under a new `event_id`, by which an `error` of the server refers to it. Returns that id.
    pub fn send(&mut self, event: impl Into<ClientEvent>) -> String {
        let mut event = event.into();
        let id = self.next_event_id();
        event.set_event_id(id.clone());
        self.push(Output::Send(event));
        id
    }

    /// A new `event_id`, for an event that is not queued by [`Self::send`].
    pub fn next_event_id(&mut self) -> String {
        self.sent_events += 1;
        self.last_event_id()
    }

    /// The `event_id` of the newest event.
    pub fn last_event_id(&self) -> String {
        format!("evt_{}", self.sent_events)
    }

    /// Client events so far, over all sessions.
    pub fn sent_events(&self) -> u64 {
        self.sent_events
    }

    pub fn notify(&mut self, event: Event) {
        self.push(Output::Event(event));
    }

    pub fn warn(&mut self, code: &str, message: impl Into<String>) {
        self.notify(Event::Warning(Warning::new(code, message)));
    }
}
