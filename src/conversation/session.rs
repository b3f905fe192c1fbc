//! The session around the conversation: its opening, its settings, its errors and its end.

use super::events::SessionNotice;
use super::{Conversation, Failure, Notice, Phase, Warning};
use crate::protocol::Session;
use crate::protocol::client::SessionUpdate;
use crate::protocol::response::ServerError;
use crate::protocol::session::{AudioConfig, AudioFormat, AudioInput, SessionKind};
use crate::protocol::usage::RateLimit;
use std::time::Duration;

/// Error codes that end a session before it began, by what the user has to mend.
pub(super) fn fatal(error: &ServerError, model: &str) -> Option<Failure> {
    let code = error.code.as_deref().unwrap_or_default();
    let message = &error.message;
    Some(match code {
        "invalid_api_key" | "insufficient_permissions" | "account_deactivated" => {
            Failure::NotAuthorized(format!("{message} ({code})"))
        }
        _ if error.kind == "authentication_error" => Failure::NotAuthorized(message.clone()),
        "invalid_model" | "missing_model" | "model_not_found" | "model_load_error" => {
            Failure::NotFound(format!("the server does not offer the model '{model}': {message} ({code})"))
        }
        "beta_api_shape_disabled" => Failure::Settings(format!("{message} ({code})")),
        "insufficient_quota" => Failure::Quota(format!("{message} ({code})")),
        _ => return None,
    })
}

impl Conversation {
    /// The socket is open: the settings go first, and sound waits until they are in force. A server that answered
    /// sound with its default settings would answer wrongly, and refuse the settings afterwards.
    pub(super) fn open(&mut self) {
        self.last_event = self.now;
        self.phase = Phase::Opening { deadline: self.now + self.config.ready_timeout };
        let session = self.config.session.clone();
        self.update(session);
    }

    fn update(&mut self, session: Session) {
        let id = self.send(SessionUpdate { session, ..Default::default() });
        self.updates.push_back(id);
    }

    /// The input's format is another one than the session was opened with.
    pub(super) fn change_format(&mut self, format: AudioFormat) {
        if format == self.config.input {
            return;
        }
        self.config.input = format.clone();
        self.listening = super::listen::Listening::new(&self.config, self.now);
        self.turns.drop_open();
        let input = AudioInput { format: Some(format), ..Default::default() };
        let audio = AudioConfig { input: Some(input), ..Default::default() };
        self.config.session.audio.get_or_insert_default().input.get_or_insert_default().format =
            Some(self.config.input.clone());
        if !matches!(self.phase, Phase::Offline) {
            self.update(Session { kind: Some(SessionKind::Realtime), audio: Some(audio), ..Default::default() });
        }
    }

    pub(super) fn session_updated(&mut self, session: Session) {
        self.updates.pop_front();
        if matches!(self.phase, Phase::Opening { .. }) {
            self.phase = Phase::Ready;
            self.listening.start(self.now);
            self.notify(Notice::Session(SessionNotice::Ready {
                session_id: session.id,
                model: session.model.or_else(|| Some(self.config.model.clone())),
                expires_at: session.expires_at,
            }));
        } else {
            self.drain.fence_passed(self.now);
        }
    }

    /// The server refused something. Most of that is harmless; what waits for the guilty event must not wait for ever.
    pub(super) fn refused(&mut self, error: ServerError) {
        let guilty = error.event_id.clone().unwrap_or_default();
        if matches!(self.phase, Phase::Opening { .. }) {
            if let Some(failure) = fatal(&error, &self.config.model) {
                return self.fail(failure);
            }
            if self.updates.contains(&guilty) || error.param.as_deref().is_some_and(|p| p.starts_with("session")) {
                let place = error.param.map(|param| format!(" (at {param})")).unwrap_or_default();
                return self.fail(Failure::Settings(format!(
                    "the server refused the session's settings: {}{place}",
                    error.message
                )));
            }
        }
        if self.updates.contains(&guilty) {
            self.updates.retain(|id| *id != guilty);
            self.drain.fence_passed(self.now);
        }
        let code = error.code.as_deref().unwrap_or_default();
        let busy = code == "conversation_already_has_active_response";
        let handled = self.gate.refused(&guilty, busy) && busy || self.answers.expected(&guilty, code);
        if !handled {
            self.notify(Notice::Warning(Warning {
                message: error.message.clone(),
                code: error.code.clone(),
                kind: Some(error.kind.clone()).filter(|kind| !kind.is_empty()),
                param: error.param.clone(),
            }));
        }
        self.last_error = Some(error);
    }

    /// The connection is closed. Its code tells why, or the `error` before it does.
    pub(super) fn closed(&mut self, code: Option<u16>, reason: &str) {
        let told = self.last_error.take();
        let message = match &told {
            Some(error) if reason.is_empty() => error.message.clone(),
            Some(error) => format!("{} ({reason})", error.message),
            None if reason.is_empty() => "no reason given".to_owned(),
            None => reason.to_owned(),
        };
        let by_error = told.as_ref().and_then(|error| fatal(error, &self.config.model));
        let by_code = match code {
            Some(3000) => Some(Failure::NotAuthorized(message.clone())),
            Some(4000 | 4004) if reason.contains("model") => {
                Some(Failure::NotFound(format!("the server does not offer the model '{}': {message}", self.config.model)))
            }
            Some(4000) => Some(Failure::Settings(message.clone())),
            _ => None,
        };
        let code = code.map(|code| format!(" with code {code}")).unwrap_or_default();
        let otherwise = match self.phase {
            Phase::Ready => Failure::Lost(format!("the server closed the connection{code}: {message}")),
            _ => Failure::Connect(format!("the server closed the connection{code} before the session began: {message}")),
        };
        self.fail(by_error.or(by_code).unwrap_or(otherwise));
    }

    pub(super) fn rate_limits(&mut self, limits: Vec<RateLimit>) {
        for limit in limits {
            self.notify(Notice::RateLimit {
                name: limit.name.unwrap_or_default(),
                limit: limit.limit,
                remaining: limit.remaining,
                reset: limit.reset_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            });
        }
    }

    /// A `session.update` that changes nothing: its answer says that everything before it has been taken in.
    pub(super) fn send_fence(&mut self) {
        self.update(Session { kind: self.config.session.kind.clone(), ..Default::default() });
    }
}
