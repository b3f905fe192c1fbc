// SPDX-License-Identifier: MPL-2.0

//! Barge-in: the user speaks over the model, or the application cancels it.
//!
//! Playback stops at once, and the server is told what was played (`conversation.item.truncate`), so that the model's
//! context holds what the user has heard.

use crate::audio::sample_clock::samples_to_time;
use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::response::Initiator;
use crate::realtime::conversation::response::responses::UnplayedPart;
use crate::realtime::conversation::server_ids::{given, plain};
use crate::realtime::conversation::{Conversation, Event, Output};
use crate::types::Timing;
use openai_protocol::client::{ConversationItemDelete, ConversationItemTruncate, ResponseCancel};

impl Conversation {
    /// Drops queued audio, and truncates or deletes the items at the server.
    pub(crate) fn interrupt(&mut self, who: Initiator) {
        let unplayed = self.responses.unplayed();
        let active = self.scheduler.active().map(str::to_owned);
        if who == Initiator::Application {
            self.scheduler.cancel_pending();
            self.calls.cancel_pending();
        }
        if unplayed.is_empty() && active.is_none() {
            return;
        }
        if let Some(active) = &active {
            self.cancel(active, who);
        }
        self.clear_floor();
        self.outbox.push(Output::FlushAudio);
        self.cut_off_at_server(&unplayed);
        let items: Vec<&str> = unplayed.iter().map(|part| part.item_id.as_str()).collect();
        let transcripts = self.captions.cut_off(&items, &self.responses);
        unplayed.iter().for_each(|part| self.responses.cut_off(part));
        self.post_cut_transcripts(transcripts);
        let speech_start = self.turns.open().and_then(|turn| turn.start).filter(|_| who == Initiator::User);
        for response_id in unplayed.iter().map(|part| &part.response_id).chain(&active) {
            self.turn_latency.interrupted(response_id, speech_start);
        }
        if let Some(first) = unplayed.into_iter().next() {
            self.notify(Event::Interrupted {
                response_id: Some(first.response_id),
                item_id: first.item_id,
                heard: samples_to_time(first.played, self.config.output.rate()),
                running_time: self.responses.position(),
            });
        }
    }

    /// Tells the server what was played of each part, and drops what may still come of it.
    fn cut_off_at_server(&mut self, unplayed: &[UnplayedPart]) {
        let rate = self.config.output.rate();
        let mut deleted = Vec::new();
        for part in unplayed {
            // A server's VAD does not cancel out-of-band responses.
            if self.records.runs_out_of_band(&part.response_id) && !self.responses.is_muted(&part.response_id) {
                self.send_cancel(&part.response_id);
            }
            self.responses.mute(&part.response_id);
            self.calls.cut_off(&part.response_id);
            let is_known = part.session_generation == self.session_generation
                && !plain(&part.item_id).is_empty()
                && !self.records.is_out_of_band(&part.response_id);
            if !is_known {
                continue;
            }
            if !self.responses.is_unplayed(&part.item_id, rate) {
                let id = self.send(ConversationItemTruncate {
                    item_id: part.item_id.clone(),
                    content_index: part.content_index,
                    audio_end_ms: part.played * 1000 / u64::from(rate),
                    ..Default::default()
                });
                self.expected_errors.add(id);
            } else if !deleted.contains(&&part.item_id) {
                deleted.push(&part.item_id);
                self.forget_item(&part.item_id);
            }
        }
    }

    /// Cancels a response. A server's VAD does it by itself when the user speaks.
    pub(crate) fn cancel(&mut self, response_id: &str, who: Initiator) {
        if self.responses.is_muted(response_id) {
            return;
        }
        self.responses.mute(response_id);
        self.calls.cut_off(response_id);
        if who == Initiator::Application || !matches!(self.config.detection, Detection::Server { .. }) {
            self.send_cancel(response_id);
        }
    }

    fn send_cancel(&mut self, response_id: &str) {
        let id = self.send(ResponseCancel { response_id: given(response_id), ..Default::default() });
        self.expected_errors.add(id);
    }

    /// The server has cancelled a response by itself: what is queued of it is not played either.
    pub(crate) fn cancelled_by_server(&mut self, response_id: &str, reason: Option<&str>) {
        let is_meant = match reason {
            Some("client_cancelled") => self.config.timing == Timing::Live,
            _ => self.may_be_interrupted(),
        };
        let is_heard = || self.responses.unplayed().iter().any(|part| part.response_id == response_id);
        if is_meant && self.scheduler.active().is_none() && !self.responses.is_muted(response_id) && is_heard() {
            self.interrupt(Initiator::User);
        }
    }

    /// Deletes an item of which nothing was played, so that it is not part of the model's context.
    pub(crate) fn forget_item(&mut self, item_id: &str) {
        if !plain(item_id).is_empty() {
            let id = self.send(ConversationItemDelete { item_id: item_id.to_owned(), ..Default::default() });
            self.expected_errors.add(id);
        }
    }
}
