// SPDX-License-Identifier: MPL-2.0

//! The element `openaichat`: requests with audio, pictures and text, made of segments of the input.

#[allow(missing_docs, reason = "the properties' blurbs are their documentation")]
pub(crate) mod imp;
pub(crate) mod messages;
pub(crate) mod pads;
pub(crate) mod run;
pub(crate) mod settings;
pub(crate) mod signals;
pub(crate) mod sink_pads;
pub(crate) mod state_change;
pub(crate) mod stats;

use crate::chat::conversation::config;
use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    /// The element `openaichat`.
    pub struct OpenAIChat(ObjectSubclass<imp::OpenAIChat>)
        @extends gst::Element, gst::Object;
}

/// What the model answers in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIChatModalities")]
#[non_exhaustive]
pub enum Modalities {
    /// Written.
    #[default]
    #[enum_value(name = "Text: written answers", nick = "text")]
    Text,
    /// Spoken.
    #[enum_value(name = "Text and Audio: spoken answers, and their text", nick = "text-and-audio")]
    TextAndAudio,
}

/// Which pictures of a segment are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIChatFrameSelection")]
#[non_exhaustive]
pub enum FrameSelection {
    /// The newest ones.
    #[default]
    #[enum_value(name = "Newest: the last ones of each segment", nick = "newest")]
    Newest,
    /// All over the segment.
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

/// Whether answers are streamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIChatStream")]
#[non_exhaustive]
pub enum StreamMode {
    /// Unless the server refuses it.
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
