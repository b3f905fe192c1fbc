// SPDX-License-Identifier: MPL-2.0

//! Transcripts of both sides: pieces as they come, and final ones.
//!
//! Final transcripts are posted in the order of the conversation, also where the server transcribes the user after it
//! has answered. Those of the model are posted when they were played, so that after a barge-in they hold what was
//! heard and no more. Offline they are posted as soon as they are known.

use crate::audio::sample_clock::samples_to_time;
use crate::realtime::conversation::io::TranscriptEvent;
use crate::realtime::conversation::transcript::captions::ContentRef;
use crate::realtime::conversation::{Conversation, Event, Output};
use crate::types::Timing;
use crate::types::{Speaker, TimedText};
use openai_protocol::server::{TranscriptionCompleted, TranscriptionDelta, TranscriptionFailed};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most transcripts that are waited for.
const MAX_PENDING_TRANSCRIPTS: usize = 64;
/// Live: how long a final transcript waits for an earlier one of the other speaker before it is posted out of order.
const TRANSCRIPT_ORDER_TIMEOUT: Duration = Duration::from_secs(3);

/// A final transcript in its place in the order.
#[derive(Debug)]
struct PendingTranscript {
    role: Speaker,
    item_id: String,
    content_index: u32,
    /// The transcript, and since when it is known.
    whole: Option<(TranscriptEvent, Instant)>,
}

/// Final transcripts that are not posted, oldest first.
#[derive(Debug, Default)]
pub(crate) struct TranscriptQueue(VecDeque<PendingTranscript>);

impl TranscriptQueue {
    fn find(&mut self, role: Speaker, item_id: &str, content_index: u32) -> Option<&mut PendingTranscript> {
        self.0.iter_mut().find(|u| u.role == role && u.item_id == item_id && u.content_index == content_index)
    }

    /// Reserves the place of an item.
    pub fn expect(&mut self, role: Speaker, item_id: &str, content_index: u32) {
        if self.find(role, item_id, content_index).is_none() {
            if self.0.len() == MAX_PENDING_TRANSCRIPTS {
                self.0.pop_front();
            }
            self.0.push_back(PendingTranscript { role, item_id: item_id.to_owned(), content_index, whole: None });
        }
    }

    /// Transcripts of the user that are missing will not come.
    fn give_up_user(&mut self) {
        self.0.retain(|u| u.role != Speaker::User || u.whole.is_some());
    }

    fn drop(&mut self, role: Speaker, item_id: &str) {
        self.0.retain(|u| u.role != role || u.item_id != item_id || u.whole.is_some());
    }

    /// The next final transcript. `patient`: it waits for earlier ones without limit.
    fn take(&mut self, now: Instant, patient: bool) -> Option<TranscriptEvent> {
        let late = |u: &PendingTranscript| {
            !patient && u.whole.as_ref().is_some_and(|(_, since)| now >= *since + TRANSCRIPT_ORDER_TIMEOUT)
        };
        let next = match self.0.front()?.whole {
            Some(_) => 0,
            None => self.0.iter().position(late)?,
        };
        self.0.remove(next)?.whole.map(|(whole, _)| whole)
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(|u| u.whole.as_ref()).map(|(_, since)| *since + TRANSCRIPT_ORDER_TIMEOUT).min()
    }
}

impl Conversation {
    /// `conversation.item.input_audio_transcription.completed`
    pub(crate) fn on_transcription_completed(&mut self, event: TranscriptionCompleted) {
        self.server_transcribes = true;
        self.has_carried();
        self.turns.transcribed(&event.item_id);
        self.user_transcript_done(event.item_id, event.transcript);
    }

    /// `conversation.item.input_audio_transcription.delta`
    pub(crate) fn on_transcription_delta(&mut self, event: TranscriptionDelta) {
        self.server_transcribes = true;
        self.user_transcript_delta(event.item_id, event.delta);
    }

    /// `conversation.item.input_audio_transcription.failed`
    pub(crate) fn on_transcription_failed(&mut self, event: TranscriptionFailed) {
        self.server_transcribes = true;
        self.turns.transcribed(&event.item_id);
        self.transcripts.drop(Speaker::User, &event.item_id);
        let message = format!("what the user said could not be written down: {}", event.error.message);
        self.warn(event.error.code.as_deref().unwrap_or("transcription-failed"), message);
        self.flush_finals();
    }

    /// A piece of the model's text: `response.output_audio_transcript.delta` or `response.output_text.delta`.
    pub(crate) fn on_text_delta(&mut self, place: ContentRef, text: String) {
        if self.responses.is_muted(&place.response_id) || text.is_empty() {
            return;
        }
        self.transcripts.expect(Speaker::Assistant, &place.item_id, place.content_index);
        let running_time = self.captions.add(&place, &text, &self.responses);
        self.notify(Event::Transcript(TranscriptEvent {
            role: Speaker::Assistant,
            text,
            last: false,
            item_id: place.item_id,
            response_id: Some(place.response_id),
            running_time,
            duration: None,
        }));
        self.advance_captions();
    }

    pub(crate) fn on_text_done(&mut self, place: &ContentRef, text: String) {
        if !self.responses.is_muted(&place.response_id) {
            self.transcripts.expect(Speaker::Assistant, &place.item_id, place.content_index);
            self.captions.complete(place, text);
            self.advance_captions();
        }
    }

    /// Posts a final transcript of the model in its place.
    pub(crate) fn post_final(&mut self, place: ContentRef, text: String) {
        let ContentRef { response_id, item_id, content_index, .. } = place;
        let rate = self.config.output.rate();
        let spoken = self.responses.get(&item_id, content_index);
        let whole = TranscriptEvent {
            role: Speaker::Assistant,
            text,
            last: true,
            item_id: item_id.clone(),
            response_id: Some(response_id),
            running_time: spoken.and_then(|spoken| spoken.starts),
            duration: spoken.map(|spoken| samples_to_time(spoken.received, rate)),
        };
        if let Some(utterance) = self.transcripts.find(Speaker::Assistant, &item_id, content_index) {
            utterance.whole = Some((whole, self.now));
        }
        self.flush_finals();
    }

    /// No final transcript of this item: nothing was heard of it, or nothing will come.
    pub(crate) fn drop_final(&mut self, item_id: &str) {
        self.transcripts.drop(Speaker::Assistant, item_id);
        self.flush_finals();
    }

    fn user_transcript_delta(&mut self, item_id: String, text: String) {
        if text.is_empty() {
            return;
        }
        let running_time = self.turns.of(&item_id).and_then(|turn| turn.start);
        self.notify(Event::Transcript(TranscriptEvent {
            role: Speaker::User,
            text,
            last: false,
            item_id,
            response_id: None,
            running_time,
            duration: None,
        }));
    }

    fn user_transcript_done(&mut self, item_id: String, text: String) {
        let turn = self.turns.of(&item_id);
        let whole = TranscriptEvent {
            role: Speaker::User,
            text,
            last: true,
            item_id: item_id.clone(),
            response_id: None,
            running_time: turn.and_then(|turn| turn.start),
            duration: turn.and_then(|turn| turn.duration()),
        };
        self.transcripts.expect(Speaker::User, &item_id, 0);
        if let Some(utterance) = self.transcripts.find(Speaker::User, &item_id, 0) {
            utterance.whole = Some((whole, self.now));
        }
        self.flush_finals();
    }

    /// Gives up the transcripts that are missing.
    pub(crate) fn give_up_turns(&mut self) {
        self.turns.give_up();
        self.transcripts.give_up_user();
        self.flush_finals();
    }

    /// Posts the final transcripts that are due.
    pub(crate) fn flush_finals(&mut self) {
        let patient = self.config.timing == Timing::Offline;
        while let Some(whole) = self.transcripts.take(self.now, patient) {
            self.post_in_order(whole);
        }
    }

    /// Posts all final transcripts that are known.
    pub(crate) fn flush_all_finals(&mut self) {
        for whole in std::mem::take(&mut self.transcripts).0.into_iter().filter_map(|u| u.whole) {
            self.post_in_order(whole.0);
        }
    }

    fn post_in_order(&mut self, whole: TranscriptEvent) {
        self.history.add_transcript(&whole);
        self.replay_late_item(&whole);
        if whole.role == Speaker::User {
            self.outbox.push(Output::Text(TimedText {
                role: Speaker::User,
                item_id: whole.item_id.clone(),
                text: whole.text.clone(),
                last: true,
                at: whole.running_time,
                duration: whole.duration,
            }));
        }
        self.notify(Event::Transcript(whole));
    }

    /// When a waiting transcript is due.
    pub(crate) fn transcripts_deadline(&self) -> Option<Instant> {
        let late = self.transcripts.deadline().filter(|_| self.config.timing == Timing::Live);
        late.into_iter().chain(self.captions.deadline(&self.responses, self.config.timing)).min()
    }

    /// Whether final transcripts of the model are known and not posted.
    pub(crate) fn owes_transcripts(&self) -> bool {
        self.captions.are_pending(&self.responses)
    }
}
