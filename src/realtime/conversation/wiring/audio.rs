// SPDX-License-Identifier: MPL-2.0

//! Input audio: from the pad to the server, as long as no response has to be waited for, and the turns that the element
//! finds and commits in it.

use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::input::audio_input::silence;
use crate::realtime::conversation::input::local_vad::Detected;
use crate::realtime::conversation::{Conversation, Event, Phase};
use crate::types::AudioChunk;
use openai_protocol::client::{InputAudioBufferClear, InputAudioBufferCommit};
use std::time::{Duration, Instant};

impl Conversation {
    /// Takes audio of the user, as soon as no response has to be waited for.
    pub(crate) fn push_audio(&mut self, chunk: AudioChunk) {
        if self.drain.has_begun() || !matches!(self.phase, Phase::Ready) {
            return;
        }
        let Some(pushed) = self.audio_input.push(chunk, &ctx!(self)) else { return };
        self.frames.set_position(pushed.placed.at);
        self.alignment.aligned(&pushed.placed, pushed.filled, pushed.gap_is_expected, &mut ctx!(self));
    }

    /// Whether the send queue is congested; audio waits in the input queue meanwhile.
    pub(crate) fn is_behind(&mut self, is_behind: bool) {
        self.frames.set_behind(is_behind);
        self.audio_input.could_not_be_pushed(self.now);
    }

    /// When a stall in the middle of a turn is filled.
    pub(crate) fn stall_deadline(&self) -> Option<Instant> {
        // With a congested send queue, audio waits in the input queue.
        let may_stall = self.turns.is_speaking() && !self.frames.is_behind() && !self.drain.has_begun();
        self.audio_input.stall_deadline(&self.config).filter(|_| may_stall)
    }

    pub(crate) fn fill_stall(&mut self) {
        if self.stall_deadline().is_some_and(|deadline| self.now >= deadline) {
            let length = self.audio_input.fill_stall(&self.config);
            self.alignment.stalled(length, &mut ctx!(self));
        }
    }

    /// Sends pushed audio, as long as no response has to be waited for.
    pub(crate) fn process_audio(&mut self) {
        while !self.holds_input() {
            let Some(chunk) = self.audio_input.take_waiting() else { return };
            if self.audio_input.has_vad() {
                self.process_with_vad(chunk);
            } else {
                self.audio_input.hear(&chunk, &self.config);
                self.append(chunk);
            }
            self.advance_gap();
            self.send_due_request();
        }
    }

    /// Runs the VAD. It stops at the end of each turn, and so does the input if a response is owed.
    fn process_with_vad(&mut self, chunk: AudioChunk) {
        let mut next = Some(chunk);
        while let Some(chunk) = next {
            let (detected, rest) = self.audio_input.detect(chunk, &self.config);
            self.on_detected(detected);
            next = rest;
            if self.holds_input() {
                return next.into_iter().for_each(|rest| self.audio_input.put_back(rest));
            }
        }
    }

    fn on_detected(&mut self, detected: Vec<Detected>) {
        for event in detected {
            match event {
                Detected::SpeechStarted(start) => self.begin_turn(None, start),
                Detected::Audio(chunk) => self.append(chunk),
                Detected::SpeechStopped(end) => {
                    self.end_turn(None, end);
                    self.commit();
                    self.request_response_for_turn();
                }
            }
        }
    }

    pub(crate) fn append(&mut self, chunk: AudioChunk) {
        let keep = self.remembers();
        self.audio_input.append(chunk, keep, &mut ctx!(self));
    }

    pub(crate) fn append_silence(&mut self, length: Duration) {
        self.append(silence(&self.config.input, length));
    }

    /// Commits the audio so far as the newest turn.
    pub(crate) fn commit(&mut self) {
        self.frames_for_turn();
        let missing = self.audio_input.missing_for_commit();
        if !missing.is_zero() {
            self.append_silence(missing);
        }
        let audio = self.audio_input.take_committed();
        self.history.add_turn(None, audio, &self.config);
        let event_id = self.send(InputAudioBufferCommit::default());
        self.turns.committed_by(event_id);
    }

    /// End of the input: the current turn ends here.
    pub(crate) fn finish_audio_input(&mut self) {
        let detected = self.audio_input.finish(&self.config);
        self.on_detected(detected);
    }

    /// Flush: drops the current turn and the time line, and cancels the drain.
    pub(crate) fn flushed(&mut self) {
        self.forget_turn();
        self.audio_input.reset_time();
        self.audio_gap.reset();
        self.text_gap.reset();
        self.responses.forget_time();
        self.frames.reset();
        self.drain.reset();
    }

    /// Drops what is not committed here and at the server.
    pub(crate) fn forget_turn(&mut self) {
        if let Some(turn) = self.turns.drop_open() {
            let running_time = self.audio_input.heard().end();
            self.notify(Event::Speech { active: false, item_id: turn.item_id, running_time });
        }
        if matches!(self.phase, Phase::Ready) && self.audio_input.uncommitted() > 0 {
            self.audio_input.all_is_committed();
            self.send(InputAudioBufferClear::default());
        }
        self.audio_input.drop_waiting(&self.config);
    }
}
