// SPDX-License-Identifier: MPL-2.0

//! Latency of a turn: when each stage from the end of speech to the first audio was reached.

use crate::realtime::conversation::event::TurnEvent;
use crate::realtime::conversation::{Conversation, Event};
use std::time::{Duration, Instant};

/// The turn that is being answered.
#[derive(Debug, Default)]
pub(crate) struct TurnLatency {
    turn: Option<Turn>,
}

#[derive(Debug, Default)]
struct Turn {
    event: TurnEvent,
    /// `response.done` has come.
    is_done: bool,
}

impl Turn {
    /// Nothing more will become known.
    fn is_complete(&self) -> bool {
        let is_heard = self.event.first_delta.is_none() || self.event.first_audio.is_some();
        self.is_done && is_heard || self.event.silenced.is_some()
    }
}

impl TurnLatency {
    /// A turn has ended at this running time of the input. Returns the turn before it, if that got no further.
    pub fn speech_ended(&mut self, item_id: Option<String>, speech_end: Option<Duration>) -> Option<TurnEvent> {
        let before = self.turn.take();
        self.turn = Some(Turn { event: TurnEvent { item_id, speech_end, ..Default::default() }, is_done: false });
        before.map(|turn| turn.event)
    }

    /// The audio of the turn was committed as this item.
    pub fn committed(&mut self, item_id: &str, now: Instant) {
        let turn = self.turn.iter_mut().find(|turn| turn.event.item_id.as_deref().is_none_or(|id| id == item_id));
        if let Some(turn) = turn.filter(|turn| turn.event.committed.is_none()) {
            (turn.event.item_id, turn.event.committed) = (Some(item_id.to_owned()), Some(now));
        }
    }

    /// A response has begun. The one to the turn is the first that has audio: one before it may only call functions, or be
    /// lost with its session.
    pub fn response_created(&mut self, response_id: &str, now: Instant) {
        if let Some(turn) = self.turn.as_mut().filter(|turn| turn.event.first_delta.is_none()) {
            turn.event.response_id = Some(response_id.to_owned());
            turn.event.response_created.get_or_insert(now);
        }
    }

    /// The first audio of a response has come.
    pub fn first_delta(&mut self, response_id: &str, now: Instant) {
        if let Some(turn) = self.of_response(response_id) {
            turn.event.first_delta.get_or_insert(now);
        }
    }

    /// Playback of a response has begun: its first buffer, with this running time, was pushed.
    pub fn playing(&mut self, response_id: &str, at: Duration, now: Instant) {
        if let Some(turn) = self.of_response(response_id).filter(|turn| turn.event.first_audio.is_none()) {
            (turn.event.first_audio, turn.event.first_heard) = (Some(now), Some(at));
        }
    }

    /// A response is done, and no function call of it leads to another one.
    pub fn response_done(&mut self, response_id: &str) {
        if let Some(turn) = self.of_response(response_id) {
            turn.is_done = true;
        }
    }

    /// A response was interrupted, and nothing more of it is played.
    pub fn silenced(&mut self, response_id: &str, now: Instant) {
        if let Some(turn) = self.of_response(response_id) {
            turn.event.silenced = Some(now);
        }
    }

    /// Takes the turn once nothing more will become known of it.
    pub fn take_complete(&mut self) -> Option<TurnEvent> {
        self.turn.take_if(|turn| turn.is_complete()).map(|turn| turn.event)
    }

    /// Takes the turn as it is.
    pub fn take(&mut self) -> Option<TurnEvent> {
        self.turn.take().map(|turn| turn.event)
    }

    fn of_response(&mut self, response_id: &str) -> Option<&mut Turn> {
        self.turn.as_mut().filter(|turn| turn.event.response_id.as_deref() == Some(response_id))
    }
}

impl Conversation {
    /// Posts the turn once nothing more will become known of it.
    pub(crate) fn post_complete_turn(&mut self) {
        if let Some(turn) = self.turn_latency.take_complete() {
            self.notify(Event::Turn(turn));
        }
    }

    /// Posts the turn as it is: the stream has ended.
    pub(crate) fn post_last_turn(&mut self) {
        if let Some(turn) = self.turn_latency.take() {
            self.notify(Event::Turn(turn));
        }
    }
}
