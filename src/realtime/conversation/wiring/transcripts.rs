// SPDX-License-Identifier: MPL-2.0

//! Transcripts and captions: the server's events about them, and where final transcripts go.

use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::event::{Event, TranscriptEvent};
use crate::realtime::conversation::transcript::captions::ContentRef;
use crate::realtime::conversation::{Conversation, Output};
use crate::types::{Speaker, TimedText};
use openai_protocol::server::{TranscriptionCompleted, TranscriptionDelta, TranscriptionFailed};
use std::time::Instant;

impl Conversation {
    /// `conversation.item.input_audio_transcription.completed`
    pub(crate) fn on_transcription_completed(&mut self, event: TranscriptionCompleted) {
        self.transcripts.user_is_transcribed();
        self.losses.carried();
        self.turns.transcribed(&event.item_id);
        let turn = self.turns.of(&event.item_id);
        self.transcripts.user_done(event.item_id, event.transcript, turn, self.now);
        self.flush_finals();
    }

    /// `conversation.item.input_audio_transcription.delta`
    pub(crate) fn on_transcription_delta(&mut self, event: TranscriptionDelta) {
        self.transcripts.user_is_transcribed();
        let turn = self.turns.of(&event.item_id);
        if turn.is_none_or(|turn| turn.end.is_none()) {
            // The model writes while the user speaks: it has heard what was sent so far.
            let at = self.audio_input.sent().end().unwrap_or_default();
            for line in self.streamed.add(&event.item_id, &event.delta, at, self.now) {
                self.outbox.push(Output::Text(line));
            }
        }
        self.transcripts.user_delta(event.item_id, event.delta, turn, &mut ctx!(self));
    }

    /// `conversation.item.input_audio_transcription.failed`
    pub(crate) fn on_transcription_failed(&mut self, event: TranscriptionFailed) {
        self.transcripts.user_is_transcribed();
        self.turns.transcribed(&event.item_id);
        self.transcripts.drop(Speaker::User, &event.item_id);
        if let Some(end) = self.streamed.give_up(&event.item_id) {
            self.outbox.push(Output::Text(end));
        }
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
        self.transcripts.model_delta(place, text, running_time, &mut ctx!(self));
        self.advance_captions();
    }

    pub(crate) fn on_text_done(&mut self, place: &ContentRef, text: String) {
        if !self.responses.is_muted(&place.response_id) {
            self.transcripts.expect(Speaker::Assistant, &place.item_id, place.content_index);
            self.captions.complete(place, text);
            self.advance_captions();
        }
    }

    /// Sends captions that are due, and posts the final transcript of what has ended.
    pub(crate) fn advance_captions(&mut self) {
        while let Some((place, text)) = self.captions.advance(&self.responses, &mut ctx!(self)) {
            self.post_final(place, text);
        }
    }

    fn post_final(&mut self, place: ContentRef, text: String) {
        let audio = self.responses.get(&place.item_id, place.content_index);
        self.transcripts.model_done(place, text, audio, &ctx!(self));
        self.flush_finals();
    }

    /// `response.done`: what is not complete now never will be.
    pub(crate) fn transcripts_of_response_done(&mut self, response_id: &str) {
        self.captions.response_done(response_id);
        self.advance_captions();
    }

    /// Nothing more will come of any response.
    pub(crate) fn finish_captions(&mut self) {
        self.captions.complete_all();
        self.responses.give_up();
        self.advance_captions();
    }

    /// Posts the final transcripts of items that were cut off: what was played of them.
    pub(crate) fn post_cut_transcripts(&mut self, cut: Vec<(ContentRef, String)>) {
        for (place, played) in cut {
            if played.is_empty() {
                self.transcripts.drop(Speaker::Assistant, &place.item_id);
                self.flush_finals();
            } else {
                self.post_final(place, played);
            }
        }
    }

    /// Gives up the transcripts that are missing.
    pub(crate) fn give_up_turns(&mut self) {
        self.turns.give_up();
        self.transcripts.give_up_user();
        self.flush_finals();
        for end in self.streamed.give_up_all() {
            self.outbox.push(Output::Text(end));
        }
    }

    /// Posts the final transcripts that are due.
    pub(crate) fn flush_finals(&mut self) {
        while let Some(transcript) = self.transcripts.take_due(&ctx!(self)) {
            self.post_in_order(transcript);
        }
    }

    /// Posts all final transcripts that are known.
    pub(crate) fn flush_all_finals(&mut self) {
        while let Some(transcript) = self.transcripts.take_known() {
            self.post_in_order(transcript);
        }
    }

    fn post_in_order(&mut self, transcript: TranscriptEvent) {
        self.history.add_transcript(&transcript);
        self.replay_late_item(&transcript);
        if transcript.role == Speaker::User {
            let text = self.streamed.finish(&transcript).unwrap_or_else(|| TimedText {
                role: Speaker::User,
                item_id: transcript.item_id.clone(),
                text: transcript.text.clone(),
                last: true,
                at: transcript.running_time,
                duration: transcript.duration,
            });
            self.outbox.push(Output::Text(text));
        }
        self.notify(Event::Transcript(transcript));
    }

    /// When a waiting transcript or caption is due.
    pub(crate) fn transcripts_deadline(&self) -> Option<Instant> {
        let timing = self.config.timing;
        let captions = self.captions.deadline(&self.responses, timing);
        self.transcripts.deadline(timing).into_iter().chain(captions).min()
    }
}
