// SPDX-License-Identifier: MPL-2.0

//! Round trip of a connection, measured with pings.
//!
//! A ping goes out before a message and not on a timer of its own, so that measuring wakes nobody up; while nothing is sent,
//! the pings of [`Liveness`](crate::net::liveness::Liveness) are measured.

use std::time::{Duration, Instant};

/// The first ping goes out this long after the connection was made, when the server has its settings.
const FIRST_PING: Duration = Duration::from_secs(1);
/// Time between pings.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// The newest ping. One that is not answered when the next one goes out is not measured.
#[derive(Debug)]
pub struct RoundTrip {
    next_ping: Instant,
    number: u32,
    sent: Option<Instant>,
}

impl RoundTrip {
    /// The connection was made now.
    pub fn new(now: Instant) -> Self {
        Self { next_ping: now + FIRST_PING, number: 0, sent: None }
    }

    /// Whether it is time for a ping.
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.next_ping
    }

    /// Payload of a ping that goes out now.
    pub fn ping(&mut self, now: Instant) -> [u8; 4] {
        (self.next_ping, self.sent) = (now + PING_INTERVAL, Some(now));
        self.number = self.number.wrapping_add(1);
        self.number.to_be_bytes()
    }

    /// A pong has come: the round trip, if it answers the newest ping.
    pub fn pong(&mut self, payload: &[u8], now: Instant) -> Option<Duration> {
        let sent = self.sent.take_if(|_| payload == self.number.to_be_bytes())?;
        Some(now.saturating_duration_since(sent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_the_newest_ping_is_measured_once() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut round_trip = RoundTrip::new(start);
        assert!(!round_trip.is_due(at(999)) && round_trip.is_due(at(1_000)));
        let first = round_trip.ping(at(1_000));
        assert!(!round_trip.is_due(at(10_999)) && round_trip.is_due(at(11_000)));
        let second = round_trip.ping(at(11_000));
        assert_eq!(round_trip.pong(&first, at(11_010)), None);
        assert_eq!(round_trip.pong(b"unasked", at(11_020)), None);
        assert_eq!(round_trip.pong(&second, at(11_040)), Some(Duration::from_millis(40)));
        assert_eq!(round_trip.pong(&second, at(11_050)), None);
    }
}
