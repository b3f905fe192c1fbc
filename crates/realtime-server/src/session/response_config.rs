// SPDX-License-Identifier: MPL-2.0

//! What an answer is to be, and what became of it.

use crate::session::usage::Counts;
use openai_protocol::items::Status;
use openai_protocol::response::{ServerError, StatusDetails};
use openai_protocol::session::{AudioOutput, MaxTokens, Modality};
use std::collections::BTreeMap;

/// What an answer is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `None`: beside the conversation.
    pub conversation_id: Option<String>,
    /// `["audio"]` or `["text"]`.
    pub modalities: Vec<Modality>,
    /// Format and voice.
    pub output: AudioOutput,
    /// The limit.
    pub max_tokens: MaxTokens,
    /// As the client gave it.
    pub metadata: Option<BTreeMap<String, String>>,
    /// The tokens of what it answers to.
    pub input: Counts,
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is said.
    Completed,
    /// Stopped, by `turn_detected` or `client_cancelled`.
    Cancelled(&'static str),
    /// Cut off, for `max_output_tokens` or `content_filter`.
    Incomplete(&'static str),
    /// The engine could not.
    Failed(String),
}

impl Outcome {
    /// How `response.done` tells it.
    pub fn told(&self) -> (Status, Option<StatusDetails>) {
        let (status, reason, error) = match self {
            Self::Completed => return (Status::Completed, None),
            Self::Cancelled(reason) => (Status::Cancelled, Some((*reason).to_string()), None),
            Self::Incomplete(reason) => (Status::Incomplete, Some((*reason).to_string()), None),
            Self::Failed(message) => (Status::Failed, None, Some(server_error(message))),
        };
        let details = StatusDetails { kind: Some(status.clone()), reason, error, ..Default::default() };
        (status, Some(details))
    }

    /// What becomes of the message of an answer that ends so.
    pub fn item_status(&self) -> Status {
        if *self == Self::Completed { Status::Completed } else { Status::Incomplete }
    }
}

/// The error of something that the engine could not do.
pub fn server_error(message: &str) -> ServerError {
    ServerError {
        kind: "server_error".into(),
        code: Some("server_error".into()),
        message: message.into(),
        ..Default::default()
    }
}
