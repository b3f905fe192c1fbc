// SPDX-License-Identifier: MPL-2.0

//! Errors of the endpoint of a language model, in words for whoever runs the server and for its clients.

use std::time::Duration;

/// An error with the endpoint where it happened.
#[derive(Debug, thiserror::Error)]
#[error("the language model at {url} {fault}")]
pub struct EndpointError {
    /// The endpoint.
    pub url: String,
    /// The kind of the error.
    pub fault: Fault,
}

/// Kinds of errors, by what the endpoint did.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// There is no connection.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// The endpoint refuses the request.
    #[error("answered {status}: {words}")]
    Refused {
        /// The status with its name.
        status: String,
        /// The endpoint's words.
        words: String,
    },
    /// The endpoint reports an error within an answer.
    #[error("reported an error: {0}")]
    Reported(String),
    /// Nothing came for too long.
    #[error("sent nothing for {0:?}; --llm-timeout allows for more")]
    Silent(Duration),
    /// The answer ended before its end.
    #[error("broke off its answer{0}")]
    BrokenOff(String),
    /// The answer is no stream of Chat Completions.
    #[error("sent what is no stream of Chat Completions: {0}")]
    Unreadable(String),
}
