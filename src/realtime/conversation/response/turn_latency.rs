// SPDX-License-Identifier: MPL-2.0

//! Latency of a turn: when each stage from the end of speech to the first audio was reached, and when the answer was silenced.

use crate::realtime::conversation::event::{Event, TurnEvent};
use crate::realtime::conversation::outbox::Outbox;
use std::time::{Duration, Instant};

/// Shortest time between two looks at the playback position of an answer that is being played longer than expected.
const PLAYBACK_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The turn that is being answered.
#[derive(Debug, Default)]
pub(crate) struct TurnLatency {
    turn: Option<Turn>,
    /// When to look next whether the answer was played to its end.
    next_check: Option<Instant>,
}

#[derive(Debug, Default)]
struct Turn {
    event: TurnEvent,
    /// `response.done` has come.
    is_done: bool,
    /// Live: the answer was played to its end, so that nobody can interrupt it any more.
    is_played: bool,
    /// The response was interrupted, and downstream falls silent.
    is_interrupted: bool,
}

impl Turn {
    /// Nothing more will become known.
    fn is_complete(&self) -> bool {
        let is_heard = self.event.first_delta.is_none() || self.event.first_audio.is_some();
        let is_over = self.is_played || self.event.first_heard.is_none();
        self.is_done && is_heard && is_over && !self.is_interrupted || self.event.silenced.is_some()
    }

    /// All of the answer has come, and it is being played.
    fn awaits_playback(&self) -> bool {
        self.is_done && self.event.first_heard.is_some() && !self.is_played && !self.is_interrupted
    }
}

impl TurnLatency {
    /// A turn has ended at this running time of the input. The turn before it is posted, if that got no further.
    pub fn speech_ended(
        &mut self,
        item_id: Option<String>,
        speech_end: Option<Duration>,
        now: Instant,
        outbox: &mut Outbox,
    ) {
        let event = TurnEvent { item_id, speech_end, speech_stopped: Some(now), ..Default::default() };
        self.next_check = None;
        post(self.turn.replace(Turn { event, ..Turn::default() }), outbox);
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

    /// Playback of a response has begun: its first buffer was pushed then, and live has this running time.
    pub fn playing(&mut self, response_id: &str, heard: Option<Duration>, pushed: Instant) {
        if let Some(turn) = self.of_response(response_id).filter(|turn| turn.event.first_audio.is_none()) {
            (turn.event.first_audio, turn.event.first_heard) = (Some(pushed), heard);
        }
    }

    /// A response is done, and no function call of it leads to another one.
    pub fn response_done(&mut self, response_id: &str) {
        if let Some(turn) = self.of_response(response_id) {
            turn.is_done = true;
        }
    }

    /// A response was interrupted, by speech of the user that began at this running time of the input, or by the application.
    pub fn interrupted(&mut self, response_id: &str, speech_start: Option<Duration>) {
        if let Some(turn) = self.of_response(response_id) {
            (turn.is_interrupted, turn.event.barge_in) = (true, speech_start);
        }
    }

    /// Nothing more of what was interrupted is heard.
    pub fn silenced(&mut self, at: Instant, outbox: &mut Outbox) {
        if let Some(turn) = self.turn.as_mut().filter(|turn| turn.is_interrupted) {
            turn.event.silenced = Some(at);
            self.post_complete(outbox);
        }
    }

    /// The response that is complete and being played.
    pub fn played_response(&self) -> Option<&str> {
        self.turn.as_ref().filter(|turn| turn.awaits_playback())?.event.response_id.as_deref()
    }

    /// When to look next whether it was played to its end.
    pub fn next_check(&self) -> Option<Instant> {
        self.next_check.filter(|_| self.played_response().is_some())
    }

    /// Playback of it is expected to end then.
    pub fn check_again(&mut self, expected: Instant, now: Instant) {
        if self.next_check().is_none_or(|at| at <= now) {
            self.next_check = Some(expected.max(now + PLAYBACK_CHECK_INTERVAL));
        }
    }

    /// It was played to its end.
    pub fn played_to_end(&mut self, outbox: &mut Outbox) {
        self.next_check = None;
        if let Some(turn) = &mut self.turn {
            turn.is_played = true;
        }
        self.post_complete(outbox);
    }

    /// Posts the turn once nothing more will become known of it.
    pub fn post_complete(&mut self, outbox: &mut Outbox) {
        post(self.turn.take_if(|turn| turn.is_complete()), outbox);
    }

    /// Posts the turn as it is: the stream has ended.
    pub fn post_last(&mut self, outbox: &mut Outbox) {
        post(self.turn.take(), outbox);
    }

    fn of_response(&mut self, response_id: &str) -> Option<&mut Turn> {
        self.turn.as_mut().filter(|turn| turn.event.response_id.as_deref() == Some(response_id))
    }
}

fn post(turn: Option<Turn>, outbox: &mut Outbox) {
    if let Some(turn) = turn {
        outbox.notify(Event::Turn(turn.event));
    }
}
