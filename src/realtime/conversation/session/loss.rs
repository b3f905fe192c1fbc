// SPDX-License-Identifier: MPL-2.0

//! Losses of sessions: why the last one was lost, what it had achieved, and how often a response was requested again.

use crate::error::Error;
use crate::realtime::conversation::context::Ctx;
use std::time::{Duration, Instant};

/// How often the same response is requested again. A server that fails over one would do so for ever.
const MAX_REQUESTS_AGAIN: u32 = 5;

/// Why there is to be another session.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// What it is if there is none to be had.
    pub failure: Error,
    /// Whether the same server is worth another try.
    pub again: bool,
}

/// What is known of sessions that were lost.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// Why the last one was.
    last: Option<Loss>,
    /// The session in use has answered a turn, or transcribed it.
    has_carried: bool,
    /// Another server can be tried when this one cannot be reached.
    has_standby: bool,
    /// How often the response that is owed was requested again.
    requested_again: u32,
    /// The server has found the end of a turn, and has not made an item of it so far.
    is_uncommitted: bool,
    /// Last data from the server.
    last_heard: Option<Instant>,
}

impl Losses {
    /// A session is ready.
    pub fn session_ready(&mut self) {
        self.has_carried = false;
        self.is_uncommitted = false;
    }

    /// A session was lost. Without a loss that was planned.
    pub fn session_lost(&mut self, loss: Option<Loss>) {
        self.last = loss;
    }

    /// Why another session is wanted; `None` where that was planned.
    pub fn take(&mut self) -> Option<Loss> {
        self.last.take()
    }

    pub fn set_standby(&mut self, has_standby: bool) {
        self.has_standby = has_standby;
    }

    /// Whether another server can be tried.
    pub fn has_standby(&self) -> bool {
        self.has_standby
    }

    /// Last data from the server, be it only the answer to a ping.
    pub fn heard(&mut self, at: Instant) {
        self.last_heard = Some(at);
    }

    /// The session's connection is over.
    pub fn forget_heard(&mut self) {
        self.last_heard = None;
    }

    /// How long the server has been silent. It may not have got what was sent since.
    pub fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_heard.unwrap_or(now))
    }

    /// The server has found the end of a turn; whether it has made an item of it.
    pub fn turn_found(&mut self, is_committed: bool) {
        self.is_uncommitted = !is_committed;
    }

    /// Whether the server found a turn and made no item of it. True once.
    pub fn take_uncommitted(&mut self) -> bool {
        std::mem::take(&mut self.is_uncommitted)
    }

    /// A response is done, or a turn was transcribed.
    pub fn carried(&mut self) {
        self.has_carried = true;
        self.requested_again = 0;
    }

    pub fn has_carried(&self) -> bool {
        self.has_carried
    }

    /// Whether a response that was owed may be requested again; a warning tells if it is given up.
    pub fn may_request_again(&mut self, was_planned: bool, ctx: &mut Ctx) -> bool {
        self.requested_again += u32::from(!was_planned);
        if self.requested_again <= MAX_REQUESTS_AGAIN {
            return true;
        }
        self.requested_again = 0;
        let message = format!("a turn is lost: its session ended {MAX_REQUESTS_AGAIN} times before it was answered");
        ctx.warn("turn-lost", message);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;
    use crate::types::Timing;

    #[test]
    fn a_response_is_requested_again_five_times_unless_one_was_done_between() {
        let (mut losses, mut fixture) = (Losses::default(), Fixture::new(Timing::Live));
        let mut again = |losses: &mut Losses| losses.may_request_again(false, &mut fixture.ctx());
        assert!((0..5).all(|_| again(&mut losses)));
        losses.carried();
        assert!((0..5).all(|_| again(&mut losses)));
        assert!(!again(&mut losses));
        assert_eq!(fixture.warnings(), ["turn-lost"]);
        assert!((0..9).all(|_| losses.may_request_again(true, &mut fixture.ctx())), "a rollover does not count");
    }

    #[test]
    fn a_server_that_was_never_heard_was_not_silent() {
        let (mut losses, now) = (Losses::default(), Instant::now());
        let second = Duration::from_secs(1);
        assert_eq!(losses.silence(now), Duration::ZERO);
        losses.heard(now);
        assert_eq!(losses.silence(now + second), second);
        losses.forget_heard();
        assert_eq!(losses.silence(now + second), Duration::ZERO);
    }
}
