// SPDX-License-Identifier: MPL-2.0

//! Errors that end a session, and warnings that do not: the types that every layer uses.

pub(crate) mod warning_limit;

/// Why a conversation cannot go on, or could not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The key is missing, wrong, expired or not enough.
    #[error("{0}")]
    NotAuthorized(String),
    /// The model or the address does not exist.
    #[error("{0}")]
    NotFound(String),
    /// A setting is refused.
    #[error("{0}")]
    Settings(String),
    /// No connection could be made.
    #[error("{0}")]
    Connect(String),
    /// The connection is lost.
    #[error("{0}")]
    Lost(String),
    /// The account's quota is used up.
    #[error("{0}")]
    Quota(String),
}

impl Failure {
    /// The same, told in other words.
    pub fn map(self, tell: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::NotAuthorized(text) => Self::NotAuthorized(tell(text)),
            Self::NotFound(text) => Self::NotFound(tell(text)),
            Self::Settings(text) => Self::Settings(tell(text)),
            Self::Connect(text) => Self::Connect(tell(text)),
            Self::Lost(text) => Self::Lost(tell(text)),
            Self::Quota(text) => Self::Quota(tell(text)),
        }
    }
}

/// Something that is wrong while the stream goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// For people.
    pub message: String,
    /// The server's `error.code`, or a word of our own.
    pub code: Option<String>,
    /// The server's `error.type`.
    pub kind: Option<String>,
    /// The field at fault.
    pub param: Option<String>,
    /// What it is about, where that is not in the code: a call, a pad, an action. Warnings about different things are not
    /// merged. It is not posted.
    pub subject: Option<String>,
}

impl Warning {
    /// A warning of our own.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { message: message.into(), code: Some(code.into()), kind: None, param: None, subject: None }
    }

    /// The same, about this.
    #[must_use]
    pub fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }
}
