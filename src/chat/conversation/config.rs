// SPDX-License-Identifier: MPL-2.0

//! What the requests of a run are made of, and when they are made.

use openai_protocol::client::Detail;
use serde_json::{Map, Value};
use std::time::Duration;

/// Which pictures of a segment go along where there are more than `max_frames`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FrameSelection {
    /// The newest ones.
    #[default]
    Newest,
    /// Evenly spread over the segment, its first and last ones among them.
    Spread,
}

/// Whether answers are streamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamMode {
    /// As long as the server takes it.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Settings of a run.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Who answers.
    pub model: String,
    /// Who describes pictures first, where `model` takes none.
    pub vision_model: Option<String>,
    /// Text beside the parts of each request.
    pub prompt: Option<String>,
    /// System message.
    pub instructions: Option<String>,
    /// Whether answers are spoken.
    pub speak: bool,
    /// The voice of spoken answers.
    pub voice: String,
    /// A request is made for each such piece of the running time.
    pub segment_duration: Option<Duration>,
    /// A request is made where nobody speaks for so long.
    pub segment_gap: Option<Duration>,
    /// Speech probability from which on sound is speech, for `segment_gap`.
    pub vad_threshold: f32,
    /// Pictures of a segment; 0 is all.
    pub max_frames: usize,
    /// Which of them.
    pub frame_selection: FrameSelection,
    /// How closely pictures are looked at.
    pub detail: Detail,
    /// Earlier turns that go along.
    pub history: usize,
    /// Requests in flight at once; 1 at least.
    pub max_requests: usize,
    /// JSON schema of answers.
    pub response_format: Option<Value>,
    /// Limit of the answer's length; 0 is none.
    pub max_tokens: u32,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Functions of the application.
    pub tools: Option<Value>,
    /// Which of them are to be called.
    pub tool_choice: Option<Value>,
    /// How long a function may take.
    pub tool_timeout: Option<Duration>,
    /// Merged over each request.
    pub extra: Map<String, Value>,
    /// Whether answers are streamed.
    pub stream: StreamMode,
    /// Limit of requests; 0 is none.
    pub requests_per_minute: u32,
    /// Limit of what the run costs, in US dollars; 0 is none.
    pub max_cost: f64,
    /// Tries after the first one.
    pub retries: u32,
    /// Delay before the first of them.
    pub retry_delay: Duration,
    /// Whether answers go out piece by piece as they come. Otherwise an answer goes out when it is whole, so that one
    /// that breaks off can be asked for again.
    pub live: bool,
}
