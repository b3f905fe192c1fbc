// SPDX-License-Identifier: MPL-2.0

//! When to ping a client, and when to take it for gone: after [`MAX_UNANSWERED`] pings in a row without any sign of life.

use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

const MAX_UNANSWERED: u32 = 3;

/// The pings of one client.
pub struct Pings {
    /// None where they are switched off.
    clock: Option<Interval>,
    /// Since the client last said anything at all.
    unanswered: u32,
}

impl Pings {
    /// One in every interval; none where it is zero.
    pub fn new(interval: Duration) -> Self {
        let clock = (!interval.is_zero()).then(|| {
            let mut clock = interval_at(Instant::now() + interval, interval);
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            clock
        });
        Self { clock, unanswered: 0 }
    }

    /// Waits until the next one is due.
    pub async fn tick(&mut self) {
        match &mut self.clock {
            Some(clock) => {
                clock.tick().await;
            }
            None => std::future::pending().await,
        }
    }

    /// Counts the one that is due. False: the client is gone. While nobody listens to the client its answers wait, so
    /// that is no silence of the client.
    pub fn count(&mut self, is_heard: bool) -> bool {
        self.unanswered += u32::from(is_heard);
        self.unanswered <= MAX_UNANSWERED
    }

    /// The client gave a sign of life.
    pub fn heard(&mut self) {
        self.unanswered = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_silent_only_while_somebody_listens() {
        let mut pings = Pings::new(Duration::ZERO);
        assert_eq!([true; 4].map(|heard| pings.count(heard)), [true, true, true, false]);
        pings.heard();
        assert!((0..100).all(|_| pings.count(false)));
        assert_eq!([true, true, true].map(|heard| pings.count(heard)), [true; 3]);
        pings.heard();
        assert!(pings.count(true));
    }
}
