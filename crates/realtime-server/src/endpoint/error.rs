// SPDX-License-Identifier: MPL-2.0

//! Errors of an endpoint, in words for whoever runs the server and for its clients.

use crate::endpoint::Service;
use std::time::Duration;

/// An error with the endpoint where it happened.
#[derive(Debug, thiserror::Error)]
#[error("{} at {url} {fault}", service.name)]
pub struct EndpointError {
    /// What the endpoint is for.
    pub service: Service,
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
    #[error("sent nothing for {after:?}; {option}-timeout allows for more")]
    Silent {
        /// How long it was waited for.
        after: Duration,
        /// What the endpoint's options begin with.
        option: &'static str,
    },
    /// The answer ended before its end.
    #[error("broke off its answer{0}")]
    BrokenOff(String),
    /// The answer is something else.
    #[error("sent what is no {expected}: {got}")]
    Unreadable {
        /// What it should be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
}
