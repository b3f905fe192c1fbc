// SPDX-License-Identifier: MPL-2.0

//! What goes into the conversation, and what comes out of it.

use crate::error::{Error, Warning};
use crate::types::{AudioChunk, Frame, OutputAudio, TimedText};
use bytes::Bytes;
use openai_protocol::Usage;
use openai_protocol::chat::{Chunk, Completion, ErrorBody};
use std::time::Duration;

/// How audio comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioCoding {
    /// Mono samples of 16 bits at this rate.
    Pcm(u32),
    /// An MP3 stream, which is passed through.
    Mp3,
}

/// Something that has happened.
#[derive(Debug)]
pub enum Input {
    /// A sink pad has begun. With `waits`, segments wait until it has reached their end.
    PadOpened { pad: String, waits: bool },
    /// A sink pad is at its end, or gone.
    PadEnded(String),
    /// Nothing comes on this pad before this running time.
    PadReached(String, Duration),
    /// A sink pad was flushed: what was not sent of it is dropped.
    Flushed(String),
    /// Audio comes in this form from now on.
    Format(AudioCoding),
    /// Audio.
    Audio(AudioChunk),
    /// A picture.
    Frame(Frame),
    /// A typed message; without a time, of now.
    Text { text: String, at: Option<Duration> },
    /// All input is at its end.
    EndOfStream,
    /// A request is to be made now.
    Send,
    /// All requests are to be given up.
    Cancel,
    /// A function's output.
    FunctionOutput { call_id: String, output: String },
    /// What became of a request.
    Answer(u64, AnswerEvent),
    /// The limits are other ones now.
    Limits { requests_per_minute: u32, max_cost: f64 },
}

/// What becomes of a request.
#[derive(Debug)]
pub enum AnswerEvent {
    /// A piece of a streamed answer, with the places of what could not be read of it.
    Chunk(Box<Chunk>, Vec<String>),
    /// All of an answer.
    Whole(Box<Completion>, Vec<String>),
    /// The answer has come to its end; `done` where the server has said so.
    Ended { done: bool },
    /// There is none, or no more of it.
    Failed(RequestError),
}

/// Why a request has failed.
#[derive(Clone, Debug)]
pub struct RequestError {
    /// For people.
    pub failure: Error,
    /// It may go better in a moment.
    pub again: bool,
    /// When the server wants to be asked again.
    pub retry_after: Option<Duration>,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// What the server said.
    pub body: ErrorBody,
}

/// Which endpoint a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// That of `model`.
    Main,
    /// That of `vision-model`.
    Vision,
}

/// Something to be done.
#[derive(Debug)]
pub enum Output {
    /// A request is to be sent. `id` is another one for each try, `key` is the same for all tries of one request.
    Send { id: u64, target: Target, key: String, body: Bytes },
    /// A request in flight is given up.
    Abort(u64),
    /// Audio of an answer.
    Play(OutputAudio),
    /// Text of an answer.
    Text(TimedText),
    /// No answer begins before this running time.
    Quiet(Duration),
    /// To be told.
    Event(Event),
    /// The run has failed.
    Fail(Error),
    /// All is answered; the streams end there.
    Finished(Duration),
}

/// Something for the application.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A request.
    Request(RequestEvent),
    /// An answer.
    Response(Box<ResponseEvent>),
    /// The model calls a function.
    FunctionCall(FunctionCall),
    /// A call has got an error as its output.
    CallExpired(String),
    /// What an answer cost.
    Usage { request_id: String, usage: Usage, cost: Option<f64>, total_cost: Option<f64> },
    /// A picture.
    Frame { sent: Option<String>, pad: Option<String>, at: Duration, size: usize },
    /// Something is wrong, and the stream goes on.
    Warning(Warning),
    /// Something that is worth knowing, once.
    Info(String),
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestEvent {
    /// `sent`, `retrying`, `cancelled`.
    pub state: &'static str,
    /// The request.
    pub request_id: String,
    /// Whom it asks.
    pub model: String,
    /// How often it was sent so far.
    pub attempt: u32,
    /// Before it is sent again.
    pub delay: Option<Duration>,
    /// Why.
    pub reason: Option<String>,
    /// Where its segment begins.
    pub running_time: Duration,
    /// How long its segment is.
    pub duration: Duration,
}

/// What became of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResponseEvent {
    /// `completed`, `incomplete`, `failed`.
    pub state: &'static str,
    /// The request that it answers.
    pub request_id: String,
    /// The server's name for it.
    pub response_id: Option<String>,
    /// What it says.
    pub text: String,
    /// The server's word for why it ended.
    pub finish_reason: Option<String>,
    /// Why it is not complete.
    pub error_code: Option<String>,
    /// The same for people.
    pub error_message: Option<String>,
    /// Where its segment begins.
    pub running_time: Duration,
    /// How long its segment is.
    pub duration: Duration,
    /// From the request to the first piece of the answer.
    pub first_output: Option<Duration>,
    /// From the request to the end of the answer.
    pub latency: Option<Duration>,
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionCall {
    /// The model's name for the call.
    pub call_id: String,
    /// The function.
    pub name: String,
    /// JSON text.
    pub arguments: String,
    /// The request in whose answer it was called.
    pub request_id: String,
}
