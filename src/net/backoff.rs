// SPDX-License-Identifier: MPL-2.0

//! Delays between retries: exponential back-off with jitter, a limit of retries, and `Retry-After`.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime};
use tokio_tungstenite::tungstenite::http::HeaderMap;

/// Upper limit of a computed delay, as in the official clients.
const MAX_DELAY: Duration = Duration::from_secs(8);
/// A longer `Retry-After` ends the retries.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Delays of consecutive retries.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    tries: u32,
    done: u32,
}

impl Backoff {
    /// At most `tries` retries, the first after about `first`.
    pub fn new(first: Duration, tries: u32) -> Self {
        Self { first, tries, done: 0 }
    }

    /// Starts over.
    pub fn reset(&mut self) {
        self.done = 0;
    }

    /// The delay before the next retry, at least `Retry-After`. `None` if there are no more retries or `Retry-After` is too
    /// long.
    pub fn next(&mut self, retry_after: Option<Duration>) -> Option<Duration> {
        self.next_with(retry_after, random_part())
    }

    /// As [`Self::next`], with the random part (0 to 1) given.
    pub fn next_with(&mut self, retry_after: Option<Duration>, random: f64) -> Option<Duration> {
        let retry_after = retry_after.unwrap_or_default();
        if self.done >= self.tries || retry_after > MAX_RETRY_AFTER {
            return None;
        }
        let doubled = self.first.saturating_mul(2u32.saturating_pow(self.done)).min(self.first.max(MAX_DELAY));
        self.done += 1;
        Some(doubled.mul_f64(0.75 + 0.25 * random).max(retry_after))
    }
}

/// A number from 0 to 1 that differs between processes and calls, which is random enough for jitter.
fn random_part() -> f64 {
    (RandomState::new().build_hasher().finish() >> 11) as f64 / (1u64 << 53) as f64
}

/// The delay that a server asks for: `retry-after-ms`, or `Retry-After` in seconds or as a date.
pub fn retry_after(headers: &HeaderMap, time_of_day: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let milliseconds = || text("retry-after-ms")?.parse().ok().map(Duration::from_millis);
    let seconds = || text("retry-after")?.parse().ok().map(Duration::from_secs);
    let date = || {
        let date = httpdate::parse_http_date(text("retry-after")?).ok()?;
        Some(date.duration_since(time_of_day).unwrap_or_default())
    };
    milliseconds().or_else(seconds).or_else(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_with_jitter_and_gives_up() {
        let mut backoff = Backoff::new(Duration::from_secs(1), 3);
        assert_eq!(backoff.next_with(None, 1.0), Some(Duration::from_secs(1)));
        assert_eq!(backoff.next_with(None, 0.0), Some(Duration::from_millis(1500)));
        assert_eq!(backoff.next_with(Some(Duration::from_secs(7)), 0.5), Some(Duration::from_secs(7)));
        assert_eq!(backoff.next_with(None, 0.5), None);
        backoff.reset();
        assert_eq!(backoff.next_with(None, 1.0), Some(Duration::from_secs(1)));
    }

    #[test]
    fn no_delay_is_endless() {
        let mut backoff = Backoff::new(Duration::from_secs(1), u32::MAX);
        (0..100).for_each(|_| assert!(backoff.next(None).is_some_and(|delay| delay <= MAX_DELAY)));
        assert_eq!(backoff.next(Some(MAX_RETRY_AFTER)), Some(MAX_RETRY_AFTER));
        assert_eq!(backoff.next(Some(Duration::from_secs(100_000))), None);
    }

    #[test]
    fn who_wants_to_be_asked_again_at_once_is_not_hammered() {
        let mut backoff = Backoff::new(Duration::from_secs(1), 2);
        assert_eq!(backoff.next_with(Some(Duration::ZERO), 1.0), Some(Duration::from_secs(1)));
        assert_eq!(backoff.next_with(Some(Duration::ZERO), 1.0), Some(Duration::from_secs(2)));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        let of = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a value"));
            retry_after(&headers, now)
        };
        assert_eq!(of("retry-after", " 7"), Some(Duration::from_secs(7)));
        assert_eq!(of("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(of("retry-after", "Sun, 06 Nov 1994 08:49:07 GMT"), Some(Duration::ZERO));
        assert_eq!(of("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(of("retry-after", "soon"), None);
        assert_eq!(of("retry-after", "-1"), None);
        assert_eq!(of("x", "1"), None);
    }
}
