// SPDX-License-Identifier: MPL-2.0

//! The clock of a session: the system's, or one that only a test advances.
//!
//! With a test's clock, a timeout of ten seconds over a real socket takes microseconds, and no test fails on a slow machine:
//! nothing times out while the other side is still at work.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A clock; clones show the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<Stopped>>);

#[derive(Debug)]
struct Stopped {
    start: Instant,
    passed: watch::Sender<Duration>,
    /// Wake-up times of the current sleeps.
    sleeping: std::sync::Mutex<Vec<Instant>>,
}

/// A current sleep.
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

    /// The current time.
    pub fn now(&self) -> Instant {
        match &self.0 {
            Some(stopped) => stopped.start + *stopped.passed.borrow(),
            None => Instant::now(),
        }
    }

    #[cfg(test)]
    /// Advances a stopped clock.
    pub fn advance(&self, by: Duration) {
        if let Some(stopped) = &self.0 {
            stopped.passed.send_modify(|passed| *passed += by);
        }
    }

    #[cfg(test)]
    /// Time until the next wake-up, for a stopped clock.
    pub fn next(&self) -> Option<Duration> {
        let stopped = self.0.as_ref()?;
        let sleeping = stopped.sleeping.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        sleeping.iter().min().map(|at| at.saturating_duration_since(self.now()))
    }

    /// Waits until this time.
    pub async fn sleep_until(&self, at: Instant) {
        let Some(stopped) = &self.0 else { return tokio::time::sleep_until(at.into()).await };
        stopped.sleeping.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(at);
        let _sleeping = Sleeping(stopped, at);
        // The sender lives as long as the clock.
        let _ = stopped.passed.subscribe().wait_for(|passed| stopped.start + *passed >= at).await;
    }

    /// The result of a future, or `None` if it takes longer than `length`.
    pub async fn timeout<T>(&self, length: Duration, what: impl Future<Output = T>) -> Option<T> {
        // From now, not from the first poll of the sleep, which comes after `what` has started.
        let until = self.now() + length;
        tokio::select! {
            biased;
            result = what => Some(result),
            () = self.sleep_until(until) => None,
        }
    }
}

/// A deadline that stays registered with its clock while it is the same, for a task that waits for something else as well and
/// is often woken by it.
pub struct DeadlineTimer {
    clock: Clock,
    sleep: Option<Sleep>,
}

enum Sleep {
    System(Pin<Box<tokio::time::Sleep>>),
    Stopped(Instant, Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl DeadlineTimer {
    /// A timer without a deadline.
    pub fn new(clock: Clock) -> Self {
        Self { clock, sleep: None }
    }

    /// Waits until this time; without one, for ever.
    pub async fn reached(&mut self, at: Option<Instant>) {
        poll_fn(|cx| self.poll_reached(cx, at)).await;
    }

    /// The same for a hand-written future.
    pub fn poll_reached(&mut self, cx: &mut Context<'_>, at: Option<Instant>) -> Poll<()> {
        let Some(at) = at else {
            self.sleep = None;
            return Poll::Pending;
        };
        match &mut self.sleep {
            Some(Sleep::System(sleep)) if sleep.deadline() != at.into() => sleep.as_mut().reset(at.into()),
            Some(Sleep::System(_)) => {}
            Some(Sleep::Stopped(before, _)) if *before == at => {}
            _ => self.sleep = Some(self.clock.sleep(at)),
        }
        let is_reached = match &mut self.sleep {
            Some(Sleep::System(sleep)) => return sleep.as_mut().poll(cx),
            Some(Sleep::Stopped(_, sleep)) => sleep.as_mut().poll(cx),
            None => Poll::Pending,
        };
        if is_reached.is_ready() {
            // Unlike the other kind, it must not be polled again.
            self.sleep = None;
        }
        is_reached
    }
}

impl Clock {
    fn sleep(&self, at: Instant) -> Sleep {
        if self.0.is_none() {
            return Sleep::System(Box::pin(tokio::time::sleep_until(at.into())));
        }
        let clock = self.clone();
        Sleep::Stopped(at, Box::pin(async move { clock.sleep_until(at).await }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_timer_keeps_to_its_last_deadline() {
        for clock in [Clock::default(), Clock::stopped()] {
            let start = clock.now();
            let mut timer = DeadlineTimer::new(clock.clone());
            let hour = start + Duration::from_secs(3600);
            let is_reached =
                async |timer: &mut DeadlineTimer, at| poll_fn(|cx| Poll::Ready(timer.poll_reached(cx, at))).await;
            for at in [Some(hour), Some(hour), None] {
                assert!(is_reached(&mut timer, at).await.is_pending());
            }
            timer.reached(Some(start)).await;
            timer.reached(Some(start)).await;
            assert!(is_reached(&mut timer, Some(hour)).await.is_pending(), "another deadline");
            if clock.0.is_some() {
                clock.advance(Duration::from_secs(3600));
                timer.reached(Some(hour)).await;
            }
        }
    }

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
