// SPDX-License-Identifier: MPL-2.0

//! What all kinds of sessions have in common for the connection that drives them.

use crate::session::{Output, Session, Work};
use std::time::{Duration, Instant};

/// A session without a socket, a clock or a thread.
pub trait ClientSession: Send {
    /// What is to be done next.
    fn poll(&mut self) -> Option<Output>;

    /// Takes one message of the client.
    fn handle(&mut self, text: &str, now: Instant);

    /// Takes a binary message, which the protocol does not know.
    fn handle_binary(&mut self);

    /// Hears the next tenth of a second. False: everything was heard.
    fn listen(&mut self, now: Instant) -> bool;

    /// Takes what became of a job. What is not wanted any more is dropped.
    fn work(&mut self, work: Work, now: Instant);

    /// The session has lasted as long as it may.
    fn expire(&mut self, after: Duration);
}

impl ClientSession for Session {
    fn poll(&mut self) -> Option<Output> {
        Self::poll(self)
    }

    fn handle(&mut self, text: &str, now: Instant) {
        Self::handle(self, text, now);
    }

    fn handle_binary(&mut self) {
        Self::handle_binary(self);
    }

    fn listen(&mut self, now: Instant) -> bool {
        Self::listen(self, now)
    }

    fn work(&mut self, work: Work, now: Instant) {
        Self::work(self, work, now);
    }

    fn expire(&mut self, after: Duration) {
        Self::expire(self, after);
    }
}
