// SPDX-License-Identifier: MPL-2.0

//! What goes into a conversation and what comes out of it: the whole surface of this ring.
//!
//! Times on the media timeline are running times; times of the world are `Instant`s that the caller gives.

use crate::error::Failure;
pub use crate::error::Warning;
use crate::realtime::conversation::config::ConfigUpdate;
pub use crate::realtime::conversation::event::{
    Event, FrameEvent, FrameState, FunctionCall, ResponseEvent, SessionEvent, TranscriptEvent,
};
use crate::types::AudioChunk;
use crate::types::Frame;
use crate::types::OutputAudio;
use crate::types::PlayedPart;
pub use crate::types::Speaker;
use crate::types::TimedText;
use openai_protocol::client::PictureMessage;
use openai_protocol::session::AudioFormat;
use openai_protocol::{ClientEvent, ResponseParams, ServerEvent};
use std::time::Duration;

/// What an application or a pad asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The user types.
    Text {
        /// The message.
        text: String,
        /// Whether it is to be answered.
        respond: bool,
        /// Running time, where it is known.
        at: Option<Duration>,
    },
    /// The sound so far is a turn.
    Commit,
    /// The sound so far is forgotten.
    Clear,
    /// An answer is wanted, with what differs from the session for it.
    CreateResponse(Option<Box<ResponseParams>>),
    /// The answer that is under way is not wanted any more.
    CancelResponse,
    /// A function gave this back.
    FunctionOutput {
        /// The call.
        call_id: String,
        /// Any text.
        output: String,
    },
    /// Whether the server may call an MCP tool.
    Approve {
        /// The request.
        request_id: String,
        /// Yes or no.
        approve: bool,
    },
    /// This picture is sent, or the newest of each camera.
    SendFrame(Option<Box<Frame>>),
    /// To be sent as it is.
    Event(Box<ClientEvent>),
}

/// What goes in.
#[derive(Debug)]
pub enum Input {
    /// The socket is open.
    Connected {
        /// How long the server may take to accept the session's settings.
        timeout: Duration,
    },
    /// Whether there is another connection beside the one in use, which was asked for.
    StandbyReady(bool),
    /// The server said something.
    Server(Box<ServerEvent>),
    /// The user said something.
    Audio(AudioChunk),
    /// The timestamp of the sound that comes next is right, whatever was counted before it.
    Discont,
    /// A camera saw something.
    Frame(Box<Frame>),
    /// The camera of this pad is gone.
    Unplugged(String),
    /// Whether the network takes less than is to be sent.
    Behind(bool),
    /// How far the play-out is, at this running time; comes before an event that may interrupt it.
    Played {
        /// Where the listener is now.
        now: Duration,
        /// What was heard so far of what is not forgotten.
        items: Vec<PlayedPart>,
    },
    /// The play-out began an item.
    Began {
        /// The message.
        item_id: String,
        /// Running time of its first sample.
        at: Duration,
    },
    /// An application or a pad asks for something.
    Command(Command),
    /// Settings have changed.
    Configure(Box<ConfigUpdate>),
    /// The input's format has changed.
    Format(AudioFormat),
    /// Upstream was flushed: the turn in hand is dropped.
    Flushed,
    /// Every linked sink pad is at its end.
    EndOfStream,
    /// The server has given no sign of life for so long, although it was asked for one.
    Gone {
        /// Since the last one.
        silent: Duration,
    },
    /// The connection is gone.
    Closed {
        /// The WebSocket close code, where there was one.
        code: Option<u16>,
        /// What the server or the network said.
        reason: String,
    },
}

/// What comes out.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "sound goes up fifty times a second, a copy is cheaper than a box")]
pub enum Output {
    /// To be sent to the server.
    Send(ClientEvent),
    /// A picture to be sent to the server.
    SendPicture(PictureMessage),
    /// To be played after what is there.
    Play(OutputAudio),
    /// Nothing will be played before this running time except what is there.
    GapUntil(Duration),
    /// What is not heard yet is not to be heard any more.
    FlushAudio,
    /// Text for the pads of text, in the order of its time for each speaker.
    Text(TimedText),
    /// No text of this speaker will begin before this running time except what is there.
    TextGapUntil(Speaker, Duration),
    /// To be told to the application.
    Event(Event),
    /// Another connection will be wanted soon.
    Preconnect,
    /// The session is over, and the conversation goes on over another connection.
    Reconnect,
    /// The conversation cannot go on.
    Fail(Failure),
    /// All is said; the stream may end when it is played.
    Finished {
        /// The end of the input on the timeline.
        at: Duration,
    },
}
