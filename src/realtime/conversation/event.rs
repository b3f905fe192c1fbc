// SPDX-License-Identifier: MPL-2.0

//! Events for the application; the element posts them as bus messages.

use crate::error::Warning;
use crate::types::Speaker;
use openai_protocol::Usage;
use std::time::Duration;

/// Event for the application; becomes a bus message.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The state of the session.
    Session(SessionEvent),
    /// The user began or ended to speak.
    Speech {
        /// Began or ended.
        active: bool,
        /// The message that comes of it, where the server has named it.
        item_id: Option<String>,
        /// Where on the input.
        running_time: Option<Duration>,
    },
    /// Nobody spoke for so long that the model speaks up.
    IdleTimeout {
        /// The message of silence that is answered, where the server has named it.
        item_id: Option<String>,
        /// Where the silence began on the input.
        running_time: Option<Duration>,
        /// How long it is.
        duration: Option<Duration>,
    },
    /// What somebody said.
    Transcript(TranscriptEvent),
    /// An answer began or ended.
    Response(ResponseEvent),
    /// The user interrupted an answer.
    Interrupted {
        /// The answer.
        response_id: Option<String>,
        /// The message that was being played.
        item_id: String,
        /// How much of it was heard.
        heard: Duration,
        /// Where the listener was.
        running_time: Duration,
    },
    /// What an answer cost.
    Usage {
        /// The tokens.
        usage: Usage,
        /// US dollars of this response, where the model's prices are known.
        cost: Option<f64>,
        /// US dollars of the session so far.
        total_cost: Option<f64>,
    },
    /// One of the account's limits.
    RateLimit {
        /// `requests` or `tokens`.
        name: Option<String>,
        /// The whole.
        limit: Option<u64>,
        /// What is left.
        remaining: Option<u64>,
        /// Until it is whole again.
        reset: Option<Duration>,
    },
    /// The model calls a function.
    FunctionCall(FunctionCall),
    /// A call has got an error as its output, because there was none in time: nobody need answer it any more.
    CallExpired {
        /// The call.
        call_id: String,
    },
    /// The server asks whether it may call an MCP tool.
    ApprovalRequest {
        /// The request.
        request_id: String,
        /// The MCP server.
        server_label: String,
        /// The tool.
        name: String,
        /// JSON text.
        arguments: String,
    },
    /// What became of a picture.
    Frame(FrameEvent),
    /// Settings that were wished are in force.
    Settings {
        /// The wish.
        revision: u64,
        /// Fields of the session that are not (`audio.output.voice`): they cannot be had, or the server refuses them.
        without: Vec<String>,
    },
    /// Input was left out or filled in, to be counted.
    Aligned {
        /// Sound that was left out.
        dropped: Duration,
        /// Silence that was put in for sound that was missing.
        inserted: Duration,
    },
    /// Something is wrong, and the stream goes on.
    Warning(Warning),
}

/// A call of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionCall {
    /// The call.
    pub call_id: String,
    /// The function.
    pub name: String,
    /// JSON text.
    pub arguments: String,
    /// The call's item.
    pub item_id: String,
    /// The answer that it is part of.
    pub response_id: String,
}

/// What became of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameEvent {
    /// The state.
    pub state: FrameState,
    /// The pad that it came from.
    pub pad: Option<String>,
    /// Its item, if it was sent.
    pub item_id: Option<String>,
    /// Where it is on the timeline.
    pub at: Option<Duration>,
    /// Bytes of its file.
    pub size: usize,
}

/// How far a picture has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameState {
    /// It is part of the conversation.
    Sent,
    /// It was its turn, and it was not sent.
    Skipped {
        /// A word for why.
        reason: &'static str,
    },
    /// It is no part of the conversation any more.
    Removed,
}

/// The state of the session.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// A connection is being tried, for the so-many-eth time.
    Connecting {
        /// 1 for the first.
        attempt: u32,
        /// How long is waited before it.
        delay: Duration,
        /// The server, without anything that could be secret.
        uri: Option<String>,
        /// Why the last try failed, or the session before was lost.
        reason: Option<String>,
    },
    /// The server has taken the settings.
    Ready {
        /// The server's name for it.
        session_id: Option<String>,
        /// The model that answers.
        model: Option<String>,
        /// Unix time in seconds.
        expires_at: Option<u64>,
        /// It goes on with the conversation of an earlier one.
        resumed: bool,
    },
    /// The connection is lost, and another one is being tried.
    Reconnecting {
        /// Why.
        reason: String,
    },
    /// The session is over.
    Closed {
        /// Why.
        reason: String,
        /// Up to there on the input, all turns are written down and answered.
        running_time: Option<Duration>,
    },
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq)]
pub struct TranscriptEvent {
    /// Who.
    pub role: Speaker,
    /// A piece, or the whole when final.
    pub text: String,
    /// The whole.
    pub last: bool,
    /// The message.
    pub item_id: String,
    /// The answer, of the model's words.
    pub response_id: Option<String>,
    /// Where it begins on the timeline.
    pub running_time: Option<Duration>,
    /// How long it is.
    pub duration: Option<Duration>,
}

/// What has become of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResponseEvent {
    /// `created`, `completed`, `cancelled`, `incomplete` or `failed`.
    pub state: String,
    /// The answer.
    pub response_id: String,
    /// Why it ended as it did.
    pub reason: Option<String>,
    /// The kind of the error.
    pub error_code: Option<String>,
    /// The error in words.
    pub error_message: Option<String>,
    /// From the end of the turn to the first sound of the answer.
    pub first_audio: Option<Duration>,
    /// As it was asked for.
    pub metadata: Option<std::collections::BTreeMap<String, String>>,
}
