// SPDX-License-Identifier: MPL-2.0

//! The element's GObject: properties, and the way from GStreamer's virtual methods to the modules that implement them.

use crate::chat::conversation::io::Input;
use crate::chat::element::context::Context;
use crate::chat::element::pads::{audio_sink, request, src, templates};
use crate::chat::element::settings::Settings;
use crate::chat::element::{CAT, FrameSelection, Modalities, StreamMode, eos, signals, state_change};
use crate::media::element_context::HasContext;
use crate::media::enums::{FrameDetail, Provider, Silence, Timing};
use crate::net::endpoint;
use crate::net::secret::Secret;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

static DEFAULTS: LazyLock<Settings> = LazyLock::new(Settings::default);

/// The element.
#[derive(glib::Properties)]
#[properties(wrapper_type = crate::chat::element::OpenAIChat)]
pub struct OpenAIChat {
    #[property(name = "uri", get = Self::uri, set, type = Option<String>, member = uri, nick = "URI",
        blurb = "Base URL (https://host/v1, http://127.0.0.1:8080/v1) or full URL of the server (path ends in /chat/completions) (unset = OPENAI_BASE_URL, then AZURE_OPENAI_ENDPOINT, then OpenAI)", mutable_ready)]
    #[property(name = "provider", get, set, type = Provider, member = provider, nick = "Provider",
        blurb = "Service that the server belongs to, which decides how the URL is built and how to authenticate", mutable_ready, builder(Provider::Auto))]
    #[property(name = "model", get, set, type = String, member = model, default = DEFAULTS.model.as_str(), nick = "Model",
        blurb = "Name of the model (Azure: name of the deployment; unset there = AZURE_OPENAI_DEPLOYMENT)", mutable_ready)]
    #[property(name = "vision-model", get, set, type = Option<String>, member = vision_model, nick = "Vision Model",
        blurb = "Name of a model that describes the pictures of each segment first, for a model that takes none: its text goes into the request in their place (unset = pictures are sent to model)", mutable_ready)]
    #[property(name = "api-version", get, set, type = Option<String>, member = api_version, nick = "API Version",
        blurb = "Version of Azure's preview API, with the deployment in the path (unset = GA API)", mutable_ready)]
    #[property(name = "api-key", set = Self::set_api_key, type = Option<String>, nick = "API Key",
        blurb = "API key. Better set OPENAI_API_KEY (Azure: AZURE_OPENAI_API_KEY) or api-key-file, because command lines can be seen by others. A server on loopback needs none", mutable_ready)]
    #[property(name = "api-key-file", get, set, type = Option<String>, member = api_key_file, nick = "API Key File",
        blurb = "File with the API key, read for each request; takes precedence over the environment", mutable_ready)]
    #[property(name = "organization", get, set, type = Option<String>, member = organization, nick = "Organization",
        blurb = "Organization that is billed (unset = OPENAI_ORG_ID)", mutable_ready)]
    #[property(name = "project", get, set, type = Option<String>, member = project, nick = "Project",
        blurb = "Project that is billed (unset = OPENAI_PROJECT_ID)", mutable_ready)]
    #[property(name = "ca-file", get, set, type = Option<String>, member = ca_file, nick = "CA File",
        blurb = "PEM file with certificates to trust in addition to the system's", mutable_ready)]
    #[property(name = "allow-insecure", get, set, type = bool, member = allow_insecure, nick = "Allow Insecure",
        blurb = "Allow unencrypted connections to other machines", mutable_ready)]
    #[property(name = "connect-timeout", get, set, type = u64, member = connect_timeout, minimum = 1, default = DEFAULTS.connect_timeout, nick = "Connect Timeout",
        blurb = "Maximum time until there is a connection, for each try (in nanoseconds)", mutable_ready)]
    #[property(name = "request-timeout", get, set, type = u64, member = request_timeout, minimum = 1, default = DEFAULTS.request_timeout, nick = "Request Timeout",
        blurb = "Maximum time from a request to the end of its answer, for each try (in nanoseconds)", mutable_ready)]
    #[property(name = "max-reconnects", get, set, type = u32, member = max_reconnects, default = DEFAULTS.max_reconnects, nick = "Maximum Reconnects",
        blurb = "Maximum number of retries of a request whose connection failed or was lost, or that the server refused with status 408, 409, 429 or 5xx (0 = no retry)", mutable_ready)]
    #[property(name = "reconnect-delay", get, set, type = u64, member = reconnect_delay, default = DEFAULTS.reconnect_delay, nick = "Reconnect Delay",
        blurb = "Delay before the first retry, doubled for each further one; Retry-After of the server is obeyed (in nanoseconds)", mutable_ready)]
    #[property(name = "prompt", get, set, type = Option<String>, member = prompt, nick = "Prompt",
        blurb = "Text that is sent with each request, in front of pictures and audio", mutable_ready)]
    #[property(name = "instructions", get, set, type = Option<String>, member = instructions, nick = "Instructions",
        blurb = "System message of each request (unset = none)", mutable_ready)]
    #[property(name = "modalities", get, set, type = Modalities, member = modalities, nick = "Modalities",
        blurb = "Whether the model answers in text or in speech", mutable_ready, builder(Modalities::Text))]
    #[property(name = "voice", get, set, type = String, member = voice, default = DEFAULTS.voice.as_str(), nick = "Voice",
        blurb = "Voice of spoken answers", mutable_ready)]
    #[property(name = "segment-duration", get, set, type = u64, member = segment_duration, nick = "Segment Duration",
        blurb = "Make a request of each such piece of the running time (in nanoseconds, 0 = of all until EOS)", mutable_ready)]
    #[property(name = "segment-gap", get, set, type = u64, member = segment_gap, nick = "Segment Gap",
        blurb = "Make a request where nobody speaks for so long; only speech is sent then (in nanoseconds, 0 = off)", mutable_ready)]
    #[property(name = "vad-threshold", get, set, type = f64, member = vad_threshold, minimum = 0.0, maximum = 1.0, default = DEFAULTS.vad_threshold, nick = "VAD Threshold",
        blurb = "Threshold of voice activity detection, for segment-gap (0.0 = any sound is speech)", mutable_ready)]
    #[property(name = "max-frames", get, set, type = u32, member = max_frames, default = DEFAULTS.max_frames, nick = "Maximum Frames",
        blurb = "Maximum number of frames of a segment that are sent (0 = no limit)", mutable_ready)]
    #[property(name = "frame-selection", get, set, type = FrameSelection, member = frame_selection, nick = "Frame Selection",
        blurb = "Which frames of a segment are sent where there are more than max-frames", mutable_ready, builder(FrameSelection::Newest))]
    #[property(name = "frame-detail", get, set, type = FrameDetail, member = frame_detail, nick = "Frame Detail",
        blurb = "Level of detail at which the model looks at frames", mutable_ready, builder(FrameDetail::Auto))]
    #[property(name = "max-frame-size", get, set, type = u32, member = max_frame_size, minimum = 1, maximum = 11_000_000, default = DEFAULTS.max_frame_size, nick = "Maximum Frame Size",
        blurb = "Maximum size of a frame, larger ones are skipped with a warning (in bytes)", mutable_ready)]
    #[property(name = "history", get, set, type = u32, member = history, nick = "History",
        blurb = "How many earlier turns go along with each request; with a history, requests are made one after another (0 = each request stands alone)", mutable_ready)]
    #[property(name = "max-requests", get, set, type = u32, member = max_requests, minimum = 1, maximum = 64, default = DEFAULTS.max_requests, nick = "Maximum Requests",
        blurb = "Maximum number of requests in flight at once; answers stay in the order of their segments", mutable_ready)]
    #[property(name = "response-format", get = Self::response_format, set = Self::set_response_format, type = Option<String>, nick = "Response Format",
        blurb = "JSON schema of structured answers, or the response_format of the API as JSON, or @FILE to read it from a file", mutable_ready)]
    #[property(name = "max-tokens", get, set, type = u32, member = max_tokens, nick = "Maximum Tokens",
        blurb = "Maximum number of output tokens of each answer (0 = no limit)", mutable_ready)]
    #[property(name = "temperature", get, set, type = f64, member = temperature, minimum = -1.0, maximum = 2.0, default = DEFAULTS.temperature, nick = "Temperature",
        blurb = "Sampling temperature (below 0 = default of the server)", mutable_ready)]
    #[property(name = "tools", get = Self::tools, set = Self::set_tools, type = Option<String>, nick = "Tools",
        blurb = "JSON array of functions that the model may call, or @FILE to read it from a file", mutable_ready)]
    #[property(name = "tool-choice", get, set, type = String, member = tool_choice, default = DEFAULTS.tool_choice.as_str(), nick = "Tool Choice",
        blurb = "Use of functions by the model: auto, none, required, the name of a function, or a JSON object", mutable_ready)]
    #[property(name = "tool-command", get, set, type = Option<String>, member = tool_command, nick = "Tool Command",
        blurb = "Program that answers function calls: receives the name of the function as last argument and the arguments as JSON on standard input, and writes the output to standard output. Started without a shell, and without environment variables that hold keys", mutable_ready)]
    #[property(name = "tool-timeout", get, set, type = u64, member = tool_timeout, default = DEFAULTS.tool_timeout, nick = "Tool Timeout",
        blurb = "Maximum time from a function call until its output; after that the model gets an error as output (in nanoseconds, 0 = no limit)", mutable_ready)]
    #[property(name = "extra", get = Self::extra, set = Self::set_extra, type = Option<String>, nick = "Extra",
        blurb = "JSON object that is merged over each request, so that every field of the API can be set (null removes a field), or @FILE to read it from a file", mutable_ready)]
    #[property(name = "stream", get, set, type = StreamMode, member = stream, nick = "Stream",
        blurb = "Whether answers are streamed", mutable_ready, builder(StreamMode::Auto))]
    #[property(name = "requests-per-minute", get, set = Self::set_requests_per_minute, type = u32, member = requests_per_minute, nick = "Requests per Minute",
        blurb = "Maximum number of requests per minute, further segments wait (0 = no limit)", mutable_playing)]
    #[property(name = "max-cost", get, set = Self::set_max_cost, type = f64, member = max_cost, minimum = 0.0, maximum = 1_000_000.0, nick = "Maximum Cost",
        blurb = "Maximum cost at published prices; when it is reached no further request is made and the stream ends (in US dollars, 0 = no limit)", mutable_playing)]
    #[property(name = "timing", get, set, type = Timing, member = timing, nick = "Timing",
        blurb = "Whether to synchronize to the clock of the pipeline", mutable_ready, builder(Timing::Auto))]
    #[property(name = "buffer-time", get, set, type = u64, member = buffer_time, maximum = 2_000_000_000, default = DEFAULTS.buffer_time, nick = "Buffer Time",
        blurb = "How far ahead of the clock audio is pushed when live (in nanoseconds)", mutable_ready)]
    #[property(name = "silence", get, set, type = Silence, member = silence, nick = "Silence",
        blurb = "What is pushed on src while there is no spoken answer", mutable_ready, builder(Silence::Buffers))]
    settings: Arc<Mutex<Settings>>,
    context: OnceLock<Arc<Context>>,
    audio_sink: gst::Pad,
    src: gst::Pad,
}

impl HasContext for OpenAIChat {
    type Context = Context;

    fn context(&self) -> &Arc<Context> {
        self.context.get_or_init(|| {
            let (settings, audio_sink, src) = (self.settings.clone(), self.audio_sink.clone(), self.src.clone());
            Arc::new(Context::new(self.obj().upcast_ref(), settings, audio_sink, src))
        })
    }
}

/// Getters and setters of properties that are not fields of the settings as they are.
impl OpenAIChat {
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

    fn extra(&self) -> Option<String> {
        self.settings().extra.as_ref().map(|extra| extra.given.clone())
    }

    fn set_extra(&self, extra: Option<String>) {
        self.settings().extra = extra.map(Into::into);
    }

    fn response_format(&self) -> Option<String> {
        self.settings().response_format.as_ref().map(|format| format.given.clone())
    }

    fn set_response_format(&self, format: Option<String>) {
        self.settings().response_format = format.map(Into::into);
    }

    fn set_requests_per_minute(&self, limit: u32) {
        self.settings().requests_per_minute = limit;
        self.limits_changed();
    }

    fn set_max_cost(&self, limit: f64) {
        self.settings().max_cost = limit;
        self.limits_changed();
    }

    /// A running session takes new limits at once.
    fn limits_changed(&self) {
        let (requests_per_minute, max_cost) = {
            let settings = self.settings();
            (settings.requests_per_minute, settings.max_cost)
        };
        if let Some(run) = self.context().run() {
            // One that is over needs none.
            run.input_queue.command(Input::Limits { requests_per_minute, max_cost });
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for OpenAIChat {
    const NAME: &'static str = "GstOpenAIChat";
    type Type = crate::chat::element::OpenAIChat;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let template = |name| class.pad_template(name).unwrap_or_else(|| unreachable!("declared below"));
        Self {
            settings: Arc::default(),
            context: OnceLock::new(),
            audio_sink: audio_sink::make_pad::<Self>(&template("audio_sink")),
            src: src::make_pad::<Self>(&template("src")),
        }
    }
}

impl ObjectImpl for OpenAIChat {
    fn properties() -> &'static [glib::ParamSpec] {
        // The derive macro has no properties of structures.
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let headers = glib::ParamSpecBoxed::builder::<gst::Structure>("headers")
                .nick("Headers")
                .blurb("Additional HTTP headers of each request, as a structure of strings; write-only because they may hold secrets")
                .write_only()
                .mutable_ready()
                .build();
            let stats = glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                .nick("Statistics")
                .blurb(
                    "Statistics since the element was started: application/x-openaichat-stats with requests, retries, \
                     responses, failures, warnings, input-tokens, output-tokens, frames-sent, frames-skipped, total-cost \
                     in US dollars, and in nanoseconds the percentiles 50, 90 and 99 of latency (until the end of an \
                     answer) and first-output (until its first piece): latency-p50 and so on",
                )
                .read_only()
                .build();
            OpenAIChat::derived_properties().iter().cloned().chain([headers, stats]).collect()
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        match pspec.name() {
            "headers" => self.settings().headers = value.get().ok().flatten(),
            _ => self.derived_set_property(id, value, pspec),
        }
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.context().messenger.stats().to_value(),
            _ => self.derived_property(id, pspec),
        }
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(signals::signals::<OpenAIChat>);
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

impl GstObjectImpl for OpenAIChat {}

impl ElementImpl for OpenAIChat {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "OpenAI Chat Completions",
                "Filter/Audio/Video/Network",
                "Asks a model of OpenAI, Azure OpenAI or any compatible server about segments of audio, pictures and text",
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
        request::add_pad::<Self>(self.context(), template, name)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        request::remove_pad(self.context(), pad);
    }

    fn send_event(&self, event: gst::Event) -> bool {
        match event.view() {
            // The default sends it to the source pads at once, ahead of the answers.
            gst::EventView::Eos(_) => eos::end_input(self.context()),
            _ => self.parent_send_event(event),
        }
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        state_change::change_state(self.context(), transition, || self.parent_change_state(transition))
    }
}
