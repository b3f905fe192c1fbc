// SPDX-License-Identifier: MPL-2.0

//! One turn: a segment, the requests that are made of it, and the answer as far as it is there.

use crate::chat::conversation::answer::Answer;
use crate::chat::conversation::io::{RequestError, RequestEvent, ResponseEvent, Target};
use crate::net::backoff::Backoff;
use bytes::Bytes;
use openai_protocol::chat::{Part, RequestMessage, ToolCall};
use std::time::{Duration, Instant};

/// How often functions may be called before the model has to answer.
pub const MAX_ROUNDS: u32 = 16;

/// What a turn waits for.
#[derive(Debug)]
pub enum Stage {
    /// To be sent.
    Waiting,
    /// A request is in flight.
    InFlight { id: u64, answer: Box<Answer>, sent: Instant, first: Option<Instant> },
    /// To be sent again.
    Retry(Instant),
    /// Functions are running.
    Calling { calls: Vec<Call>, expires: Option<Instant> },
    /// Nothing more comes.
    Done(Box<Outcome>),
}

/// A call and its output.
#[derive(Debug)]
pub struct Call {
    pub call: ToolCall,
    pub output: Option<String>,
}

/// How a turn ended.
#[derive(Debug)]
pub struct Outcome {
    pub answer: Answer,
    pub response: ResponseEvent,
    /// Why there is no answer, and whether a first request that ends so ends the run.
    pub error: Option<RequestError>,
}

/// A turn.
#[derive(Debug)]
pub struct Turn {
    pub number: u64,
    pub start: Duration,
    pub end: Duration,
    /// What the user says; the answers to functions follow. Empty while pictures are being described.
    pub messages: Vec<RequestMessage>,
    /// Pictures that the other model describes first.
    pub pictures: Vec<Part>,
    /// The user's message in the making, until the pictures are described.
    pub pending: Option<Box<crate::chat::conversation::segmenter::Segment>>,
    pub stage: Stage,
    pub backoff: Backoff,
    pub attempt: u32,
    pub rounds: u32,
    /// The body of the last request, to be sent again as it is.
    pub body: Option<Bytes>,
    pub streams: bool,
    /// Some of the answer is out: it cannot be asked for again.
    pub is_out: bool,
    /// Samples that are out.
    pub played: u64,
}

impl Turn {
    /// The name of the request, which is the same for all its tries.
    pub fn request_id(&self) -> String {
        match self.rounds {
            0 => format!("request-{}", self.number),
            round => format!("request-{}.{round}", self.number),
        }
    }

    /// Whom it asks next.
    pub fn target(&self) -> Target {
        if self.pictures.is_empty() { Target::Main } else { Target::Vision }
    }

    /// What is told of its request.
    pub fn request_event(
        &self,
        state: &'static str,
        model: String,
        delay: Option<Duration>,
        reason: Option<String>,
    ) -> RequestEvent {
        RequestEvent {
            state,
            request_id: self.request_id(),
            model,
            attempt: self.attempt,
            delay,
            reason,
            running_time: self.start,
            duration: self.end - self.start,
        }
    }

    /// Whether it counts as one of those in flight.
    pub fn is_active(&self) -> bool {
        matches!(self.stage, Stage::InFlight { .. } | Stage::Retry(_) | Stage::Calling { .. })
    }

    /// The identifier of the request in flight.
    pub fn in_flight(&self) -> Option<u64> {
        match &self.stage {
            Stage::InFlight { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// When it is to be looked at again.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Retry(at) => Some(*at),
            Stage::Calling { expires, .. } => *expires,
            _ => None,
        }
    }

    /// An outcome without an answer.
    pub fn failed(&self, error: RequestError, answer: Answer) -> Outcome {
        let response = ResponseEvent {
            state: if self.is_out { "incomplete" } else { "failed" },
            error_code: error.body.code.clone().or(error.status.map(|status| status.to_string())),
            error_message: Some(error.failure.to_string()),
            ..self.response(&answer)
        };
        Outcome { answer, response, error: Some(error) }
    }

    /// What is told of an answer.
    pub fn response(&self, answer: &Answer) -> ResponseEvent {
        ResponseEvent {
            state: "completed",
            request_id: self.request_id(),
            response_id: answer.id.clone(),
            text: answer.words().to_owned(),
            finish_reason: answer.finish_reason.clone(),
            running_time: self.start,
            duration: self.end - self.start,
            ..ResponseEvent::default()
        }
    }
}
