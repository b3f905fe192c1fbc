// SPDX-License-Identifier: MPL-2.0

//! The element's GObject: properties, pads and states. It converts and never decides.

use crate::chat::conversation::io::Input;
use crate::chat::element::run::Run;
use crate::chat::element::settings::Settings;
use crate::chat::element::sink_pads::SinkState;
use crate::chat::element::stats::Stats;
use crate::chat::element::{FrameSelection, Modalities, StreamMode};
use crate::error::Warning;
use crate::error::warning_limit::WarningLimit;
use crate::media::enums::{FrameDetail, Provider, Silence, Timing};
use crate::media::{self, errors};
use crate::net::endpoint;
use crate::net::secret::Secret;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The element's debug category.
pub static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("openaichat", gst::DebugColorFlags::empty(), Some("OpenAI Chat Completions"))
});

static DEFAULTS: LazyLock<Settings> = LazyLock::new(Settings::default);

/// The element.
#[derive(glib::Properties)]
#[properties(wrapper_type = crate::chat::element::OpenAIChat)]
pub struct OpenAIChat {
    #[property(name = "uri", get = Self::uri, set = Self::set_uri, type = Option<String>, nick = "URI",
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
    settings: Mutex<Settings>,
    stats: Mutex<Stats>,
    warnings: Mutex<WarningLimit>,
    run: Mutex<Option<Arc<Run>>>,
    sink: Mutex<SinkState>,
    /// The pipeline's latency in nanoseconds.
    pub(crate) latency: Arc<AtomicU64>,
    pub(crate) audio_sink: gst::Pad,
    pub(crate) src: gst::Pad,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OpenAIChat {
    fn set_api_key(&self, key: Option<String>) {
        lock(&self.settings).api_key = key.map(zeroize::Zeroizing::new).and_then(|key| Secret::new(&key));
    }

    /// It can be seen in graphs of the pipeline, so what may be a secret in it is not shown.
    fn uri(&self) -> Option<String> {
        lock(&self.settings).uri.as_deref().map(endpoint::redacted_uri)
    }

    fn set_uri(&self, uri: Option<String>) {
        lock(&self.settings).uri = uri;
    }

    fn tools(&self) -> Option<String> {
        lock(&self.settings).tools.as_ref().map(|tools| tools.given.clone())
    }

    fn set_tools(&self, tools: Option<String>) {
        lock(&self.settings).tools = tools.map(Into::into);
    }

    fn extra(&self) -> Option<String> {
        lock(&self.settings).extra.as_ref().map(|extra| extra.given.clone())
    }

    fn set_extra(&self, extra: Option<String>) {
        lock(&self.settings).extra = extra.map(Into::into);
    }

    fn response_format(&self) -> Option<String> {
        lock(&self.settings).response_format.as_ref().map(|format| format.given.clone())
    }

    fn set_response_format(&self, format: Option<String>) {
        lock(&self.settings).response_format = format.map(Into::into);
    }

    fn set_requests_per_minute(&self, limit: u32) {
        lock(&self.settings).requests_per_minute = limit;
        self.limits_changed();
    }

    fn set_max_cost(&self, limit: f64) {
        lock(&self.settings).max_cost = limit;
        self.limits_changed();
    }

    /// A running session takes new limits at once.
    fn limits_changed(&self) {
        let (requests_per_minute, max_cost) = {
            let settings = lock(&self.settings);
            (settings.requests_per_minute, settings.max_cost)
        };
        if let Some(run) = self.run() {
            // One that is over needs none.
            run.input_queue.command(Input::Limits { requests_per_minute, max_cost });
        }
    }

    pub(crate) fn settings(&self) -> MutexGuard<'_, Settings> {
        lock(&self.settings)
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        lock(&self.stats)
    }

    pub(crate) fn sink(&self) -> MutexGuard<'_, SinkState> {
        lock(&self.sink)
    }

    pub(crate) fn run(&self) -> Option<Arc<Run>> {
        lock(&self.run).clone()
    }

    pub(crate) fn set_run(&self, run: Option<Arc<Run>>) -> Option<Arc<Run>> {
        std::mem::replace(&mut *lock(&self.run), run)
    }

    /// Posts a WARNING: one of a kind in ten seconds. What is left out is posted with its number as soon as something is
    /// told after that, and at the latest when the run ends.
    pub(crate) fn warn(&self, warning: Warning) {
        let posted = lock(&self.warnings).add(warning, Instant::now());
        posted.iter().for_each(|warning| self.post_warning(warning));
    }

    /// Posts the warnings that were left out: those whose time has come, or all.
    pub(crate) fn post_left_out_warnings(&self, all: bool) {
        let now = Instant::now();
        let mut warnings = lock(&self.warnings);
        let due = if all { warnings.rest(now) } else { warnings.due(now) };
        drop(warnings);
        due.iter().for_each(|warning| self.post_warning(warning));
    }

    fn post_warning(&self, warning: &Warning) {
        gst::warning!(CAT, imp = self, "{}", warning.message);
        self.stats().warnings += 1;
        errors::post_warning(self.obj().upcast_ref(), warning);
    }

    /// A pad function's way into the element. A pad has no parent before it is added and after it is removed.
    pub(crate) fn in_pad<T>(
        parent: Option<&gst::Object>,
        otherwise: impl FnOnce() -> T,
        act: impl FnOnce(&Self) -> T,
    ) -> T {
        match parent.filter(|parent| parent.is::<crate::chat::element::OpenAIChat>()) {
            Some(parent) => Self::catch_panic_pad_function(Some(parent), otherwise, act),
            None => otherwise(),
        }
    }

    fn src_activate(&self, pad: &gst::Pad, active: bool) -> Result<(), gst::LoggableError> {
        if !active {
            // It need not be the element's state that changes.
            if let Some(run) = self.run() {
                run.source.stop();
            }
            return pad.stop_task().map_err(|error| gst::loggable_error!(CAT, "the task does not stop: {error}"));
        }
        let run = self.run().ok_or_else(|| gst::loggable_error!(CAT, "no run"))?;
        let (source, mut stream) = (run.source.clone(), Default::default());
        let started = media::start_task(pad, move || source.iterate(&mut stream));
        started.map_err(|error| gst::loggable_error!(CAT, "the task does not start: {error}"))
    }
}

#[glib::object_subclass]
impl ObjectSubclass for OpenAIChat {
    const NAME: &'static str = "GstOpenAIChat";
    type Type = crate::chat::element::OpenAIChat;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let template = |name| class.pad_template(name).unwrap_or_else(|| unreachable!("declared below"));
        let audio_sink = gst::Pad::builder_from_template(&template("audio_sink"))
            .chain_function(|pad, parent, buffer| {
                Self::in_pad(parent, || Err(gst::FlowError::Error), |this| this.audio_chain(pad, buffer))
            })
            .event_function(|pad, parent, event| Self::in_pad(parent, || false, |this| this.sink_event(pad, event)))
            .build();
        let src = gst::Pad::builder_from_template(&template("src"))
            .activatemode_function(|pad, parent, _mode, active| {
                Self::in_pad(parent, || Ok(()), |this| this.src_activate(pad, active))
            })
            .query_function(|pad, parent, query| Self::in_pad(parent, || false, |this| this.src_query(pad, query)))
            .event_function(|pad, parent, event| Self::in_pad(parent, || false, |this| this.src_event(pad, event)))
            .build();
        Self {
            settings: Mutex::default(),
            stats: Mutex::default(),
            warnings: Mutex::default(),
            run: Mutex::default(),
            sink: Mutex::default(),
            latency: Arc::default(),
            audio_sink,
            src,
        }
    }
}

impl ObjectImpl for OpenAIChat {
    fn properties() -> &'static [glib::ParamSpec] {
        // Structures are no kind of property that can be derived.
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
            "headers" => lock(&self.settings).headers = value.get().ok().flatten(),
            _ => self.derived_set_property(id, value, pspec),
        }
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.stats().structure().to_value(),
            _ => self.derived_property(id, pspec),
        }
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        crate::chat::element::signals::signals()
    }

    fn constructed(&self) {
        self.parent_constructed();
        let element = self.obj();
        for pad in [&self.audio_sink, &self.src] {
            if let Err(error) = element.add_pad(pad) {
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
        crate::chat::element::pads::templates()
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
        _: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        self.make_pad(template, name)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        self.drop_pad(pad);
    }

    fn send_event(&self, event: gst::Event) -> bool {
        match event.view() {
            // By itself GStreamer would send it past the element, and answers would be cut off.
            gst::EventView::Eos(_) => self.end_of_all(),
            _ => self.parent_send_event(event),
        }
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        self.go_through(transition, || self.parent_change_state(transition))
    }
}
