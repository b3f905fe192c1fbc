// SPDX-License-Identifier: MPL-2.0

//! The session of a translation: its opening, its errors, its loss and its end.

use crate::error::{Error, ErrorKind};
use crate::realtime::conversation::Loss;
use crate::realtime::conversation::io::{Event, Output, SessionEvent};
use crate::realtime::conversation::server_error::{quota, refused_opening, warning, words_of};
use crate::realtime::conversation::session::close::Closed;
use crate::realtime::translation::{Phase, Translation};
use openai_protocol::Extra;
use openai_protocol::response::ServerError;
use openai_protocol::translation::{Close, Session};
use std::time::{Duration, Instant};

impl Translation {
    /// The socket is open: the settings are sent first, and audio waits until they are applied.
    pub(crate) fn open(&mut self, timeout: Duration) {
        self.phase = Phase::Opening { until: self.now + timeout, timeout };
        self.send_settings(None);
    }

    /// `session.updated`
    pub(crate) fn session_updated(&mut self, session: Session) {
        self.settings_accepted();
        if matches!(self.phase, Phase::Opening { .. }) {
            self.ready(session);
        }
    }

    fn ready(&mut self, session: Session) {
        self.phase = Phase::Ready;
        self.has_carried = false;
        let created = std::mem::take(&mut self.updates.created);
        self.outbox.notify(Event::Session(SessionEvent::Ready {
            session_id: session.id.or(created.id).filter(|id| !id.is_empty()),
            model: session.model.or(created.model).or_else(|| Some(self.config.model.clone())),
            expires_at: session.expires_at.or(created.expires_at).filter(|at| *at > 0),
            resumed: self.session_generation > 0,
        }));
        let limit = Some(self.config.max_session_duration).filter(|limit| !limit.is_zero());
        self.renewal = limit.map(|limit| self.now + limit);
        self.input.could_not_be_taken(self.now);
    }

    /// The server has not accepted the session in time. An error before may tell why.
    pub(crate) fn not_ready(&mut self, timeout: Duration) {
        let told = self.last_error.take().map(|error| format!(": {}", error.message)).unwrap_or_default();
        let message = format!(
            "the server never said 'session.updated': it did not accept the session within {timeout:.1?}{told}"
        );
        self.lose_or_fail(message.clone(), Error::connect(message), true);
    }

    /// `error`: an event was refused, or the session is about to end.
    pub(crate) fn refused(&mut self, mut error: ServerError, event: &Extra) {
        if error.message.is_empty() {
            error.message = words_of(&error, event);
        }
        let is_opening = matches!(self.phase, Phase::Opening { .. });
        let is_update = self.is_opening_update(error.event_id.as_deref());
        let failure = match is_opening {
            true => refused_opening(&error, is_update, &self.config.model),
            false => quota(&error),
        };
        if let Some(failure) = failure {
            return self.fail_here(failure);
        }
        self.settings_refused(&error);
        self.outbox.notify(Event::Warning(warning(&error)));
        self.last_error.set(error, self.now);
    }

    /// This server refuses. Another one may not.
    fn fail_here(&mut self, failure: Error) {
        let may_differ = self.has_standby && failure.kind() != ErrorKind::Settings;
        if !may_differ {
            return self.fail(failure);
        }
        self.lose(failure.to_string(), Some(Loss { failure, again: false }));
    }

    pub(crate) fn fail(&mut self, failure: Error) {
        self.end_lines();
        self.phase = Phase::Over;
        self.outbox.push(Output::Fail(failure));
    }

    /// The connection is closed.
    pub(crate) fn closed(&mut self, code: Option<u16>, reason: &str) {
        if self.phase == Phase::Renewing {
            return self.end_renewal(false);
        }
        let Closed { failure, comes_back, reason } =
            self.last_error.explain_close(code, reason, self.is_open(), &self.config.model, self.now);
        if comes_back {
            return self.lose_or_fail(reason, failure, true);
        }
        self.fail_here(failure);
    }

    /// The server does not answer a ping.
    pub(crate) fn gone(&mut self, silent: Duration) {
        if self.phase == Phase::Renewing {
            return self.end_renewal(false);
        }
        let reason = format!("the server has been silent for {} s and does not answer a ping", silent.as_secs());
        self.lose_or_fail(reason.clone(), Error::lost(reason), true);
    }

    /// `session.closed`: the rest of the translation has come, or the server ends the session by itself.
    pub(crate) fn session_closed(&mut self) {
        match self.phase {
            Phase::Closing => self.finish(false),
            Phase::Renewing => self.end_renewal(true),
            Phase::Ready | Phase::Opening { .. } => {
                let reason = "the server has ended the session".to_owned();
                self.lose_or_fail(reason.clone(), Error::lost(reason), true);
            }
            Phase::Offline | Phase::Over => {}
        }
    }

    fn lose_or_fail(&mut self, reason: String, failure: Error, again: bool) {
        if self.config.reconnects || self.has_standby {
            return self.lose(reason, Some(Loss { failure, again }));
        }
        self.fail(failure);
    }

    /// The session is over, and there is to be another one. What has no translation is sent to it again.
    pub(crate) fn lose(&mut self, reason: String, loss: Option<Loss>) {
        let was_open = self.session_generation > 0 || self.is_open();
        self.phase = Phase::Offline;
        self.loss = loss;
        self.renewal = None;
        self.output.session_lost();
        for update in self.updates.session_lost() {
            self.configure(update);
        }
        if !was_open {
            // The first session could not be opened, so nothing is lost with it.
            self.last_error.clear();
            return self.outbox.push(Output::Reconnect);
        }
        self.session_generation += 1;
        self.end_lines();
        let lost = self.input.restart();
        if !lost.is_zero() {
            let message =
                format!("{lost:.1?} of what was said have no translation, and are too long ago to be sent again");
            self.outbox.warn("translation-lost", message);
        }
        self.outbox.notify(Event::Session(SessionEvent::Reconnecting { reason }));
        self.outbox.push(Output::Reconnect);
    }

    /// Sends the rest of the input and closes the session; the rest of the translation follows. `phase`: why it is closed.
    pub(super) fn close(&mut self, phase: Phase) {
        self.input.end_frame();
        self.send_frames();
        self.send(Close::default());
        self.phase = phase;
        self.last_progress = self.now;
    }

    /// When the server has been silent for too long after the end of the input.
    pub(crate) fn drain_deadline(&self) -> Instant {
        self.last_progress + self.config.drain_timeout
    }

    /// The end. `late`: the server has not told that it has said everything.
    pub(crate) fn finish(&mut self, late: bool) {
        if late {
            let seconds = self.config.drain_timeout.as_secs_f64();
            let message = format!(
                "the stream has ended, and the server was silent for {seconds} s without 'session.closed': the end of the \
                 translation may be missing"
            );
            self.outbox.warn("drain-timeout", message);
        } else {
            self.input.all_is_translated();
        }
        self.end_lines();
        self.cost.tell(&self.config, &mut self.outbox);
        self.phase = Phase::Over;
        let running_time = self.done_until();
        self.outbox.notify(Event::Session(SessionEvent::Closed { reason: "end of stream".into(), running_time }));
        self.outbox.push(Output::Finished { at: self.input.end().unwrap_or_default() });
    }
}
