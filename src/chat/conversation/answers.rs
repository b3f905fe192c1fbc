// SPDX-License-Identifier: MPL-2.0

//! What becomes of requests in flight: pieces of answers, their ends, errors, and further tries.

use crate::chat::conversation::answer::{Answer, AnswerFault};
use crate::chat::conversation::config::StreamMode;
use crate::chat::conversation::io::{AnswerEvent, Event, Output, RequestError, Target};
use crate::chat::conversation::turn::{MAX_ROUNDS, Outcome, Stage, Turn};
use crate::chat::conversation::{Conversation, request};
use crate::error::{Error, ErrorKind};
use openai_protocol::chat::{ErrorBody, Part, RequestMessage};

impl Conversation {
    pub(super) fn answer_event(&mut self, id: u64, event: AnswerEvent) {
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
            AnswerEvent::Failed(RequestError { ref failure, again: true, .. })
                if failure.kind() == ErrorKind::Lost && answer.finish_reason.is_some() =>
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
                self.request_failed(index, permanent(Error::lost("the answer has no end: it is given up")));
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
            () if is("insufficient_quota") => Error::new(ErrorKind::Quota, text),
            () if again => Error::lost(text),
            () => Error::settings(text),
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
            turn.stage = Stage::Retry(self.now);
            if !std::mem::replace(&mut self.cannot_stream, true) {
                self.event(Event::Info("the server streams no answers: they are asked for whole".into()));
            }
            return;
        }
        let delay = (error.again && !turn.is_out).then(|| turn.backoff.next(error.retry_after)).flatten();
        let Some(delay) = delay else {
            let error = with_hint(error, turn);
            let outcome = turn.failed(error, answer);
            turn.stage = Stage::Done(Box::new(outcome));
            return;
        };
        turn.stage = Stage::Retry(self.now + delay);
        let (target, reason) = (turn.target(), error.failure.to_string());
        let model = self.model_of(target);
        let event = self.turns[index].request_event("retrying", model, Some(delay), Some(reason));
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
            let failure = Error::lost("the server ended the answer before it was complete");
            let error = RequestError { again: true, ..permanent(failure) };
            return self.request_failed(index, error);
        }
        if let Some(usage) = &answer.usage {
            let request_id = turn.request_id();
            let target = turn.target();
            let model = self.model_of(target);
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
        let reason = answer.finish_reason.as_deref().unwrap_or_default();
        // The arguments of a call that was cut off are not what the model meant.
        let is_limited = matches!(reason, "length" | "content_filter");
        let calls = if is_limited { Vec::new() } else { answer.calls(&turn.request_id()) };
        if !calls.is_empty() && turn.rounds < MAX_ROUNDS {
            return self.call_functions(index, answer, calls);
        }
        let mut response = turn.response(&answer);
        response.first_output = first.map(|first| first - sent);
        response.latency = Some(now - sent);
        let reason = answer.finish_reason.as_deref().unwrap_or_default();
        if is_limited || is_cut && turn.is_out || !calls.is_empty() {
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
}

/// A refused request with what may be changed about it: which parts a model takes is known to its server alone.
fn with_hint(mut error: RequestError, turn: &Turn) -> RequestError {
    let parts = turn.messages.iter().flat_map(|message| match message {
        RequestMessage::User { content } => content.as_slice(),
        _ => &[],
    });
    let (mut pictures, mut audio) = (!turn.pictures.is_empty(), false);
    for part in parts {
        pictures |= matches!(part, Part::ImageUrl { .. });
        audio |= matches!(part, Part::InputAudio { .. });
    }
    let hint = match (pictures, audio) {
        (true, true) => {
            "if the model does not take both, set model to one that takes audio and vision-model to one that takes pictures"
        }
        (true, false) => "if the model takes no pictures, set model to one that does",
        (false, true) => "if the model takes no audio, set model to one that does, such as gpt-audio-1.5",
        (false, false) => return error,
    };
    if matches!(error.status, Some(400 | 415 | 422)) {
        error.failure = error.failure.with_hint(hint);
    }
    error
}

fn permanent(failure: Error) -> RequestError {
    RequestError { failure, again: false, retry_after: None, status: None, body: ErrorBody::default() }
}
