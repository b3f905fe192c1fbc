// SPDX-License-Identifier: MPL-2.0

//! The session around the conversation: its opening, its errors and its end.

use crate::error::Error;
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::server_error::{quota, refused_opening, warning, words_of};
use crate::realtime::conversation::session::close::Closed;
use crate::realtime::conversation::session::opening::ACKNOWLEDGE_TIMEOUT;
use crate::realtime::conversation::{Conversation, Event, Loss, Phase};
use openai_protocol::response::ServerError;
use openai_protocol::usage::RateLimit;
use openai_protocol::{Extra, Session, Setting};
use std::time::Duration;

impl Conversation {
    /// The socket is open: the settings are sent first, and audio waits until they are applied. A server that responded to
    /// audio with its default settings would respond wrongly, and refuse the settings afterwards.
    pub(crate) fn open(&mut self, timeout: Duration) {
        self.phase = Phase::Opening;
        self.opening.begin(timeout, self.now);
        self.formats.session_opened();
        let session = self.config.session.clone();
        self.updater.send(session, &mut ctx!(self));
    }

    pub(crate) fn session_updated(&mut self, session: Session) {
        let applied = self.updater.accepted(&mut ctx!(self));
        self.adopt(applied);
        self.opening.acknowledged();
        self.look_for_transcription(&session);
        if !self.updater.awaits_answer() {
            self.formats.session_updated(&session, &mut ctx!(self));
        }
        if matches!(self.phase, Phase::Opening) {
            self.ready(session);
        }
    }

    /// `session.created`
    pub(crate) fn session_created(&mut self, session: Session) {
        self.opening.session_created(session, matches!(self.phase, Phase::Opening), self.now);
    }

    /// The session has begun, with what the server tells of it.
    fn ready(&mut self, session: Session) {
        self.phase = Phase::Ready;
        let resumed = self.session_generation > 0;
        let (event, expires_at) = self.opening.ready(session, resumed, &self.config);
        self.notify(Event::Session(event));
        self.rollover.session_ready(expires_at, &ctx!(self));
        self.losses.session_ready();
        self.resumed_turn.session_ready(self.now);
        if resumed {
            self.resume();
        }
        (self.last_progress, self.last_response_progress) = (self.now, self.now);
        for command in self.early.take() {
            self.handle_command(command);
        }
    }

    /// A server may not transcribe the user although it was requested. Transcripts are not waited for then.
    fn look_for_transcription(&mut self, session: &Session) {
        let input = session.audio.as_ref().and_then(|audio| audio.input.as_ref());
        if self.config.transcribes && input.is_some_and(|input| matches!(input.transcription, Setting::Off)) {
            self.does_not_write();
        }
    }

    /// The server does not transcribe the user.
    pub(crate) fn does_not_write(&mut self) {
        self.config.transcribes = false;
        self.give_up_turns();
        self.warn("no-transcription", "the server does not write down what the user says");
    }

    /// `error`: an event was refused. Most errors are harmless, but what waits for the answer to that event must not wait
    /// for ever.
    pub(crate) fn refused(&mut self, mut error: ServerError, event: &Extra) {
        if error.message.is_empty() {
            error.message = words_of(&error, event);
        }
        let refused_id = error.event_id.as_deref();
        let is_update = refused_id.is_some_and(|id| self.updater.is_unanswered(id));
        if matches!(self.phase, Phase::Opening)
            && let Some(failure) = refused_opening(&error, is_update, &self.config.model)
        {
            return self.fail_here(failure);
        }
        if matches!(self.phase, Phase::Opening) {
            self.opening.refused();
        }
        if let Some(failure) = quota(&error) {
            return self.fail_here(failure);
        }
        if let Some(id) = refused_id {
            self.turns.refused(id);
            let refused = self.updater.refused(id, error.param.as_deref(), &mut ctx!(self));
            self.adopt(refused.applied);
            if refused.is_repeated {
                return;
            }
            self.frame_refused(id);
        }
        let code = error.code.as_deref().unwrap_or_default();
        let busy = code == "conversation_already_has_active_response";
        let is_answer = self.scheduler.refused(refused_id, busy);
        if is_answer && busy || self.expected_errors.take(refused_id, code) {
            return;
        }
        self.notify(Event::Warning(warning(&error)));
        self.last_error.set(error, self.now);
    }

    /// The server has not accepted the session in time. An error before may tell why.
    pub(crate) fn not_ready(&mut self) {
        let timeout = self.opening.timeout();
        if self.opening.goes_on_unacknowledged() {
            let seconds = ACKNOWLEDGE_TIMEOUT.as_secs_f64();
            let message = format!(
                "the server has not said 'session.updated' within {seconds} s: the conversation goes on, and which settings \
                 are in force is not known"
            );
            self.warn("no-session-updated", message);
            self.updater.forget_unanswered();
            return self.ready(Session::default());
        }
        let told = self.last_error.take().map(|error| format!(": {}", error.message)).unwrap_or_default();
        let message = format!(
            "the server never said 'session.updated': it did not accept the session within {timeout:.1?}{told}"
        );
        let failure = Error::connect(message.clone());
        if self.session_generation > 0 {
            return self.lose(message, Some(Loss { failure, again: true }));
        }
        self.fail_here(failure);
    }

    /// The connection is closed.
    pub(crate) fn closed(&mut self, code: Option<u16>, reason: &str) {
        let is_ready = matches!(self.phase, Phase::Ready);
        let Closed { failure, comes_back, reason } =
            self.last_error.explain_close(code, reason, is_ready, &self.config.model, self.now);
        if comes_back && (self.config.reconnects || self.losses.has_standby()) {
            return self.lose(reason, Some(Loss { failure, again: true }));
        }
        self.fail_here(failure);
    }

    pub(crate) fn rate_limits(&mut self, limits: Vec<RateLimit>) {
        for limit in limits {
            self.notify(Event::RateLimit {
                name: limit.name.filter(|name| !name.is_empty()),
                limit: limit.limit,
                remaining: limit.remaining,
                reset: limit.reset_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            });
        }
    }
}
