// SPDX-License-Identifier: MPL-2.0

//! Why a recording is not done: a kind that programs decide on, and words for people.

use serde::{Deserialize, Serialize};

/// What kind of failure it is. The names are those in the row's field `error_kind`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// There is no recording at the URI.
    InputNotFound,
    /// The store does not let us read the recording.
    InputDenied,
    /// The store cannot be reached, or the copy broke off.
    InputUnreachable,
    /// The recording has no bytes.
    Empty,
    /// It is no recording, or a broken one, or in a format for which there is no decoder here.
    Corrupt,
    /// It has no sound.
    NoAudio,
    /// A result cannot be written.
    Output,
    /// The key is missing, wrong or not allowed to do this.
    NotAuthorized,
    /// The account's quota is used up.
    Quota,
    /// The server has no such model or address.
    ModelNotFound,
    /// A setting was refused.
    Settings,
    /// The server cannot be reached, or the connection was lost and not to be had back.
    Connection,
    /// The server failed at an answer or a transcript.
    Server,
    /// It took longer than a recording of this length may.
    Deadline,
    /// This process was told to end.
    Interrupted,
    /// The recording has cost `max_cost`.
    Budget,
    /// GStreamer failed in a way that nobody foresaw.
    Internal,
}

impl FailureKind {
    /// Whether the same recording with the same settings may do better later.
    pub fn is_retryable(self) -> bool {
        use FailureKind as Kind;
        matches!(
            self,
            Kind::InputUnreachable
                | Kind::Output
                | Kind::Connection
                | Kind::Server
                | Kind::Deadline
                | Kind::Interrupted
                | Kind::Internal
        )
    }

    /// Whether every other recording will fail in the same way until somebody changes something.
    pub fn concerns_all(self) -> bool {
        use FailureKind as Kind;
        matches!(self, Kind::NotAuthorized | Kind::Quota | Kind::ModelNotFound | Kind::Settings)
    }
}

/// A failure with what is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind.
    pub kind: FailureKind,
    /// For people. Never holds a key.
    pub message: String,
    /// The server's or the store's own code, where it has told one.
    pub code: Option<String>,
}

impl Failure {
    /// A failure without a code.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None }
    }

    /// The same with a code.
    #[must_use]
    pub fn with_code(self, code: impl Into<String>) -> Self {
        Self { code: Some(code.into()), ..self }
    }
}
