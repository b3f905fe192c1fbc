//! Who speaks: the turns of the user, and the gate through which every answer is asked for.
//!
//! A conversation has one answer at a time. The gate knows whether one is asked for, under way or wished; it never
//! asks twice, and it never forgets a wish.

use crate::protocol::ResponseParams;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A turn of the user on the timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The message, once the server has named it.
    pub item_id: Option<String>,
    /// Where it began.
    pub start: Option<Duration>,
    /// Where it ended.
    pub end: Option<Duration>,
}

impl Turn {
    /// How long it is.
    pub fn duration(&self) -> Option<Duration> {
        self.end?.checked_sub(self.start?)
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
    /// Messages whose transcript has not come yet.
    pub untranscribed: Vec<String>,
}

impl Turns {
    /// The user began to speak.
    pub fn begin(&mut self, item_id: Option<String>, start: Option<Duration>) {
        if self.turns.len() == TURNS {
            self.turns.pop_front();
        }
        self.turns.push_back(Turn { item_id, start, end: None });
        self.speaking = true;
    }

    /// The user ended, or the turn was ended for them.
    pub fn end(&mut self, end: Option<Duration>) {
        self.speaking = false;
        if let Some(turn) = self.turns.back_mut() {
            turn.end = turn.end.or(end);
        }
    }

    /// The server has named the message of the oldest turn that has no name yet.
    pub fn name(&mut self, item_id: &str) {
        if self.of(item_id).is_none()
            && let Some(turn) = self.turns.iter_mut().find(|turn| turn.item_id.is_none() && turn.end.is_some())
        {
            turn.item_id = Some(item_id.to_owned());
        }
    }

    /// The turn of a message.
    pub fn of(&self, item_id: &str) -> Option<&Turn> {
        self.turns.iter().find(|turn| turn.item_id.as_deref() == Some(item_id))
    }

    /// The newest turn.
    pub fn last(&self) -> Option<&Turn> {
        self.turns.back()
    }

    /// A message is there whose words will come.
    pub fn await_transcript(&mut self, item_id: &str) {
        if self.untranscribed.len() < TURNS && !self.untranscribed.iter().any(|id| id == item_id) {
            self.untranscribed.push(item_id.to_owned());
        }
    }

    /// A message's words came, or will not come.
    pub fn transcribed(&mut self, item_id: &str) {
        self.untranscribed.retain(|id| id != item_id);
    }

    /// The turn in hand is not to be.
    pub fn drop_open(&mut self) {
        if std::mem::take(&mut self.speaking) {
            self.turns.pop_back();
        }
    }
}

/// The one gate for answers.
#[derive(Debug, Default)]
pub struct Gate {
    /// Asked for by this event of ours, and not begun.
    asked: Option<String>,
    /// Begun and not done.
    active: Option<String>,
    /// The server will begin one by itself.
    announced: bool,
    /// To be asked for when the gate is free; wishes are merged, the last one's parameters count.
    wished: Option<Option<ResponseParams>>,
    /// When the turn that is to be answered ended.
    pub turn_ended: Option<Instant>,
}

impl Gate {
    /// Wishes for an answer.
    pub fn wish(&mut self, params: Option<ResponseParams>) {
        let before = self.wished.take().flatten();
        self.wished = Some(params.or(before));
    }

    /// The server said that it will answer the turn by itself.
    pub fn announce(&mut self) {
        self.announced = true;
    }

    /// The parameters of the request that may be sent now, if any; it then counts as asked for by `event_id`.
    pub fn ask(&mut self, event_id: &str) -> Option<Option<ResponseParams>> {
        if self.asked.is_some() || self.active.is_some() || self.announced {
            return None;
        }
        let params = self.wished.take()?;
        self.asked = Some(event_id.to_owned());
        Some(params)
    }

    /// An answer of the default conversation has begun.
    pub fn created(&mut self, response_id: &str) {
        self.asked = None;
        self.announced = false;
        self.active = Some(response_id.to_owned());
    }

    /// An answer is done. Gives back whether it was the one that the gate waits for.
    pub fn done(&mut self, response_id: &str) -> bool {
        let ours = self.active.as_deref() == Some(response_id);
        if ours {
            self.active = None;
        } else if self.active.is_none() {
            // It began unseen: it is what a refused request had to wait for.
            self.announced = false;
        }
        ours
    }

    /// A request of ours was refused. With `busy` another answer was faster, and the wish is kept for when it is done.
    /// Gives back whether the event was the gate's.
    pub fn refused(&mut self, event_id: &str, busy: bool) -> bool {
        if self.asked.as_deref() != Some(event_id) {
            return false;
        }
        self.asked = None;
        if busy {
            self.wished.get_or_insert(None);
            // Whatever the server is busy with ends by a `response.done`, which may name an answer that began unseen.
            self.announced = self.active.is_none();
        }
        true
    }

    /// An answer that was announced will not come.
    pub fn give_up(&mut self) {
        *self = Self { active: None, ..Self::default() };
    }

    /// An answer was asked for or announced, and has not begun.
    pub fn expects(&self) -> bool {
        self.asked.is_some() || self.announced
    }

    /// The answer that is under way.
    pub fn active(&self) -> Option<&str> {
        self.active.as_deref()
    }

    /// True while an answer is wished, asked for, announced or under way.
    pub fn owes(&self) -> bool {
        self.asked.is_some() || self.active.is_some() || self.announced || self.wished.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_two_at_once_and_none_is_lost() {
        let mut gate = Gate::default();
        gate.wish(None);
        assert_eq!(gate.ask("e1"), Some(None));
        gate.wish(None);
        gate.wish(None);
        assert_eq!(gate.ask("e2"), None);
        gate.created("r1");
        assert_eq!(gate.ask("e2"), None);
        assert!(gate.done("r1"));
        assert_eq!(gate.ask("e2"), Some(None));
        gate.created("r2");
        assert!(gate.done("r2"));
        assert_eq!(gate.ask("e3"), None);
        assert!(!gate.owes());
    }

    #[test]
    fn a_request_that_lost_the_race_is_asked_again() {
        let mut gate = Gate::default();
        gate.wish(None);
        gate.ask("e1");
        assert!(!gate.refused("other", true));
        assert!(gate.refused("e1", true));
        gate.created("r1");
        assert_eq!(gate.ask("e2"), None);
        gate.done("r1");
        assert_eq!(gate.ask("e2"), Some(None));
    }

    #[test]
    fn a_request_that_is_wrong_is_not() {
        let mut gate = Gate::default();
        gate.wish(None);
        gate.ask("e1");
        assert!(gate.refused("e1", false));
        assert!(!gate.owes());
    }

    #[test]
    fn merged_wishes_keep_their_parameters() {
        let mut gate = Gate::default();
        let params = ResponseParams { instructions: Some("shout".into()), ..Default::default() };
        gate.wish(Some(params.clone()));
        gate.wish(None);
        assert_eq!(gate.ask("e1"), Some(Some(params)));
    }
}
