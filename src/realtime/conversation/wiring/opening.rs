// SPDX-License-Identifier: MPL-2.0

//! The session around the conversation: its opening, its settings, its errors and its end.

use crate::error::{Failure, Warning};
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::io::SessionEvent;
use crate::realtime::conversation::server_error::{fatal, may_come_back, quota, words_of};
use crate::realtime::conversation::{Conversation, Event, Loss, Phase};
use openai_protocol::response::ServerError;
use openai_protocol::usage::RateLimit;
use openai_protocol::{Extra, Session, Setting};
use std::time::Duration;

/// An `error` explains a close that follows it so soon.
const MAX_ERROR_TO_CLOSE: Duration = Duration::from_secs(5);

/// A server that has greeted and says nothing of the settings is talked to after so long: some never do.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

impl Conversation {
    /// The socket is open: the settings go first, and sound waits until they are in force. A server that answered
    /// sound with its default settings would answer wrongly, and refuse the settings afterwards.
    pub(crate) fn open(&mut self, timeout: Duration) {
        self.phase = Phase::Opening { deadline: self.now + timeout, timeout };
        (self.greeted, self.opened) = (false, self.now + timeout);
        self.formats.session_opened();
        let session = self.config.session.clone();
        self.updater.send(session, &mut ctx!(self));
    }

    pub(crate) fn session_updated(&mut self, session: Session) {
        let applied = self.updater.accepted(&mut ctx!(self));
        self.adopt(applied);
        self.acknowledges = true;
        self.look_for_transcription(&session);
        if !self.updater.awaits_answer() {
            self.formats.session_updated(&session, &mut ctx!(self));
        }
        if matches!(self.phase, Phase::Opening { .. }) {
            self.ready(session);
        }
    }

    /// The server tells of the session before it knows the settings.
    pub(crate) fn greeted(&mut self, session: Session) {
        self.session_created = session;
        if let Phase::Opening { deadline, .. } = &mut self.phase {
            let until = self.now + UNACKNOWLEDGED;
            self.greeted = until < *deadline;
            *deadline = until.min(*deadline);
        }
    }

    /// The session has begun, with what the server tells of it.
    fn ready(&mut self, session: Session) {
        self.phase = Phase::Ready;
        // Some servers tell only what has changed since their greeting.
        let session_created = std::mem::take(&mut self.session_created);
        // Some tell 0 where they do not know.
        let expires_at = session.expires_at.or(session_created.expires_at).filter(|at| *at > 0);
        self.notify(Event::Session(SessionEvent::Ready {
            session_id: session.id.or(session_created.id).filter(|id| !id.is_empty()),
            model: session
                .model
                .or(session_created.model)
                .filter(|model| !model.is_empty())
                .or_else(|| Some(self.config.model.clone())),
            expires_at,
            resumed: self.session_generation > 0,
        }));
        self.rollover.session_ready(expires_at, &ctx!(self));
        self.losses.session_ready();
        self.resumed_turn.session_ready(self.now);
        if self.session_generation > 0 {
            self.resume();
        }
        (self.last_progress, self.last_response_progress) = (self.now, self.now);
        self.handle_early_commands();
    }

    /// A server may not write down what the user says although it was asked to. Nobody waits for that then.
    fn look_for_transcription(&mut self, session: &Session) {
        let input = session.audio.as_ref().and_then(|audio| audio.input.as_ref());
        if self.config.transcribes && input.is_some_and(|input| matches!(input.transcription, Setting::Off)) {
            self.does_not_write();
        }
    }

    /// The server does not write down what the user says.
    pub(crate) fn does_not_write(&mut self) {
        self.config.transcribes = false;
        self.give_up_turns();
        self.warn("no-transcription", "the server does not write down what the user says");
    }

    /// The server refused something. Most of that is harmless; what waits for the guilty event must not wait for ever.
    pub(crate) fn refused(&mut self, mut error: ServerError, event: &Extra) {
        if error.message.is_empty() {
            error.message = words_of(&error, event);
        }
        let guilty = error.event_id.as_deref();
        let is_update = guilty.is_some_and(|id| self.updater.is_unanswered(id));
        if matches!(self.phase, Phase::Opening { .. })
            && let Some(failure) = self.refused_opening(&error, is_update)
        {
            return self.fail_here(failure);
        }
        // What is wrong with the settings is for the server to say.
        if let Phase::Opening { deadline, .. } = &mut self.phase
            && std::mem::take(&mut self.greeted)
        {
            *deadline = self.opened;
        }
        if let Some(failure) = quota(&error) {
            return self.fail_here(failure);
        }
        if let Some(id) = guilty {
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
        let is_answer = self.scheduler.refused(guilty, busy);
        if is_answer && busy || self.expected_errors.take(guilty, code) {
            return;
        }
        self.notify(Event::Warning(Warning {
            message: error.message.clone(),
            code: error.code.clone(),
            kind: Some(error.kind.clone()).filter(|kind| !kind.is_empty()),
            param: error.param.clone(),
            subject: None,
        }));
        self.last_error = Some((self.now, error));
    }

    /// What an error means before the session is ready.
    fn refused_opening(&self, error: &ServerError, is_update: bool) -> Option<Failure> {
        let place = error.param.as_deref();
        fatal(error, &self.config.model).or_else(|| {
            (is_update || place.is_some_and(|place| place.starts_with("session"))).then(|| {
                let place = place.map(|place| format!(" (at {place})")).unwrap_or_default();
                Failure::Settings(format!("the server refused the session's settings: {}{place}", error.message))
            })
        })
    }

    /// The server has not accepted the session in time. What it said meanwhile may tell why.
    pub(crate) fn not_ready(&mut self, timeout: Duration) {
        if std::mem::take(&mut self.greeted) {
            self.acknowledges = false;
            let seconds = UNACKNOWLEDGED.as_secs_f64();
            let message = format!(
                "the server has not said 'session.updated' within {seconds} s: the conversation goes on, and which settings \
                 are in force is not known"
            );
            self.warn("no-session-updated", message);
            self.updater.forget_unanswered();
            return self.ready(Session::default());
        }
        let told = self.last_error.take().map(|(_, error)| format!(": {}", error.message)).unwrap_or_default();
        let message = format!(
            "the server never said 'session.updated': it did not accept the session within {timeout:.1?}{told}"
        );
        let failure = Failure::Connect(message.clone());
        if self.session_generation > 0 {
            return self.lose(message, Some(Loss { failure, again: true }));
        }
        self.fail_here(failure);
    }

    /// The connection is closed. Its code tells why, or the `error` before it does.
    pub(crate) fn closed(&mut self, code: Option<u16>, reason: &str) {
        let told =
            self.last_error.take().filter(|(at, _)| self.now.saturating_duration_since(*at) < MAX_ERROR_TO_CLOSE);
        let told = told.map(|(_, error)| error);
        let message = match &told {
            Some(error) if error.message.contains(reason.trim_end_matches('.')) => error.message.clone(),
            Some(error) if reason.contains(&error.message) => reason.to_owned(),
            Some(error) => format!("{} ({reason})", error.message),
            None => reason.to_owned(),
        };
        let code_words = code.map(|code| format!(" with code {code}")).unwrap_or_default();
        // The largest messages are pictures.
        let hint = if code == Some(1009) {
            " (a message was too large; 'max-frame-size' limits what is sent of pictures)"
        } else {
            ""
        };
        let closed = |when: &str| {
            let colon = if message.is_empty() { "" } else { ": " };
            format!("the server closed the connection{code_words}{when}{colon}{message}{hint}")
        };
        let by_error = told.as_ref().and_then(|error| fatal(error, &self.config.model));
        let by_code = match code {
            Some(3000) => Some(Failure::NotAuthorized(closed(""))),
            Some(4000 | 4004) if code == Some(4004) || reason.contains("model") => {
                let model = &self.config.model;
                Some(Failure::NotFound(format!("the server does not offer the model '{model}': {}", closed(""))))
            }
            Some(4000) => Some(Failure::Settings(closed(""))),
            _ => None,
        };
        let expired = told.as_ref().and_then(|error| error.code.as_deref()) == Some("session_expired");
        let comes_back = expired || reason.contains("session_expired") || may_come_back(code);
        let comes_back = comes_back && by_error.is_none() && by_code.is_none();
        let otherwise = match self.phase {
            Phase::Ready => Failure::Lost(closed("")),
            _ => Failure::Connect(closed(" before the session began")),
        };
        let failure = by_error.or(by_code).unwrap_or(otherwise);
        if comes_back && (self.config.reconnects || self.losses.has_standby()) {
            let reason = if message.is_empty() { closed("") } else { message };
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
