//! The decisions: a conversation as a value, without a socket, a clock or a thread.
//!
//! It takes inputs and the time, and gives outputs: what to send, what to play, what to tell the application. Whoever
//! owns it calls [`Conversation::handle`] for everything that happens, then [`Conversation::poll`] until it is empty,
//! and comes back at [`Conversation::deadline`] if nothing happens before. What it decides depends on nothing else, so
//! a test of it reads as a dialogue and a recorded session can be played back through it.

mod answer;
mod budget;
mod drain;
pub mod events;
mod listen;
pub mod playout;
mod session;
mod turn;
pub mod uplink;
pub mod vad;

pub use events::{Config, Detection, Failure, Input, Notice, Output, Sound, Speech, Timing, Warning};

use crate::protocol::{ClientEvent, ServerEvent};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far the session has come.
#[derive(Debug)]
enum Phase {
    /// No socket yet.
    Offline,
    /// The settings are sent; the server may take until then to accept them.
    Opening {
        deadline: Instant,
    },
    /// The user's sound may flow.
    Ready,
    /// Failed or finished: nothing is said any more.
    Over,
}

/// One session's conversation.
#[derive(Debug)]
pub struct Conversation {
    config: Config,
    phase: Phase,
    now: Instant,
    output: VecDeque<Output>,
    /// Events sent so far, for their names.
    sent_events: u64,
    /// Events of our own that settings depend on, oldest first.
    updates: VecDeque<String>,
    /// The last thing that the server said, for patience.
    last_event: Instant,
    /// The last `error` of the server, which explains a close that follows it.
    last_error: Option<crate::protocol::response::ServerError>,
    listening: listen::Listening,
    turns: turn::Turns,
    gate: turn::Gate,
    answers: answer::Answers,
    drain: drain::Drain,
    total_cost: f64,
}

impl Conversation {
    /// A conversation that has not begun.
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            phase: Phase::Offline,
            now,
            output: VecDeque::new(),
            sent_events: 0,
            updates: VecDeque::new(),
            last_event: now,
            last_error: None,
            listening: listen::Listening::new(&config, now),
            turns: turn::Turns::default(),
            gate: turn::Gate::default(),
            answers: answer::Answers::default(),
            drain: drain::Drain::default(),
            total_cost: 0.0,
            config,
        }
    }

    /// Something happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        self.now = now;
        if matches!(self.phase, Phase::Over) {
            return;
        }
        match input {
            Input::Connected => self.open(),
            Input::Server(event) => self.hear_server(*event),
            Input::Sound(sound) => self.listen(sound),
            Input::Played { now, items } => self.answers.played(now, items),
            Input::Began { item_id, at } => self.answers.began(&item_id, at),
            Input::Format(format) => self.change_format(format),
            Input::Flushed => self.forget_turn(),
            Input::EndOfStream => self.drain.begin(),
            Input::Closed { code, reason } => self.closed(code, &reason),
        }
        self.go_on();
    }

    /// The time has come that [`Self::deadline`] named.
    pub fn wake(&mut self, now: Instant) {
        self.now = now;
        if !matches!(self.phase, Phase::Over) {
            self.go_on();
        }
    }

    /// What is to be done next; to be called until there is nothing.
    pub fn poll(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// When to come back without an input.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Offline | Phase::Over => None,
            Phase::Opening { deadline } => Some(*deadline),
            Phase::Ready => [self.patience(), self.drain_deadline(), self.listening.due(&self.config, self.now)]
                .into_iter()
                .flatten()
                .min(),
        }
    }

    /// Whether the user's sound (and what stands in order behind it) may be handed in now. What is not taken waits
    /// outside, where it is bounded.
    pub fn wants_sound(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Ready)
            && self.listening.is_idle()
            && !self.holds_input()
            && self.listening.due(&self.config, now).is_none_or(|due| due <= now)
    }

    /// Offline, the input waits while an answer is owed or under way, so that no later speech can cut it off.
    fn holds_input(&self) -> bool {
        self.config.timing == Timing::Offline && self.gate.owes()
    }

    /// How long an answer that is owed may still keep everything waiting.
    fn patience(&self) -> Option<Instant> {
        (self.holds_input() || self.drain.has_begun() && self.gate.owes())
            .then(|| self.last_event.max(self.listening.last_turn) + self.config.drain_timeout)
    }

    /// Everything that follows by itself from what has happened.
    fn go_on(&mut self) {
        if let Phase::Opening { deadline } = self.phase
            && self.now >= deadline
        {
            let seconds = self.config.ready_timeout.as_secs_f64();
            self.fail(Failure::Connect(format!("the server did not accept the session within {seconds} s")));
        }
        if !matches!(self.phase, Phase::Ready) {
            return;
        }
        self.ask_for_answer();
        if self.patience().is_some_and(|until| self.now >= until) {
            let seconds = self.config.drain_timeout.as_secs_f64();
            self.warn("no-answer", format!("the server owes an answer and has said nothing for {seconds} s"));
            self.gate.give_up();
            self.answers.give_up();
        }
        self.listen_to_rest();
        self.go_on_draining();
    }

    fn ask_for_answer(&mut self) {
        let event_id = self.next_event_id();
        if let Some(params) = self.gate.ask(&event_id) {
            let event = crate::protocol::client::ResponseCreate {
                event_id: Some(event_id),
                response: params,
                ..Default::default()
            };
            self.send(event);
        }
    }

    fn hear_server(&mut self, event: ServerEvent) {
        self.last_event = self.now;
        if self.config.raw_events {
            self.notify(Notice::Event { from_server: true, name: event.name().into(), json: event.to_json() });
        }
        match event {
            ServerEvent::SessionUpdated(event) => self.session_updated(event.session),
            ServerEvent::Error(event) => self.refused(event.error),
            ServerEvent::RateLimitsUpdated(event) => self.rate_limits(event.rate_limits),
            event => {
                if let Some(event) = self.hear_turn(event) {
                    self.hear_answer(event);
                }
            }
        }
    }

    /// The name of the next event of ours.
    fn next_event_id(&self) -> String {
        format!("evt_{}", self.sent_events + 1)
    }

    /// Sends an event, and gives back the name under which the server will speak of it.
    fn send(&mut self, event: impl Into<ClientEvent>) -> String {
        let mut event = event.into();
        let id = self.next_event_id();
        self.sent_events += 1;
        event.set_event_id(id.clone());
        if self.config.raw_events {
            self.notify(Notice::Event { from_server: false, name: event.name().into(), json: event.to_json() });
        }
        self.output.push_back(Output::Send(event));
        id
    }

    fn notify(&mut self, notice: Notice) {
        self.output.push_back(Output::Notify(notice));
    }

    fn warn(&mut self, code: &str, message: impl Into<String>) {
        self.notify(Notice::Warning(Warning::new(code, message)));
    }

    fn fail(&mut self, failure: Failure) {
        self.phase = Phase::Over;
        self.output.push_back(Output::Fail(failure));
    }

    /// Running time at the end of what the user has said so far.
    fn input_end(&self) -> Duration {
        self.listening.heard.end().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
