// SPDX-License-Identifier: MPL-2.0

//! The sans-I/O core of `openaichat`: segments become requests, requests answers, and answers go out in the order of
//! their segments, however many requests are in flight.
//!
//! It takes what happened and the time, and returns what is to be done: [`Conversation::handle`], then
//! [`Conversation::poll`] until that gives nothing, and again at the latest at [`Conversation::deadline`].

pub(crate) mod answer;
pub(crate) mod config;
mod emit;
mod frame_selection;
mod history;
pub(crate) mod io;
mod limits;
pub(crate) mod request;
mod segment_audio;
pub(crate) mod segmenter;
#[cfg(test)]
mod tests;
mod turn;

use crate::chat::conversation::answer::{Answer, AnswerFault};
use crate::chat::conversation::config::{Config, StreamMode};
use crate::chat::conversation::history::History;
use crate::chat::conversation::io::{
    AnswerEvent, Event, FunctionCall, Input, Output, RequestError, RequestEvent, Target,
};
use crate::chat::conversation::limits::Limits;
use crate::chat::conversation::segmenter::{Segment, Segmenter};
use crate::chat::conversation::turn::{Call, MAX_ROUNDS, Outcome, Stage, Turn};
use crate::error::{Failure, Warning};
use crate::net::backoff::Backoff;
use openai_protocol::chat::{ErrorBody, RequestMessage};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Segments that wait for a request of theirs; with more, no more input is wanted.
const MAX_WAITING: usize = 4;
/// What a call gets that nobody has answered in time.
const EXPIRED: &str = r#"{"error":"the function took too long"}"#;

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
                Err(why) => self.fail(Failure::Settings(why)),
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
            Err(why) => return self.fail(Failure::Settings(format!("a request cannot be written: {why}"))),
        };
        let id = self.next_request;
        self.next_request += 1;
        let model = match target {
            Target::Main => self.config.model.clone(),
            Target::Vision => self.config.vision_model.clone().unwrap_or_default(),
        };
        let now = self.now;
        let turn = &mut self.turns[index];
        turn.attempt += 1;
        (turn.body, turn.streams) = (Some(body.clone()), streams);
        turn.stage = Stage::InFlight { id, answer: Box::default(), sent: now, first: None };
        let key = format!("{}-{}", turn.request_id(), if target == Target::Vision { "vision" } else { "chat" });
        let event = RequestEvent {
            state: "sent",
            request_id: turn.request_id(),
            model,
            attempt: turn.attempt,
            delay: None,
            reason: None,
            running_time: turn.start,
            duration: turn.end - turn.start,
        };
        self.event(Event::Request(event));
        self.outputs.push_back(Output::Send { id, target, key, body });
    }

    fn answer_event(&mut self, id: u64, event: AnswerEvent) {
        // One that was given up may still have something to say.
        let Some(index) = self.turns.iter().position(|turn| turn.in_flight() == Some(id)) else { return };
        let now = self.now;
        let Stage::InFlight { answer, first, .. } = &mut self.turns[index].stage else { return };
        let (result, left_out) = match event {
            AnswerEvent::Chunk(mut chunk, left_out) => match chunk.error.take() {
                Some(error) => return self.server_error(index, error),
                None => {
                    let result = answer.add(*chunk);
                    if answer.has_content() {
                        first.get_or_insert(now);
                    }
                    (result, left_out)
                }
            },
            AnswerEvent::Whole(mut completion, left_out) => {
                first.get_or_insert(now);
                match completion.error.take() {
                    Some(error) => return self.server_error(index, error),
                    None => (answer.set(*completion), left_out),
                }
            }
            AnswerEvent::Ended { done } => return self.answer_ended(index, done),
            // The server has said how the answer ends: what is lost is no part of it.
            AnswerEvent::Failed(RequestError { failure: Failure::Lost(_), again: true, .. })
                if answer.finish_reason.is_some() =>
            {
                return self.answer_ended(index, true);
            }
            AnswerEvent::Failed(error) => return self.request_failed(index, error),
        };
        if !left_out.is_empty() {
            let message = format!("fields of an answer cannot be read and are left out: {}", left_out.join(", "));
            self.warn("left-out-fields", message);
        }
        match result {
            Ok(()) => {}
            Err(AnswerFault::TooLong) => {
                self.abort(index);
                self.request_failed(index, permanent(Failure::Lost("the answer has no end: it is given up".into())));
            }
            Err(AnswerFault::Audio(why)) => self.warn("audio-format", why),
        }
    }

    /// An error in place of an answer, or in the midst of one.
    fn server_error(&mut self, index: usize, body: ErrorBody) {
        let is = |word: &str| body.code.as_deref() == Some(word) || body.kind.as_deref() == Some(word);
        let again = ["server_error", "rate_limit_exceeded", "overloaded_error", "timeout"].into_iter().any(is);
        let text = format!("the server broke off with an error: {}", body.message);
        let failure = match () {
            () if is("insufficient_quota") => Failure::Quota(text),
            () if again => Failure::Lost(text),
            () => Failure::Settings(text),
        };
        self.abort(index);
        self.request_failed(index, RequestError { failure, again, retry_after: None, status: None, body });
    }

    fn abort(&mut self, index: usize) {
        if let Some(id) = self.turns[index].in_flight() {
            self.outputs.push_back(Output::Abort(id));
        }
    }

    /// A request has no answer, or no more of it.
    fn request_failed(&mut self, index: usize, error: RequestError) {
        let is_about_streaming =
            matches!(error.body.param.as_deref(), Some("stream" | "stream_options" | "audio.format"));
        let turn = &mut self.turns[index];
        let stage = std::mem::replace(&mut turn.stage, Stage::Waiting);
        let answer = match stage {
            Stage::InFlight { answer, .. } => *answer,
            _ => Answer::default(),
        };
        if error.status == Some(400) && is_about_streaming && turn.streams && self.config.stream == StreamMode::Auto {
            self.cannot_stream = true;
            turn.stage = Stage::Retry(self.now);
            return self.event(Event::Info("the server streams no answers: they are asked for whole".into()));
        }
        let delay = (error.again && !turn.is_out).then(|| turn.backoff.next(error.retry_after)).flatten();
        let Some(delay) = delay else {
            let outcome = turn.failed(error, answer);
            turn.stage = Stage::Done(Box::new(outcome));
            return;
        };
        turn.stage = Stage::Retry(self.now + delay);
        let event = RequestEvent {
            state: "retrying",
            request_id: turn.request_id(),
            model: if turn.target() == Target::Main {
                self.config.model.clone()
            } else {
                self.config.vision_model.clone().unwrap_or_default()
            },
            attempt: turn.attempt,
            delay: Some(delay),
            reason: Some(error.failure.to_string()),
            running_time: turn.start,
            duration: turn.end - turn.start,
        };
        self.event(Event::Request(event));
    }

    /// An answer has come to its end.
    fn answer_ended(&mut self, index: usize, done: bool) {
        let now = self.now;
        let turn = &mut self.turns[index];
        let Stage::InFlight { answer, sent, first, .. } = std::mem::replace(&mut turn.stage, Stage::Waiting) else {
            return;
        };
        let answer = *answer;
        let is_cut = !done && answer.finish_reason.is_none();
        if answer.is_empty() || is_cut && !turn.is_out {
            turn.stage = Stage::InFlight { id: 0, answer: Box::new(answer), sent, first };
            let failure = Failure::Lost("the server ended the answer before it was complete".into());
            let error = RequestError { again: true, ..permanent(failure) };
            return self.request_failed(index, error);
        }
        if let Some(usage) = &answer.usage {
            let request_id = turn.request_id();
            let model = match turn.target() {
                Target::Main => self.config.model.clone(),
                Target::Vision => self.config.vision_model.clone().unwrap_or_default(),
            };
            let usage = usage.to_usage();
            self.record_usage(request_id, &model, usage);
        } else {
            self.limits.cost_unknown();
        }
        let turn = &mut self.turns[index];
        if turn.target() == Target::Vision {
            let described = request::description_part(&answer.text);
            turn.pictures.clear();
            (turn.body, turn.attempt) = (None, 0);
            turn.backoff.reset();
            if let Some(mut segment) = turn.pending.take() {
                turn.messages = vec![request::user_message(&self.config, &mut segment, vec![described])];
            }
            turn.stage = Stage::Retry(now);
            return;
        }
        let calls = answer.calls(&turn.request_id());
        if !calls.is_empty() && turn.rounds < MAX_ROUNDS {
            return self.call_functions(index, answer, calls);
        }
        let mut response = turn.response(&answer);
        response.first_output = first.map(|first| first - sent);
        response.latency = Some(now - sent);
        let reason = answer.finish_reason.as_deref().unwrap_or_default();
        if matches!(reason, "length" | "content_filter") || is_cut && turn.is_out || !calls.is_empty() {
            response.state = "incomplete";
            response.error_code = Some(if is_cut { "lost".into() } else { reason.to_owned() });
            response.error_message = Some(match reason {
                "length" => "the answer is cut at max-tokens or at the model's limit".into(),
                "content_filter" => "the server's content filter has cut the answer".into(),
                _ if !calls.is_empty() => format!("the model has called functions {MAX_ROUNDS} times and not answered"),
                _ => "the connection was lost in the midst of the answer".into(),
            });
        } else if answer.is_refusal() {
            response.error_code = Some("refusal".into());
        }
        turn.stage = Stage::Done(Box::new(Outcome { answer, response, error: None }));
    }

    /// The model calls functions; when all have their outputs, it is asked again.
    fn call_functions(&mut self, index: usize, answer: Answer, calls: Vec<openai_protocol::chat::ToolCall>) {
        let turn = &mut self.turns[index];
        let request_id = turn.request_id();
        turn.messages.push(RequestMessage::Assistant {
            content: Some(answer.words().to_owned()).filter(|text| !text.is_empty()),
            audio: None,
            tool_calls: calls.clone(),
        });
        let told: Vec<_> = calls
            .iter()
            .map(|call| FunctionCall {
                call_id: call.id.clone(),
                name: call.function.name.clone(),
                arguments: call.function.arguments.clone(),
                request_id: request_id.clone(),
            })
            .collect();
        let calls = calls.into_iter().map(|call| Call { call, output: None }).collect();
        let expires = self.config.tool_timeout.map(|timeout| self.now + timeout);
        turn.stage = Stage::Calling { calls, expires };
        told.into_iter().for_each(|call| self.event(Event::FunctionCall(call)));
    }

    fn function_output(&mut self, call_id: &str, output: String) {
        let open = self.turns.iter_mut().find_map(|turn| {
            let Stage::Calling { calls, .. } = &mut turn.stage else { return None };
            let call = calls.iter_mut().find(|call| call.call.id == call_id && call.output.is_none())?;
            call.output = Some(output.clone());
            Some(())
        });
        if open.is_none() {
            return self.warn("no-such-call", format!("there is no open call '{call_id}': its output is not sent"));
        }
        self.answer_calls();
    }

    /// Asks again where all functions have their outputs.
    fn answer_calls(&mut self) {
        let now = self.now;
        for turn in &mut self.turns {
            let Stage::Calling { calls, .. } = &mut turn.stage else { continue };
            if calls.iter().any(|call| call.output.is_none()) {
                continue;
            }
            let outputs = std::mem::take(calls).into_iter().map(|call| RequestMessage::Tool {
                tool_call_id: call.call.id,
                content: call.output.unwrap_or_default(),
            });
            turn.messages.extend(outputs);
            turn.rounds += 1;
            (turn.body, turn.attempt) = (None, 0);
            turn.backoff.reset();
            turn.stage = Stage::Retry(now);
        }
    }

    fn expire_calls(&mut self) {
        let now = self.now;
        let mut expired = Vec::new();
        for turn in &mut self.turns {
            let Stage::Calling { calls, expires } = &mut turn.stage else { continue };
            if expires.is_none_or(|expires| expires > now) {
                continue;
            }
            for call in calls.iter_mut().filter(|call| call.output.is_none()) {
                call.output = Some(EXPIRED.to_owned());
                expired.push((call.call.id.clone(), call.call.function.name.clone()));
            }
        }
        for (call_id, name) in expired {
            self.warn("tool-timeout", format!("the function '{name}' has no output in time: the model gets an error"));
            self.event(Event::CallExpired(call_id));
        }
        self.answer_calls();
    }

    /// Gives up all requests.
    fn cancel(&mut self, why: &str) {
        for turn in std::mem::take(&mut self.turns) {
            if let Some(id) = turn.in_flight() {
                self.outputs.push_back(Output::Abort(id));
            }
            // One that is done is told as such when its turn comes, and so is not lost.
            let event = RequestEvent {
                state: "cancelled",
                request_id: turn.request_id(),
                model: self.config.model.clone(),
                attempt: turn.attempt,
                delay: None,
                reason: Some(why.to_owned()),
                running_time: turn.start,
                duration: turn.end - turn.start,
            };
            self.event(Event::Request(event));
        }
    }

    fn fail(&mut self, failure: Failure) {
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

fn permanent(failure: Failure) -> RequestError {
    RequestError { failure, again: false, retry_after: None, status: None, body: ErrorBody::default() }
}
