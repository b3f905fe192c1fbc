// SPDX-License-Identifier: MPL-2.0

//! Waits for a running time on the pipeline's clock, which a pause, a flush, a stop or another thread can end.

use gst::prelude::*;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Why a wait ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitError {
    /// The pad is flushing.
    Flushing,
    /// [`ClockWaiter::wake`] was called.
    Woken,
    /// The element goes to READY.
    Stopped,
}

#[derive(Debug, Default)]
struct State {
    playing: Option<(gst::Clock, gst::ClockTime)>,
    waiting: Option<gst::SingleShotClockId>,
    flushing: bool,
    woken: bool,
    stopped: bool,
}

/// The clock waits of one streaming thread.
#[derive(Debug, Default)]
pub struct ClockWaiter {
    state: Mutex<State>,
    changed: Condvar,
}

impl ClockWaiter {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.unschedule();
        }
        self.changed.notify_all();
    }

    /// PLAYING: running time 0 is at `base`.
    pub fn play(&self, clock: gst::Clock, base: gst::ClockTime) {
        self.change(|state| state.playing = Some((clock, base)));
    }

    /// PAUSED: waits go on until it plays again.
    pub fn pause(&self) {
        self.change(|state| state.playing = None);
    }

    /// A waiter for another thread, with the same clock and base time.
    pub fn sibling(&self) -> Self {
        let state = self.state();
        let state = State { playing: state.playing.clone(), stopped: state.stopped, ..State::default() };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Begins or ends a flush.
    pub fn set_flushing(&self, flushing: bool) {
        self.change(|state| state.flushing = flushing);
    }

    /// Ends the current wait, or if there is none the next one.
    pub fn wake(&self) {
        self.change(|state| state.woken = true);
    }

    /// Ends all waits for good.
    pub fn stop(&self) {
        self.change(|state| state.stopped = true);
    }

    /// The running time, in PLAYING.
    pub fn now(&self) -> Option<Duration> {
        let (clock, base) = self.state().playing.clone()?;
        Some(clock.time().saturating_sub(base).into())
    }

    /// As [`Self::wait_until`], but goes on after a [`Self::wake`].
    pub fn wait_until_reached(&self, time: Duration) -> Result<Duration, WaitError> {
        loop {
            match self.wait_until(time) {
                Err(WaitError::Woken) => {}
                ended => return ended,
            }
        }
    }

    /// Waits until the clock has reached this running time; returns by how much it was past it already.
    pub fn wait_until(&self, time: Duration) -> Result<Duration, WaitError> {
        loop {
            let mut state = self.state();
            let id = loop {
                if state.stopped {
                    return Err(WaitError::Stopped);
                }
                if state.flushing {
                    return Err(WaitError::Flushing);
                }
                if std::mem::take(&mut state.woken) {
                    return Err(WaitError::Woken);
                }
                match &state.playing {
                    Some((clock, base)) => {
                        let at = base.saturating_add(gst::ClockTime::from_nseconds(time.as_nanos() as u64));
                        if let Some(late) = clock.time().checked_sub(at) {
                            return Ok(late.into());
                        }
                        break clock.new_single_shot_id(at);
                    }
                    None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                }
            };
            state.waiting = Some(id.clone());
            drop(state);
            let (result, _jitter) = id.wait();
            match result {
                Ok(_) => return Ok(Duration::ZERO),
                // The state has changed.
                Err(gst::ClockError::Unscheduled) => {}
                // A clock that cannot wait must not block the stream.
                Err(_) => return Ok(Duration::ZERO),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// A waiter whose running time is zero in `before` seconds.
    fn playing(before: u64) -> (Arc<ClockWaiter>, gst::Clock) {
        gst::init().expect("GStreamer");
        let (pace, clock) = (Arc::new(ClockWaiter::default()), gst::SystemClock::obtain());
        pace.play(clock.clone(), clock.time() + gst::ClockTime::from_seconds(before));
        (pace, clock)
    }

    /// A thread that waits for running time zero.
    fn waiter(pace: &Arc<ClockWaiter>) -> std::thread::JoinHandle<Result<Duration, WaitError>> {
        let waiter = std::thread::spawn({
            let pace = pace.clone();
            move || pace.wait_until(Duration::ZERO)
        });
        while pace.state().waiting.is_none() {
            std::thread::yield_now();
        }
        waiter
    }

    #[test]
    fn every_wait_can_be_ended() {
        for (end, expected) in [
            (ClockWaiter::stop as fn(&ClockWaiter), WaitError::Stopped),
            (|pace| pace.set_flushing(true), WaitError::Flushing),
            (ClockWaiter::wake, WaitError::Woken),
            (
                |pace| {
                    pace.pause();
                    pace.stop();
                },
                WaitError::Stopped,
            ),
        ] {
            let (pace, _) = playing(3600);
            let waits = waiter(&pace);
            end(&pace);
            assert_eq!(waits.join().expect("no panic"), Err(expected));
        }
    }

    #[test]
    fn a_pause_moves_what_is_waited_for() {
        let (pace, clock) = playing(3600);
        let waits = waiter(&pace);
        pace.pause();
        assert_eq!(pace.now(), None);
        pace.play(clock.clone(), clock.time());
        assert!(waits.join().expect("no panic").is_ok());
    }
}
