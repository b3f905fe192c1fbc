// SPDX-License-Identifier: MPL-2.0

//! The user's turns, from the begin of the speech to the first output of the response.

use super::{Axis, Turn};

/// The turns so far.
#[derive(Debug, Default)]
pub struct Turns {
    /// In the order in which they began.
    pub all: Vec<Turn>,
    /// When the client ended the turn that is not acknowledged yet.
    commit_sent: Option<f64>,
    /// When the server told that the user speaks.
    speech_told: Option<f64>,
}

impl Turns {
    /// The server heard the user begin.
    pub fn speech_started(&mut self, item: String, milliseconds: u64, axis: &Axis, now: f64) {
        let begin = axis.position_of(milliseconds);
        self.speech_told = Some(now);
        self.all.push(Turn { item, begin, end: begin, ..Turn::default() });
    }

    /// The server heard the user end.
    pub fn speech_stopped(&mut self, item: &str, milliseconds: u64, axis: &Axis, now: f64) {
        self.speech_told = None;
        let Some(turn) = self.find(item) else { return };
        turn.end = axis.position_of(milliseconds).max(turn.begin);
        turn.times.speech_end = axis.sent_at(milliseconds);
        turn.times.stopped = Some(now);
    }

    /// The client ended a turn by hand.
    pub fn commit_sent(&mut self, now: f64) {
        self.commit_sent = Some(now);
    }

    /// The server made an item of the sound.
    pub fn committed(&mut self, item: String, position: f64, now: f64) {
        let sent = self.commit_sent.take();
        if self.find(&item).is_none() {
            let begin = self.all.last().map_or(0.0, |turn| turn.end).min(position);
            self.all.push(Turn { item: item.clone(), begin, end: position, ..Turn::default() });
        }
        let Some(turn) = self.find(&item) else { return };
        turn.times.committed = Some(now);
        turn.times.sent = sent;
        if turn.end <= turn.begin {
            turn.end = position.max(turn.begin);
        }
    }

    /// The client put a message of the user into the conversation.
    pub fn text(&mut self, item: String, words: String, position: f64, now: f64) {
        let mut turn = Turn { item, begin: position, end: position, words, is_text: true, ..Turn::default() };
        turn.times.sent = Some(now);
        self.all.push(turn);
    }

    /// What the user said was written down, or a piece of it.
    pub fn words(&mut self, item: &str, words: &str, is_whole: bool) {
        let Some(turn) = self.find(item) else { return };
        if is_whole {
            turn.words.clear();
        }
        turn.words.push_str(words);
    }

    /// A response began: the first one after a turn is the response to it.
    pub fn response_created(&mut self, response: usize, now: f64) {
        let waits = |turn: &&mut Turn| turn.times.committed.or(turn.times.sent).is_some();
        if let Some(turn) = self.all.iter_mut().rev().find(waits).filter(|turn| turn.response.is_none()) {
            turn.response = Some(response);
            turn.times.response = Some(now);
        }
    }

    /// Sound or text of a response came.
    pub fn output(&mut self, now: f64) {
        let answered = |turn: &&mut Turn| turn.response.is_some();
        if let Some(turn) = self.all.iter_mut().rev().find(answered) {
            turn.times.first_output.get_or_insert(now);
        }
    }

    /// Seconds since the server told that the user speaks, if it was a barge-in.
    pub fn since_speech(&self, now: f64) -> Option<f64> {
        self.speech_told.map(|told| now - told)
    }

    fn find(&mut self, item: &str) -> Option<&mut Turn> {
        self.all.iter_mut().rev().find(|turn| turn.item == item)
    }
}
