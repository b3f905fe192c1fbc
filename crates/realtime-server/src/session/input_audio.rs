// SPDX-License-Identifier: MPL-2.0

//! The user's side of a session: sound comes in, turns come out.

use crate::api_error::ApiError;
use crate::audio::decode;
use crate::engine::Utterance;
use crate::ids;
use crate::session::detector::{Edge, Rules, TICKS};
use crate::session::item::Entry;
use crate::session::open_turn::OpenTurn;
use crate::session::read::cut_audio;
use crate::session::{Job, Output, Session};
use openai_protocol::ResponseParams;
use openai_protocol::server::{
    InputAudioBufferCleared, InputAudioBufferCommitted, InputAudioBufferSpeechStarted, InputAudioBufferSpeechStopped,
    InputAudioBufferTimeoutTriggered,
};
use std::time::Instant;

/// The least that can be committed.
const MIN_COMMIT_MS: f64 = 100.0;

impl Session {
    /// Gives the input the ear that the configuration asks for. Where the client says when a turn ends, the ear finds the
    /// pauses in which words can be looked for meanwhile.
    pub(super) fn configure_vad(&mut self) {
        let rate = self.config.input_format().rate();
        self.input.set_rate(rate);
        let finds_turns = self.config.turns().is_some();
        if self.input.has_ear() && self.finds_turns == finds_turns {
            return;
        }
        let hears = finds_turns || self.engine.listens_ahead();
        self.input.set_ear(hears.then(|| self.engine.turn_detector(rate)));
        self.finds_turns = finds_turns;
        self.forget_turn();
        if finds_turns {
            self.idle_since = Some(self.input.clock());
        }
    }

    /// Takes sound, without hearing it yet.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        let format = self.config.input_format();
        if !bytes.len().is_multiple_of(format.sample_size()) {
            return Err(cut_audio());
        }
        if !self.input.append(&decode(&format, bytes)) {
            let message = "The input audio buffer is full: commit or clear it first. This audio was not taken.";
            return Err(ApiError::new("input_audio_buffer_full", message));
        }
        Ok(())
    }

    /// Hears the next tenth of a second. False: everything was heard.
    pub fn listen(&mut self, now: Instant) -> bool {
        let Some(rules) = self.config.turns() else { return self.listen_for_pauses() };
        let Some(edges) = self.input.listen(Some(&rules), false) else { return false };
        for edge in edges {
            match edge {
                Edge::Started(onset) => self.start_turn(onset, &rules, now),
                Edge::Stopped(end) => self.stop_turn(end, &rules),
            }
        }
        self.transcribe_speculatively(&rules);
        self.on_idle_timeout(&rules);
        true
    }

    /// The same where the client says when a turn ends.
    fn listen_for_pauses(&mut self) -> bool {
        let rules = self.input.has_ear().then_some(Rules::PAUSES);
        let Some(edges) = self.input.listen(rules.as_ref(), true) else { return false };
        if self.turn.is_none() && edges.iter().any(|edge| matches!(edge, Edge::Started(_))) {
            self.turn = Some(OpenTurn::new(ids::new("item_"), self.input.start()));
        }
        self.transcribe_speculatively(&Rules::PAUSES);
        true
    }

    fn start_turn(&mut self, onset: u64, rules: &Rules, now: Instant) {
        let turn = OpenTurn::new(ids::new("item_"), self.input.turn_start(onset, rules));
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
        let Some(turn) = self.turn.take() else { return };
        let (item_id, start) = (turn.item_id.clone(), turn.start);
        let sound = self.input.take(start, end);
        self.send(InputAudioBufferSpeechStopped {
            audio_end_ms: end / TICKS,
            item_id: item_id.clone(),
            ..Default::default()
        });
        self.idle_since = Some(end);
        self.add_turn(item_id, turn.finish(sound, start, self.config.hints()));
        if rules.create_response {
            self.respond_by_itself(false);
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
        self.add_turn(item_id, Utterance::new(sound).with_hints(self.config.hints()));
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
        let start = self.input.start();
        let sound = self.input.take_all();
        let turn = self.turn.take().unwrap_or_else(|| OpenTurn::new(ids::new("item_"), start));
        self.idle_since = Some(self.input.clock());
        self.add_turn(turn.item_id.clone(), turn.finish(sound, start, self.config.hints()));
        Ok(())
    }

    /// Forgets what is not committed.
    pub(super) fn clear(&mut self) {
        self.input.clear();
        self.forget_turn();
        self.send(InputAudioBufferCleared::default());
    }

    /// Forgets the turn that has begun, and the words of its parts.
    fn forget_turn(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.partial_texts.remove(&turn.item_id);
        }
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
        } else {
            // The client may have wanted them while the turn was spoken.
            self.partial_texts.remove(&item_id);
        }
    }
}
