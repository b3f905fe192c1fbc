// SPDX-License-Identifier: MPL-2.0

//! Events for the application; the element posts them as bus messages.

use crate::error::Warning;
use crate::types::Speaker;
use openai_protocol::Usage;
use std::time::{Duration, Instant};

/// Event for the application; becomes a bus message.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// State of the session.
    Session(SessionEvent),
    /// Speech of the user began or ended.
    Speech {
        /// `true`: began.
        active: bool,
        /// The user item it becomes, once known.
        item_id: Option<String>,
        /// Position on the input.
        running_time: Option<Duration>,
    },
    /// `input_audio_buffer.timeout_triggered`
    IdleTimeout {
        /// The user item of silence.
        item_id: Option<String>,
        /// Begin of the silence on the input.
        running_time: Option<Duration>,
        /// Length of the silence.
        duration: Option<Duration>,
    },
    /// A piece of a transcript, or a final one.
    Transcript(TranscriptEvent),
    /// A response began or ended.
    Response(ResponseEvent),
    /// A turn of the user was answered, or its response interrupted.
    Turn(TurnEvent),
    /// Network round trip, measured with a ping; no message, only a part of `stats`.
    RoundTrip(Duration),
    /// Barge-in, or a cancel by the application.
    Interrupted {
        /// The interrupted response.
        response_id: Option<String>,
        /// The item that was playing.
        item_id: String,
        /// Played length of the item.
        heard: Duration,
        /// Playback position.
        running_time: Duration,
    },
    /// Usage of a response.
    Usage {
        /// Tokens by kind.
        usage: Usage,
        /// US dollars of this response, if the model's prices are known.
        cost: Option<f64>,
        /// US dollars of the session so far.
        total_cost: Option<f64>,
    },
    /// `rate_limits.updated`
    RateLimit {
        /// `requests` or `tokens`.
        name: Option<String>,
        /// Maximum in the current period.
        limit: Option<u64>,
        /// Left in the current period.
        remaining: Option<u64>,
        /// Time until the limit is reset.
        reset: Option<Duration>,
    },
    /// A function call.
    FunctionCall(FunctionCall),
    /// `tool-timeout` has run out: an error was sent as the output of this call.
    CallExpired {
        /// `call_id`
        call_id: String,
    },
    /// `mcp_approval_request`
    ApprovalRequest {
        /// `id` of the item.
        request_id: String,
        /// Label of the MCP server.
        server_label: String,
        /// Name of the tool.
        name: String,
        /// JSON.
        arguments: String,
    },
    /// A video frame was sent, skipped or removed.
    Frame(FrameEvent),
    /// The outcome of a [`ConfigUpdate`](super::config::ConfigUpdate).
    Settings {
        /// Its revision.
        revision: u64,
        /// Paths of session fields (`audio.output.voice`) that were not applied, because they are fixed or the server refused them.
        without: Vec<String>,
    },
    /// A stretch of translated audio has begun to come.
    TranslationDelay {
        /// Time since the audio that it translates was sent.
        delay: Duration,
        /// Position of that audio on the input.
        running_time: Duration,
    },
    /// Input was left out or filled in, for `stats`.
    Aligned {
        /// Audio left out.
        dropped: Duration,
        /// Silence inserted for missing audio.
        inserted: Duration,
    },
    /// A warning; the stream goes on.
    Warning(Warning),
}

/// A function call of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionCall {
    /// `call_id`
    pub call_id: String,
    /// Name of the function.
    pub name: String,
    /// JSON.
    pub arguments: String,
    /// Item of the call.
    pub item_id: String,
    /// Response of the call.
    pub response_id: String,
}

/// Times of a turn, from the end of speech to the first audio that is heard. Stages that were not reached are `None`, and so
/// are, offline, the places on the media time line: they are no times of a clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnEvent {
    /// Item of the user.
    pub item_id: Option<String>,
    /// Response to the turn.
    pub response_id: Option<String>,
    /// Running time of the input at which speech ended.
    pub speech_end: Option<Duration>,
    /// The end of speech was told: by the server's VAD, by the element's own one, or by a commit of the application.
    pub speech_stopped: Option<Instant>,
    /// The server has acknowledged the commit.
    pub committed: Option<Instant>,
    /// `response.created`
    pub response_created: Option<Instant>,
    /// First audio delta.
    pub first_delta: Option<Instant>,
    /// First buffer pushed.
    pub first_audio: Option<Instant>,
    /// Running time of that buffer.
    pub first_heard: Option<Duration>,
    /// Running time of the input at which the user began to speak over the response.
    pub barge_in: Option<Duration>,
    /// Audio of the interrupted response stopped downstream.
    pub silenced: Option<Instant>,
}

/// State of a video frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameEvent {
    /// Sent, skipped or removed.
    pub state: FrameState,
    /// Name of the `video_sink` pad; `None` for `send-frame` with a sample.
    pub pad: Option<String>,
    /// Item of the conversation, if it was sent.
    pub item_id: Option<String>,
    /// Running time.
    pub at: Option<Duration>,
    /// Size in bytes.
    pub size: usize,
}

/// State of a video frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameState {
    /// Part of the conversation.
    Sent,
    /// Due, but not sent.
    Skipped {
        /// `same`, `congested`, …: field `reason` of the message.
        reason: &'static str,
    },
    /// Deleted from the conversation (`max-frames`).
    Removed,
}

/// State of the session.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// A connection is being opened.
    Connecting {
        /// Attempt in a row, from 1.
        attempt: u32,
        /// Delay before the attempt.
        delay: Duration,
        /// URI without query, user and password.
        uri: Option<String>,
        /// Why the previous attempt failed or the session was lost.
        reason: Option<String>,
    },
    /// The server has accepted the settings.
    Ready {
        /// Id of the session.
        session_id: Option<String>,
        /// Model that the server uses.
        model: Option<String>,
        /// Unix time in seconds.
        expires_at: Option<u64>,
        /// It goes on with an earlier conversation.
        resumed: bool,
    },
    /// The connection is lost, and a new one is going to be opened.
    Reconnecting {
        /// Reason.
        reason: String,
    },
    /// The session is over.
    Closed {
        /// Reason.
        reason: String,
        /// All turns of the input up to this running time were transcribed and answered.
        running_time: Option<Duration>,
    },
}

/// A piece of a transcript, or a final one.
#[derive(Clone, Debug, PartialEq)]
pub struct TranscriptEvent {
    /// Speaker.
    pub role: Speaker,
    /// The new text, or all of it if final.
    pub text: String,
    /// Final.
    pub last: bool,
    /// Item.
    pub item_id: String,
    /// Response, for text of the model.
    pub response_id: Option<String>,
    /// Running time of its beginning.
    pub running_time: Option<Duration>,
    /// Length of the speech.
    pub duration: Option<Duration>,
}

/// State of a response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResponseEvent {
    /// `created`, `completed`, `cancelled`, `incomplete` or `failed`.
    pub state: String,
    /// Id of the response.
    pub response_id: String,
    /// `status_details.reason`
    pub reason: Option<String>,
    /// `status_details.error.code`
    pub error_code: Option<String>,
    /// `status_details.error.message`
    pub error_message: Option<String>,
    /// From the end of the user's turn to the first audio delta.
    pub first_audio: Option<Duration>,
    /// Metadata of the request.
    pub metadata: Option<std::collections::BTreeMap<String, String>>,
}
