// SPDX-License-Identifier: MPL-2.0

//! The loss of a session: what becomes of what was under way, what is requested again, and what is posted of it.
//!
//! Nothing is lost without a word: a response that is requested again is answered once, and whatever cannot be recovered
//! is posted as a warning with what it was.

use crate::audio::sample_clock::{samples_to_time, time_to_samples};
use crate::error::{Error, ErrorKind, Warning};
use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::input::uncommitted::{self, Keep};
use crate::realtime::conversation::io::SessionEvent;
use crate::realtime::conversation::{Conversation, Event, Loss, Output, Phase};
use std::time::{Duration, Instant};

impl Conversation {
    /// Whether another server can be tried after the one in use.
    pub fn set_standby(&mut self, there_is_one: bool) {
        self.losses.set_standby(there_is_one);
    }

    /// Time of the last data from the server, be it only the answer to a ping. What was sent since may not have arrived.
    pub fn server_heard(&mut self, at: Instant) {
        self.losses.heard(at);
    }

    /// Whether the session that is lost had answered a turn, or transcribed it.
    pub fn carried_turn(&self) -> bool {
        self.losses.has_carried()
    }

    /// Why another session is wanted; `None` for a rollover.
    pub fn take_loss(&mut self) -> Option<Loss> {
        self.losses.take()
    }

    /// Whether an event of the server is expected, so that silence means that it may be gone. A server's VAD is expected to
    /// tell of a turn: only as much audio is remembered as is sent until its silence is noticed.
    pub fn awaits_server(&self) -> bool {
        let by_server = matches!(self.config.detection, Detection::Server { .. });
        matches!(self.phase, Phase::Ready)
            && (self.owes_response()
                || by_server && self.audio_input.remembered() > 0
                || self.updater.awaits_answer()
                || self.drain.is_closing()
                || by_server && self.turns.is_speaking()
                || self.config.transcribes && self.turns.backlog() > 0)
    }

    /// This server refuses. Another one may not.
    pub(crate) fn fail_here(&mut self, failure: Error) {
        let may_differ = self.losses.has_standby() && failure.kind() != ErrorKind::Settings;
        if !may_differ {
            return self.fail(failure);
        }
        self.lose(failure.to_string(), Some(Loss { failure, again: false }));
    }

    /// The server does not answer a ping. What was sent since its last data has not arrived.
    pub(crate) fn gone(&mut self, silent: Duration) {
        let reason = format!("the server has been silent for {} s and does not answer a ping", silent.as_secs());
        let failure = Error::lost(reason.clone());
        let loss = Loss { failure, again: true };
        if !self.config.reconnects && !self.losses.has_standby() {
            return self.fail(loss.failure);
        }
        self.lose_after(reason, Some(loss), silent);
    }

    /// The session is over, or could not be opened, and there may be another one.
    pub(crate) fn lose(&mut self, reason: String, loss: Option<Loss>) {
        self.lose_after(reason, loss, self.losses.silence(self.now));
    }

    /// The same. `silent`: time since the last data from the server.
    fn lose_after(&mut self, reason: String, loss: Option<Loss>, silent: Duration) {
        let was_planned = loss.is_none();
        self.losses.session_lost(loss);
        if self.session_generation == 0 && !matches!(self.phase, Phase::Ready) {
            return self.open_again();
        }
        let was_ready = matches!(self.phase, Phase::Ready);
        // A response that was held while the user spoke may be complete.
        self.release_floor();
        let active = self.scheduler.active().map(str::to_owned);
        let is_owed = self.owes_again(active.as_deref());
        let params = self.scheduler.params();
        self.phase = Phase::Offline;
        self.approvals.clear();
        self.session_generation += 1;
        self.rollover.session_lost();
        self.scheduler.give_up();
        // A turn that cannot be sent again has a warning, and a response would answer something else.
        let is_wanted = is_owed && self.limits.may_respond(&self.config) && !self.history.ends_forgotten();
        if is_wanted && self.losses.may_request_again(was_planned, &mut ctx!(self)) {
            self.scheduler.request(params);
        }
        if let Some(active) = active {
            self.responses.mute(&active);
            self.finish_locally(&active, "incomplete", Some("session_lost"));
        }
        self.responses.give_up();
        self.records.end_all();
        self.give_up_turns();
        self.frames.session_lost(&mut ctx!(self));
        self.lose_turn(was_ready.then_some(silent + uncommitted::QUIET));
        self.losses.forget_heard();
        self.updater.session_lost(self.now);
        self.notify(Event::Session(SessionEvent::Reconnecting { reason }));
        self.outbox.push(Output::Reconnect);
    }

    /// The first session could not be opened, so nothing is lost with it.
    fn open_again(&mut self) {
        self.phase = Phase::Offline;
        self.updater.forget_unanswered();
        self.opening.forget();
        self.last_error.clear();
        self.outbox.push(Output::Reconnect);
    }

    /// Whether a response was requested or under way of which nothing was played. Live, one that has begun plays on as far as
    /// it has come, and is not requested again.
    fn owes_again(&mut self, active: Option<&str>) -> bool {
        let is_unplayed = self.held.drop_all(self.config.timing);
        let is_spoken = |active: &str| self.responses.has_audio_of(active);
        let is_found = self.losses.take_uncommitted() && self.answers_turns();
        is_found || self.scheduler.expects() || active.is_some_and(|active| is_unplayed || !is_spoken(active))
    }

    /// The user speaks, or was speaking when a session was lost, and this server has not found that yet.
    fn is_in_turn(&self) -> bool {
        self.turns.is_speaking() || self.resumed_turn.is_open()
    }

    /// How much audio is remembered for another session.
    pub(crate) fn remembers(&self) -> Keep {
        let by_server = matches!(self.config.detection, Detection::Server { .. });
        self.keeps(if by_server && !self.is_in_turn() { uncommitted::UNHEARD } else { uncommitted::TURN })
    }

    /// Audio of this length, and whatever was sent in that time.
    fn keeps(&self, length: Duration) -> Keep {
        let samples = |length: Duration| time_to_samples(length, self.config.input.rate());
        let since = self.now.checked_sub(length).unwrap_or(self.now);
        Keep { samples: samples(length), since, most: samples(uncommitted::TURN) }
    }

    /// The current turn is sent to the next server again, as far as it is remembered. `unheard`: length of the audio that may
    /// not have arrived; `None` if the session was not ready, and what is remembered stays as it is.
    fn lose_turn(&mut self, unheard: Option<Duration>) {
        let rate = self.config.input.rate();
        let by_server = matches!(self.config.detection, Detection::Server { .. });
        if let Some(unheard) = unheard.filter(|_| by_server && !self.is_in_turn()) {
            let keep = self.keeps(unheard);
            self.audio_input.keep(keep);
        }
        let said = self.turns.open().and_then(|turn| self.audio_input.heard().end()?.checked_sub(turn.start?));
        let kept = samples_to_time(self.audio_input.remembered(), rate);
        if said.is_some_and(|said| said > uncommitted::TURN + Duration::from_secs(1) && kept < said) {
            let lost = said.unwrap_or_default().saturating_sub(kept);
            self.notify(Event::Warning(Warning::new(
                "audio-dropped",
                format!("the first {lost:.1?} of what the user is saying are lost: {kept:.1?} are said again"),
            )));
        }
        // A server's VAD will find the turn again.
        let open = if by_server { self.turns.drop_open() } else { None };
        self.resumed_turn.session_lost(open);
    }
}
