// SPDX-License-Identifier: MPL-2.0

//! The words of the user: looked for while a turn goes on, and told where the client wants them.

use crate::engine::Utterance;
use crate::session::detector::{Rules, TICKS};
use crate::session::partial_text::is_streamed;
use crate::session::response_config::server_error;
use crate::session::{Job, Output, Session, usage};
use openai_protocol::server::{TranscriptionCompleted, TranscriptionDelta, TranscriptionFailed};
use std::sync::Arc;

impl Session {
    /// Begins to look for words in a pause of the user, so that they are there when the turn ends.
    pub(super) fn transcribe_speculatively(&mut self, rules: &Rules) {
        let (Some(silence), true) = (self.input.silence(), self.engine.listens_ahead()) else { return };
        let clock = self.input.clock();
        let wanted = self.turn.as_mut().and_then(|turn| turn.on_silence(silence, clock, rules.silence));
        if let Some((start, words)) = wanted {
            let (sound, hints) = (self.input.peek(start), self.config.hints());
            self.out.push_back(Output::Start(Job::Listen { sound, hints, words: Arc::downgrade(&words) }));
        }
        self.transcribe_parts();
    }

    /// Has the complete parts of the open turn written down, where the model tells words while somebody speaks.
    fn transcribe_parts(&mut self) {
        let model = self.config.transcription().and_then(|transcription| transcription.model.as_deref());
        let Some(turn) = self.turn.as_mut().filter(|_| model.is_some_and(is_streamed)) else { return };
        while let Some((part, start, end, words)) = turn.next_part() {
            let sound = self.input.peek(start).between(0, (end - start) / TICKS);
            let utterance = Utterance { words, ..Utterance::new(sound).with_hints(self.config.hints()) };
            let item_id = turn.item_id.clone();
            self.partial_texts.entry(item_id.clone()).or_default();
            self.out.push_back(Output::Start(Job::TranscribePart { item_id, part, utterance }));
        }
    }

    /// The words of a part of a turn have been found. What could not be understood is told with the whole turn.
    pub(super) fn heard_part(&mut self, item_id: String, part: usize, result: Result<String, String>) {
        let (Some(partial), Ok(words)) = (self.partial_texts.get_mut(&item_id), result) else { return };
        let delta = partial.add(part, words);
        if !delta.is_empty() {
            self.send(TranscriptionDelta { item_id, delta, ..Default::default() });
        }
    }

    /// The words of a message have been found.
    pub(super) fn heard(&mut self, item_id: String, result: Result<String, String>) {
        let partial = self.partial_texts.remove(&item_id).unwrap_or_default();
        let transcript = match result {
            Ok(transcript) => transcript,
            Err(message) => {
                let error = server_error(&message);
                self.send(TranscriptionFailed { item_id, error, ..Default::default() });
                return;
            }
        };
        for delta in partial.rest(&transcript).split_inclusive(' ') {
            let (item_id, delta) = (item_id.clone(), delta.to_string());
            self.send(TranscriptionDelta { item_id, delta, ..Default::default() });
        }
        let model = self.config.transcription().and_then(|transcription| transcription.model.as_deref());
        let model = model.unwrap_or_default().to_string();
        let mut ms = 0;
        if let Some(entry) = self.conversation.get_mut(&item_id) {
            ms = entry.sound_ms();
            for part in entry.item.content.iter_mut().flatten() {
                part.transcript = Some(transcript.clone());
            }
        }
        let usage = usage::transcription(&model, ms, &transcript);
        self.send(TranscriptionCompleted { item_id, transcript, usage, ..Default::default() });
    }
}
