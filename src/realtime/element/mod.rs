// SPDX-License-Identifier: MPL-2.0

//! The element `openairealtime`: a voice conversation with a realtime model as part of a pipeline.

pub(crate) mod actions;
pub(crate) mod audio_caps;
pub(crate) mod audio_input;
pub(crate) mod bus;
pub(crate) mod child_proxy;
pub(crate) mod context;
pub(crate) mod conversation_config;
pub(crate) mod eos;
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
pub(crate) mod session_json;
pub(crate) mod session_start;
pub(crate) mod settings;
pub(crate) mod signals;
pub(crate) mod state_change;
pub(crate) mod stats;
pub(crate) mod structure_properties;
pub(crate) mod text_pad_kind;
pub(crate) mod translation_config;
pub(crate) mod turn_times;

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

/// `turn-detection`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeTurnDetection")]
#[non_exhaustive]
pub enum TurnDetection {
    /// Server VAD when live, local when offline.
    #[default]
    #[enum_value(name = "Auto: server-vad live, local offline", nick = "auto")]
    Auto,
    /// Server VAD.
    #[enum_value(name = "Server VAD: the server, by speech and silence", nick = "server-vad")]
    ServerVad,
    /// Semantic VAD of the server.
    #[enum_value(name = "Semantic VAD: the server, by what was said", nick = "semantic-vad")]
    SemanticVad,
    /// VAD of the element.
    #[enum_value(name = "Local: the element itself", nick = "local")]
    Local,
    /// None: commits by the application or at EOS.
    #[enum_value(name = "None: push to talk, the end of the stream ends the turn", nick = "none")]
    None,
}

/// `vad-eagerness`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeVadEagerness")]
#[non_exhaustive]
pub enum VadEagerness {
    /// Same as medium.
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

/// `noise-reduction`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeNoiseReduction")]
#[non_exhaustive]
pub enum NoiseReduction {
    /// Off.
    #[default]
    #[enum_value(name = "None", nick = "none")]
    None,
    /// Close-talking microphone.
    #[enum_value(name = "Near Field: for headsets", nick = "near-field")]
    NearField,
    /// Microphone in the room.
    #[enum_value(name = "Far Field: for laptops and conference rooms", nick = "far-field")]
    FarField,
}

/// `output-modalities`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeModality")]
#[non_exhaustive]
pub enum Modality {
    /// Speech with transcripts.
    #[default]
    #[enum_value(name = "Audio: speech, and its words as messages", nick = "audio")]
    Audio,
    /// Text only.
    #[enum_value(name = "Text: words alone, as messages", nick = "text")]
    Text,
}

/// `dialect`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeDialect")]
#[non_exhaustive]
pub enum Dialect {
    /// By the URL.
    #[default]
    #[enum_value(name = "Auto: by the URL; beta for Azure's preview API", nick = "auto")]
    Auto,
    /// GA protocol.
    #[enum_value(name = "GA: since August 2025", nick = "ga")]
    Ga,
    /// Beta protocol.
    #[enum_value(name = "Beta: the one before, which some servers still speak", nick = "beta")]
    Beta,
}

/// `session-type`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeSessionType")]
#[non_exhaustive]
pub enum SessionType {
    /// Conversation with responses.
    #[default]
    #[enum_value(name = "Conversation: the model answers", nick = "conversation")]
    Conversation,
    /// Transcription only.
    #[enum_value(
        name = "Transcription: what the user says is written down, and nothing answered",
        nick = "transcription"
    )]
    Transcription,
    /// Interpretation into another language.
    #[enum_value(
        name = "Translation: what is said is spoken and written in another language, without turns",
        nick = "translation"
    )]
    Translation,
}

/// `reasoning-effort`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeReasoningEffort")]
#[non_exhaustive]
pub enum ReasoningEffort {
    /// Default of the server.
    #[default]
    #[enum_value(name = "Default: the server's own", nick = "default")]
    Default,
    /// `minimal`
    #[enum_value(name = "Minimal", nick = "minimal")]
    Minimal,
    /// `low`
    #[enum_value(name = "Low", nick = "low")]
    Low,
    /// `medium`
    #[enum_value(name = "Medium", nick = "medium")]
    Medium,
    /// `high`
    #[enum_value(name = "High", nick = "high")]
    High,
    /// `xhigh`
    #[enum_value(name = "Extra High", nick = "xhigh")]
    XHigh,
}

/// `frame-policy`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeFramePolicy")]
#[non_exhaustive]
pub enum FramePolicy {
    /// One in every `frame-interval`.
    #[default]
    #[enum_value(name = "Interval: one in every frame-interval", nick = "interval")]
    Interval,
    /// The newest with each turn of the user.
    #[enum_value(name = "Turn: the newest one with each turn of the user", nick = "turn")]
    Turn,
    /// While the user speaks.
    #[enum_value(name = "Speech: one in every frame-interval while the user speaks", nick = "speech")]
    Speech,
    /// Those requested by `send-frame`.
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

/// `frame-dedupe`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeFrameDedupe")]
#[non_exhaustive]
pub enum FrameDedupe {
    /// No deduplication.
    #[enum_value(name = "None: every frame is sent whose time has come", nick = "none")]
    None,
    /// Identical files.
    #[default]
    #[enum_value(name = "Exact: a file that is the pad's last one, byte for byte, is not sent again", nick = "exact")]
    Exact,
    /// Similar images as well.
    #[enum_value(name = "Similar: nor a picture that looks like it, by frame-dedupe-threshold", nick = "similar")]
    Similar,
}

/// `connection-state`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeConnectionState")]
#[non_exhaustive]
pub enum ConnectionState {
    /// No session.
    #[default]
    #[enum_value(name = "Closed: no session", nick = "closed")]
    Closed,
    /// Connecting to the first session.
    #[enum_value(name = "Connecting: on the way to a session", nick = "connecting")]
    Connecting,
    /// The session is ready.
    #[enum_value(name = "Ready: a session", nick = "ready")]
    Ready,
    /// The session was lost, connecting to the next.
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
