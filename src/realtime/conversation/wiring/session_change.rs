// SPDX-License-Identifier: MPL-2.0

//! Changes of the session while the conversation goes on: settings that were applied, the input's format, and the
//! rollover to a new session.

use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::session::rollover::RolloverSituation;
use crate::realtime::conversation::session::session_update::Applied;
use crate::realtime::conversation::{Conversation, Event, Phase};
use openai_protocol::Session;
use openai_protocol::client::InputAudioBufferClear;
use openai_protocol::session::{AudioConfig, AudioFormat, AudioInput};
use std::time::{Duration, Instant};

/// How long nothing happens in a quiet moment. Between the end of a turn and what the server tells of it is none.
const QUIET_PERIOD: Duration = Duration::from_secs(1);

impl Conversation {
    /// Sends requested settings when they are due.
    pub(crate) fn advance_updates(&mut self) {
        if matches!(self.phase, Phase::Ready) {
            let is_responding = self.scheduler.active().is_some();
            let applied = self.updater.advance(self.has_spoken, is_responding, &mut ctx!(self));
            self.adopt(applied);
        }
    }

    /// Requested settings count from now on.
    pub(crate) fn adopt(&mut self, applied: Option<Applied>) {
        let Some(Applied { revision, config, without }) = applied else { return };
        let before = std::mem::replace(&mut self.config, config);
        if before.detection != self.config.detection {
            self.detection_changed(&before.detection);
        }
        self.remove_old_frames();
        self.notify(Event::Settings { revision, without });
    }

    /// Turns are detected in another way from now on. What was said between two turns belongs to none.
    fn detection_changed(&mut self, before: &Detection) {
        let by_server = matches!(before, Detection::Server { .. });
        let is_in_turn = self.turns.is_speaking();
        if is_in_turn && !matches!(self.config.detection, Detection::Manual) {
            self.end_turn(None, self.audio_input.heard().end());
            self.commit();
            self.request_response_for_turn();
        } else if by_server && !is_in_turn && self.audio_input.uncommitted() > 0 {
            self.audio_input.all_is_committed();
            self.send(InputAudioBufferClear::default());
        }
        self.audio_input.change_detection(&self.config);
    }

    /// The caps of `audio_sink` have changed: the input has another format than the session was opened with.
    pub(crate) fn change_format(&mut self, format: AudioFormat) {
        if format == self.config.input {
            return;
        }
        // What was said in the format before is a turn of its own.
        if matches!((&self.phase, &self.config.detection), (Phase::Ready, Detection::Local(_))) {
            self.finish_audio_input();
        }
        self.forget_turn();
        self.history.drop_audio();
        self.config.input = format.clone();
        self.audio_input.change_format(&self.config);
        let kind = self.config.session.kind.clone();
        let input = self.config.session.audio.get_or_insert_default().input.get_or_insert_default();
        input.format = Some(format.clone());
        self.updater.input_format_applied(&format);
        if !matches!(self.phase, Phase::Offline) {
            let input = AudioInput { format: Some(format), ..Default::default() };
            let audio = AudioConfig { input: Some(input), ..Default::default() };
            let session = Session { kind, audio: Some(audio), ..Default::default() };
            self.updater.send(session, &mut ctx!(self));
        }
    }

    pub(crate) fn rollover_deadline(&self) -> Option<Instant> {
        self.rollover.deadline(&self.rollover_situation(), self.now)
    }

    pub(crate) fn advance_rollover(&mut self) {
        let situation = self.rollover_situation();
        if self.rollover.poll(&situation, &mut ctx!(self)) {
            self.lose("the session is about to end, and the conversation goes on in another one".into(), None);
        }
    }

    fn rollover_situation(&self) -> RolloverSituation {
        let quiet_from = || self.plays_until().unwrap_or(self.now).max(self.last_progress + QUIET_PERIOD);
        RolloverSituation {
            is_draining: self.drain.has_begun(),
            is_responding: self.scheduler.active().is_some() || self.scheduler.expects(),
            quiet_from: self.is_quiet().then(quiet_from),
        }
    }

    /// Nobody speaks but the model, and nothing is owed.
    fn is_quiet(&self) -> bool {
        // Where the server detects the turns, audio since the last one is most probably silence.
        let is_said = matches!(self.config.detection, Detection::Server { .. }) || self.audio_input.uncommitted() == 0;
        is_said
            && !self.turns.is_speaking()
            && self.turns.backlog() == 0
            && !self.owes_response()
            && !self.captions.are_pending(&self.responses)
            && self.approvals.is_empty()
    }
}
