//! Waiting for running times on the pipeline's clock, so that every wait can be ended: by a pause, a flush, a stop.

use gst::prelude::*;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A wait was ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A flush is going on.
    Flushing,
    /// The element is being stopped.
    Stopped,
}

#[derive(Debug, Default)]
struct State {
    playing: Option<(gst::Clock, gst::ClockTime)>,
    waiting: Option<gst::SingleShotClockId>,
    flushing: bool,
    stopped: bool,
}

/// The pace of one streaming thread.
#[derive(Debug, Default)]
pub struct Pace {
    state: Mutex<State>,
    changed: Condvar,
}

impl Pace {
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

    /// The clock runs: running time 0 is at `base`.
    pub fn play(&self, clock: gst::Clock, base: gst::ClockTime) {
        self.change(|state| state.playing = Some((clock, base)));
    }

    /// The clock stands still.
    pub fn pause(&self) {
        self.change(|state| state.playing = None);
    }

    /// Begins or ends a flush.
    pub fn set_flushing(&self, flushing: bool) {
        self.change(|state| state.flushing = flushing);
    }

    /// Ends every wait, now and later.
    pub fn stop(&self) {
        self.change(|state| state.stopped = true);
    }

    /// The running time now, while the clock runs.
    pub fn now(&self) -> Option<Duration> {
        let (clock, base) = self.state().playing.clone()?;
        Some(clock.time().saturating_sub(base).into())
    }

    /// Waits until the clock has reached this running time.
    pub fn wait_until(&self, time: Duration) -> Result<(), Ended> {
        loop {
            let mut state = self.state();
            let id = loop {
                if state.stopped {
                    return Err(Ended::Stopped);
                }
                if state.flushing {
                    return Err(Ended::Flushing);
                }
                match &state.playing {
                    Some((clock, base)) => {
                        let at = *base + gst::ClockTime::from_nseconds(time.as_nanos() as u64);
                        if clock.time() >= at {
                            return Ok(());
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
                Ok(_) => return Ok(()),
                // Something has changed: look again.
                Err(gst::ClockError::Unscheduled) => {}
                // Clocks that cannot wait do not hold anything up.
                Err(_) => return Ok(()),
            }
        }
    }
}
