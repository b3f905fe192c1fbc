// SPDX-License-Identifier: MPL-2.0

//! The sans-I/O core: a conversation as a value, without socket, clock or thread.
//!
//! It takes inputs and the time, and gives outputs: what to send, what to play, what to tell the application. Whoever
//! owns it calls [`Conversation::handle`] for everything that happens, then [`Conversation::poll`] until it is empty,
//! and comes back at [`Conversation::deadline`] if nothing happens before. What it decides depends on nothing else, so
//! a test of it reads as a dialogue and a recorded session can be played back through it.

pub mod config;
pub(crate) mod context;
pub(crate) mod event;
pub(crate) mod input;
pub mod io;
pub(crate) mod outbox;
pub(crate) mod response;
pub(crate) mod server_error;
pub(crate) mod server_events;
pub(crate) mod server_ids;
pub(crate) mod session;
pub(crate) mod timers;
pub(crate) mod transcript;
pub(crate) mod video;
pub(crate) mod wiring;

pub use crate::realtime::conversation::session::loss::Loss;

use crate::error::Error;
use crate::realtime::conversation::config::{Config, Detection};
pub use crate::realtime::conversation::io::{Command, Event, Input, Output};
use crate::types::Timing;

use crate::realtime::conversation::input::alignment_report::Alignment;
use crate::realtime::conversation::input::audio_gap::AudioGap;
use crate::realtime::conversation::input::audio_input::AudioInput;
use crate::realtime::conversation::input::drain::Drain;
use crate::realtime::conversation::input::early_commands::EarlyCommands;
use crate::realtime::conversation::input::resumed_turn::ResumedTurn;
use crate::realtime::conversation::input::turns::Turns;
use crate::realtime::conversation::outbox::Outbox;
use crate::realtime::conversation::response::approvals::Approvals;
use crate::realtime::conversation::response::call_arguments::CallArguments;
use crate::realtime::conversation::response::floor_control::Floor;
use crate::realtime::conversation::response::function_calls::Calls;
use crate::realtime::conversation::response::held_response::HeldResponse;
use crate::realtime::conversation::response::limits::UsageLimits;
use crate::realtime::conversation::response::records::Records;
use crate::realtime::conversation::response::responses::Responses;
use crate::realtime::conversation::response::scheduler::ResponseScheduler;
use crate::realtime::conversation::response::turn_latency::TurnLatency;
use crate::realtime::conversation::server_ids::Names;
use crate::realtime::conversation::session::close::LastError;
use crate::realtime::conversation::session::expected_errors::ExpectedErrors;
use crate::realtime::conversation::session::formats::Formats;
use crate::realtime::conversation::session::history::History;
use crate::realtime::conversation::session::loss::Losses;
use crate::realtime::conversation::session::opening::Opening;
use crate::realtime::conversation::session::rollover::SessionRollover;
use crate::realtime::conversation::session::session_update::SessionUpdater;
use crate::realtime::conversation::timers::Timer;
use crate::realtime::conversation::transcript::captions::Captions;
use crate::realtime::conversation::transcript::streamed::StreamedTranscripts;
use crate::realtime::conversation::transcript::text_gap::TextGap;
use crate::realtime::conversation::transcript::transcripts::TranscriptQueue;
use crate::realtime::conversation::video::frames::VideoInput;
use openai_protocol::{ClientEvent, ServerEvent};
use std::time::Instant;

/// State of the session.
#[derive(Debug)]
enum Phase {
    /// Not connected.
    Offline,
    /// `session.update` is sent, and not acknowledged.
    Opening,
    /// Audio may be sent.
    Ready,
    /// Failed or finished: no more output.
    Over,
}

/// A conversation, over one or several sessions.
#[derive(Debug)]
pub struct Conversation {
    config: Config,
    phase: Phase,
    now: Instant,
    outbox: Outbox,
    opening: Opening,
    formats: Formats,
    expected_errors: ExpectedErrors,
    /// Last event of either side that moved the conversation on.
    last_progress: Instant,
    /// Last event about a response.
    last_response_progress: Instant,
    last_error: LastError,
    audio_input: AudioInput,
    alignment: Alignment,
    turns: Turns,
    scheduler: ResponseScheduler,
    turn_latency: TurnLatency,
    responses: Responses,
    records: Records,
    floor: Floor,
    drain: Drain,
    transcripts: TranscriptQueue,
    streamed: StreamedTranscripts,
    captions: Captions,
    calls: Calls,
    call_arguments: CallArguments,
    approvals: Approvals,
    updater: SessionUpdater,
    limits: UsageLimits,
    frames: VideoInput,
    early: EarlyCommands,
    /// The model has spoken in this session: its voice cannot change any more.
    has_spoken: bool,
    history: History,
    held: HeldResponse,
    losses: Losses,
    resumed_turn: ResumedTurn,
    rollover: SessionRollover,
    /// Number of sessions before this one.
    session_generation: u32,
    /// Ids of responses and items, made unique over all sessions.
    names: Names,
    audio_gap: AudioGap,
    text_gap: TextGap,
}

impl Conversation {
    /// A conversation that is not connected.
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            phase: Phase::Offline,
            now,
            outbox: Outbox::default(),
            opening: Opening::new(now),
            formats: Formats::default(),
            expected_errors: ExpectedErrors::default(),
            last_progress: now,
            last_response_progress: now,
            last_error: LastError::default(),
            audio_input: AudioInput::new(&config, now),
            alignment: Alignment::default(),
            turns: Turns::default(),
            scheduler: ResponseScheduler::default(),
            turn_latency: TurnLatency::default(),
            responses: Responses::default(),
            records: Records::default(),
            floor: Floor::default(),
            drain: Drain::default(),
            transcripts: TranscriptQueue::default(),
            streamed: StreamedTranscripts::default(),
            captions: Captions::new(config.output.rate()),
            calls: Calls::default(),
            call_arguments: CallArguments::default(),
            approvals: Approvals::default(),
            updater: SessionUpdater::new(&config.session),
            limits: UsageLimits::default(),
            frames: VideoInput::default(),
            early: EarlyCommands::default(),
            has_spoken: false,
            history: History::default(),
            held: HeldResponse::default(),
            losses: Losses::default(),
            resumed_turn: ResumedTurn::default(),
            rollover: SessionRollover::new(now, config.time_of_day),
            session_generation: 0,
            names: Names::default(),
            audio_gap: AudioGap::default(),
            text_gap: TextGap::default(),
            config,
        }
    }

    /// Handles an input.
    pub fn handle(&mut self, input: Input, now: Instant) {
        self.now = now;
        if matches!(self.phase, Phase::Over) {
            return;
        }
        match input {
            Input::Connected { timeout } => self.open(timeout),
            Input::StandbyReady(is_open) => self.rollover.on_standby(is_open, now),
            Input::Server(event) => self.on_server_event(*event),
            Input::Audio(sound) => self.push_audio(sound),
            Input::Discont => self.audio_input.expect_discont(),
            Input::Frame(frame) => self.on_frame(*frame),
            Input::Unplugged(pad) => self.frames.unplugged(&pad),
            Input::Behind(behind) => self.is_behind(behind),
            Input::Played { now, items } => self.responses.played(now, &items),
            Input::Began { item_id, at, pushed } => self.playback_began(&item_id, at, pushed),
            Input::Silenced { at } => self.turn_latency.silenced(at, &mut self.outbox),
            Input::Command(command) => self.handle_command(command),
            Input::Configure(request) => self.updater.configure(request, now),
            Input::Format(format) => self.change_format(format),
            Input::Flushed => self.flushed(),
            Input::EndOfStream => self.drain.begin(),
            Input::Closed { code, reason } => self.closed(code, &reason),
            Input::Gone { silent } => self.gone(silent),
            Input::Translation(_) => {}
        }
        self.advance();
    }

    /// Handles time-outs; to be called at [`Self::deadline`].
    pub fn wake(&mut self, now: Instant) {
        self.now = now;
        if !matches!(self.phase, Phase::Over) {
            self.advance();
        }
    }

    /// The next output; to be called until it is `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outbox.pop().map(server_ids::with_plain_names)
    }

    /// When [`Self::wake`] is due if no input comes before.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Offline | Phase::Over => None,
            Phase::Opening => Some(self.opening.deadline()),
            Phase::Ready => Timer::ORDER.iter().filter_map(|timer| self.timer_deadline(*timer)).min(),
        }
    }

    /// Whether audio (and what is queued behind it in order) may be handed in now. What is not taken waits in the
    /// input queue, which is bounded.
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

    /// Whether an input may interrupt the model. Then the playback position has to be handed in before it.
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

    /// Whether the playback position has to be handed in now: the end of an answer is expected.
    pub fn wants_playback_position(&self, now: Instant) -> bool {
        self.turn_latency.next_check().is_some_and(|at| now >= at)
    }

    /// Does what has become due or possible.
    fn advance(&mut self) {
        if matches!(self.phase, Phase::Opening) && self.now >= self.opening.deadline() {
            self.not_ready();
        }
        if !matches!(self.phase, Phase::Ready) {
            return;
        }
        Timer::ORDER.iter().for_each(|timer| self.run_timer(*timer));
    }

    /// See [`Outbox::send`].
    fn send(&mut self, event: impl Into<ClientEvent>) -> String {
        self.outbox.send(event)
    }

    fn notify(&mut self, event: Event) {
        self.outbox.notify(event);
    }

    fn warn(&mut self, code: &str, message: impl Into<String>) {
        self.outbox.warn(code, message);
    }

    fn fail(&mut self, failure: Error) {
        self.release_held();
        self.turn_latency.post_last(&mut self.outbox);
        self.phase = Phase::Over;
        self.outbox.push(Output::Fail(failure));
    }
}

#[cfg(test)]
pub(crate) mod tests;
