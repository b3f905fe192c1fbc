// SPDX-License-Identifier: MPL-2.0

//! The loss of a session: what becomes of what was under way, what is asked for again, and what is told of it.
//!
//! Nothing is lost without a word: an answer that is asked for again is answered once, and whatever cannot be had back
//! is told as a WARNING with what it was.

use crate::realtime::conversation::input::uncommitted::{self, Keep};
use crate::realtime::conversation::io::SessionEvent;

use crate::audio::sample_clock::{samples_to_time, time_to_samples};
use crate::error::{Failure, Warning};
use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::input::turns::Turn;
use crate::realtime::conversation::{Conversation, Event, Output, Phase};
use openai_protocol::ResponseParams;
use std::time::{Duration, Instant};

/// The same answer is asked for again so often. A server that fails over one would do so for ever.
const ASKED_AGAIN: u32 = 5;

/// The next server has so long to find the turn that was in hand; longer than it takes to notice that it is gone too.
const FOUND_AGAIN: Duration = Duration::from_secs(15);

/// Why there is to be another session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What it is if there is none to be had.
    pub failure: Failure,
    /// Whether the same server is worth another try.
    pub again: bool,
}

/// What is known of sessions that were lost.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// Why the last one was.
    last: Option<Loss>,
    /// The session in use has answered something, or written it down.
    has_carried: bool,
    /// Another server can be tried when this one is not to be had.
    pub has_standby: bool,
    /// How often the answer that is owed was asked for again.
    asked_again: u32,
    /// The user was speaking when the session was lost, as was told.
    in_hand: Option<Turn>,
    /// When that is not so any more, unless the server says it.
    in_hand_until: Option<Instant>,
    /// The server has found the end of a turn, and has not made a message of it so far.
    is_uncommitted: bool,
    /// The last sign of life of the server.
    heard: Option<Instant>,
}

impl Losses {
    /// A session is ready.
    pub fn session_began(&mut self, now: Instant) {
        self.has_carried = false;
        self.is_uncommitted = false;
        self.in_hand_until = self.in_hand.is_some().then(|| now + FOUND_AGAIN);
    }
}

impl Conversation {
    /// Whether another server can be tried after the one in use.
    pub fn set_standby(&mut self, there_is_one: bool) {
        self.losses.has_standby = there_is_one;
    }

    /// When the server gave its last sign of life, be it only the answer to a ping. What was sent since then it may not
    /// have heard.
    pub fn server_heard(&mut self, at: Instant) {
        self.losses.heard = Some(at);
    }

    /// The server has found the end of a turn; whether there is a message of it now.
    pub(crate) fn turn_found(&mut self, is_committed: bool) {
        self.losses.is_uncommitted = !is_committed;
    }

    /// Whether the session that is lost had answered a turn, or written it down.
    pub fn carried_turn(&self) -> bool {
        self.losses.has_carried
    }

    /// Why another session is wanted; nothing where that was planned.
    pub fn take_loss(&mut self) -> Option<Loss> {
        self.losses.last.take()
    }

    /// Whether the server is to say something, and silence means that it may be gone. Who listens for the user's turns is
    /// to say when one begins: no more of the sound is remembered than is sent until its silence is noticed.
    pub fn awaits_server(&self) -> bool {
        let by_server = matches!(self.config.detection, Detection::Server { .. });
        matches!(self.phase, Phase::Ready)
            && (self.owes_response()
                || by_server && self.audio_input.uncommitted_audio.samples() > 0
                || self.updater.awaits_answer()
                || self.drain.is_closing()
                || by_server && self.turns.speaking
                || self.config.transcribes && self.turns.backlog() > 0)
    }

    /// An answer has come to its end, or a turn was written down.
    pub(crate) fn has_carried(&mut self) {
        self.losses.has_carried = true;
        self.losses.asked_again = 0;
    }

    /// What this server will not do. Another one may.
    pub(crate) fn fail_here(&mut self, failure: Failure) {
        let may_differ = self.losses.has_standby && !matches!(failure, Failure::Settings(_));
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
        if !self.config.reconnects && !self.losses.has_standby {
            return self.fail(loss.failure);
        }
        self.lose_after(reason, Some(loss), silent);
    }

    /// The session is over, or did not come about, and there may be another one.
    pub(crate) fn lose(&mut self, reason: String, loss: Option<Loss>) {
        let heard = self.losses.heard.unwrap_or(self.now);
        self.lose_after(reason, loss, self.now.saturating_duration_since(heard));
    }

    /// The same, where the server has been silent for so long and may not have heard what was sent since.
    fn lose_after(&mut self, reason: String, loss: Option<Loss>, silent: Duration) {
        let was_planned = loss.is_none();
        self.losses.last = loss;
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
        if is_owed && self.limits.may_respond(&self.config) && !self.history.ends_forgotten() {
            self.request_again(params, was_planned);
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
        self.losses.heard = None;
        self.updater.session_lost(self.now);
        self.notify(Event::Session(SessionEvent::Reconnecting { reason }));
        self.outbox.push(Output::Reconnect);
    }

    /// The first session did not come about. Nothing was said in it.
    fn open_again(&mut self) {
        self.phase = Phase::Offline;
        self.updater.forget_unanswered();
        self.session_created = Default::default();
        self.last_error = None;
        self.outbox.push(Output::Reconnect);
    }

    /// Whether an answer was asked for or under way of which nothing was heard. Live, what was begun plays on as far as it
    /// has come, and is not asked for again.
    fn owes_again(&mut self, active: Option<&str>) -> bool {
        let is_unplayed = self.held.drop_all(self.config.timing);
        let is_spoken = |active: &str| self.responses.has_audio_of(active);
        let is_found = std::mem::take(&mut self.losses.is_uncommitted) && self.answers_turns();
        is_found || self.scheduler.expects() || active.is_some_and(|active| is_unplayed || !is_spoken(active))
    }

    fn request_again(&mut self, params: Option<ResponseParams>, was_planned: bool) {
        self.losses.asked_again += u32::from(!was_planned);
        if self.losses.asked_again > ASKED_AGAIN {
            self.losses.asked_again = 0;
            let message = format!("a turn is lost: its session ended {ASKED_AGAIN} times before it was answered");
            return self.warn("turn-lost", message);
        }
        self.scheduler.request(params);
    }

    /// The user speaks, or was speaking when a session was lost, and this server has not found that yet.
    fn has_turn_in_hand(&self) -> bool {
        self.turns.speaking || self.losses.in_hand.is_some()
    }

    /// What of the sound is remembered, for a session that may have to hear it again.
    pub(crate) fn remembers(&self) -> Keep {
        let by_server = matches!(self.config.detection, Detection::Server { .. });
        self.keeps(if by_server && !self.has_turn_in_hand() { uncommitted::UNHEARD } else { uncommitted::TURN })
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
        if let Some(unheard) = unheard.filter(|_| by_server && !self.has_turn_in_hand()) {
            let keep = self.keeps(unheard);
            self.audio_input.uncommitted_audio.keep(keep);
        }
        let said = self.turns.open().and_then(|turn| self.audio_input.heard.end()?.checked_sub(turn.start?));
        let kept = samples_to_time(self.audio_input.uncommitted_audio.samples(), rate);
        if said.is_some_and(|said| said > uncommitted::TURN + Duration::from_secs(1) && kept < said) {
            let lost = said.unwrap_or_default().saturating_sub(kept);
            self.notify(Event::Warning(Warning::new(
                "audio-dropped",
                format!("the first {lost:.1?} of what the user is saying are lost: {kept:.1?} are said again"),
            )));
        }
        // A server that finds the turns will find this one again.
        if by_server && let Some(turn) = self.turns.drop_open() {
            self.losses.in_hand.get_or_insert(turn);
        }
        self.losses.in_hand_until = None;
    }

    /// The user speaks, as this server says. Where that is the turn that was in hand, its beginning was told already.
    pub(crate) fn take_resumed_turn(&mut self) -> Option<Turn> {
        self.losses.in_hand_until = None;
        self.losses.in_hand.take()
    }

    /// When the turn that was in hand is over, if the server does not find it.
    pub(crate) fn resumed_turn_deadline(&self) -> Option<Instant> {
        self.losses.in_hand_until
    }

    pub(crate) fn advance_resumed_turn(&mut self) {
        if self.resumed_turn_deadline().is_some_and(|until| self.now >= until) {
            let seconds = FOUND_AGAIN.as_secs();
            let message = format!(
                "the user was speaking when a session was lost, and the next server, which has heard that again, has not \
                 found a turn in it for {seconds} s: it is not answered"
            );
            self.warn("turn-lost", message);
            self.end_in_hand();
        }
    }

    /// Nobody has found the turn that was in hand, and its end is told.
    pub(crate) fn end_in_hand(&mut self) {
        if let Some(turn) = self.take_resumed_turn() {
            let running_time = self.audio_input.heard.end();
            self.notify(Event::Speech { active: false, item_id: turn.item_id, running_time });
        }
    }
}
