// SPDX-License-Identifier: MPL-2.0

//! The loss of a session: what becomes of what was under way, what is requested again, and what is posted of it.
//!
//! Nothing is lost without a word: a response that is requested again is answered once, and whatever cannot be recovered
//! is posted as a warning with what it was.

use crate::audio::sample_clock::{samples_to_time, time_to_samples};
use crate::error::{Failure, Warning};
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

    /// When the server gave its last sign of life, be it only the answer to a ping. What was sent since then it may not
    /// have heard.
    pub fn server_heard(&mut self, at: Instant) {
        self.losses.heard(at);
    }

    /// Whether the session that is lost had answered a turn, or written it down.
    pub fn carried_turn(&self) -> bool {
        self.losses.has_carried()
    }

    /// Why another session is wanted; nothing where that was planned.
    pub fn take_loss(&mut self) -> Option<Loss> {
        self.losses.take()
    }

    /// Whether the server is to say something, and silence means that it may be gone. Who listens for the user's turns is
    /// to say when one begins: no more of the sound is remembered than is sent until its silence is noticed.
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

    /// What this server will not do. Another one may.
    pub(crate) fn fail_here(&mut self, failure: Failure) {
        let may_differ = self.losses.has_standby() && !matches!(failure, Failure::Settings(_));
        if !may_differ {
            return self.fail(failure);
        }
        self.lose(failure.to_string(), Some(Loss { failure, again: false }));
    }

    /// The server gives no sign of life any more. What was said since its last one it has not heard.
    pub(crate) fn gone(&mut self, silent: Duration) {
        let reason = format!("the server has been silent for {} s and does not answer a ping", silent.as_secs());
        let failure = Failure::Lost(reason.clone());
        let loss = Loss { failure, again: true };
        if !self.config.reconnects && !self.losses.has_standby() {
            return self.fail(loss.failure);
        }
        self.lose_after(reason, Some(loss), silent);
    }

    /// The session is over, or did not come about, and there may be another one.
    pub(crate) fn lose(&mut self, reason: String, loss: Option<Loss>) {
        self.lose_after(reason, loss, self.losses.silence(self.now));
    }

    /// The same, where the server has been silent for so long and may not have heard what was sent since.
    fn lose_after(&mut self, reason: String, loss: Option<Loss>, silent: Duration) {
        let was_planned = loss.is_none();
        self.losses.session_lost(loss);
        if self.session_generation == 0 && !matches!(self.phase, Phase::Ready) {
            return self.open_again();
        }
        let was_ready = matches!(self.phase, Phase::Ready);
        // An answer that waited for the user to end may be whole.
        self.release_floor();
        let active = self.scheduler.active().map(str::to_owned);
        let is_owed = self.owes_again(active.as_deref());
        let params = self.scheduler.params();
        self.phase = Phase::Offline;
        self.approvals.clear();
        self.session_generation += 1;
        self.rollover.session_lost();
        self.scheduler.give_up();
        // A question that is forgotten is told as that, and another answer would be one to something else.
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

    /// The first session did not come about. Nothing was said in it.
    fn open_again(&mut self) {
        self.phase = Phase::Offline;
        self.updater.forget_unanswered();
        self.opening.forget();
        self.last_error.clear();
        self.outbox.push(Output::Reconnect);
    }

    /// Whether an answer was asked for or under way of which nothing was heard. Live, what was begun plays on as far as it
    /// has come, and is not asked for again.
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

    /// What of the sound is remembered, for a session that may have to hear it again.
    pub(crate) fn remembers(&self) -> Keep {
        let by_server = matches!(self.config.detection, Detection::Server { .. });
        self.keeps(if by_server && !self.is_in_turn() { uncommitted::UNHEARD } else { uncommitted::TURN })
    }

    /// The sound of so long, and whatever was sent in that time.
    fn keeps(&self, length: Duration) -> Keep {
        let samples = |length: Duration| time_to_samples(length, self.config.input.rate());
        let since = self.now.checked_sub(length).unwrap_or(self.now);
        Keep { samples: samples(length), since, most: samples(uncommitted::TURN) }
    }

    /// The turn in hand is said again to the next server, as far as it is remembered. The server may not have heard the
    /// sound of so long; nothing where it was not there yet, and what the one before has not heard still waits.
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
        // A server that finds the turns will find this one again.
        let open = if by_server { self.turns.drop_open() } else { None };
        self.resumed_turn.session_lost(open);
    }
}
