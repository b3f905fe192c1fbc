// SPDX-License-Identifier: MPL-2.0

//! The decisions: a conversation as a value, without a socket, a clock or a thread.
//!
//! It takes inputs and the time, and gives outputs: what to send, what to play, what to tell the application. Whoever
//! owns it calls [`Conversation::handle`] for everything that happens, then [`Conversation::poll`] until it is empty,
//! and comes back at [`Conversation::deadline`] if nothing happens before. What it decides depends on nothing else, so
//! a test of it reads as a dialogue and a recorded session can be played back through it.

pub mod config;
pub(crate) mod event;
pub(crate) mod input;
pub mod io;
pub(crate) mod response;
pub(crate) mod server_events;
pub(crate) mod session;
pub(crate) mod transcript;
pub(crate) mod video;

pub use crate::realtime::conversation::session::loss::Loss;

use crate::error::{Failure, Warning};
use crate::realtime::conversation::config::{Config, Detection};
pub use crate::realtime::conversation::io::{Command, Event, Input, Output};
use crate::types::Timing;

use crate::realtime::conversation::input::alignment_report::Alignment;
use crate::realtime::conversation::input::audio_input::AudioInput;
use crate::realtime::conversation::input::drain::Drain;
use crate::realtime::conversation::input::turns::Turns;
use crate::realtime::conversation::response::floor_control::Floor;
use crate::realtime::conversation::response::function_calls::Calls;
use crate::realtime::conversation::response::held_response::Held;
use crate::realtime::conversation::response::limits::UsageLimits;
use crate::realtime::conversation::response::responses::Responses;
use crate::realtime::conversation::response::scheduler::ResponseScheduler;
use crate::realtime::conversation::session::history::History;
use crate::realtime::conversation::session::loss::Losses;
use crate::realtime::conversation::session::rollover::SessionRollover;
use crate::realtime::conversation::session::server_ids;
use crate::realtime::conversation::session::server_ids::Names;
use crate::realtime::conversation::session::session_update::SessionUpdater;
use crate::realtime::conversation::transcript::captions::Captions;
use crate::realtime::conversation::transcript::transcripts::TranscriptQueue;
use crate::realtime::conversation::video::frames::VideoInput;
use openai_protocol::client::ResponseCreate;
use openai_protocol::response::ServerError;
use openai_protocol::session::AudioFormat;
use openai_protocol::{ClientEvent, ServerEvent, Session};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long the end of an answer that was cancelled is waited for.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(3);
/// A tool that the server calls may take so long.
const TOOL_CALL: Duration = Duration::from_secs(120);
/// Offline: so many turns of the user may wait for the server to acknowledge or to write them down.
const MAX_OFFLINE_BACKLOG: usize = 16;

/// How far the session has come.
#[derive(Debug)]
enum Phase {
    /// No socket yet.
    Offline,
    /// The settings are sent; the server may take until then to accept them.
    Opening { deadline: Instant, timeout: Duration },
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
    /// What the server told of the session before it knew the settings.
    session_created: Session,
    /// It has said so in the session that is being opened, and no error since.
    greeted: bool,
    /// So long it may take to open the session.
    opened: Instant,
    /// The user was told that the server takes the input for this format.
    input_told: Option<AudioFormat>,
    /// The server says when settings are in force.
    acknowledges: bool,
    /// The server writes down what the user says.
    writes_down: bool,
    /// Events of our own that settings depend on, oldest first.
    updates: VecDeque<String>,
    /// When something moved on last, on either side.
    last_progress: Instant,
    /// When the answer that is owed moved on last.
    last_response_progress: Instant,
    /// The last `error` of the server and when it came; it explains a close that follows.
    last_error: Option<(Instant, ServerError)>,
    audio_input: AudioInput,
    alignment: Alignment,
    turns: Turns,
    scheduler: ResponseScheduler,
    responses: Responses,
    floor: Floor,
    drain: Drain,
    transcripts: TranscriptQueue,
    captions: Captions,
    calls: Calls,
    /// Questions of the server whether it may call an MCP tool that have no answer.
    approvals: VecDeque<String>,
    updater: SessionUpdater,
    limits: UsageLimits,
    frames: VideoInput,
    /// What was asked for before the session was ready.
    early: VecDeque<Command>,
    /// The model has spoken, so its voice is fixed.
    has_spoken: bool,
    history: History,
    held: Held,
    losses: Losses,
    rollover: SessionRollover,
    /// The time of day, since 1970, of an instant.
    time_of_day: (Instant, Duration),
    /// How many sessions there were before this one.
    session_generation: u32,
    /// The server's names, each of which means one thing.
    names: Names,
    /// Up to here no user's and no model's text begins any more.
    text_gap: [Duration; 2],
}

impl Conversation {
    /// A conversation that has not begun.
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            phase: Phase::Offline,
            now,
            output: VecDeque::new(),
            sent_events: 0,
            session_created: Session::default(),
            greeted: false,
            opened: now,
            input_told: None,
            acknowledges: true,
            writes_down: false,
            updates: VecDeque::new(),
            last_progress: now,
            last_response_progress: now,
            last_error: None,
            audio_input: AudioInput::new(&config, now),
            alignment: Alignment::default(),
            turns: Turns::default(),
            scheduler: ResponseScheduler::default(),
            responses: Responses::default(),
            floor: Floor::default(),
            drain: Drain::default(),
            transcripts: TranscriptQueue::default(),
            captions: Captions::new(config.output.rate()),
            calls: Calls::default(),
            approvals: VecDeque::new(),
            updater: SessionUpdater::new(&config.session),
            limits: UsageLimits::default(),
            frames: VideoInput::default(),
            early: VecDeque::new(),
            has_spoken: false,
            history: History::default(),
            held: Held::default(),
            losses: Losses::default(),
            rollover: SessionRollover::default(),
            time_of_day: (now, config.time_of_day),
            session_generation: 0,
            names: Names::default(),
            text_gap: [Duration::ZERO; 2],
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
            Input::Connected { timeout } => self.open(timeout),
            Input::StandbyReady(there) => self.on_standby(there),
            Input::Server(event) => self.on_server_event(*event),
            Input::Audio(sound) => self.push_audio(sound),
            Input::Discont => self.timestamps_break(),
            Input::Frame(frame) => self.on_frame(*frame),
            Input::Unplugged(pad) => self.frames.unplugged(&pad),
            Input::Behind(behind) => self.is_behind(behind),
            Input::Played { now, items } => self.responses.played(now, &items),
            Input::Began { item_id, at } => self.responses.began(&item_id, at, now),
            Input::Command(command) => self.handle_command(command),
            Input::Configure(request) => self.configure(request),
            Input::Format(format) => self.change_format(format),
            Input::Flushed => self.flushed(),
            Input::EndOfStream => self.drain.begin(),
            Input::Closed { code, reason } => self.closed(code, &reason),
            Input::Gone { silent } => self.gone(silent),
        }
        self.advance();
    }

    /// The time has come that [`Self::deadline`] named.
    pub fn wake(&mut self, now: Instant) {
        self.now = now;
        if !matches!(self.phase, Phase::Over) {
            self.advance();
        }
    }

    /// What is to be done next; to be called until there is nothing.
    pub fn poll(&mut self) -> Option<Output> {
        self.output.pop_front().map(server_ids::with_plain_names)
    }

    /// When to come back without an input.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Offline | Phase::Over => None,
            Phase::Opening { deadline, .. } => Some(*deadline),
            Phase::Ready => {
                let deadlines = [
                    self.timeout(),
                    self.drain_deadline(),
                    self.audio_input.due(self.now),
                    self.transcripts_deadline(),
                    self.updater.deadline(),
                    self.calls_deadline(),
                    self.next_request_at(),
                    self.frames_deadline(),
                    self.rollover_deadline(),
                    self.floor_deadline(),
                    self.stall_deadline(),
                    self.standstill_deadline(),
                    self.alignment_deadline(),
                    self.in_hand_deadline(),
                ];
                deadlines.into_iter().flatten().min()
            }
        }
    }

    /// Whether the user's sound (and what stands in order behind it) may be handed in now. What is not taken waits
    /// outside, where it is bounded.
    pub fn wants_sound(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Ready)
            && self.audio_input.is_idle()
            && !self.holds_input()
            && self.audio_input.due(now).is_none()
    }

    /// Whether a frame may be handed in now. Live, the newest one is always wanted.
    pub fn wants_frames(&self, now: Instant) -> bool {
        match self.config.timing {
            Timing::Live => matches!(self.phase, Phase::Ready),
            Timing::Offline => self.wants_sound(now),
        }
    }

    /// Whether an input may silence the model. Then it has to be known before what was heard so far.
    pub fn may_interrupt(&self, input: &Input) -> bool {
        match input {
            Input::Audio(_) => {
                self.config.timing == Timing::Live && matches!(self.config.detection, Detection::Local(_))
            }
            Input::Command(command) => {
                matches!(command, Command::CancelResponse)
                    || matches!(command, Command::Event(event) if event.name() == "response.cancel")
            }
            Input::Server(event) => {
                matches!(**event, ServerEvent::InputAudioBufferSpeechStarted(_) | ServerEvent::ResponseDone(_))
            }
            _ => false,
        }
    }

    /// Offline, the input waits while an answer is owed or under way, so that no later speech can cut it off. Where no
    /// answers are wanted, it waits while the server has many turns to catch up with.
    fn holds_input(&self) -> bool {
        let is_behind = || !self.config.create_response && self.turns.backlog() >= MAX_OFFLINE_BACKLOG;
        self.config.timing == Timing::Offline && (self.owes_response() || is_behind())
    }

    /// An answer is owed or under way, or a function's output that leads to one.
    fn owes_response(&self) -> bool {
        self.scheduler.is_pending() || self.calls.open() > 0
    }

    /// When the next answer may be asked for, where there is a limit of how many.
    fn next_request_at(&self) -> Option<Instant> {
        self.scheduler
            .has_request()
            .then(|| self.limits.rate.waits_until(self.config.requests_per_minute, self.now))
            .flatten()
    }

    /// The answer that is under way is not wanted, and only its end is missing.
    fn is_cancelled(&self) -> bool {
        self.scheduler.active().is_some_and(|active| self.responses.is_muted(active))
    }

    /// How long what is owed may still keep everything waiting. The end of the stream has a patience of its own.
    fn timeout(&self) -> Option<Instant> {
        if self.drain.is_closing() || self.next_request_at().is_some() {
            None
        } else if self.is_cancelled() {
            Some(self.last_response_progress + CANCEL_TIMEOUT.min(self.config.drain_timeout))
        } else if self.scheduler.is_pending() {
            Some(self.last_response_progress + self.answer_patience())
        } else {
            self.holds_input().then(|| self.owed_until())
        }
    }

    /// How long an answer may not move on. While the server calls a tool, it waits for somebody else.
    fn answer_patience(&self) -> Duration {
        let calls = self.responses.calls_tools();
        if calls { self.config.drain_timeout.max(TOOL_CALL) } else { self.config.drain_timeout }
    }

    /// Everything that follows by itself from what has happened.
    fn advance(&mut self) {
        if let Phase::Opening { deadline, timeout } = self.phase
            && self.now >= deadline
        {
            self.not_ready(timeout);
        }
        if !matches!(self.phase, Phase::Ready) {
            return;
        }
        self.advance_updates();
        self.go_on_in_hand();
        self.advance_floor();
        self.go_on_calling();
        self.send_due_frames();
        self.send_due_request();
        if self.timeout().is_some_and(|until| self.now >= until) {
            self.give_up();
        }
        self.fill_stall();
        self.process_audio();
        self.tell_alignment();
        self.advance_captions();
        self.flush_finals();
        self.advance_drain();
        // Behind everything that may end a wait for the server, so that its deadline is never in the past afterwards.
        self.end_standstill();
        self.advance_text_gap();
        self.advance_rollover();
    }

    /// The server will not give what it owes. The conversation goes on without.
    fn give_up(&mut self) {
        if self.scheduler.is_pending() {
            let active = self.scheduler.active().map(str::to_owned);
            if self.is_cancelled() {
                // Some servers say nothing more of an answer that was cancelled.
                active.inspect(|active| {
                    self.responses.mute(active);
                    self.finish_locally(active, "cancelled", None);
                });
            } else {
                let seconds = self.answer_patience().as_secs_f64();
                let message = format!("the server owes an answer and has not gone on with it for {seconds} s");
                self.warn("no-answer", message);
                active.inspect(|active| self.ends_late(active));
            }
            self.scheduler.give_up();
            self.responses.give_up();
            self.send_due_request();
        } else if self.calls.open() > 0 {
            self.close_calls();
        } else {
            let seconds = self.config.drain_timeout.as_secs_f64();
            self.warn("no-transcript", format!("the server has not taken in what the user said for {seconds} s"));
            self.give_up_turns();
        }
    }

    /// A turn of the user has ended, and the server does not answer it by itself.
    fn request_response_for_turn(&mut self) {
        if self.config.create_response && self.may_respond() {
            self.scheduler.request(None);
        }
    }

    /// Asks for the answer that is wished, if none is under way.
    fn send_due_request(&mut self) {
        if self.next_request_at().is_some() {
            return;
        }
        if let Some(params) = self.scheduler.take_request() {
            let event_id = self.send(ResponseCreate { response: params.clone(), ..Default::default() });
            self.scheduler.request_sent(event_id, params);
            self.calls.are_answered();
            self.limits.rate.request_sent(self.now);
            self.last_response_progress = self.now;
            self.last_progress = self.now;
        }
    }

    fn on_server_event(&mut self, event: ServerEvent) {
        let event = self.names.make_unique(event, self.session_generation);
        let name = event.name();
        if name.starts_with("response.") {
            self.last_response_progress = self.now;
        }
        if !matches!(event, ServerEvent::Error(_) | ServerEvent::RateLimitsUpdated(_) | ServerEvent::Unknown(_)) {
            self.last_progress = self.now;
        }
        match event {
            ServerEvent::SessionCreated(event) => self.greeted(event.session),
            ServerEvent::SessionUpdated(event) => self.session_updated(event.session),
            ServerEvent::Error(event) => self.refused(event.error, &event.extra),
            ServerEvent::RateLimitsUpdated(event) => self.rate_limits(event.rate_limits),
            event => {
                if let Some(event) = self.on_turn_event(event) {
                    self.on_response_event(event);
                }
            }
        }
    }

    /// Sends an event, and gives back the name under which the server will speak of it.
    fn send(&mut self, event: impl Into<ClientEvent>) -> String {
        let mut event = event.into();
        let id = self.next_event_id();
        event.set_event_id(id.clone());
        self.output.push_back(Output::Send(event));
        id
    }

    fn next_event_id(&mut self) -> String {
        self.sent_events += 1;
        format!("evt_{}", self.sent_events)
    }

    fn notify(&mut self, event: Event) {
        self.output.push_back(Output::Event(event));
    }

    fn warn(&mut self, code: &str, message: impl Into<String>) {
        self.notify(Event::Warning(Warning::new(code, message)));
    }

    fn fail(&mut self, failure: Failure) {
        self.let_through();
        self.phase = Phase::Over;
        self.output.push_back(Output::Fail(failure));
    }
}

#[cfg(test)]
pub(crate) mod tests;
