// SPDX-License-Identifier: MPL-2.0

//! Enumerations of properties that both elements have.

use gst::glib;
use openai_protocol::client::Detail;

/// `timing`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeTiming")]
#[non_exhaustive]
pub enum Timing {
    /// Live if upstream is.
    #[default]
    #[enum_value(name = "Auto: live when upstream is live", nick = "auto")]
    Auto,
    /// Synchronized to the pipeline's clock.
    #[enum_value(name = "Live: in step with the pipeline clock", nick = "live")]
    Live,
    /// Not synchronized.
    #[enum_value(name = "Offline: no clock, as fast as the server takes it", nick = "offline")]
    Offline,
}

/// `provider`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeProvider")]
#[non_exhaustive]
pub enum Provider {
    /// By the host name.
    #[default]
    #[enum_value(name = "Auto: by the name of the host", nick = "auto")]
    Auto,
    /// OpenAI or a compatible server.
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

/// `silence`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeSilence")]
#[non_exhaustive]
pub enum Silence {
    /// Buffers with the GAP flag.
    #[default]
    #[enum_value(name = "Buffers: silent samples with the GAP flag", nick = "buffers")]
    Buffers,
    /// GAP events.
    #[enum_value(name = "Gaps: GAP events instead of samples", nick = "gaps")]
    Gaps,
}

/// `frame-detail`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOpenAIRealtimeFrameDetail")]
#[non_exhaustive]
pub enum FrameDetail {
    /// Default of the server.
    #[default]
    #[enum_value(name = "Auto: the server decides", nick = "auto")]
    Auto,
    /// Low resolution, few tokens.
    #[enum_value(name = "Low: coarsely, for few tokens", nick = "low")]
    Low,
    /// High resolution, many tokens.
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
