// SPDX-License-Identifier: MPL-2.0

//! What goes into a conversation and what comes out of it: the whole surface of this ring.
//!
//! Times on the media timeline are running times; times of the world are `Instant`s that the caller gives.

use crate::audio::vad::VadConfig;
pub use crate::realtime::conversation::event::{
    Event, FrameEvent, FrameState, FunctionCall, ResponseEvent, SessionEvent, Speaker, TranscriptEvent, Warning,
};
use bytes::Bytes;
use openai_protocol::client::{Detail, PictureMessage};
use openai_protocol::session::{AudioFormat, SessionKind};
use openai_protocol::{ClientEvent, ResponseParams, ServerEvent, Session};
use std::time::Duration;

/// Who finds the turns of the user.
#[derive(Clone, Debug, PartialEq)]
pub enum Detection {
    /// The server's voice activity detection, of which this much silence ends a turn.
    Server {
        /// How much silence ends a turn.
        silence: Duration,
    },
    /// The element's own ear.
    Local(VadConfig),
    /// Nobody: push to talk.
    Manual,
}

/// How the conversation relates to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// In step with the pipeline's clock.
    Live,
    /// As fast as the server takes it.
    Offline,
}

/// Everything that is settled before a session begins.
#[derive(Clone, Debug)]
pub struct Config {
    /// The first `session.update`.
    pub session: Session,
    /// The model that was asked for, for the prices.
    pub model: String,
    /// Who finds the turns.
    pub detection: Detection,
    /// Live or offline.
    pub timing: Timing,
    /// The sound that goes up.
    pub input: AudioFormat,
    /// The sound that comes down.
    pub output: AudioFormat,
    /// Whether the end of a turn asks for an answer.
    pub create_response: bool,
    /// Whether the user may interrupt the model.
    pub interrupt_response: bool,
    /// Whether the end of the stream asks for an answer that no turn detection has asked for.
    pub respond_on_eos: bool,
    /// How long the server may stay silent while something is owed at the end.
    pub drain_timeout: Duration,
    /// The time of day, since 1970, when the conversation is made: a server tells its session's end in it.
    pub time_of_day: Duration,
    /// A multiple of real time that input may not exceed; 0 is no limit.
    pub max_speed: f64,
    /// Whether the server writes down what the user says.
    pub transcribes: bool,
    /// Responses that may be asked for in a minute; 0 is no limit.
    pub requests_per_minute: u32,
    /// US dollars that the session may cost; 0 is no limit.
    pub max_cost: f64,
    /// Whether a connection that is lost is to be had back.
    pub reconnects: bool,
    /// A session is renewed before it is older than this; 0 is when the server says.
    pub max_session_duration: Duration,
    /// Whether the next session is shown again the pictures that are in the conversation.
    pub replays_frames: bool,
    /// Whether a server that finds the turns answers them by itself. Otherwise the answer is asked for.
    pub server_responds: bool,
    /// How long the output of a function call is waited for; without it there is no limit.
    pub tool_timeout: Option<Duration>,
    /// Timestamps of the input that differ from the counted samples by no more are jitter and drift.
    pub alignment_threshold: Duration,
    /// How long larger differences have to persist until they are believed.
    pub discont_wait: Duration,
    /// What becomes of pictures.
    pub frames: FrameConfig,
}

/// Which frames of a camera the model sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FramePolicy {
    /// One in every interval.
    #[default]
    Interval,
    /// The newest one with each turn of the user.
    Turn,
    /// One in every interval while the user speaks.
    Speech,
    /// Those that are asked for.
    Manual,
}

/// What becomes of pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameConfig {
    /// Which ones are sent.
    pub policy: FramePolicy,
    /// How far they are apart on the timeline.
    pub interval: Duration,
    /// How closely they are looked at.
    pub detail: Detail,
    /// What is said beside each.
    pub prompt: Option<String>,
    /// Whether each is to be answered.
    pub respond: bool,
    /// How many stay in the conversation; 0 is all.
    pub most: usize,
    /// Which ones are not sent because the model has them already.
    pub dedupe: Dedupe,
}

/// Which pictures are the one of the same camera that was sent before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Dedupe {
    /// None.
    None,
    /// The same files.
    #[default]
    Exact,
    /// Pictures that are no further apart than this: 0 where no part differs, 1 from black to white.
    Similar(f64),
}

impl Default for FrameConfig {
    fn default() -> Self {
        Self {
            policy: FramePolicy::Interval,
            interval: Duration::from_secs(2),
            detail: Detail::Auto,
            prompt: None,
            respond: false,
            most: 8,
            dedupe: Dedupe::Exact,
        }
    }
}

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The pad that it came from, if it came from one.
    pub pad: Option<String>,
    /// The file.
    pub file: Bytes,
    /// `image/jpeg` or `image/png`.
    pub media_type: &'static str,
    /// Running time.
    pub at: Duration,
    /// Where the camera is to be treated in another way than all.
    pub interval: Option<Duration>,
    /// How closely this one is looked at.
    pub detail: Option<Detail>,
    /// What is said beside this one.
    pub prompt: Option<String>,
}

impl Config {
    /// Whether there are no answers at all, only the user's words.
    pub fn is_transcription_only(&self) -> bool {
        self.session.kind == Some(SessionKind::Transcription)
    }
}

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

/// Settings that are wished while the conversation goes on.
#[derive(Clone, Debug)]
pub struct ConfigUpdate {
    /// The wisher's number for it; larger is newer.
    pub revision: u64,
    /// Everything as it is to be.
    pub config: Config,
}

/// Text with a place on the timeline, for the pads of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedText {
    /// Who said it.
    pub role: Speaker,
    /// The message.
    pub item_id: String,
    /// A piece of it.
    pub text: String,
    /// The message ends with it.
    pub last: bool,
    /// Where it begins; now, where that is not known.
    pub at: Option<Duration>,
    /// How long it is.
    pub duration: Option<Duration>,
}

/// Some of the user's sound.
#[derive(Clone, Debug, Default)]
pub struct AudioChunk {
    /// Samples in the input's format.
    pub data: Bytes,
    /// Running time of the first sample, where it is known.
    pub at: Option<Duration>,
}

/// How much of an item of the model's speech has been played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlayedPart {
    /// The message.
    pub item_id: String,
    /// Its part.
    pub content_index: u32,
    /// Samples that were heard.
    pub heard: u64,
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

/// Sound of the model, ready to be played.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputAudio {
    /// The message.
    pub item_id: String,
    /// Its part.
    pub content_index: u32,
    /// Samples in the output's format.
    pub data: Bytes,
    /// Not before this running time (offline: the end of the turn that is answered).
    pub not_before: Duration,
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

/// Why a conversation cannot go on, or could not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The key is missing, wrong, expired or not enough.
    #[error("{0}")]
    NotAuthorized(String),
    /// The model or the address does not exist.
    #[error("{0}")]
    NotFound(String),
    /// A setting is refused.
    #[error("{0}")]
    Settings(String),
    /// No connection could be made.
    #[error("{0}")]
    Connect(String),
    /// The connection is lost.
    #[error("{0}")]
    Lost(String),
    /// The account's quota is used up.
    #[error("{0}")]
    Quota(String),
}

impl Failure {
    /// The same, told in other words.
    pub fn map(self, tell: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::NotAuthorized(text) => Self::NotAuthorized(tell(text)),
            Self::NotFound(text) => Self::NotFound(tell(text)),
            Self::Settings(text) => Self::Settings(tell(text)),
            Self::Connect(text) => Self::Connect(tell(text)),
            Self::Lost(text) => Self::Lost(tell(text)),
            Self::Quota(text) => Self::Quota(tell(text)),
        }
    }
}
