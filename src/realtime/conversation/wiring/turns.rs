// SPDX-License-Identifier: MPL-2.0

//! The user's turns, as the server's VAD or the element's own VAD finds them.

use crate::realtime::conversation::config::{Detection, FramePolicy};
use crate::realtime::conversation::response::Initiator;
use crate::realtime::conversation::{Conversation, Event};
use crate::types::Speaker;
use crate::types::Timing;
use openai_protocol::server::{
    InputAudioBufferSpeechStarted, InputAudioBufferSpeechStopped, InputAudioBufferTimeoutTriggered,
};
use std::time::{Duration, Instant};

impl Conversation {
    /// Speech of the user began.
    pub(crate) fn begin_turn(&mut self, item_id: Option<String>, start: Option<Duration>) {
        match self.resumed_turn.take() {
            Some(turn) => self.turns.begin(item_id, turn.start.or(start)),
            None => {
                self.turns.begin(item_id.clone(), start);
                self.notify(Event::Speech { active: true, item_id, running_time: start });
            }
        }
        if self.may_be_interrupted() {
            self.interrupt(Initiator::User);
        }
        match self.config.frames.policy {
            FramePolicy::Speech => self.send_due_frames(),
            // At the end of the turn it would be too late for a response that the server creates by itself.
            FramePolicy::Turn if self.server_responds() => self.frames_for_turn(),
            _ => {}
        }
    }

    /// Whether the server creates responses to turns by itself.
    pub(crate) fn server_responds(&self) -> bool {
        self.config.server_responds && matches!(self.config.detection, Detection::Server { .. })
    }

    /// Whether turns are answered, by the server or on request.
    pub(crate) fn answers_turns(&self) -> bool {
        self.config.create_response && !self.config.is_transcription_only()
    }

    /// Whether speech of the user interrupts the model.
    pub(crate) fn may_be_interrupted(&self) -> bool {
        self.config.interrupt_response && self.config.timing == Timing::Live
    }

    /// Speech of the user ended, or the turn was closed.
    pub(crate) fn end_turn(&mut self, item_id: Option<String>, end: Option<Duration>) {
        self.turns.end(item_id.as_deref(), end);
        self.calls.turn_ended(self.now);
        self.await_response_from(end);
        let said = end.filter(|_| self.config.timing == Timing::Live);
        self.turn_latency.speech_ended(item_id.clone(), said, self.now, &mut self.outbox);
        self.notify(Event::Speech { active: false, item_id, running_time: end });
    }

    /// The next response answers a turn that ended at this running time.
    pub(crate) fn await_response_from(&mut self, end: Option<Duration>) {
        let ended = self.said_at(end);
        self.scheduler.turn_ended(ended);
        self.responses.response_from(end.unwrap_or_default().max(self.audio_gap.until()));
    }

    /// When this running time of the input was spoken: live, the newest input was spoken just now.
    fn said_at(&self, place: Option<Duration>) -> Instant {
        let newest = self.audio_input.heard().end().filter(|_| self.config.timing == Timing::Live);
        let ago = newest.zip(place).map(|(newest, place)| newest.saturating_sub(place));
        self.now.checked_sub(ago.unwrap_or_default()).unwrap_or(self.now)
    }

    /// `input_audio_buffer.speech_started`
    pub(crate) fn on_speech_started(&mut self, event: InputAudioBufferSpeechStarted) {
        let start = self.audio_input.sent().time_of_ms(event.audio_start_ms);
        self.audio_input.turn_begins_at(event.audio_start_ms, self.config.input.rate());
        self.begin_turn(Some(event.item_id), start);
    }

    /// `input_audio_buffer.speech_stopped`
    pub(crate) fn on_speech_stopped(&mut self, event: InputAudioBufferSpeechStopped) {
        let end = self.audio_input.sent().time_of_ms(event.audio_end_ms);
        let said = self.audio_input.committed_up_to(event.audio_end_ms, self.config.input.rate());
        self.history.add_turn(Some(event.item_id.clone()), said, &self.config);
        self.end_turn(Some(event.item_id), end);
        self.losses.turn_found(false);
    }

    /// `input_audio_buffer.timeout_triggered`: the server commits a turn in which nobody spoke, to prompt the user.
    pub(crate) fn on_idle_timeout(&mut self, event: InputAudioBufferTimeoutTriggered) {
        let time = |ms| self.audio_input.sent().time_of_ms(ms);
        let (start, end) = (time(event.audio_start_ms), time(event.audio_end_ms));
        self.audio_input.committed_up_to(event.audio_end_ms, self.config.input.rate());
        self.turns.idle_timeout(event.item_id.clone(), start, end);
        self.await_response_from(end);
        let duration = end.zip(start).and_then(|(end, start)| end.checked_sub(start));
        let item_id = Some(event.item_id);
        self.notify(Event::IdleTimeout { item_id, running_time: start, duration });
    }

    /// `input_audio_buffer.committed`: audio has become a user item, by a commit of the element or the server's own VAD.
    pub(crate) fn committed(&mut self, item_id: &str) {
        self.turns.name(item_id);
        self.turn_latency.committed(item_id, self.now);
        self.history.name_turn(item_id);
        // Not every server sends a transcript of silence.
        if self.config.transcribes && !self.turns.is_idle_timeout(item_id) {
            self.turns.await_transcript(item_id);
            self.transcripts.expect(Speaker::User, item_id, 0);
        }
        if !matches!(self.config.detection, Detection::Server { .. }) || self.drain.committed_by_element() {
            return;
        }
        if self.turns.is_speaking() {
            // A commit in the middle of speech ends the turn; no `speech_stopped` follows.
            let audio = self.audio_input.take_committed();
            self.history.add_turn(Some(item_id.to_owned()), audio, &self.config);
            self.end_turn(Some(item_id.to_owned()), self.audio_input.sent().end());
        }
        self.losses.turn_found(true);
        let is_answered = self.answers_turns();
        if !self.server_responds() {
            self.frames_for_turn();
            if is_answered && self.limits.may_respond(&self.config) {
                self.scheduler.request(None);
            }
        } else if is_answered {
            self.scheduler.expect_server_response();
            self.last_response_progress = self.now;
        }
    }
}
