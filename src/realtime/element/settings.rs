// SPDX-License-Identifier: MPL-2.0

//! What the user set, and how a connection follows from it.
//!
//! Everything that can be known to be wrong is found before anything is started, with the name of the property.

use crate::error::Error;
use crate::media::function_calls::Program;
use crate::media::property_values::{JsonText, time};
use crate::net::endpoint;
use crate::realtime::element::{
    Dialect, FrameDedupe, FrameDetail, FramePolicy, Messages, Modality, NoiseReduction, Provider, ReasoningEffort,
    SessionType, Silence, Timing, TurnDetection, VadEagerness,
};
use crate::realtime::session::{EndpointConfig, RetryPolicy, Secret};
use openai_protocol::dialect;

const SECOND: u64 = 1_000_000_000;
pub(crate) const MILLISECOND: u64 = 1_000_000;

/// The properties' values.
#[derive(Clone, Debug)]
pub struct Settings {
    pub uri: Option<String>,
    pub provider: Provider,
    pub dialect: Dialect,
    pub model: String,
    pub api_version: Option<String>,
    pub api_key: Option<Secret>,
    pub api_key_file: Option<String>,
    pub organization: Option<String>,
    pub project: Option<String>,
    pub headers: Option<gst::Structure>,
    pub ca_file: Option<String>,
    pub allow_insecure: bool,
    pub connect_timeout: u64,
    pub max_reconnects: u32,
    pub reconnect_delay: u64,
    pub reconnect_buffer: u64,
    pub max_session_duration: u64,
    pub replay_frames: bool,
    pub fallback_uris: Vec<String>,
    pub instructions: Option<String>,
    pub voice: String,
    pub speed: f64,
    pub output_modalities: Modality,
    pub turn_detection: TurnDetection,
    pub vad_threshold: f64,
    pub vad_prefix_padding: u64,
    pub vad_silence_duration: Option<u64>,
    pub vad_idle_timeout: u64,
    pub vad_eagerness: VadEagerness,
    pub create_response: bool,
    pub interrupt_response: bool,
    pub noise_reduction: NoiseReduction,
    pub transcription_model: String,
    pub transcription_language: Option<String>,
    pub transcription_prompt: Option<String>,
    pub tools: Option<JsonText>,
    pub tool_choice: String,
    pub max_output_tokens: u32,
    pub reasoning_effort: ReasoningEffort,
    pub tool_command: Option<String>,
    pub tool_timeout: u64,
    pub session: Option<JsonText>,
    pub session_type: SessionType,
    pub frame_policy: FramePolicy,
    pub frame_interval: u64,
    pub frame_detail: FrameDetail,
    pub frame_prompt: Option<String>,
    pub frame_respond: bool,
    pub frame_dedupe: FrameDedupe,
    pub frame_dedupe_threshold: f64,
    pub max_frames: u32,
    pub max_frame_size: u32,
    pub requests_per_minute: u32,
    pub max_cost: f64,
    pub timing: Timing,
    pub buffer_time: u64,
    pub silence: Silence,
    pub flush_on_interrupt: bool,
    pub transcript_latency: u64,
    pub text_latency: u64,
    pub max_speed: f64,
    pub respond_on_eos: bool,
    pub drain_timeout: u64,
    pub alignment_threshold: u64,
    pub discont_wait: u64,
    pub raw_events: bool,
    pub messages: Messages,
    pub partial_transcripts: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            uri: None,
            provider: Provider::Auto,
            dialect: Dialect::Auto,
            model: endpoint::DEFAULT_MODEL.into(),
            api_version: None,
            api_key: None,
            api_key_file: None,
            organization: None,
            project: None,
            headers: None,
            ca_file: None,
            allow_insecure: false,
            connect_timeout: 10 * SECOND,
            max_reconnects: 5,
            reconnect_delay: SECOND,
            reconnect_buffer: 30 * SECOND,
            max_session_duration: 0,
            replay_frames: false,
            fallback_uris: Vec::new(),
            instructions: None,
            voice: "alloy".into(),
            speed: 1.0,
            output_modalities: Modality::Audio,
            turn_detection: TurnDetection::Auto,
            vad_threshold: 0.5,
            vad_prefix_padding: 300 * MILLISECOND,
            vad_silence_duration: None,
            vad_idle_timeout: 0,
            vad_eagerness: VadEagerness::Auto,
            create_response: true,
            interrupt_response: true,
            noise_reduction: NoiseReduction::None,
            transcription_model: "gpt-transcribe".into(),
            transcription_language: None,
            transcription_prompt: None,
            tools: None,
            tool_choice: "auto".into(),
            max_output_tokens: 0,
            reasoning_effort: ReasoningEffort::Default,
            tool_command: None,
            tool_timeout: 30 * SECOND,
            session: None,
            session_type: SessionType::Conversation,
            frame_policy: FramePolicy::Interval,
            frame_interval: 2 * SECOND,
            frame_detail: FrameDetail::Auto,
            frame_prompt: None,
            frame_respond: false,
            frame_dedupe: FrameDedupe::Exact,
            frame_dedupe_threshold: 0.05,
            max_frames: 8,
            max_frame_size: 4 << 20,
            requests_per_minute: 0,
            max_cost: 0.0,
            timing: Timing::Auto,
            buffer_time: 40 * MILLISECOND,
            silence: Silence::Buffers,
            flush_on_interrupt: true,
            transcript_latency: 0,
            text_latency: 0,
            max_speed: 0.0,
            respond_on_eos: true,
            drain_timeout: 30 * SECOND,
            alignment_threshold: 40 * MILLISECOND,
            discont_wait: SECOND,
            raw_events: false,
            messages: Messages::all(),
            partial_transcripts: true,
        }
    }
}

impl Settings {
    /// A run begins: files are read again.
    pub fn read_again(&mut self) {
        self.tools = self.tools.as_ref().map(JsonText::anew);
        self.session = self.session.as_ref().map(JsonText::anew);
    }

    /// Where to connect and how.
    pub fn connection(&self) -> EndpointConfig {
        EndpointConfig {
            api: endpoint::Api::Realtime,
            uri: self.uri.clone(),
            provider: self.provider.into(),
            model: self.model.clone(),
            api_version: self.api_version.clone(),
            api_key: self.api_key.clone(),
            api_key_file: self.api_key_file.clone().map(Into::into),
            credentials: None,
            fallback_uris: self.fallback_uris.clone(),
            organization: self.organization.clone(),
            project: self.project.clone(),
            headers: crate::media::headers(self.headers.as_ref()),
            ca_file: self.ca_file.clone().map(Into::into),
            allow_insecure: self.allow_insecure,
            transcription: self.session_type == SessionType::Transcription,
            dialect: match self.dialect {
                Dialect::Auto => None,
                Dialect::Ga => Some(dialect::Dialect::Ga),
                Dialect::Beta => Some(dialect::Dialect::Beta),
            },
        }
    }

    /// The program that answers function calls.
    pub fn program(&self) -> Result<Option<Program>, Error> {
        Program::parse(self.tool_command.as_deref().unwrap_or_default())
    }

    /// How patiently a connection is tried.
    pub fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy {
            timeout: time(self.connect_timeout),
            tries: self.max_reconnects,
            delay: time(self.reconnect_delay),
        }
    }
}
