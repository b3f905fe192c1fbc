// SPDX-License-Identifier: MPL-2.0

//! The element's GObject: properties, and the way from GStreamer's virtual methods to the modules that implement them.

use crate::media::element_context::HasContext;
use crate::net::endpoint;
use crate::realtime::element::context::Context;
use crate::realtime::element::conversation_config::SERVER_SILENCE;
use crate::realtime::element::pads::{audio_sink, audio_src, crossing, request, templates};
use crate::realtime::element::settings::{DEFAULTS, Settings};
use crate::realtime::element::stats::ElementStatus;
use crate::realtime::element::{
    CAT, ConnectionState, Dialect, FrameDedupe, FrameDetail, FramePolicy, Messages, Modality, NoiseReduction, Provider,
    ReasoningEffort, SessionType, Silence, Timing, TurnDetection, VadEagerness, actions, eos, signals, state_change,
    structure_properties,
};
use crate::realtime::session::Secret;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

/// The element.
#[derive(glib::Properties)]
#[properties(wrapper_type = crate::realtime::element::OpenAIRealtime)]
pub struct OpenAIRealtime {
    #[property(name = "uri", get = Self::uri, set, type = Option<String>, member = uri, nick = "URI",
        blurb = "Base URL (https://host/v1, ws://127.0.0.1:8080/v1) or full URL of the server (path ends in /realtime) (unset = OPENAI_BASE_URL, then AZURE_OPENAI_ENDPOINT, then OpenAI)", mutable_ready)]
    #[property(name = "provider", get, set, type = Provider, member = provider, nick = "Provider",
        blurb = "Service that the server belongs to, which decides how the URL is built and how to authenticate", mutable_ready, builder(Provider::Auto))]
    #[property(name = "dialect", get, set, type = Dialect, member = dialect, nick = "Dialect",
        blurb = "Version of the protocol in which events are sent; both are understood", mutable_ready, builder(Dialect::Auto))]
    #[property(name = "model", get, set, type = String, member = model, default = DEFAULTS.model.as_str(), nick = "Model",
        blurb = "Name of the model (Azure: name of the deployment; unset there = AZURE_OPENAI_DEPLOYMENT)", mutable_ready)]
    #[property(name = "api-version", get, set, type = Option<String>, member = api_version, nick = "API Version",
        blurb = "Version of Azure's preview API (unset = GA API)", mutable_ready)]
    #[property(name = "api-key", set = Self::set_api_key, type = Option<String>, nick = "API Key",
        blurb = "API key. Better set OPENAI_API_KEY (Azure: AZURE_OPENAI_API_KEY) or api-key-file, because command lines can be seen by others. A server on loopback needs none", mutable_ready)]
    #[property(name = "api-key-file", get, set, type = Option<String>, member = api_key_file, nick = "API Key File",
        blurb = "File with the API key, read for each connection; takes precedence over the environment", mutable_ready)]
    #[property(name = "organization", get, set, type = Option<String>, member = organization, nick = "Organization",
        blurb = "Organization that is billed (unset = OPENAI_ORG_ID)", mutable_ready)]
    #[property(name = "project", get, set, type = Option<String>, member = project, nick = "Project",
        blurb = "Project that is billed (unset = OPENAI_PROJECT_ID)", mutable_ready)]
    #[property(name = "ca-file", get, set, type = Option<String>, member = ca_file, nick = "CA File",
        blurb = "PEM file with certificates to trust in addition to the system's", mutable_ready)]
    #[property(name = "allow-insecure", get, set, type = bool, member = allow_insecure, nick = "Allow Insecure",
        blurb = "Allow unencrypted connections to other machines", mutable_ready)]
    #[property(name = "connect-timeout", get, set, type = u64, member = connect_timeout, minimum = 1, default = DEFAULTS.connect_timeout, nick = "Connect Timeout",
        blurb = "Maximum time until the session is ready, including retries (in nanoseconds)", mutable_ready)]
    #[property(name = "max-reconnects", get, set, type = u32, member = max_reconnects, default = DEFAULTS.max_reconnects, nick = "Maximum Reconnects",
        blurb = "Maximum number of consecutive retries of a connection that failed or was lost (0 = no retry)", mutable_ready)]
    #[property(name = "reconnect-delay", get, set, type = u64, member = reconnect_delay, default = DEFAULTS.reconnect_delay, nick = "Reconnect Delay",
        blurb = "Delay before the first retry, doubled for each further one (in nanoseconds)", mutable_ready)]
    #[property(name = "reconnect-buffer", get, set, type = u64, member = reconnect_buffer, default = DEFAULTS.reconnect_buffer, nick = "Reconnect Buffer",
        blurb = "Maximum amount of live audio that is kept while there is no connection; older audio is dropped and reported (in nanoseconds)", mutable_ready)]
    #[property(name = "max-session-duration", get, set, type = u64, member = max_session_duration, default = DEFAULTS.max_session_duration, nick = "Maximum Session Duration",
        blurb = "Renew a session before this age (in nanoseconds, 0 = when the server says)", mutable_ready)]
    #[property(name = "replay-frames", get, set, type = bool, member = replay_frames, default = false, nick = "Replay Frames",
        blurb = "Send the frames of the conversation again to the session that follows one that was lost or renewed; they are billed again", mutable_ready)]
    #[property(name = "instructions", get, set, type = Option<String>, member = instructions, nick = "Instructions",
        blurb = "System instructions for the model (unset = default of the server)", mutable_playing)]
    #[property(name = "voice", get, set, type = String, member = voice, default = DEFAULTS.voice.as_str(), nick = "Voice",
        blurb = "Voice of the model; cannot be changed once the model has spoken", mutable_playing)]
    #[property(name = "speed", get, set, type = f64, member = speed, minimum = 0.25, maximum = 1.5, default = DEFAULTS.speed, nick = "Speed",
        blurb = "Speed of the model's speech (1.0 = normal)", mutable_playing)]
    #[property(name = "output-modalities", get, set, type = Modality, member = output_modalities, nick = "Output Modalities",
        blurb = "Whether the model responds in speech or in text", mutable_playing, builder(Modality::Audio))]
    #[property(name = "turn-detection", get, set, type = TurnDetection, member = turn_detection, nick = "Turn Detection",
        blurb = "Detector of the turns of the user", mutable_playing, builder(TurnDetection::Auto))]
    #[property(name = "vad-threshold", get, set, type = f64, member = vad_threshold, minimum = 0.0, maximum = 1.0, default = DEFAULTS.vad_threshold, nick = "VAD Threshold",
        blurb = "Threshold of voice activity detection, for server-vad and local (0.0 = any sound is speech)", mutable_playing)]
    #[property(name = "vad-prefix-padding", get, set, type = u64, member = vad_prefix_padding, default = DEFAULTS.vad_prefix_padding, nick = "VAD Prefix Padding",
        blurb = "Audio before the detected start of speech that belongs to the turn, for server-vad and local (in nanoseconds)", mutable_playing)]
    #[property(name = "vad-idle-timeout", get, set, type = u64, member = vad_idle_timeout, nick = "VAD Idle Timeout",
        blurb = "Silence after which the model speaks by itself, 5 to 30 seconds, for server-vad (in nanoseconds, 0 = never)", mutable_playing)]
    #[property(name = "vad-eagerness", get, set, type = VadEagerness, member = vad_eagerness, nick = "VAD Eagerness",
        blurb = "How soon semantic-vad takes a pause for the end of the turn", mutable_playing, builder(VadEagerness::Auto))]
    #[property(name = "create-response", get, set, type = bool, member = create_response, default = true, nick = "Create Response",
        blurb = "Create a response to each turn that is detected", mutable_playing)]
    #[property(name = "interrupt-response", get, set, type = bool, member = interrupt_response, default = true, nick = "Interrupt Response",
        blurb = "Interrupt the response when the user starts to speak (barge-in)", mutable_playing)]
    #[property(name = "noise-reduction", get, set, type = NoiseReduction, member = noise_reduction, nick = "Noise Reduction",
        blurb = "Noise reduction of the server for the input audio", mutable_playing, builder(NoiseReduction::None))]
    #[property(name = "transcription-model", get, set, type = String, member = transcription_model, default = DEFAULTS.transcription_model.as_str(), nick = "Transcription Model",
        blurb = "Model for the transcription of the user's speech (empty = no transcription)", mutable_playing)]
    #[property(name = "transcription-language", get, set, type = Option<String>, member = transcription_language, nick = "Transcription Language",
        blurb = "Language of the user's speech as an ISO 639-1 code (unset = detected)", mutable_playing)]
    #[property(name = "transcription-prompt", get, set, type = Option<String>, member = transcription_prompt, nick = "Transcription Prompt",
        blurb = "Prompt for the transcription, such as words and names to expect", mutable_playing)]
    #[property(name = "max-output-tokens", get, set, type = u32, member = max_output_tokens, nick = "Maximum Output Tokens",
        blurb = "Maximum number of output tokens of each response (0 = no limit)", mutable_playing)]
    #[property(name = "tools", get = Self::tools, set = Self::set_tools, type = Option<String>, nick = "Tools",
        blurb = "JSON array of functions and MCP servers that the model may use, or @FILE to read it from a file", mutable_playing)]
    #[property(name = "tool-choice", get, set, type = String, member = tool_choice, default = DEFAULTS.tool_choice.as_str(), nick = "Tool Choice",
        blurb = "Use of tools by the model: auto, none, required, the name of a function, or a JSON object", mutable_playing)]
    #[property(name = "reasoning-effort", get, set, type = ReasoningEffort, member = reasoning_effort, nick = "Reasoning Effort",
        blurb = "Effort of reasoning before a response; sent only to models that reason", mutable_playing, builder(ReasoningEffort::Default))]
    #[property(name = "tool-command", get, set, type = Option<String>, member = tool_command, nick = "Tool Command",
        blurb = "Program that answers function calls: receives the name of the function as last argument and the arguments as JSON on standard input, and writes the output to standard output. Started without a shell, and without environment variables that hold keys", mutable_playing)]
    #[property(name = "tool-timeout", get, set, type = u64, member = tool_timeout, default = DEFAULTS.tool_timeout, nick = "Tool Timeout",
        blurb = "Maximum time from a function call until its output, from tool-command, a handler of function-call or send-function-output; after that the model gets an error as output (in nanoseconds, 0 = no limit)", mutable_playing)]
    #[property(name = "frame-policy", get, set, type = FramePolicy, member = frame_policy, nick = "Frame Policy",
        blurb = "Which frames of the video_sink_%u pads are sent to the model", mutable_playing, builder(FramePolicy::Interval))]
    #[property(name = "frame-interval", get, set, type = u64, member = frame_interval, default = DEFAULTS.frame_interval, nick = "Frame Interval",
        blurb = "Minimum interval in running time between frames of a pad that are sent (in nanoseconds)", mutable_playing)]
    #[property(name = "frame-detail", get, set, type = FrameDetail, member = frame_detail, nick = "Frame Detail",
        blurb = "Level of detail at which the model looks at frames", mutable_playing, builder(FrameDetail::Auto))]
    #[property(name = "frame-prompt", get, set, type = Option<String>, member = frame_prompt, nick = "Frame Prompt",
        blurb = "Text that is sent with each frame", mutable_playing)]
    #[property(name = "frame-respond", get, set, type = bool, member = frame_respond, nick = "Frame Respond",
        blurb = "Create a response to each frame; when live, the next frame waits until the response was played", mutable_playing)]
    #[property(name = "frame-dedupe", get, set, type = FrameDedupe, member = frame_dedupe, nick = "Frame Deduplication",
        blurb = "Which frames are skipped because they repeat the one that was sent before", mutable_playing, builder(FrameDedupe::Exact))]
    #[property(name = "frame-dedupe-threshold", get, set, type = f64, member = frame_dedupe_threshold, minimum = 0.0, maximum = 1.0, default = DEFAULTS.frame_dedupe_threshold, nick = "Frame Deduplication Threshold",
        blurb = "Maximum difference of frames that are similar, with frame-dedupe=similar: of 32x18 blocks, the one that differs most counts (0.0 = identical, 1.0 = black and white)", mutable_playing)]
    #[property(name = "max-frames", get, set, type = u32, member = max_frames, default = DEFAULTS.max_frames, nick = "Maximum Frames",
        blurb = "Maximum number of frames in the conversation, older ones are deleted from it (0 = no limit)", mutable_playing)]
    #[property(name = "max-frame-size", get, set, type = u32, member = max_frame_size, minimum = 1, maximum = 11_000_000, default = DEFAULTS.max_frame_size, nick = "Maximum Frame Size",
        blurb = "Maximum size of a frame, larger ones are skipped with a warning (in bytes)", mutable_ready)]
    #[property(name = "requests-per-minute", get, set, type = u32, member = requests_per_minute, nick = "Requests per Minute",
        blurb = "Maximum number of responses per minute that the element requests, further turns wait (0 = no limit)", mutable_playing)]
    #[property(name = "max-cost", get, set, type = f64, member = max_cost, minimum = 0.0, maximum = 1_000_000.0, nick = "Maximum Cost",
        blurb = "Maximum cost of the session at published prices; when it is reached no further response is requested and the stream ends (in US dollars, 0 = no limit)", mutable_playing)]
    #[property(name = "session-type", get, set, type = SessionType, member = session_type, nick = "Session Type",
        blurb = "What the session is for: a conversation, a transcription, or an interpretation into translation-language", mutable_ready, builder(SessionType::Conversation))]
    #[property(name = "translation-language", get, set, type = Option<String>, member = translation_language, nick = "Translation Language",
        blurb = "Language that session-type=translation translates into, as an ISO 639-1 code such as 'es'", mutable_playing)]
    #[property(name = "translation-delay", get, set, type = u64, member = translation_delay, maximum = 60_000_000_000, nick = "Translation Delay",
        blurb = "Latency of the source pads with session-type=translation when live: what is translated within it plays and is shown together with the picture of that moment (in nanoseconds; 0 = as soon as it comes)", mutable_ready)]
    #[property(name = "session", get = Self::session_json, set = Self::set_session_json, type = Option<String>, nick = "Session",
        blurb = "JSON object that is merged over the session configuration, so that every field of the API can be set, or @FILE to read it from a file", mutable_playing)]
    #[property(name = "timing", get, set, type = Timing, member = timing, nick = "Timing",
        blurb = "Whether to synchronize to the clock of the pipeline", mutable_ready, builder(Timing::Auto))]
    #[property(name = "buffer-time", get, set, type = u64, member = buffer_time, maximum = 2_000_000_000, default = DEFAULTS.buffer_time, nick = "Buffer Time",
        blurb = "How far ahead of the clock audio is pushed when live (in nanoseconds)", mutable_ready)]
    #[property(name = "silence", get, set, type = Silence, member = silence, nick = "Silence",
        blurb = "What is pushed while the model is silent", mutable_ready, builder(Silence::Buffers))]
    #[property(name = "flush-on-interrupt", get, set, type = bool, member = flush_on_interrupt, default = true, nick = "Flush on Interrupt",
        blurb = "Flush downstream when the user interrupts, so that buffered audio of the response is dropped; where a muxer, a file or the network is downstream, silence follows without a flush", mutable_ready)]
    #[property(name = "transcript-latency", get, set, type = u64, member = transcript_latency, maximum = 3_600_000_000_000, nick = "Transcript Latency",
        blurb = "Latency of transcript_src when live: words that come within it are stamped with the time at which they were said (in nanoseconds; 0 = stamped when they come)", mutable_ready)]
    #[property(name = "text-latency", get, set, type = u64, member = text_latency, maximum = 3_600_000_000_000, nick = "Text Latency",
        blurb = "Latency of text_src when live: words that come within it are stamped with the time at which they are spoken (in nanoseconds; 0 = stamped when they come)", mutable_ready)]
    #[property(name = "max-speed", get, set, type = f64, member = max_speed, minimum = 0.0, maximum = 1_000_000.0, nick = "Maximum Speed",
        blurb = "Maximum speed at which input is consumed when offline, as a multiple of real time (0.0 = as fast as the server takes it, but real time with turn detection of the server)", mutable_ready)]
    #[property(name = "respond-on-eos", get, set, type = bool, member = respond_on_eos, default = true, nick = "Respond on EOS",
        blurb = "Create a response at EOS to what no turn detection has answered", mutable_ready)]
    #[property(name = "drain-timeout", get, set, type = u64, member = drain_timeout, default = DEFAULTS.drain_timeout, nick = "Drain Timeout",
        blurb = "Maximum time that the server may be silent at EOS while something is outstanding (in nanoseconds)", mutable_ready)]
    #[property(name = "alignment-threshold", get, set, type = u64, member = alignment_threshold, default = DEFAULTS.alignment_threshold, nick = "Alignment Threshold",
        blurb = "Timestamp alignment threshold of audio_sink: smaller differences from the counted samples are jitter (in nanoseconds)", mutable_ready)]
    #[property(name = "discont-wait", get, set, type = u64, member = discont_wait, default = DEFAULTS.discont_wait, nick = "Discont Wait",
        blurb = "How long timestamps of audio_sink have to differ by more than alignment-threshold before a discontinuity is assumed (in nanoseconds); at once for a buffer with the DISCONT flag", mutable_ready)]
    #[property(name = "append-interval", get, set, type = u64, member = append_interval, maximum = 1_000_000_000, nick = "Append Interval",
        blurb = "How much audio is sent at once when live: fewer, larger events cost less and are heard later by so much (in nanoseconds; 0 = each buffer as it comes, and up to 100 ms where the machine or the network is behind)", mutable_ready)]
    #[property(name = "raw-events", get, set, type = bool, member = raw_events, nick = "Raw Events",
        blurb = "Post every protocol event on the bus as openairealtime/event", mutable_playing)]
    #[property(name = "messages", get, set, type = Messages, member = messages, nick = "Messages",
        blurb = "Which element messages are posted on the bus; approval-request is always posted", mutable_playing, default = Messages::all())]
    #[property(name = "partial-transcripts", get, set, type = bool, member = partial_transcripts, default = true, nick = "Partial Transcripts",
        blurb = "Also post openairealtime/transcript for partial transcripts (final=false)", mutable_playing)]
    #[property(name = "vad-silence-duration", get = Self::vad_silence_duration, set = Self::set_vad_silence_duration, type = u64,
        default = SERVER_SILENCE.as_nanos() as u64, nick = "VAD Silence Duration",
        blurb = "Silence that ends a turn, for server-vad and local (in nanoseconds; while unset, local uses 500 ms when live and 1 s when offline)", mutable_playing)]
    settings: Arc<Mutex<Settings>>,
    #[property(name = "connection-state", get, type = ConnectionState, member = state, nick = "Connection State", blurb = "State of the connection", builder(ConnectionState::Closed))]
    #[property(name = "session-id", get, type = Option<String>, member = session_id, nick = "Session ID",
        blurb = "Identifier of the session that the server has assigned")]
    status: Arc<Mutex<ElementStatus>>,
    context: OnceLock<Arc<Context>>,
    audio_sink: gst::Pad,
    src: gst::Pad,
}

impl HasContext for OpenAIRealtime {
    type Context = Context;

    fn context(&self) -> &Arc<Context> {
        self.context.get_or_init(|| {
            let (audio_sink, src) = (self.audio_sink.clone(), self.src.clone());
            Arc::new(Context::new(self.obj().upcast_ref(), self.settings.clone(), self.status.clone(), audio_sink, src))
        })
    }
}

/// Getters and setters of properties that are not fields of the settings as they are.
impl OpenAIRealtime {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_api_key(&self, key: Option<String>) {
        self.settings().api_key = key.map(zeroize::Zeroizing::new).and_then(|key| Secret::new(&key));
    }

    /// It can be seen in graphs of the pipeline, so what may be a secret in it is not shown.
    fn uri(&self) -> Option<String> {
        self.settings().uri.as_deref().map(endpoint::redacted_uri)
    }

    fn tools(&self) -> Option<String> {
        self.settings().tools.as_ref().map(|tools| tools.given.clone())
    }

    fn set_tools(&self, tools: Option<String>) {
        self.settings().tools = tools.map(Into::into);
    }

    fn session_json(&self) -> Option<String> {
        self.settings().session.as_ref().map(|session| session.given.clone())
    }

    fn set_session_json(&self, session: Option<String>) {
        self.settings().session = session.map(Into::into);
    }

    fn vad_silence_duration(&self) -> u64 {
        self.settings().vad_silence_duration.unwrap_or(SERVER_SILENCE.as_nanos() as u64)
    }

    fn set_vad_silence_duration(&self, duration: u64) {
        self.settings().vad_silence_duration = Some(duration);
    }
}

#[glib::object_subclass]
impl ObjectSubclass for OpenAIRealtime {
    const NAME: &'static str = "GstOpenAIRealtime";
    type Type = crate::realtime::element::OpenAIRealtime;
    type ParentType = gst::Element;
    type Interfaces = (gst::ChildProxy,);

    fn with_class(class: &Self::Class) -> Self {
        let template = |name| class.pad_template(name).unwrap_or_else(|| unreachable!("declared below"));
        Self {
            settings: Arc::default(),
            status: Arc::default(),
            context: OnceLock::new(),
            audio_sink: audio_sink::make_pad::<Self>(&template("audio_sink")),
            src: audio_src::make_pad::<Self>(&template("src")),
        }
    }
}

impl ObjectImpl for OpenAIRealtime {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let derived = OpenAIRealtime::derived_properties().iter().cloned();
            derived.chain(structure_properties::specs()).collect()
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if !structure_properties::set(&mut self.settings(), pspec.name(), value) {
            self.derived_set_property(id, value, pspec);
        }
        if pspec.flags().contains(gst::PARAM_FLAG_MUTABLE_PLAYING)
            && let Some(run) = self.context().run()
        {
            self.context().property_sync.on_changed(&run, pspec.name());
        }
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.context().messenger.stats().to_value(),
            "fallback-uris" => structure_properties::fallback_uris(&self.settings()),
            _ => self.derived_property(id, pspec),
        }
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(signals::signals::<OpenAIRealtime>);
        &SIGNALS
    }

    fn constructed(&self) {
        self.parent_constructed();
        for pad in [&self.audio_sink, &self.src] {
            if let Err(error) = self.obj().add_pad(pad) {
                gst::error!(CAT, imp = self, "{error}");
            }
        }
    }
}

impl GstObjectImpl for OpenAIRealtime {}

impl ElementImpl for OpenAIRealtime {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "OpenAI Realtime voice agent",
                "Filter/Audio/Network",
                "Talks with a realtime voice model of OpenAI, Azure OpenAI or any compatible server",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        templates::templates()
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
        _: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        let pad = request::add_pad::<Self>(self.context(), template, name)?;
        self.obj().child_added(&pad, &pad.name());
        Some(pad)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        request::remove_pad(self.context(), pad);
        self.obj().child_removed(pad, &pad.name());
        request::on_pad_removed(self.context(), pad);
    }

    fn send_event(&self, event: gst::Event) -> bool {
        match event.view() {
            // The default sends it to the source pads at once, ahead of the answer.
            gst::EventView::Eos(_) => eos::end_input(self.context()),
            _ if actions::custom_event(self.context(), &event) => true,
            gst::EventView::Tag(_)
            | gst::EventView::CustomDownstream(_)
            | gst::EventView::CustomDownstreamSticky(_)
            | gst::EventView::CustomBoth(_) => crossing::queue_event(self.context(), &event),
            _ => self.parent_send_event(event),
        }
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        state_change::change_state(self.context(), transition, || self.parent_change_state(transition))
    }
}
