// SPDX-License-Identifier: MPL-2.0

//! The clock of a session: the system's, or one that stands still until a test moves it.
//!
//! With a clock of a test, a time-out of ten seconds over a real socket is a matter of microseconds, and no machine is
//! too slow for it: nothing times out while the other side is still at work.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A clock; copies show the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<Stopped>>);

#[derive(Debug)]
struct Stopped {
    start: Instant,
    passed: watch::Sender<Duration>,
    /// When the next of those wakes up who sleep, as far as it was asked for.
    sleeping: std::sync::Mutex<Vec<Instant>>,
}

/// Somebody sleeps until then.
struct Sleeping<'a>(&'a Stopped, Instant);

impl Drop for Sleeping<'_> {
    fn drop(&mut self) {
        let mut sleeping = self.0.sleeping.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(index) = sleeping.iter().position(|at| *at == self.1) {
            sleeping.swap_remove(index);
        }
    }
}

impl Clock {
    #[cfg(test)]
    /// A clock that only [`Self::advance`] moves.
    pub fn stopped() -> Self {
        let passed = watch::Sender::new(Duration::ZERO);
        Self(Some(Arc::new(Stopped { start: Instant::now(), passed, sleeping: Default::default() })))
    }

    /// The time.
    pub fn now(&self) -> Instant {
        match &self.0 {
            Some(stopped) => stopped.start + *stopped.passed.borrow(),
            None => Instant::now(),
        }
    }

    #[cfg(test)]
    /// Moves a clock that stands still.
    pub fn advance(&self, by: Duration) {
        if let Some(stopped) = &self.0 {
            stopped.passed.send_modify(|passed| *passed += by);
        }
    }

    #[cfg(test)]
    /// Of a clock that stands still: how far away the next moment is that somebody waits for.
    pub fn next(&self) -> Option<Duration> {
        let stopped = self.0.as_ref()?;
        let sleeping = stopped.sleeping.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        sleeping.iter().min().map(|at| at.saturating_duration_since(self.now()))
    }

    /// Waits until then.
    pub async fn sleep_until(&self, at: Instant) {
        let Some(stopped) = &self.0 else { return tokio::time::sleep_until(at.into()).await };
        stopped.sleeping.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(at);
        let _sleeping = Sleeping(stopped, at);
        // The sender lives as long as the clock.
        let _ = stopped.passed.subscribe().wait_for(|passed| stopped.start + *passed >= at).await;
    }

    /// What comes of something, if it comes in time.
    pub async fn timeout<T>(&self, length: Duration, what: impl Future<Output = T>) -> Option<T> {
        // Counted from here, not from when the sleep is polled first: that is after `what` has begun.
        let until = self.now() + length;
        tokio::select! {
            biased;
            result = what => Some(result),
            () = self.sleep_until(until) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stopped_clock_is_moved_by_hand() {
        let clock = Clock::stopped();
        let hour = Duration::from_secs(3600);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.timeout(hour, std::future::pending::<()>()).await }
        });
        while clock.next().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(clock.next(), Some(hour));
        clock.advance(hour);
        assert_eq!(sleeper.await.expect("no panic"), None);
        assert_eq!(clock.next(), None);
    }
}
