// SPDX-License-Identifier: MPL-2.0

//! The user's side of a session: sound comes in, turns come out, and their words where they are wanted.

use crate::api_error::ApiError;
use crate::audio::decode;
use crate::engine::{SharedTranscript, Utterance};
use crate::ids;
use crate::session::detector::{Edge, Rules, TICKS};
use crate::session::item::Entry;
use crate::session::response_config::server_error;
use crate::session::usage;
use crate::session::{Job, Output, Session};
use openai_protocol::ResponseParams;
use openai_protocol::server::{
    InputAudioBufferCleared, InputAudioBufferCommitted, InputAudioBufferSpeechStarted, InputAudioBufferSpeechStopped,
    InputAudioBufferTimeoutTriggered, TranscriptionCompleted, TranscriptionDelta, TranscriptionFailed,
};
use std::sync::Arc;
use std::time::Instant;

/// The least that can be committed.
const MIN_COMMIT_MS: f64 = 100.0;

/// A turn of the user that has begun and not ended.
#[derive(Debug)]
pub struct OpenTurn {
    /// The message that it will be.
    item_id: String,
    /// Where it begins, padding included.
    start: u64,
    /// The words so far, which are looked for while it is not sure yet that the turn has ended.
    ahead: Option<SharedTranscript>,
}

impl Session {
    /// Gives the input the ear that the configuration asks for.
    pub(super) fn configure_vad(&mut self) {
        let rate = self.config.input_format().rate();
        self.input.set_rate(rate);
        match self.config.turns() {
            Some(_) if self.input.has_ear() => {}
            Some(_) => {
                self.input.set_ear(Some(self.engine.turn_detector(rate)));
                self.turn = None;
                self.idle_since = Some(self.input.clock());
            }
            None => {
                self.input.set_ear(None);
                self.turn = None;
            }
        }
    }

    /// Takes sound, without hearing it yet.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        let format = self.config.input_format();
        if !bytes.len().is_multiple_of(format.sample_size()) {
            let message = "Invalid 'audio': the audio ends in the middle of a sample.";
            return Err(ApiError::new("invalid_value", message).at("audio"));
        }
        if !self.input.append(&decode(&format, bytes)) {
            let message = "The input audio buffer is full: commit or clear it first. This audio was not taken.";
            return Err(ApiError::new("input_audio_buffer_full", message));
        }
        Ok(())
    }

    /// Hears the next tenth of a second. False: everything was heard.
    pub fn listen(&mut self, now: Instant) -> bool {
        let rules = self.config.turns();
        let Some(edges) = self.input.listen(rules.as_ref()) else { return false };
        if let Some(rules) = rules {
            for edge in edges {
                match edge {
                    Edge::Started(onset) => self.start_turn(onset, &rules, now),
                    Edge::Stopped(end) => self.stop_turn(end, &rules),
                }
            }
            self.transcribe_speculatively(&rules);
            self.on_idle_timeout(&rules);
        }
        true
    }

    fn start_turn(&mut self, onset: u64, rules: &Rules, now: Instant) {
        let turn = OpenTurn { item_id: ids::new("item_"), start: self.input.turn_start(onset, rules), ahead: None };
        self.send(InputAudioBufferSpeechStarted {
            audio_start_ms: turn.start / TICKS,
            item_id: turn.item_id.clone(),
            ..Default::default()
        });
        self.turn = Some(turn);
        self.idle_since = None;
        if rules.interrupt_response {
            self.interrupt(now);
        }
    }

    fn stop_turn(&mut self, end: u64, rules: &Rules) {
        let Some(OpenTurn { item_id, start, ahead }) = self.turn.take() else { return };
        let sound = self.input.take(start, end);
        self.send(InputAudioBufferSpeechStopped {
            audio_end_ms: end / TICKS,
            item_id: item_id.clone(),
            ..Default::default()
        });
        self.idle_since = Some(end);
        self.add_turn(item_id, Utterance { sound, words: ahead.unwrap_or_default() });
        if rules.create_response {
            self.respond_by_itself(false);
        }
    }

    /// Half of the silence that ends a turn has passed: begins to look for its words, so that they are there when the
    /// other half has passed as well. If the user goes on speaking it was in vain.
    fn transcribe_speculatively(&mut self, rules: &Rules) {
        let Some(turn) = self.turn.as_mut().filter(|_| self.engine.understands()) else { return };
        let silence = self.input.silence().unwrap_or_default();
        if silence == 0 || silence * 2 < rules.silence {
            turn.ahead = None;
        } else if turn.ahead.is_none() {
            let Utterance { sound, words } = Utterance::new(self.input.peek(turn.start));
            let job = Job::Listen { sound, words: Arc::downgrade(&words) };
            turn.ahead = Some(words);
            self.out.push_back(Output::Start(job));
        }
    }

    /// Nobody has said anything for long enough: takes the silence as a turn and answers it, once.
    fn on_idle_timeout(&mut self, rules: &Rules) {
        let (Some(idle), Some(since)) = (rules.idle, self.idle_since) else { return };
        let end = since + idle;
        if self.turn.is_some() || self.is_answering() || self.input.clock() < end {
            return;
        }
        self.idle_since = None;
        let item_id = ids::new("item_");
        self.send(InputAudioBufferTimeoutTriggered {
            audio_start_ms: since / TICKS,
            audio_end_ms: end / TICKS,
            item_id: item_id.clone(),
            ..Default::default()
        });
        let sound = self.input.take(since, end);
        self.add_turn(item_id, Utterance::new(sound));
        self.respond_by_itself(true);
    }

    fn respond_by_itself(&mut self, idle: bool) {
        if let Err(refusal) = self.create_response(ResponseParams::default(), idle) {
            self.refuse(refusal, None);
        }
    }

    /// Ends the turn by hand.
    pub(super) fn commit(&mut self) -> Result<(), ApiError> {
        let ms = self.input.buffered_ms();
        if ms < MIN_COMMIT_MS {
            let message = format!(
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has {ms:.2}ms of audio."
            );
            return Err(ApiError::new("input_audio_buffer_commit_empty", message));
        }
        let sound = self.input.take_all();
        let item_id = self.turn.take().map_or_else(|| ids::new("item_"), |turn| turn.item_id);
        self.idle_since = Some(self.input.clock());
        self.add_turn(item_id, Utterance::new(sound));
        Ok(())
    }

    /// Forgets what is not committed.
    pub(super) fn clear(&mut self) {
        self.input.clear();
        self.turn = None;
        self.send(InputAudioBufferCleared::default());
    }

    /// Makes a message of committed sound.
    fn add_turn(&mut self, item_id: String, utterance: Utterance) {
        let entry = Entry::spoken(item_id.clone(), utterance.clone());
        let item = entry.shown();
        let previous = self.conversation.push(entry);
        self.send(InputAudioBufferCommitted {
            previous_item_id: previous.clone(),
            item_id: item_id.clone(),
            ..Default::default()
        });
        self.tell_item(item, previous);
        if self.config.transcription().is_some() {
            self.out.push_back(Output::Start(Job::Transcribe { item_id, utterance }));
        }
    }

    /// The words of a message have been found.
    pub(super) fn heard(&mut self, item_id: String, result: Result<String, String>) {
        let transcript = match result {
            Ok(transcript) => transcript,
            Err(message) => {
                let error = server_error(&message);
                self.send(TranscriptionFailed { item_id, error, ..Default::default() });
                return;
            }
        };
        for delta in transcript.split_inclusive(' ') {
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
