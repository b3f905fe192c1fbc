// SPDX-License-Identifier: MPL-2.0

//! Who speaks: the turns of the user, with their place on the timeline.
//!
//! A server that finds the turns names them at once. A turn that we commit is named by the server's `committed`, which
//! comes in the order of the commits.

use std::collections::VecDeque;
use std::time::Duration;

/// A turn of the user on the timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The message, once the server has named it.
    pub item_id: Option<String>,
    /// Where it began.
    pub start: Option<Duration>,
    /// Where it ended.
    pub end: Option<Duration>,
    /// The event of ours that committed it.
    commit: Option<String>,
}

impl Turn {
    /// How long it is.
    pub fn duration(&self) -> Option<Duration> {
        self.end?.checked_sub(self.start?)
    }

    fn waits_for_its_name(&self) -> bool {
        self.item_id.is_none() && self.commit.is_some()
    }
}

/// Turns that are remembered for their transcripts, which may come late.
const TURNS: usize = 64;

/// The turns of the user, newest last.
#[derive(Debug, Default)]
pub struct Turns {
    turns: VecDeque<Turn>,
    /// A turn is open: the user is speaking.
    pub speaking: bool,
    /// The newest message in which nobody spoke.
    pub idle: Option<String>,
    /// Messages whose transcript has not come yet.
    untranscribed: VecDeque<String>,
}

impl Turns {
    /// The user began to speak.
    pub fn begin(&mut self, item_id: Option<String>, start: Option<Duration>) {
        if self.turns.len() == TURNS {
            self.turns.pop_front();
        }
        self.turns.push_back(Turn { item_id, start, end: None, commit: None });
        self.speaking = true;
    }

    /// The user ended, or the turn was ended for them. Without a name it is the newest one.
    pub fn end(&mut self, item_id: Option<&str>, end: Option<Duration>) {
        self.speaking = false;
        let named = item_id.and_then(|id| self.turns.iter().rposition(|turn| turn.item_id.as_deref() == Some(id)));
        let index = named.or_else(|| self.turns.len().checked_sub(1));
        if let Some(turn) = index.and_then(|index| self.turns.get_mut(index)) {
            turn.end = turn.end.or(end);
        }
    }

    /// The newest turn was committed by this event of ours.
    pub fn committed_by(&mut self, event_id: String) {
        if let Some(turn) = self.turns.back_mut() {
            turn.commit = Some(event_id);
        }
    }

    /// The server has made a message. A name that is new belongs to the oldest commit of ours that has none.
    pub fn name(&mut self, item_id: &str) {
        if self.of(item_id).is_none()
            && let Some(turn) = self.turns.iter_mut().find(|turn| turn.waits_for_its_name())
        {
            turn.item_id = Some(item_id.to_owned());
        }
    }

    /// An event of ours was refused. A turn that it should have committed will never have a name.
    pub fn refused(&mut self, event_id: &str) {
        self.turns.retain(|turn| !turn.waits_for_its_name() || turn.commit.as_deref() != Some(event_id));
    }

    /// The turn of a message.
    pub fn of(&self, item_id: &str) -> Option<&Turn> {
        self.turns.iter().rev().find(|turn| turn.item_id.as_deref() == Some(item_id))
    }

    /// Where the earliest turn began whose words may still come.
    pub fn pending_from(&self) -> Option<Duration> {
        let waits = |turn: &&Turn| {
            turn.end.is_none()
                || turn.waits_for_its_name()
                || turn.item_id.as_ref().is_some_and(|id| self.untranscribed.contains(id))
        };
        self.turns.iter().filter(waits).filter_map(|turn| turn.start).min()
    }

    /// Where the newest turn began.
    pub fn newest_from(&self) -> Option<Duration> {
        self.turns.back().and_then(|turn| turn.start)
    }

    /// The turn that is open.
    pub fn open(&self) -> Option<&Turn> {
        self.turns.back().filter(|_| self.speaking)
    }

    /// A message is there whose words will come.
    pub fn await_transcript(&mut self, item_id: &str) {
        if self.untranscribed.iter().any(|id| id == item_id) {
            return;
        }
        if self.untranscribed.len() == TURNS {
            self.untranscribed.pop_front();
        }
        self.untranscribed.push_back(item_id.to_owned());
    }

    /// A message's words came, or will not come.
    pub fn transcribed(&mut self, item_id: &str) {
        self.untranscribed.retain(|id| id != item_id);
    }

    /// How many turns the server has yet to acknowledge or to write down.
    pub fn backlog(&self) -> usize {
        let unnamed = self.turns.iter().filter(|turn| turn.waits_for_its_name()).count();
        unnamed + self.untranscribed.len()
    }

    /// The server will not name or write down what it has not so far.
    pub fn give_up(&mut self) {
        self.untranscribed.clear();
        self.turns.iter_mut().for_each(|turn| turn.commit = None);
    }

    /// The turn that was taken out is in hand again.
    pub fn advance(&mut self, turn: Turn) {
        self.turns.push_back(turn);
        self.speaking = true;
    }

    /// The turn in hand is not to be.
    pub fn drop_open(&mut self) -> Option<Turn> {
        if std::mem::take(&mut self.speaking) { self.turns.pop_back() } else { None }
    }
}
