// SPDX-License-Identifier: MPL-2.0

//! Enumerations of properties that both elements have.

use gst::glib;
use openai_protocol::client::Detail;

/// How the element relates to the pipeline's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeTiming")]
#[non_exhaustive]
pub enum Timing {
    /// By what upstream says of itself.
    #[default]
    #[enum_value(name = "Auto: live when upstream is live", nick = "auto")]
    Auto,
    /// In step with the clock.
    #[enum_value(name = "Live: in step with the pipeline clock", nick = "live")]
    Live,
    /// As fast as the server takes it.
    #[enum_value(name = "Offline: no clock, as fast as the server takes it", nick = "offline")]
    Offline,
}

/// Whose server it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeProvider")]
#[non_exhaustive]
pub enum Provider {
    /// By the host's name.
    #[default]
    #[enum_value(name = "Auto: by the name of the host", nick = "auto")]
    Auto,
    /// OpenAI or a server that is like it.
    #[enum_value(name = "OpenAI: and servers that are like it", nick = "openai")]
    OpenAi,
    /// Azure OpenAI.
    #[enum_value(name = "Azure: Azure OpenAI", nick = "azure")]
    Azure,
}

impl From<Provider> for crate::net::endpoint::Provider {
    fn from(provider: Provider) -> Self {
        match provider {
            Provider::Auto => Self::Auto,
            Provider::OpenAi => Self::OpenAi,
            Provider::Azure => Self::Azure,
        }
    }
}

/// What stands for silence on the source pad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeSilence")]
#[non_exhaustive]
pub enum Silence {
    /// Zeros.
    #[default]
    #[enum_value(name = "Buffers: silent samples with the GAP flag", nick = "buffers")]
    Buffers,
    /// Events.
    #[enum_value(name = "Gaps: GAP events instead of samples", nick = "gaps")]
    Gaps,
}

/// How closely the model looks at a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeFrameDetail")]
#[non_exhaustive]
pub enum FrameDetail {
    /// As the server likes.
    #[default]
    #[enum_value(name = "Auto: the server decides", nick = "auto")]
    Auto,
    /// Coarsely.
    #[enum_value(name = "Low: coarsely, for few tokens", nick = "low")]
    Low,
    /// Closely.
    #[enum_value(name = "High: closely, for many tokens", nick = "high")]
    High,
}

impl From<FrameDetail> for Detail {
    fn from(detail: FrameDetail) -> Self {
        match detail {
            FrameDetail::Auto => Self::Auto,
            FrameDetail::Low => Self::Low,
            FrameDetail::High => Self::High,
        }
    }
}
