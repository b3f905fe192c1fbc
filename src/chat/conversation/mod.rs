// SPDX-License-Identifier: MPL-2.0

//! The sans-I/O core of `openaichat`: segments become requests, requests answers, and answers go out in the order of
//! their segments, however many requests are in flight.
//!
//! It takes what happened and the time, and returns what is to be done: [`Conversation::handle`], then
//! [`Conversation::poll`] until that gives nothing, and again at the latest at [`Conversation::deadline`].

pub(crate) mod answer;
mod answers;
pub(crate) mod config;
mod emit;
mod frame_selection;
mod functions;
mod history;
pub(crate) mod io;
mod limits;
pub(crate) mod request;
mod segment_audio;
pub(crate) mod segmenter;
#[cfg(test)]
mod tests;
mod turn;

use crate::chat::conversation::config::{Config, StreamMode};
use crate::chat::conversation::history::History;
use crate::chat::conversation::io::{Event, Input, Output, Target};
use crate::chat::conversation::limits::Limits;
use crate::chat::conversation::segmenter::{Segment, Segmenter};
use crate::chat::conversation::turn::{Stage, Turn};
use crate::error::{Error, Warning};
use crate::net::backoff::Backoff;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Segments that wait for a request of theirs; with more, no more input is wanted.
const MAX_WAITING: usize = 4;

/// The audio pad's name.
pub const AUDIO_PAD: &str = "audio_sink";

/// A run.
pub struct Conversation {
    config: Config,
    now: Instant,
    /// Seconds since 1970, for what expires at the server.
    unix_time: i64,
    segmenter: Segmenter,
    turns: VecDeque<Turn>,
    history: History,
    limits: Limits,
    outputs: VecDeque<Output>,
    next_turn: u64,
    next_request: u64,
    at_end: bool,
    ended: bool,
    /// The server takes no streamed answers.
    cannot_stream: bool,
    /// An answer has come: what is refused after that ends the run no more.
    has_succeeded: bool,
    told_vision: bool,
    /// Behind the last answer's audio.
    played_until: Duration,
    /// It was told that no answer begins before.
    quiet_until: Duration,
}

impl Conversation {
    /// A run that has not begun.
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            segmenter: Segmenter::new(&config),
            history: History::new(config.history),
            limits: Limits::new(config.requests_per_minute, config.max_cost),
            config,
            now,
            unix_time: 0,
            turns: VecDeque::new(),
            outputs: VecDeque::new(),
            next_turn: 1,
            next_request: 1,
            at_end: false,
            ended: false,
            cannot_stream: false,
            has_succeeded: false,
            told_vision: false,
            played_until: Duration::ZERO,
            quiet_until: Duration::ZERO,
        }
    }

    /// Something has happened. `unix_time` is in seconds since 1970.
    pub fn handle(&mut self, input: Input, now: Instant, unix_time: i64) {
        (self.now, self.unix_time) = (now, unix_time);
        if self.ended {
            return;
        }
        match input {
            Input::PadOpened { pad, waits } => self.segmenter.open(&pad, waits),
            Input::PadEnded(pad) => self.segmenter.end(&pad),
            Input::PadReached(pad, until) => self.segmenter.reach(&pad, until),
            Input::Flushed(pad) => {
                self.segmenter.flush(&pad, pad == AUDIO_PAD);
                self.cancel("the input was flushed");
            }
            Input::Format(coding) => match self.segmenter.set_format(coding) {
                Ok(segment) => segment.into_iter().for_each(|segment| self.begin_turn(segment)),
                Err(why) => self.fail(Error::settings(why)),
            },
            Input::Audio(chunk) => self.segmenter.push_audio(AUDIO_PAD, chunk),
            Input::Frame(frame) => self.segmenter.push_frame(frame),
            Input::Text { text, at } => self.segmenter.push_text(text, at),
            Input::EndOfStream => self.end_input(),
            Input::Send => match self.segmenter.close_now() {
                Some(segment) => self.begin_turn(segment),
                None => self.warn("nothing-to-send", "send: nothing has come in since the last request"),
            },
            Input::Cancel => self.cancel("cancelled"),
            Input::FunctionOutput { call_id, output } => self.function_output(&call_id, output),
            Input::Answer(id, event) => self.answer_event(id, event),
            Input::Limits { requests_per_minute, max_cost } => self.limits.set(requests_per_minute, max_cost),
        }
        self.go_on();
    }

    /// Time has passed.
    pub fn wake(&mut self, now: Instant, unix_time: i64) {
        (self.now, self.unix_time) = (now, unix_time);
        if !self.ended {
            self.go_on();
        }
    }

    /// The next thing to be done.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::wake`] is to be called at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let is_due = |at: &Instant| *at <= self.now;
        // What is due and not sent waits for the rate.
        let turns = self.turns.iter().filter_map(Turn::deadline).filter(|at| !is_due(at)).min();
        [turns, self.limits.waits_until(self.now)].into_iter().flatten().min()
    }

    /// Whether more input is of use now. What waits then waits upstream.
    pub fn wants_input(&self) -> bool {
        self.turns.len() < self.slots() + MAX_WAITING
    }

    /// How many of the oldest turns may be in flight, or be answered and wait for those before them. With a history, a
    /// request knows the answer before it.
    fn slots(&self) -> usize {
        if self.config.history > 0 { 1 } else { self.config.max_requests.max(1) }
    }

    /// Whether the run is over.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    fn end_input(&mut self) {
        self.segmenter.finish();
        while let Some(segment) = self.segmenter.next() {
            self.begin_turn(segment);
        }
        if let Some(segment) = self.segmenter.close_now() {
            self.begin_turn(segment);
        }
        if self.segmenter.heard_no_speech() {
            self.warn("no-speech", "segment-gap is set, and there was no speech in the audio: none of it was sent");
        } else if self.next_turn == 1 {
            self.warn("nothing-to-send", "the input has ended, and there was nothing in it to make a request of");
        }
        self.at_end = true;
    }

    /// Everything that may be possible now, in an order in which each step makes the next one possible.
    fn go_on(&mut self) {
        while let Some(segment) = self.segmenter.next() {
            self.begin_turn(segment);
        }
        self.tell_skipped();
        self.expire_calls();
        self.send_requests();
        self.emit();
        // An answer that is out may have made room, or have said what the next request is to know.
        self.send_requests();
    }

    fn tell_skipped(&mut self) {
        for frame in self.segmenter.take_skipped() {
            let (at, size) = (frame.at, frame.file.len());
            self.event(Event::Frame { sent: None, pad: frame.pad, at, size });
        }
        if self.segmenter.take_cut_full() {
            let message = "a segment was cut because its audio is as large as one request can be: set segment-duration \
                           or segment-gap, or send less (audioresample to 16000, or MP3)";
            self.warn("segment-size", message);
        }
    }

    /// A segment is complete.
    fn begin_turn(&mut self, mut segment: Segment) {
        let number = self.next_turn;
        self.next_turn += 1;
        let request_id = format!("request-{number}");
        for (frames, sent) in [(&segment.frames, true), (&segment.skipped, false)] {
            for frame in frames {
                let sent = sent.then(|| request_id.clone());
                let event = Event::Frame { sent, pad: frame.pad.clone(), at: frame.at, size: frame.file.len() };
                self.outputs.push_back(Output::Event(event));
            }
        }
        segment.skipped.clear();
        let pictures = request::picture_parts(&self.config, &segment);
        segment.frames.clear();
        let (start, end) = (segment.start, segment.end);
        let is_described = self.config.vision_model.is_some() && !pictures.is_empty();
        let (messages, pictures, pending) = if is_described {
            (Vec::new(), pictures, Some(Box::new(segment)))
        } else {
            (vec![request::user_message(&self.config, &mut segment, pictures)], Vec::new(), None)
        };
        if is_described && !std::mem::replace(&mut self.told_vision, true) {
            let describes = self.config.vision_model.clone().unwrap_or_default();
            let message = format!("pictures are described by {describes}, and {} gets the text", self.config.model);
            self.event(Event::Info(message));
        }
        self.turns.push_back(Turn {
            number,
            start,
            end,
            messages,
            pictures,
            pending,
            stage: Stage::Waiting,
            backoff: Backoff::new(self.config.retry_delay, self.config.retries),
            attempt: 0,
            rounds: 0,
            body: None,
            streams: false,
            is_out: false,
            played: 0,
        });
    }

    /// Sends what may be sent, in order.
    fn send_requests(&mut self) {
        for index in 0..self.turns.len().min(self.slots()) {
            let is_due = match self.turns[index].stage {
                Stage::Waiting => true,
                Stage::Retry(at) => at <= self.now,
                _ => false,
            };
            if !is_due {
                continue;
            }
            let others =
                self.turns.iter().enumerate().filter(|(other, turn)| *other != index && turn.is_active()).count();
            if !self.limits.may_send(others, self.now) {
                return;
            }
            self.limits.request_sent(self.now);
            self.send(index);
        }
    }

    /// The name of the model behind a target.
    fn model_of(&self, target: Target) -> String {
        match target {
            Target::Main => self.config.model.clone(),
            Target::Vision => self.config.vision_model.clone().unwrap_or_default(),
        }
    }

    fn send(&mut self, index: usize) {
        let turn = &self.turns[index];
        let target = turn.target();
        let streams = self.config.stream != StreamMode::Off && !self.cannot_stream && target == Target::Main;
        let body = match (&turn.body, target) {
            // The same request again, unless it cannot be streamed.
            (Some(body), _) if turn.streams == streams => Ok(body.clone()),
            (_, Target::Vision) => {
                let model = self.config.vision_model.as_deref().unwrap_or_default();
                request::describing_body(model, turn.pictures.clone())
            }
            (_, Target::Main) => {
                let earlier = self.history.messages(self.unix_time);
                request::body(&self.config, earlier.into_iter().chain(turn.messages.clone()).collect(), streams)
            }
        };
        let body = match body {
            Ok(body) => body,
            Err(why) => return self.fail(Error::settings(format!("a request cannot be written: {why}"))),
        };
        let id = self.next_request;
        self.next_request += 1;
        let model = self.model_of(target);
        let now = self.now;
        let turn = &mut self.turns[index];
        turn.attempt += 1;
        (turn.body, turn.streams) = (Some(body.clone()), streams);
        turn.stage = Stage::InFlight { id, answer: Box::default(), sent: now, first: None };
        let key = format!("{}-{}", turn.request_id(), if target == Target::Vision { "vision" } else { "chat" });
        let event = turn.request_event("sent", model, None, None);
        self.event(Event::Request(event));
        self.outputs.push_back(Output::Send { id, target, key, body });
    }

    /// Gives up all requests.
    fn cancel(&mut self, why: &str) {
        for turn in std::mem::take(&mut self.turns) {
            if let Some(id) = turn.in_flight() {
                self.outputs.push_back(Output::Abort(id));
            }
            // One that is done is told as such when its turn comes, and so is not lost.
            let event = turn.request_event("cancelled", self.model_of(turn.target()), None, Some(why.to_owned()));
            self.event(Event::Request(event));
        }
    }

    fn fail(&mut self, failure: Error) {
        self.turns.iter().filter_map(Turn::in_flight).for_each(|id| self.outputs.push_back(Output::Abort(id)));
        self.turns.clear();
        self.ended = true;
        self.outputs.push_back(Output::Fail(failure));
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn warn(&mut self, code: &str, message: impl Into<String>) {
        self.event(Event::Warning(Warning::new(code, message)));
    }
}
