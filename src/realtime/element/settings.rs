// SPDX-License-Identifier: MPL-2.0

//! Settings: the values of the properties with their defaults, and the connection that follows from them.

use crate::error::Error;
use crate::media::function_calls::Program;
use crate::media::property_values::{JsonText, settings, time};
use crate::net::endpoint;
use crate::realtime::element::{
    Dialect, FrameDedupe, FrameDetail, FramePolicy, Messages, Modality, NoiseReduction, Provider, ReasoningEffort,
    SessionType, Silence, Timing, TurnDetection, VadEagerness,
};
use crate::realtime::session::{EndpointConfig, RetryPolicy, Secret};
use openai_protocol::dialect;
use std::sync::LazyLock;

const SECOND: u64 = 1_000_000_000;
pub(crate) const MILLISECOND: u64 = 1_000_000;

/// Defaults of the properties.
pub(crate) static DEFAULTS: LazyLock<Settings> = LazyLock::new(Settings::default);

settings! {
    /// The values of the properties.
    #[derive(Clone, Debug)]
    pub struct Settings {
        uri: Option<String> = None,
        provider: Provider = Provider::Auto,
        dialect: Dialect = Dialect::Auto,
        model: String = endpoint::DEFAULT_MODEL.into(),
        api_version: Option<String> = None,
        api_key: Option<Secret> = None,
        api_key_file: Option<String> = None,
        organization: Option<String> = None,
        project: Option<String> = None,
        headers: Option<gst::Structure> = None,
        ca_file: Option<String> = None,
        allow_insecure: bool = false,
        connect_timeout: u64 = 10 * SECOND,
        max_reconnects: u32 = 5,
        reconnect_delay: u64 = SECOND,
        reconnect_buffer: u64 = 30 * SECOND,
        max_session_duration: u64 = 0,
        replay_frames: bool = false,
        fallback_uris: Vec<String> = Vec::new(),
        instructions: Option<String> = None,
        voice: String = "alloy".into(),
        speed: f64 = 1.0,
        output_modalities: Modality = Modality::Audio,
        turn_detection: TurnDetection = TurnDetection::Auto,
        vad_threshold: f64 = 0.5,
        vad_prefix_padding: u64 = 300 * MILLISECOND,
        vad_silence_duration: Option<u64> = None,
        vad_idle_timeout: u64 = 0,
        vad_eagerness: VadEagerness = VadEagerness::Auto,
        create_response: bool = true,
        interrupt_response: bool = true,
        noise_reduction: NoiseReduction = NoiseReduction::None,
        transcription_model: String = "gpt-transcribe".into(),
        transcription_language: Option<String> = None,
        transcription_prompt: Option<String> = None,
        tools: Option<JsonText> = None,
        tool_choice: String = "auto".into(),
        max_output_tokens: u32 = 0,
        reasoning_effort: ReasoningEffort = ReasoningEffort::Default,
        tool_command: Option<String> = None,
        tool_timeout: u64 = 30 * SECOND,
        session: Option<JsonText> = None,
        session_type: SessionType = SessionType::Conversation,
        translation_language: Option<String> = None,
        translation_delay: u64 = 0,
        frame_policy: FramePolicy = FramePolicy::Interval,
        frame_interval: u64 = 2 * SECOND,
        frame_detail: FrameDetail = FrameDetail::Auto,
        frame_prompt: Option<String> = None,
        frame_respond: bool = false,
        frame_dedupe: FrameDedupe = FrameDedupe::Exact,
        frame_dedupe_threshold: f64 = 0.05,
        max_frames: u32 = 8,
        max_frame_size: u32 = 4 << 20,
        requests_per_minute: u32 = 0,
        max_cost: f64 = 0.0,
        timing: Timing = Timing::Auto,
        buffer_time: u64 = 40 * MILLISECOND,
        silence: Silence = Silence::Buffers,
        flush_on_interrupt: bool = true,
        transcript_latency: u64 = 0,
        text_latency: u64 = 0,
        max_speed: f64 = 0.0,
        respond_on_eos: bool = true,
        drain_timeout: u64 = 30 * SECOND,
        alignment_threshold: u64 = 40 * MILLISECOND,
        discont_wait: u64 = SECOND,
        append_interval: u64 = 0,
        raw_events: bool = false,
        messages: Messages = Messages::all(),
        partial_transcripts: bool = true,
    }
}

impl Settings {
    /// Reads files again that properties name, for a new run.
    pub fn reload_files(&mut self) {
        self.tools = self.tools.as_ref().map(JsonText::reloaded);
        self.session = self.session.as_ref().map(JsonText::reloaded);
    }

    /// Settings of the endpoint.
    pub fn connection(&self) -> EndpointConfig {
        EndpointConfig {
            api: match self.session_type {
                SessionType::Translation => endpoint::Api::Translation,
                _ => endpoint::Api::Realtime,
            },
            uri: self.uri.clone(),
            provider: self.provider.into(),
            model: self.session_model().to_owned(),
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

    pub fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy {
            timeout: time(self.connect_timeout),
            tries: self.max_reconnects,
            delay: time(self.reconnect_delay),
        }
    }
}
