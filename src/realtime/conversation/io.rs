// SPDX-License-Identifier: MPL-2.0

//! Inputs and outputs of a conversation.
//!
//! `Duration`s are running times on the media time line; `Instant`s are wall-clock times that the caller passes in.

use crate::error::Error;
pub use crate::error::Warning;
use crate::realtime::conversation::config::ConfigUpdate;
pub use crate::realtime::conversation::event::{
    Event, FrameEvent, FrameState, FunctionCall, ResponseEvent, SessionEvent, TranscriptEvent, TurnEvent,
};
use crate::types::AudioChunk;
use crate::types::Frame;
use crate::types::OutputAudio;
use crate::types::PlayedPart;
pub use crate::types::Speaker;
use crate::types::TimedText;
use openai_protocol::client::PictureMessage;
use openai_protocol::session::AudioFormat;
use openai_protocol::{ClientEvent, ResponseParams, ServerEvent, translation};
use std::time::{Duration, Instant};

/// Request of the application (action signal, custom event) or of `text_sink`.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A text message of the user.
    Text {
        /// UTF-8.
        text: String,
        /// Request a response.
        respond: bool,
        /// Running time, if the text came in a buffer.
        at: Option<Duration>,
    },
    /// `input_audio_buffer.commit`
    Commit,
    /// `input_audio_buffer.clear`
    Clear,
    /// `response.create`, with parameters that override the session's.
    CreateResponse(Option<Box<ResponseParams>>),
    /// `response.cancel`
    CancelResponse,
    /// Output of a function call.
    FunctionOutput {
        /// `call_id` of the call.
        call_id: String,
        /// Text, by convention JSON.
        output: String,
    },
    /// Answer to an MCP approval request.
    Approve {
        /// `id` of the `mcp_approval_request` item.
        request_id: String,
        /// Whether the server may call the tool.
        approve: bool,
    },
    /// Send this frame, or the newest one of each `video_sink` pad.
    SendFrame(Option<Box<Frame>>),
    /// A client event, sent as it is.
    Event(Box<ClientEvent>),
}

/// Input of [`Conversation::handle`](super::Conversation::handle).
#[derive(Debug)]
pub enum Input {
    /// The WebSocket is open.
    Connected {
        /// Limit for the server's answer to the first `session.update`.
        timeout: Duration,
    },
    /// Result of [`Output::Preconnect`]: whether the standby connection is open.
    StandbyReady(bool),
    /// A server event.
    Server(Box<ServerEvent>),
    /// A server event of a translation session, which is not for a conversation.
    Translation(Box<translation::ServerEvent>),
    /// Audio of `audio_sink`.
    Audio(AudioChunk),
    /// DISCONT: the next audio is placed by its timestamp, not by counted samples.
    Discont,
    /// A frame of a `video_sink` pad.
    Frame(Box<Frame>),
    /// This `video_sink` pad was released or has reached EOS.
    Unplugged(String),
    /// Whether the WebSocket's send queue is congested.
    Behind(bool),
    /// Playback position; comes before an input that may interrupt playback.
    Played {
        /// Running time of the sample that is heard now.
        now: Duration,
        /// Samples played of each item that is still remembered.
        items: Vec<PlayedPart>,
    },
    /// Playback of an item has begun.
    Began {
        /// Its item.
        item_id: String,
        /// Running time of its first sample.
        at: Duration,
        /// When its first buffer was pushed.
        pushed: Instant,
    },
    /// What is downstream has fallen silent after [`Output::FlushAudio`].
    Silenced {
        /// When.
        at: Instant,
    },
    /// A command.
    Command(Command),
    /// Properties have changed.
    Configure(Box<ConfigUpdate>),
    /// The caps of `audio_sink` have changed.
    Format(AudioFormat),
    /// A flush on `audio_sink`: the current turn is dropped.
    Flushed,
    /// Every linked sink pad is at EOS.
    EndOfStream,
    /// The server has not answered a ping in time.
    Gone {
        /// Since the last data from the server.
        silent: Duration,
    },
    /// The connection was closed or broke.
    Closed {
        /// WebSocket close code, if a close frame came.
        code: Option<u16>,
        /// Reason of the close frame, or the I/O error.
        reason: String,
    },
}

/// Output of [`Conversation::poll`](super::Conversation::poll).
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "sound goes up fifty times a second, a copy is cheaper than a box")]
pub enum Output {
    /// Send a client event.
    Send(ClientEvent),
    /// Send a message with images, which is serialized without a copy in memory.
    SendPicture(PictureMessage),
    /// Send an event of a translation session.
    SendJson {
        /// Its `type`.
        name: String,
        /// As on the wire.
        text: String,
    },
    /// Append audio to the playback queue.
    Play(OutputAudio),
    /// No more audio will begin before this running time: a GAP may go downstream.
    GapUntil(Duration),
    /// Drop queued audio (barge-in).
    FlushAudio,
    /// Text for `text_src` or `transcript_src`, in order of time for each speaker.
    Text(TimedText),
    /// No more text of this speaker will begin before this running time.
    TextGapUntil(Speaker, Duration),
    /// An event for the application.
    Event(Event),
    /// Open a standby connection for the rollover.
    Preconnect,
    /// Go on with the conversation over a new connection.
    Reconnect,
    /// Fatal error.
    Fail(Error),
    /// Drained: EOS may follow the queued audio.
    Finished {
        /// Running time of the end of the input.
        at: Duration,
    },
}
