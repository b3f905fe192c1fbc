//! The session around the conversation: its opening, its settings, its errors and its end.

use super::events::SessionNotice;
use super::{Conversation, Detection, Failure, Loss, Notice, Phase, Warning};
use crate::protocol::client::SessionUpdate;
use crate::protocol::response::ServerError;
use crate::protocol::session::{AudioConfig, AudioFormat, AudioInput};
use crate::protocol::usage::RateLimit;
use crate::protocol::{Session, Setting};
use std::time::Duration;

/// An `error` explains a close that follows it so soon.
const EXPLAINS: Duration = Duration::from_secs(5);

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
        _ => return quota(error),
    })
}

/// Nothing will be answered any more, in the session's midst as well.
pub(super) fn quota(error: &ServerError) -> Option<Failure> {
    let gone = error.code.as_deref() == Some("insufficient_quota") || error.kind == "insufficient_quota";
    gone.then(|| Failure::Quota(format!("{} (insufficient_quota)", error.message)))
}

impl Conversation {
    /// The socket is open: the settings go first, and sound waits until they are in force. A server that answered
    /// sound with its default settings would answer wrongly, and refuse the settings afterwards.
    pub(super) fn open(&mut self, patience: Duration) {
        self.phase = Phase::Opening { deadline: self.now + patience, patience };
        let session = self.config.session.clone();
        self.update(session);
    }

    pub(super) fn update(&mut self, session: Session) -> String {
        let id = self.send(SessionUpdate { session, ..Default::default() });
        self.updates.push_back(id.clone());
        id
    }

    /// The input's format is another one than the session was opened with.
    pub(super) fn change_format(&mut self, format: AudioFormat) {
        if format == self.config.input {
            return;
        }
        // What was said in the format before is a turn of its own.
        if matches!((&self.phase, &self.config.detection), (Phase::Ready, Detection::Local(_))) {
            self.finish_listening();
        }
        self.forget_turn();
        self.history.forget_sound();
        self.config.input = format.clone();
        self.listening.change_format(&self.config);
        let kind = self.config.session.kind.clone();
        let input = self.config.session.audio.get_or_insert_default().input.get_or_insert_default();
        input.format = Some(format.clone());
        self.format_in_force(&format);
        if !matches!(self.phase, Phase::Offline) {
            let input = AudioInput { format: Some(format), ..Default::default() };
            let audio = AudioConfig { input: Some(input), ..Default::default() };
            self.update(Session { kind, audio: Some(audio), ..Default::default() });
        }
    }

    pub(super) fn session_updated(&mut self, session: Session) {
        if let Some(update) = self.updates.pop_front() {
            self.update_accepted(&update);
        }
        self.look_for_transcription(&session);
        if matches!(self.phase, Phase::Opening { .. }) {
            self.phase = Phase::Ready;
            // Some servers tell only what has changed since their greeting.
            let greeting = std::mem::take(&mut self.greeting);
            let expires_at = session.expires_at.or(greeting.expires_at);
            self.notify(Notice::Session(SessionNotice::Ready {
                session_id: session.id.or(greeting.id),
                model: session.model.or(greeting.model).or_else(|| Some(self.config.model.clone())),
                expires_at,
                resumed: self.epoch > 0,
            }));
            self.session_ends(expires_at);
            self.losses.session_began(self.now);
            if self.epoch > 0 {
                self.begin_anew();
            }
            (self.moved, self.answer_moved) = (self.now, self.now);
            self.obey_early();
        }
    }

    /// A server may not write down what the user says although it was asked to. Nobody waits for that then.
    fn look_for_transcription(&mut self, session: &Session) {
        let input = session.audio.as_ref().and_then(|audio| audio.input.as_ref());
        if self.config.transcribes && input.is_some_and(|input| matches!(input.transcription, Setting::Off)) {
            self.config.transcribes = false;
            self.give_up_turns();
            self.warn("no-transcription", "the server does not write down what the user says");
        }
    }

    /// The server refused something. Most of that is harmless; what waits for the guilty event must not wait for ever.
    pub(super) fn refused(&mut self, error: ServerError) {
        let guilty = error.event_id.as_deref();
        let is_update = guilty.is_some_and(|id| self.updates.iter().any(|update| update == id));
        if matches!(self.phase, Phase::Opening { .. })
            && let Some(failure) = self.refused_opening(&error, is_update)
        {
            return self.fail_here(failure);
        }
        if let Some(failure) = quota(&error) {
            return self.fail_here(failure);
        }
        if let Some(id) = guilty {
            self.updates.retain(|update| update != id);
            self.turns.refused(id);
            self.update_refused(id, &error.message);
            self.frame_refused(id);
        }
        let code = error.code.as_deref().unwrap_or_default();
        let busy = code == "conversation_already_has_active_response";
        let is_answer = self.gate.refused(guilty, busy);
        if is_answer && busy || self.answers.expected(guilty, code) {
            return;
        }
        self.notify(Notice::Warning(Warning {
            message: error.message.clone(),
            code: error.code.clone(),
            kind: Some(error.kind.clone()).filter(|kind| !kind.is_empty()),
            param: error.param.clone(),
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
    pub(super) fn not_ready(&mut self, patience: Duration) {
        let told = self.last_error.take().map(|(_, error)| format!(": {}", error.message)).unwrap_or_default();
        let message = format!("the server did not accept the session within {patience:.1?}{told}");
        let failure = Failure::Connect(message.clone());
        if self.epoch > 0 {
            return self.lose(message, Some(Loss { failure, again: true }));
        }
        self.fail_here(failure);
    }

    /// The connection is closed. Its code tells why, or the `error` before it does.
    pub(super) fn closed(&mut self, code: Option<u16>, reason: &str) {
        let told = self.last_error.take().filter(|(at, _)| self.now.saturating_duration_since(*at) < EXPLAINS);
        let told = told.map(|(_, error)| error);
        let message = match &told {
            Some(error) if error.message.contains(reason.trim_end_matches('.')) => error.message.clone(),
            Some(error) if reason.contains(&error.message) => reason.to_owned(),
            Some(error) => format!("{} ({reason})", error.message),
            None => reason.to_owned(),
        };
        let code_words = code.map(|code| format!(" with code {code}")).unwrap_or_default();
        let closed = |when: &str| {
            let colon = if message.is_empty() { "" } else { ": " };
            format!("the server closed the connection{code_words}{when}{colon}{message}")
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
        let comes_back = expired || reason.contains("session_expired") || super::history::may_come_back(code);
        let comes_back = comes_back && by_error.is_none() && by_code.is_none();
        let otherwise = match self.phase {
            Phase::Ready => Failure::Lost(closed("")),
            _ => Failure::Connect(closed(" before the session began")),
        };
        let failure = by_error.or(by_code).unwrap_or(otherwise);
        if comes_back && (self.config.reconnects || self.losses.has_standby) {
            let reason = if message.is_empty() { closed("") } else { message };
            return self.lose(reason, Some(Loss { failure, again: true }));
        }
        self.fail_here(failure);
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
    /// Gives back its name.
    pub(super) fn send_fence(&mut self) -> String {
        self.update(Session { kind: self.config.session.kind.clone(), ..Default::default() })
    }
}
