// SPDX-License-Identifier: MPL-2.0

//! The element `openairealtime`: a voice conversation with a realtime model as part of a pipeline.

pub(crate) mod actions;
pub(crate) mod audio_caps;
pub(crate) mod audio_input;
pub(crate) mod bus;
pub(crate) mod context;
pub(crate) mod conversation_config;
pub(crate) mod eos;
pub(crate) mod frame;
pub(crate) mod function_calls;
#[allow(missing_docs, reason = "the properties' blurbs are their documentation")]
pub(crate) mod imp;
pub(crate) mod input_waits;
#[allow(missing_docs, reason = "the macro that makes flags leaves them out")]
pub(crate) mod message_flags;
pub(crate) mod messages;
pub(crate) mod messenger;
pub(crate) mod pads;
pub(crate) mod property_sync;
pub(crate) mod run;
pub(crate) mod run_setup;
pub(crate) mod session_config;
pub(crate) mod session_start;
pub(crate) mod settings;
pub(crate) mod signals;
pub(crate) mod state_change;
pub(crate) mod stats;
pub(crate) mod structure_properties;
pub(crate) mod text_pad_kind;

pub use crate::media::enums::{FrameDetail, Provider, Silence, Timing};
pub use crate::realtime::element::message_flags::Messages;

use crate::realtime::conversation::config;
use gst::glib;
use gst::prelude::*;
use std::sync::LazyLock;

/// Debug category of the element.
pub(crate) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("openairealtime", gst::DebugColorFlags::empty(), Some("OpenAI Realtime voice agent"))
});

glib::wrapper! {
    /// The element `openairealtime`.
    pub struct OpenAIRealtime(ObjectSubclass<crate::realtime::element::imp::OpenAIRealtime>)
        @extends gst::Element, gst::Object,
        @implements gst::ChildProxy;
}

/// Who finds the turns of the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeTurnDetection")]
#[non_exhaustive]
pub enum TurnDetection {
    /// The server live, the element offline.
    #[default]
    #[enum_value(name = "Auto: server-vad live, local offline", nick = "auto")]
    Auto,
    /// The server, by voice activity.
    #[enum_value(name = "Server VAD: the server, by speech and silence", nick = "server-vad")]
    ServerVad,
    /// The server, by meaning.
    #[enum_value(name = "Semantic VAD: the server, by what was said", nick = "semantic-vad")]
    SemanticVad,
    /// The element.
    #[enum_value(name = "Local: the element itself", nick = "local")]
    Local,
    /// Nobody.
    #[enum_value(name = "None: push to talk, the end of the stream ends the turn", nick = "none")]
    None,
}

/// How patiently semantic detection waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeVadEagerness")]
#[non_exhaustive]
pub enum VadEagerness {
    /// As medium.
    #[default]
    #[enum_value(name = "Auto: as medium", nick = "auto")]
    Auto,
    /// Up to 8 s.
    #[enum_value(name = "Low: lets the user take their time, up to 8 s", nick = "low")]
    Low,
    /// Up to 4 s.
    #[enum_value(name = "Medium: up to 4 s", nick = "medium")]
    Medium,
    /// Up to 2 s.
    #[enum_value(name = "High: answers as soon as possible, up to 2 s", nick = "high")]
    High,
}

/// What the server does against noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeNoiseReduction")]
#[non_exhaustive]
pub enum NoiseReduction {
    /// Nothing.
    #[default]
    #[enum_value(name = "None", nick = "none")]
    None,
    /// For a microphone at the mouth.
    #[enum_value(name = "Near Field: for headsets", nick = "near-field")]
    NearField,
    /// For a microphone in the room.
    #[enum_value(name = "Far Field: for laptops and conference rooms", nick = "far-field")]
    FarField,
}

/// What the model gives out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeModality")]
#[non_exhaustive]
pub enum Modality {
    /// Speech and its words.
    #[default]
    #[enum_value(name = "Audio: speech, and its words as messages", nick = "audio")]
    Audio,
    /// Words alone.
    #[enum_value(name = "Text: words alone, as messages", nick = "text")]
    Text,
}

/// Which generation of the protocol is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeDialect")]
#[non_exhaustive]
pub enum Dialect {
    /// By the URL.
    #[default]
    #[enum_value(name = "Auto: by the URL; beta for Azure's preview API", nick = "auto")]
    Auto,
    /// The general one.
    #[enum_value(name = "GA: since August 2025", nick = "ga")]
    Ga,
    /// The one before it.
    #[enum_value(name = "Beta: the one before, which some servers still speak", nick = "beta")]
    Beta,
}

/// What the session is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeSessionType")]
#[non_exhaustive]
pub enum SessionType {
    /// The model answers.
    #[default]
    #[enum_value(name = "Conversation: the model answers", nick = "conversation")]
    Conversation,
    /// The model writes down what the user says.
    #[enum_value(
        name = "Transcription: what the user says is written down, and nothing answered",
        nick = "transcription"
    )]
    Transcription,
}

/// How long a model thinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeReasoningEffort")]
#[non_exhaustive]
pub enum ReasoningEffort {
    /// As the server likes.
    #[default]
    #[enum_value(name = "Default: the server's own", nick = "default")]
    Default,
    /// Hardly at all.
    #[enum_value(name = "Minimal", nick = "minimal")]
    Minimal,
    /// A little.
    #[enum_value(name = "Low", nick = "low")]
    Low,
    /// More.
    #[enum_value(name = "Medium", nick = "medium")]
    Medium,
    /// Much.
    #[enum_value(name = "High", nick = "high")]
    High,
    /// As much as it can.
    #[enum_value(name = "Extra High", nick = "xhigh")]
    XHigh,
}

/// Which frames of a camera the model sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeFramePolicy")]
#[non_exhaustive]
pub enum FramePolicy {
    /// One in every interval.
    #[default]
    #[enum_value(name = "Interval: one in every frame-interval", nick = "interval")]
    Interval,
    /// The newest with each turn.
    #[enum_value(name = "Turn: the newest one with each turn of the user", nick = "turn")]
    Turn,
    /// While the user speaks.
    #[enum_value(name = "Speech: one in every frame-interval while the user speaks", nick = "speech")]
    Speech,
    /// By signal.
    #[enum_value(name = "Manual: those that send-frame asks for", nick = "manual")]
    Manual,
}

impl From<FramePolicy> for config::FramePolicy {
    fn from(policy: FramePolicy) -> Self {
        match policy {
            FramePolicy::Interval => Self::Interval,
            FramePolicy::Turn => Self::Turn,
            FramePolicy::Speech => Self::Speech,
            FramePolicy::Manual => Self::Manual,
        }
    }
}

/// Which frames are taken for the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeFrameDedupe")]
#[non_exhaustive]
pub enum FrameDedupe {
    /// None.
    #[enum_value(name = "None: every frame is sent whose time has come", nick = "none")]
    None,
    /// Files that are the same.
    #[default]
    #[enum_value(name = "Exact: a file that is the pad's last one, byte for byte, is not sent again", nick = "exact")]
    Exact,
    /// Pictures that show the same.
    #[enum_value(name = "Similar: nor a picture that looks like it, by frame-dedupe-threshold", nick = "similar")]
    Similar,
}

/// How far the connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeConnectionState")]
#[non_exhaustive]
pub enum ConnectionState {
    /// There is none.
    #[default]
    #[enum_value(name = "Closed: no session", nick = "closed")]
    Closed,
    /// It is being tried.
    #[enum_value(name = "Connecting: on the way to a session", nick = "connecting")]
    Connecting,
    /// The session runs.
    #[enum_value(name = "Ready: a session", nick = "ready")]
    Ready,
    /// It was lost, and another one is being tried.
    #[enum_value(name = "Reconnecting: a session was lost, on the way to the next", nick = "reconnecting")]
    Reconnecting,
}

/// Registers the element with a plugin.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    let enums = [
        Timing::static_type(),
        Provider::static_type(),
        TurnDetection::static_type(),
        VadEagerness::static_type(),
        NoiseReduction::static_type(),
        Modality::static_type(),
        Dialect::static_type(),
        SessionType::static_type(),
        ReasoningEffort::static_type(),
        Silence::static_type(),
        FramePolicy::static_type(),
        FrameDetail::static_type(),
        FrameDedupe::static_type(),
        ConnectionState::static_type(),
        Messages::static_type(),
    ];
    for kind in enums {
        kind.mark_as_plugin_api(gst::PluginAPIFlags::empty());
    }
    gst::Element::register(Some(plugin), "openairealtime", gst::Rank::NONE, OpenAIRealtime::static_type())
}
