// SPDX-License-Identifier: MPL-2.0

//! The element `openaichat`: requests with audio, pictures and text, made of segments of the input.

pub(crate) mod actions;
pub(crate) mod bus;
pub(crate) mod context;
pub(crate) mod eos;
pub(crate) mod function_calls;
#[allow(missing_docs, reason = "the properties' blurbs are their documentation")]
pub(crate) mod imp;
pub(crate) mod input_pads;
pub(crate) mod messages;
pub(crate) mod messenger;
pub(crate) mod pads;
pub(crate) mod run;
pub(crate) mod run_setup;
pub(crate) mod session_start;
pub(crate) mod settings;
pub(crate) mod signals;
pub(crate) mod state_change;
pub(crate) mod stats;
pub(crate) mod text_pad_kind;

use crate::chat::conversation::config;
use gst::glib;
use gst::prelude::*;
use std::sync::LazyLock;

/// Debug category of the element.
pub(crate) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("openaichat", gst::DebugColorFlags::empty(), Some("OpenAI Chat Completions"))
});

glib::wrapper! {
    /// The element `openaichat`.
    pub struct OpenAIChat(ObjectSubclass<imp::OpenAIChat>)
        @extends gst::Element, gst::Object;
}

/// `modalities`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIChatModalities")]
#[non_exhaustive]
pub enum Modalities {
    /// Text.
    #[default]
    #[enum_value(name = "Text: written answers", nick = "text")]
    Text,
    /// Speech with its text.
    #[enum_value(name = "Text and Audio: spoken answers, and their text", nick = "text-and-audio")]
    TextAndAudio,
}

/// `frame-selection`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIChatFrameSelection")]
#[non_exhaustive]
pub enum FrameSelection {
    /// The newest of the segment.
    #[default]
    #[enum_value(name = "Newest: the last ones of each segment", nick = "newest")]
    Newest,
    /// Evenly spread over the segment.
    #[enum_value(name = "Spread: evenly spread over each segment", nick = "spread")]
    Spread,
}

impl From<FrameSelection> for config::FrameSelection {
    fn from(selection: FrameSelection) -> Self {
        match selection {
            FrameSelection::Newest => Self::Newest,
            FrameSelection::Spread => Self::Spread,
        }
    }
}

/// `stream`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIChatStream")]
#[non_exhaustive]
pub enum StreamMode {
    /// Unless the server refuses streaming.
    #[default]
    #[enum_value(name = "Auto: streamed, unless the server refuses that", nick = "auto")]
    Auto,
    /// Always.
    #[enum_value(name = "On: always streamed", nick = "on")]
    On,
    /// Never.
    #[enum_value(name = "Off: asked for as a whole", nick = "off")]
    Off,
}

impl From<StreamMode> for config::StreamMode {
    fn from(mode: StreamMode) -> Self {
        match mode {
            StreamMode::Auto => Self::Auto,
            StreamMode::On => Self::On,
            StreamMode::Off => Self::Off,
        }
    }
}

/// Registers the element with a plugin.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    for kind in [Modalities::static_type(), FrameSelection::static_type(), StreamMode::static_type()] {
        kind.mark_as_plugin_api(gst::PluginAPIFlags::empty());
    }
    gst::Element::register(Some(plugin), "openaichat", gst::Rank::NONE, OpenAIChat::static_type())
}
