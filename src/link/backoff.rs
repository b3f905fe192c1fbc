//! How long to wait between tries: doubling delays with jitter, a limit of tries, and the server's own wish.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// No delay grows beyond this.
const LONGEST: Duration = Duration::from_secs(30);

/// The delays of one series of tries.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    tries: u32,
    done: u32,
}

impl Backoff {
    /// A series of at most `tries` further tries, the first after about `first`.
    pub fn new(first: Duration, tries: u32) -> Self {
        Self { first, tries, done: 0 }
    }

    /// The delay before the next try; `None` when there were enough. A server's `Retry-After` is obeyed.
    pub fn next(&mut self, retry_after: Option<Duration>) -> Option<Duration> {
        self.next_with(retry_after, random_part())
    }

    /// As [`Self::next`], with the random part (0 to 1) given.
    fn next_with(&mut self, retry_after: Option<Duration>, random: f64) -> Option<Duration> {
        if self.done >= self.tries {
            return None;
        }
        let doubled = self.first.saturating_mul(2u32.saturating_pow(self.done)).min(LONGEST);
        self.done += 1;
        Some(retry_after.unwrap_or_else(|| doubled.mul_f64(0.75 + 0.25 * random)))
    }
}

/// A number from 0 to 1 that differs between processes and calls: enough for jitter, and no more is needed.
fn random_part() -> f64 {
    (RandomState::new().build_hasher().finish() >> 11) as f64 / (1u64 << 53) as f64
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
    }

    #[test]
    fn no_delay_is_endless() {
        let mut backoff = Backoff::new(Duration::from_secs(1), u32::MAX);
        (0..100).for_each(|_| assert!(backoff.next(None).is_some_and(|delay| delay <= LONGEST)));
    }
}
