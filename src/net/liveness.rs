// SPDX-License-Identifier: MPL-2.0

//! Liveness of the server: when to send a ping, and when its silence means that it is gone.

use std::time::{Duration, Instant};

/// Ping after this much silence; the second value counts while a response of the server is due.
const PING_INTERVAL: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(5)];
/// How long the answer to a ping may take, in the same cases.
const PONG_TIMEOUT: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(5)];
/// How long a ping may wait in a congested send queue.
const MAX_SEND_DELAY: Duration = Duration::from_secs(60);

/// What to do about silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Send a ping.
    Ping,
    /// The server is gone: it has been silent for this long in spite of a ping.
    Gone(Duration),
}

/// Time of the last data, and of the ping after it.
#[derive(Debug)]
pub struct Liveness {
    heard: Instant,
    /// When the ping was queued, and when it was written.
    pinged: Option<(Instant, Option<Instant>)>,
}

impl Liveness {
    /// The connection was made now.
    pub fn new(now: Instant) -> Self {
        Self { heard: now, pinged: None }
    }

    /// Data has arrived, or nobody reads.
    pub fn heard(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// Time of the last data.
    pub fn last_heard(&self) -> Instant {
        self.heard
    }

    /// The send queue is empty, so a ping was written.
    pub fn sent(&mut self, now: Instant) {
        if let Some((_, sent @ None)) = &mut self.pinged {
            *sent = Some(now);
        }
    }

    /// When to call [`Self::check`]; sooner if a response is due (`owed`).
    pub fn deadline(&self, owed: bool) -> Instant {
        let owed = usize::from(owed);
        match self.pinged {
            None => self.heard + PING_INTERVAL[owed],
            Some((_, Some(sent))) => sent + PONG_TIMEOUT[owed],
            Some((queued, None)) => queued + MAX_SEND_DELAY,
        }
    }

    /// What to do at [`Self::deadline`].
    pub fn check(&mut self, now: Instant) -> Check {
        if self.pinged.is_some() {
            return Check::Gone(now.saturating_duration_since(self.heard));
        }
        self.pinged = Some((now, None));
        Check::Ping
    }
}
