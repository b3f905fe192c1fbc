// SPDX-License-Identifier: MPL-2.0

//! Configuration of a conversation: made from the element's properties, and replaced as a whole when one changes.

use crate::audio::vad::VadConfig;
use crate::types::Timing;
use openai_protocol::client::Detail;
use openai_protocol::session::{AudioFormat, SessionKind};
use openai_protocol::{Session, translation};
use std::time::Duration;

/// The shortest audio that the API commits. Source: the error `input_audio_buffer_commit_empty`.
pub(crate) const MIN_COMMIT: Duration = Duration::from_millis(100);

/// How long after the silence that ends a turn a server's VAD may tell its end.
pub(crate) const MAX_DETECTION_DELAY: Duration = Duration::from_secs(2);

/// Turn detection mode.
#[derive(Clone, Debug, PartialEq)]
pub enum Detection {
    /// VAD of the server.
    Server {
        /// Silence that ends a turn.
        silence: Duration,
    },
    /// VAD of the element; the server's is off.
    Local(VadConfig),
    /// None: push to talk.
    Manual,
}

/// Configuration of a conversation.
#[derive(Clone, Debug)]
pub struct Config {
    /// The first `session.update`.
    pub session: Session,
    /// `session-type=translation`: the first `session.update` of that kind of session, which has no use for what is said
    /// here of turns, responses and frames.
    pub translation: Option<translation::Session>,
    /// Requested model; prices are looked up by it.
    pub model: String,
    /// Turn detection mode.
    pub detection: Detection,
    /// Live or offline.
    pub timing: Timing,
    /// Format of input audio on the wire.
    pub input: AudioFormat,
    /// Format of output audio, as negotiated on `src`.
    pub output: AudioFormat,
    /// `create-response`: request a response at the end of each turn.
    pub create_response: bool,
    /// `interrupt-response`: barge-in is on.
    pub interrupt_response: bool,
    /// `respond-on-eos`: at EOS, request a response to a turn that no turn detection has closed.
    pub respond_on_eos: bool,
    /// `drain-timeout`: longest silence of the server while a response or transcript is owed.
    pub drain_timeout: Duration,
    /// Unix time at creation: `expires_at` of a session is told in it.
    pub time_of_day: Duration,
    /// `max-speed`: input speed limit as a multiple of real time; 0 = none.
    pub max_speed: f64,
    /// Whether the server transcribes the user.
    pub transcribes: bool,
    /// `requests-per-minute`; 0 = no limit.
    pub requests_per_minute: u32,
    /// `max-cost` in US dollars; 0 = no limit.
    pub max_cost: f64,
    /// Whether to reconnect after a lost connection (`max-reconnects` > 0).
    pub reconnects: bool,
    /// `max-session-duration`: roll over to a new session before this age; 0 = when the server says.
    pub max_session_duration: Duration,
    /// `replay-frames`: send the frames of the conversation again to the next session.
    pub replays_frames: bool,
    /// Whether the server's VAD creates responses by itself. If not, the element requests them.
    pub server_responds: bool,
    /// `tool-timeout`; `None` = no limit.
    pub tool_timeout: Option<Duration>,
    /// `alignment-threshold`: smaller differences between timestamps and counted samples are jitter.
    pub alignment_threshold: Duration,
    /// `discont-wait`: how long a larger difference must persist before it is believed.
    pub discont_wait: Duration,
    /// Video frames.
    pub frames: FrameConfig,
}

impl Config {
    /// `session-type=transcription`: no responses.
    pub fn is_transcription_only(&self) -> bool {
        self.session.kind == Some(SessionKind::Transcription)
    }
}

/// When frames of a `video_sink` pad are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FramePolicy {
    /// One each `frame-interval`.
    #[default]
    Interval,
    /// The newest one with each turn.
    Turn,
    /// One each `frame-interval` while the user speaks.
    Speech,
    /// Only by `send-frame`.
    Manual,
}

/// Configuration of video frames.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameConfig {
    /// When frames are sent.
    pub policy: FramePolicy,
    /// Least distance in running time.
    pub interval: Duration,
    /// Resolution at which the model looks at them.
    pub detail: Detail,
    /// Text sent with each frame.
    pub prompt: Option<String>,
    /// Request a response to each frame.
    pub respond: bool,
    /// Most frames in the conversation; older ones are deleted. 0 = no limit.
    pub most: usize,
    /// Which frames are skipped as unchanged.
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

/// When a frame is taken for the same as the one sent before it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Dedupe {
    /// Never.
    None,
    /// Identical bytes.
    #[default]
    Exact,
    /// Largest difference of any part of the picture is at most this: 0 = equal, 1 = black and white.
    Similar(f64),
}

/// A change of the configuration while a conversation runs.
#[derive(Clone, Debug)]
pub struct ConfigUpdate {
    /// Increases with each change.
    pub revision: u64,
    /// The whole new configuration.
    pub config: Config,
}
