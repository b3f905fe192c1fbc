// SPDX-License-Identifier: MPL-2.0

//! Why a visit ends.

/// The server of the model cannot be reached.
pub const UNREACHABLE: &str = "upstream_unreachable";

/// The end of a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The client hung up, or closed its data channel.
    HangUp,
    /// The transport broke, or nothing came any more.
    Lost(String),
    /// There was an answer, and the client did not connect.
    NeverConnected,
    /// `--max-duration`.
    Expired,
    /// The session has ended in order: mostly `--max-cost`.
    SessionEnded(String),
    /// The session has failed, with the domain's code.
    Upstream {
        /// What kind of failure.
        code: &'static str,
        /// In the words of the element.
        message: String,
    },
    /// The pipeline of the peer has failed.
    Media(String),
    /// The client sends more than can be handled, or does not take what is sent.
    Overloaded,
    /// This program ends.
    Shutdown,
}

impl End {
    /// A word for metrics and programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::HangUp => "hangup",
            Self::Lost(_) => "connection_lost",
            Self::NeverConnected => "never_connected",
            Self::Expired => "session_expired",
            Self::SessionEnded(_) => "session_ended",
            Self::Upstream { code, .. } => code,
            Self::Media(_) => "media_error",
            Self::Overloaded => "overloaded",
            Self::Shutdown => "shutdown",
        }
    }

    /// A sentence for the visitor.
    pub fn message(&self) -> String {
        match self {
            Self::HangUp => "You hung up.".into(),
            Self::Lost(why) => format!("The connection was lost: {why}."),
            Self::NeverConnected => "No connection came about: media by UDP do not get through.".into(),
            Self::Expired => "The session has lasted as long as this server allows.".into(),
            Self::SessionEnded(why) => format!("The session has ended: {why}."),
            // What is said of the address is nobody's business but the operator's.
            Self::Upstream { code: UNREACHABLE, .. } => "The server of the model cannot be reached.".into(),
            Self::Upstream { message, .. } | Self::Media(message) => message.clone(),
            Self::Overloaded => "More was sent than could be handled.".into(),
            Self::Shutdown => "The server is shutting down.".into(),
        }
    }

    /// A sentence for the operator.
    pub fn detail(&self) -> String {
        match self {
            Self::Upstream { message, .. } => message.clone(),
            other => other.message(),
        }
    }

    /// Whether somebody should look into it.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Upstream { .. } | Self::Media(_) | Self::Overloaded)
    }

    /// An ERROR of the element.
    pub fn from_error(error: &gst::message::Error) -> Self {
        let cause = error.error();
        let code = match cause.kind::<gst::ResourceError>() {
            Some(gst::ResourceError::NotAuthorized) => "upstream_not_authorized",
            Some(gst::ResourceError::NotFound) => "model_not_found",
            Some(gst::ResourceError::Settings) => "invalid_session",
            Some(gst::ResourceError::OpenReadWrite) => UNREACHABLE,
            Some(gst::ResourceError::Read) => "upstream_lost",
            Some(gst::ResourceError::NoSpaceLeft) => "insufficient_quota",
            _ => "upstream_error",
        };
        Self::Upstream { code, message: cause.message().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_to_the_operator_alone() {
        let message = "cannot connect to ws://10.0.0.7/v1: refused".to_owned();
        let end = End::Upstream { code: UNREACHABLE, message: message.clone() };
        assert!(!end.message().contains("10.0.0.7"));
        assert_eq!(end.detail(), message);
    }
}
