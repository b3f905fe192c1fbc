// SPDX-License-Identifier: MPL-2.0

//! A new session after one that was lost: it gets the history, the images, and the audio of the turn that was under way.

use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::io::TranscriptEvent;
use crate::realtime::conversation::session::history::Replayed;
use crate::realtime::conversation::{Conversation, Phase};
use crate::types::{AudioChunk, Speaker};
use openai_protocol::items::{Item, Role};

impl Conversation {
    /// A new session has begun: its voice is not used yet, and it knows nothing.
    pub(crate) fn resume(&mut self) {
        self.has_spoken = false;
        let rate = self.config.input.rate();
        self.audio_input.could_not_be_pushed(self.now);
        let open = self.audio_input.restart_clock(rate);
        let resumed = self.turns.drop_open();
        self.history.begin_replay();
        while let Some(replayed) = self.history.replay_next(&mut ctx!(self)) {
            match replayed {
                Replayed::Item { event_id } => self.expected_errors.add(event_id),
                Replayed::Turn(audio) => self.replay_turn(audio),
            }
        }
        self.frames.replay(&mut ctx!(self));
        self.history.warn_of_forgotten(&mut ctx!(self));
        resumed.into_iter().for_each(|turn| self.turns.advance(turn));
        // Before the audio in which a server may find the next turn and respond to it by itself.
        self.send_due_request();
        self.replay_audio(open);
    }

    /// Appends and commits a turn again.
    fn replay_turn(&mut self, audio: Vec<AudioChunk>) {
        self.replay_audio(audio);
        self.commit_requested();
        if matches!(self.config.detection, Detection::Server { .. }) {
            // The server may have found the turn by itself.
            let commit = self.outbox.last_event_id();
            self.expected_errors.add(commit);
        }
    }

    fn replay_audio(&mut self, audio: Vec<AudioChunk>) {
        audio.into_iter().for_each(|chunk| self.append(chunk));
    }

    /// A final transcript of the model is known when it was played. Where that is after its session, the next one does not
    /// know it.
    pub(crate) fn replay_late_item(&mut self, transcript: &TranscriptEvent) {
        let is_late = matches!(self.phase, Phase::Ready)
            && self.responses.is_of_other_session(&transcript.item_id, self.session_generation);
        let text = transcript.text.trim();
        let is_model = transcript.role == Speaker::Assistant;
        if is_late && is_model && !text.is_empty() && !self.config.is_transcription_only() {
            let id = self.create_item(Item::message(Role::Assistant, text));
            self.expected_errors.add(id);
        }
    }
}
