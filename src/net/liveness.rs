// SPDX-License-Identifier: MPL-2.0

//! Whether the other side is still there: when it is pinged, and when its silence means that it is gone.

use std::time::{Duration, Instant};

/// A silent server is asked whether it is there: soon where it owes something.
const PING_INTERVAL: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(5)];
/// A server that does not answer that for so long is gone.
const PONG_TIMEOUT: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(5)];
/// A ping may wait for so long behind what the network takes slowly.
const SLOW: Duration = Duration::from_secs(60);

/// What is to be done about a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// A ping is to be sent.
    Ping,
    /// It was pinged, and has been silent for so long.
    Gone(Duration),
}

/// The last sign of life, and the ping behind it.
#[derive(Debug)]
pub struct Liveness {
    heard: Instant,
    /// When the ping was queued, and when it went out.
    pinged: Option<(Instant, Option<Instant>)>,
}

impl Liveness {
    /// The other side is there.
    pub fn new(now: Instant) -> Self {
        Self { heard: now, pinged: None }
    }

    /// It gave a sign of life, or nobody listens for one.
    pub fn heard(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// When it gave its last sign of life.
    pub fn last_heard(&self) -> Instant {
        self.heard
    }

    /// Everything that was queued has gone out, a ping with it.
    pub fn sent(&mut self, now: Instant) {
        if let Some((_, sent @ None)) = &mut self.pinged {
            *sent = Some(now);
        }
    }

    /// When its silence is to be looked at; sooner where it owes something.
    pub fn deadline(&self, owed: bool) -> Instant {
        let owed = usize::from(owed);
        match self.pinged {
            None => self.heard + PING_INTERVAL[owed],
            Some((_, Some(sent))) => sent + PONG_TIMEOUT[owed],
            Some((queued, None)) => queued + SLOW,
        }
    }

    /// What is to be done at [`Self::deadline`].
    pub fn check(&mut self, now: Instant) -> Check {
        if self.pinged.is_some() {
            return Check::Gone(now.saturating_duration_since(self.heard));
        }
        self.pinged = Some((now, None));
        Check::Ping
    }
}
