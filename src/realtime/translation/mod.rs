// SPDX-License-Identifier: MPL-2.0

//! The sans-I/O core of a translation session: audio in one language goes in, and comes out in another one as audio and text.
//!
//! It is continuous: there are no turns, items or responses. What the server sends has a position on the time line of the
//! input, `elapsed_ms`, and is played and stamped there, or as soon after it as it comes. It stands beside
//! [`Conversation`](super::conversation::Conversation) and is used in the same way: inputs and the time in, outputs out.
//!
//! Source of what is known of the protocol: OpenAI's API reference of `/v1/realtime/translations`.

mod cost;
mod delay;
mod input;
mod output;
mod refusals;
mod renewal;
mod settings;
mod state;
#[cfg(test)]
mod tests;

use crate::realtime::conversation::Loss;
use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::input::alignment_report::Alignment;
use crate::realtime::conversation::io::{Event, Input, Output};
use crate::realtime::conversation::outbox::Outbox;
use crate::realtime::conversation::session::close::LastError;
use crate::realtime::conversation::transcript::lines::{Line, Lines};
use crate::types::{AudioChunk, Speaker, Timing};
use cost::Cost;
use delay::Delay;
use input::TranslationInput;
use openai_protocol::translation::{ClientEvent, ServerEvent, append_json};
use output::TranslationOutput;
use settings::Updates;
pub(crate) use settings::wrong_format;
use std::time::{Duration, Instant};

/// State of the session.
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// Not connected.
    Offline,
    /// `session.update` is sent, and has to be acknowledged until then.
    Opening { until: Instant, timeout: Duration },
    /// Audio may be sent.
    Ready,
    /// `session.close` is sent; the rest of the translation follows, and then another session.
    Renewing,
    /// `session.close` is sent at the end of the input; the rest of the translation follows.
    Closing,
    /// Failed or finished: no more output.
    Over,
}

/// A translation, over one or several sessions.
#[derive(Debug)]
pub struct Translation {
    config: Config,
    phase: Phase,
    now: Instant,
    outbox: Outbox,
    input: TranslationInput,
    alignment: Alignment,
    output: TranslationOutput,
    /// What is said.
    original: Lines,
    /// What it means.
    translated: Lines,
    delay: Delay,
    updates: Updates,
    last_error: LastError,
    loss: Option<Loss>,
    has_standby: bool,
    /// The session in use has translated something.
    has_carried: bool,
    /// The end of the input has come.
    has_ended: bool,
    /// Last event of either side that moved the session on.
    last_progress: Instant,
    /// With `max-session-duration`: when another session is to take over.
    renewal: Option<Instant>,
    /// Number of sessions before this one.
    session_generation: u32,
    /// A frame was handed in, and the warning was posted.
    warned_of_frames: bool,
    cost: Cost,
}

impl Translation {
    /// A translation that is not connected.
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            phase: Phase::Offline,
            now,
            outbox: Outbox::default(),
            input: TranslationInput::new(now),
            alignment: Alignment::default(),
            output: TranslationOutput::default(),
            original: Lines::new("original"),
            translated: Lines::new("translation"),
            delay: Delay::default(),
            updates: Updates::default(),
            last_error: LastError::default(),
            loss: None,
            has_standby: false,
            has_carried: false,
            has_ended: false,
            last_progress: now,
            renewal: None,
            session_generation: 0,
            warned_of_frames: false,
            cost: Cost::default(),
            config,
        }
    }

    /// Handles an input.
    pub fn handle(&mut self, input: Input, now: Instant) {
        self.now = now;
        if self.phase == Phase::Over {
            return;
        }
        match input {
            Input::Connected { timeout } => self.open(timeout),
            Input::Translation(event) => self.on_server_event(*event),
            Input::Audio(chunk) => self.push_audio(chunk),
            Input::Discont => self.input.expect_discont(),
            Input::Frame(_) => self.refuse_frame(),
            Input::Behind(_) => self.input.could_not_be_taken(now),
            Input::Command(command) => self.refuse_command(&command),
            Input::Configure(update) => self.configure(*update),
            Input::Format(format) => self.refuse_format(&format),
            Input::Flushed => self.flushed(),
            Input::EndOfStream => self.has_ended = true,
            Input::Closed { code, reason } => self.closed(code, &reason),
            Input::Gone { silent } => self.gone(silent),
            // Nothing is interrupted, so that what was heard does not matter; there is no standby connection, no other
            // kind of server event, and no pad of pictures to be waited for.
            Input::Played { .. }
            | Input::Began { .. }
            | Input::Silenced { .. }
            | Input::StandbyReady(_)
            | Input::Server(_)
            | Input::Unplugged(_) => {}
        }
        self.advance();
    }

    /// Handles time-outs; to be called at [`Self::deadline`].
    pub fn wake(&mut self, now: Instant) {
        self.now = now;
        if self.phase != Phase::Over {
            self.advance();
        }
    }

    /// The next output; to be called until it is `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    /// When [`Self::wake`] is due if no input comes before.
    pub fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Offline | Phase::Over => None,
            Phase::Opening { until, .. } => Some(until),
            Phase::Ready => {
                let stall = self.input.stall_deadline(&self.config).filter(|_| !self.has_ended);
                let due = self.input.due(self.now);
                let stand = self.standstill_deadline();
                let all =
                    [stall, due, stand, self.lines_deadline(), self.alignment.deadline(), self.renewal_deadline()];
                all.into_iter().flatten().min()
            }
            Phase::Renewing => Some(self.renewal_drain_deadline()),
            Phase::Closing => Some(self.drain_deadline()),
        }
    }

    /// Whether audio may be handed in now. What is not taken waits in the input queue, which is bounded.
    pub fn wants_sound(&self, now: Instant) -> bool {
        self.phase == Phase::Ready && !self.has_ended && self.input.due(now).is_none()
    }

    /// Whether an event of the server is expected, so that silence means that it may be gone.
    pub fn awaits_server(&self) -> bool {
        self.is_open()
    }

    /// Whether the session takes or gives something.
    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Renewing | Phase::Closing)
    }

    /// Whether another server can be tried after the one in use.
    pub fn set_standby(&mut self, there_is_one: bool) {
        self.has_standby = there_is_one;
    }

    /// Whether the session that is lost had translated something.
    pub fn carried_turn(&self) -> bool {
        self.has_carried
    }

    /// Why another session is wanted; `None` for a renewal.
    pub fn take_loss(&mut self) -> Option<Loss> {
        self.loss.take()
    }

    /// Running time up to which all of the input is translated: where another run could go on.
    pub fn done_until(&self) -> Option<Duration> {
        let end = self.input.end()?;
        let open = [self.input.untranslated_from(), self.original.open_from(), self.translated.open_from()];
        Some(open.into_iter().flatten().fold(end, Duration::min))
    }

    /// Does what has become due or possible.
    fn advance(&mut self) {
        if let Phase::Opening { until, timeout } = self.phase
            && self.now >= until
        {
            return self.not_ready(timeout);
        }
        if self.phase == Phase::Closing && self.now >= self.drain_deadline() {
            return self.finish(true);
        }
        if self.phase == Phase::Renewing && self.now >= self.renewal_drain_deadline() {
            return self.end_renewal(false);
        }
        if self.phase != Phase::Ready {
            return;
        }
        self.fill_stall();
        self.end_standstill();
        self.end_lines_in_time();
        self.alignment.post(&mut ctx!(self));
        self.send_frames();
        if self.has_ended {
            return self.close(Phase::Closing);
        }
        self.begin_renewal();
    }

    fn push_audio(&mut self, chunk: AudioChunk) {
        if self.phase != Phase::Ready || self.has_ended {
            return;
        }
        let Some(taken) = self.input.push(chunk, &ctx!(self)) else { return };
        self.alignment.aligned(&taken.placed, taken.filled, taken.gap_is_expected, &mut ctx!(self));
    }

    fn fill_stall(&mut self) {
        let deadline = self.input.stall_deadline(&self.config);
        if !self.has_ended && deadline.is_some_and(|deadline| self.now >= deadline) {
            let inserted = self.input.fill_stall();
            self.outbox.notify(Event::Aligned { dropped: Duration::ZERO, inserted });
        }
    }

    /// Sends the frames that are complete.
    fn send_frames(&mut self) {
        while let Some(audio) = self.input.take_frame(self.now) {
            let event_id = self.outbox.next_event_id();
            let text = append_json(Some(&event_id), &audio);
            let name = "session.input_audio_buffer.append".into();
            self.outbox.push(Output::SendJson { name, text });
            self.has_ended |= self.cost.sent(input::length(&audio), &self.config, &mut self.outbox);
        }
    }

    /// Sends an event of this protocol. Returns its id.
    fn send(&mut self, event: impl Into<ClientEvent>) -> String {
        let mut event = event.into();
        let event_id = self.outbox.next_event_id();
        event.set_event_id(event_id.clone());
        self.outbox.push(Output::SendJson { name: event.name().to_owned(), text: event.to_json() });
        event_id
    }

    fn on_server_event(&mut self, event: ServerEvent) {
        self.last_progress = self.now;
        match event {
            ServerEvent::SessionCreated(event) => self.updates.session_created(event.session),
            ServerEvent::SessionUpdated(event) => self.session_updated(event.session),
            ServerEvent::SessionClosed(_) => self.session_closed(),
            ServerEvent::InputTranscriptDelta(event) => {
                self.add_text(Speaker::User, &event.delta, event.elapsed_ms);
            }
            ServerEvent::OutputTranscriptDelta(event) => {
                self.add_text(Speaker::Assistant, &event.delta, event.elapsed_ms);
            }
            ServerEvent::OutputAudioDelta(event) => self.play(event),
            ServerEvent::Error(event) => self.refused(event.error, &event.extra),
            // What a later version of the API adds.
            _ => {}
        }
    }

    /// Flush: drops what was not sent, and the time line.
    fn flushed(&mut self) {
        self.input.flush();
        self.output.flush();
        self.end_lines();
        self.has_ended = false;
        if self.phase == Phase::Closing {
            // A session that was told to close takes nothing more.
            self.lose("the input goes on after its end".into(), None);
        }
    }

    /// Posts a line that is complete.
    fn post_line(&mut self, role: Speaker, line: &Line) {
        self.outbox.push(Output::Text(line.timed(role)));
        self.outbox.notify(Event::Transcript(output::final_transcript(role, line)));
    }

    fn lines(&mut self, role: Speaker) -> &mut Lines {
        match role {
            Speaker::User => &mut self.original,
            Speaker::Assistant => &mut self.translated,
        }
    }

    fn lines_deadline(&self) -> Option<Instant> {
        let is_live = self.config.timing == Timing::Live;
        [self.original.deadline(), self.translated.deadline()].into_iter().flatten().min().filter(|_| is_live)
    }

    /// Live: ends the lines that nothing follows.
    fn end_lines_in_time(&mut self) {
        for role in [Speaker::User, Speaker::Assistant] {
            let due = self.lines(role).deadline().filter(|_| self.config.timing == Timing::Live);
            if due.is_some_and(|due| self.now >= due)
                && let Some(line) = self.lines(role).end()
            {
                self.post_line(role, &line);
            }
        }
    }

    fn end_lines(&mut self) {
        for role in [Speaker::User, Speaker::Assistant] {
            if let Some(line) = self.lines(role).end() {
                self.post_line(role, &line);
            }
        }
    }
}
