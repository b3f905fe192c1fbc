//! What was said so far, for a session that has to begin anew.
//!
//! A server ends a session after an hour, and connections break. There is no resuming: the next session knows nothing.
//! So what was said is told to it again, in words, because a model's speech cannot be given back; pictures are not shown
//! twice. What of an answer nobody heard is not part of it. A turn that had no answer yet is asked about again.

use super::events::{Speaker, TranscriptNotice};
use super::uplink::SampleClock;
use super::{Conversation, Notice, Output, Phase};
use crate::conversation::events::SessionNotice;
use crate::protocol::items::{Item, ItemKind, Role};
use std::collections::VecDeque;

/// Letters that are told again at most; the oldest are forgotten first.
const LETTERS: usize = 48_000;

/// The conversation in words.
#[derive(Debug, Default)]
pub(super) struct History {
    items: VecDeque<Item>,
    letters: usize,
}

fn letters(item: &Item) -> usize {
    let text = |part: &crate::protocol::items::ContentPart| part.text.as_deref().map_or(0, str::len);
    let parts = item.content.iter().flatten().map(text).sum::<usize>();
    let output = item.output.as_ref().and_then(|output| output.as_str()).map_or(0, str::len);
    parts + output + item.arguments.as_deref().map_or(0, str::len)
}

impl History {
    fn add(&mut self, item: Item) {
        self.letters += letters(&item);
        self.items.push_back(item);
        while self.letters > LETTERS && self.items.len() > 1 {
            let forgotten = self.items.pop_front().map_or(0, |item| letters(&item));
            self.letters -= forgotten;
        }
    }

    /// Somebody said something.
    pub fn said(&mut self, whole: &TranscriptNotice) {
        let role = match whole.role {
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
        };
        if !whole.text.trim().is_empty() {
            self.add(Item::message(role, whole.text.trim()));
        }
    }

    /// The user typed something, the model called a function, or a function gave something back.
    pub fn has(&mut self, item: &Item) {
        let is_text = item.kind == ItemKind::Message && item.content.iter().flatten().all(|part| part.text.is_some());
        if is_text || matches!(item.kind, ItemKind::FunctionCall | ItemKind::FunctionCallOutput) {
            let mut item = item.clone();
            // Names are given anew, and how far an item has come is the server's to say.
            (item.id, item.object, item.status) = (None, None, None);
            self.add(item);
        }
    }
}

/// Close codes after which another try makes sense, as in the official clients; a broken connection has none.
pub(super) fn may_come_back(code: Option<u16>) -> bool {
    matches!(code, None | Some(1001 | 1005 | 1006 | 1011..=1013 | 1015))
}

impl Conversation {
    /// The connection is gone and may be had back. What is there plays on; what was asked for is asked for again.
    pub(super) fn lose(&mut self, reason: String) {
        let active = self.gate.active().map(str::to_owned);
        let unspoken = |response: &String| !self.answers.spoken.iter().any(|spoken| spoken.response_id == *response);
        let is_owed = self.gate.expects() || active.as_ref().is_some_and(unspoken);
        self.phase = Phase::Offline;
        self.epoch += 1;
        self.gate.give_up();
        if is_owed && self.answers_at_all() {
            self.gate.wish(None);
        }
        if let Some(active) = active {
            self.words_of_response_done(&active);
            self.calls_are_told(&active);
        }
        self.answers.give_up();
        self.turns.give_up();
        self.lose_frames();
        if let Some(turn) = self.turns.drop_open() {
            let running_time = self.listening.heard.end();
            self.notify(Notice::Speech { active: false, item_id: turn.item_id, running_time });
        }
        self.updates.clear();
        self.lose_update();
        self.notify(Notice::Session(SessionNotice::Reconnecting { reason }));
        self.output.push_back(Output::Reconnect);
    }

    /// A new session has begun: its clock and its voice are new, and it is told what was said.
    pub(super) fn begin_anew(&mut self) {
        self.has_spoken = false;
        self.listening.sent = SampleClock::new(self.config.input.rate());
        self.all_is_committed();
        self.listening.forget_turn(&self.config);
    }

    /// Tells the new session what was said.
    pub(super) fn tell_history(&mut self) {
        for item in self.history.items.clone() {
            let id = self.create_item(item);
            // What a server does not take of it is no reason to worry the user.
            self.answers.harmless(id);
        }
    }
}
