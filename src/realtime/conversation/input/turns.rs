// SPDX-License-Identifier: MPL-2.0

//! Turns of the user, with their position on the time line.
//!
//! A server's VAD tells the item id at once. A turn that the element commits gets its id by `committed`, which comes in
//! the order of the commits.

use std::collections::VecDeque;
use std::time::Duration;

/// A turn of the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// User item, once known.
    pub item_id: Option<String>,
    /// Running time of its begin.
    pub start: Option<Duration>,
    /// Running time of its end.
    pub end: Option<Duration>,
    /// Id of the `input_audio_buffer.commit` that made it.
    commit: Option<String>,
}

impl Turn {
    /// Length.
    pub fn duration(&self) -> Option<Duration> {
        self.end?.checked_sub(self.start?)
    }

    fn waits_for_its_name(&self) -> bool {
        self.item_id.is_none() && self.commit.is_some()
    }
}

/// Turns remembered for their transcripts, which may come late.
const TURNS: usize = 64;

/// The turns of the user, newest last.
#[derive(Debug, Default)]
pub struct Turns {
    turns: VecDeque<Turn>,
    /// The user is speaking.
    speaking: bool,
    /// The newest item of an idle time-out, in which nobody spoke.
    idle: Option<String>,
    /// Items whose transcript has not come yet.
    untranscribed: VecDeque<String>,
}

impl Turns {
    /// Whether the user is speaking.
    pub fn is_speaking(&self) -> bool {
        self.speaking
    }

    /// A turn of an idle time-out, in which nobody spoke.
    pub fn idle_timeout(&mut self, item_id: String, start: Option<Duration>, end: Option<Duration>) {
        self.begin(Some(item_id.clone()), start);
        self.end(None, end);
        self.idle = Some(item_id);
    }

    /// Whether an item is of the newest idle time-out.
    pub fn is_idle_timeout(&self, item_id: &str) -> bool {
        self.idle.as_deref() == Some(item_id)
    }

    /// Begins a turn.
    pub fn begin(&mut self, item_id: Option<String>, start: Option<Duration>) {
        if self.turns.len() == TURNS {
            self.turns.pop_front();
        }
        self.turns.push_back(Turn { item_id, start, end: None, commit: None });
        self.speaking = true;
    }

    /// Ends the turn of this item, or the newest one.
    pub fn end(&mut self, item_id: Option<&str>, end: Option<Duration>) {
        self.speaking = false;
        let named = item_id.and_then(|id| self.turns.iter().rposition(|turn| turn.item_id.as_deref() == Some(id)));
        let index = named.or_else(|| self.turns.len().checked_sub(1));
        if let Some(turn) = index.and_then(|index| self.turns.get_mut(index)) {
            turn.end = turn.end.or(end);
        }
    }

    /// The newest turn was committed by this event.
    pub fn committed_by(&mut self, event_id: String) {
        if let Some(turn) = self.turns.back_mut() {
            turn.commit = Some(event_id);
        }
    }

    /// `input_audio_buffer.committed`: an unknown id belongs to the oldest commit of the element that has none.
    pub fn name(&mut self, item_id: &str) {
        if self.of(item_id).is_none()
            && let Some(turn) = self.turns.iter_mut().find(|turn| turn.waits_for_its_name())
        {
            turn.item_id = Some(item_id.to_owned());
        }
    }

    /// A client event was refused. A turn that it was to commit gets no item.
    pub fn refused(&mut self, event_id: &str) {
        self.turns.retain(|turn| !turn.waits_for_its_name() || turn.commit.as_deref() != Some(event_id));
    }

    /// The turn of an item.
    pub fn of(&self, item_id: &str) -> Option<&Turn> {
        self.turns.iter().rev().find(|turn| turn.item_id.as_deref() == Some(item_id))
    }

    /// Begin of the earliest turn whose transcript may still come.
    pub fn pending_from(&self) -> Option<Duration> {
        let waits = |turn: &&Turn| {
            turn.end.is_none()
                || turn.waits_for_its_name()
                || turn.item_id.as_ref().is_some_and(|id| self.untranscribed.contains(id))
        };
        self.turns.iter().filter(waits).filter_map(|turn| turn.start).min()
    }

    /// Begin of the newest turn.
    pub fn newest_from(&self) -> Option<Duration> {
        self.turns.back().and_then(|turn| turn.start)
    }

    /// The current turn.
    pub fn open(&self) -> Option<&Turn> {
        self.turns.back().filter(|_| self.speaking)
    }

    /// A transcript of this item is expected.
    pub fn await_transcript(&mut self, item_id: &str) {
        if self.untranscribed.iter().any(|id| id == item_id) {
            return;
        }
        if self.untranscribed.len() == TURNS {
            self.untranscribed.pop_front();
        }
        self.untranscribed.push_back(item_id.to_owned());
    }

    /// The transcript of this item came, or will not come.
    pub fn transcribed(&mut self, item_id: &str) {
        self.untranscribed.retain(|id| id != item_id);
    }

    /// Turns without acknowledgement or transcript.
    pub fn backlog(&self) -> usize {
        let unnamed = self.turns.iter().filter(|turn| turn.waits_for_its_name()).count();
        unnamed + self.untranscribed.len()
    }

    /// Gives up all that is missing.
    pub fn give_up(&mut self) {
        self.untranscribed.clear();
        self.turns.iter_mut().for_each(|turn| turn.commit = None);
    }

    /// Makes this turn the current one again, after a reconnect.
    pub fn advance(&mut self, turn: Turn) {
        self.turns.push_back(turn);
        self.speaking = true;
    }

    /// Drops the current turn.
    pub fn drop_open(&mut self) -> Option<Turn> {
        if std::mem::take(&mut self.speaking) { self.turns.pop_back() } else { None }
    }
}
