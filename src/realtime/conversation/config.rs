// SPDX-License-Identifier: MPL-2.0

//! Settings of a conversation, made once from the properties of the element and replaced as a whole when one changes.

use crate::audio::vad::VadConfig;
use crate::types::Timing;
use openai_protocol::Session;
use openai_protocol::client::Detail;
use openai_protocol::session::{AudioFormat, SessionKind};
use std::time::Duration;

/// The shortest audio that the API commits. Source: the error `input_audio_buffer_commit_empty`.
pub(crate) const MIN_COMMIT: Duration = Duration::from_millis(100);

/// How long after the silence that ends a turn a server's VAD may tell its end.
pub(crate) const MAX_DETECTION_DELAY: Duration = Duration::from_secs(2);

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

impl Config {
    /// Whether there are no answers at all, only the user's words.
    pub fn is_transcription_only(&self) -> bool {
        self.session.kind == Some(SessionKind::Transcription)
    }
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

/// Settings that are wished while the conversation goes on.
#[derive(Clone, Debug)]
pub struct ConfigUpdate {
    /// The wisher's number for it; larger is newer.
    pub revision: u64,
    /// Everything as it is to be.
    pub config: Config,
}
