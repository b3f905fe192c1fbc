//! The way out: the answer's timeline, between the session that fills it and the source pad that empties it.
//!
//! It is bounded by length: when a server sends minutes of speech at once, the session stops reading its socket until
//! some of it is played. Nothing here asks a clock; where the listener is comes from whoever knows it.

use crate::conversation::events::{Played, Speech};
use crate::conversation::playout::{Next, Timeline};
use crate::conversation::uplink::time_to_samples;
use crate::protocol::session::AudioFormat;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How much speech waits at most.
const LIMIT: Duration = Duration::from_secs(600);

struct State {
    timeline: Timeline,
    stopped: bool,
}

/// The play-out.
pub struct Playout {
    state: Mutex<State>,
    changed: Condvar,
    room: Notify,
    listener: Box<dyn Fn() -> Option<Duration> + Send + Sync>,
}

impl std::fmt::Debug for Playout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playout").finish_non_exhaustive()
    }
}

impl Playout {
    /// An empty play-out. `listener` tells the running time that is being heard now, where there is a clock.
    pub fn new(
        format: AudioFormat,
        split_silence: bool,
        listener: impl Fn() -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        Self {
            state: Mutex::new(State { timeline: Timeline::new(format, split_silence), stopped: false }),
            changed: Condvar::new(),
            room: Notify::new(),
            listener: Box::new(listener),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Timeline) -> T) -> T {
        let result = change(&mut self.state().timeline);
        self.changed.notify_all();
        result
    }

    /// Puts speech behind what is there.
    pub fn play(&self, speech: Speech) {
        self.change(|timeline| timeline.play(speech));
    }

    /// Nothing new begins before this running time.
    pub fn quiet_until(&self, time: Duration) {
        self.change(|timeline| timeline.quiet_until(time));
    }

    /// Drops what is not out yet.
    pub fn cut(&self) {
        self.change(Timeline::cut);
        self.room.notify_one();
    }

    /// The stream ends with what is there, and not before this running time.
    pub fn finish(&self, time: Duration) {
        self.change(|timeline| timeline.finish(time));
    }

    /// Where the listener is, and what they have heard.
    pub fn heard(&self) -> Option<(Duration, Vec<Played>)> {
        let now = (self.listener)()?;
        Some((now, self.state().timeline.heard_at(now)))
    }

    /// True while no more speech should be put in.
    pub fn is_full(&self) -> bool {
        let state = self.state();
        state.timeline.queued() > time_to_samples(LIMIT, state.timeline.format().rate())
    }

    /// Waits until there may be room.
    pub async fn room(&self) {
        self.room.notified().await;
    }

    /// Where the next piece goes.
    pub fn position(&self) -> Duration {
        let state = self.state();
        state.timeline.time_of(state.timeline.position())
    }

    /// Moves the position forward when the stream has fallen behind.
    pub fn skip_to(&self, time: Duration) {
        self.state().timeline.skip_to(time);
    }

    /// The next piece of a live stream.
    pub fn next_live(&self, samples: u64) -> Next {
        let next = self.state().timeline.next_live(samples);
        self.room.notify_one();
        next
    }

    /// The next piece of an offline stream; waits until it is settled. `None` when it was stopped.
    pub fn next_offline(&self, samples: u64) -> Option<Next> {
        let mut state = self.state();
        loop {
            if state.stopped {
                return None;
            }
            match state.timeline.next_offline(samples) {
                Next::Wait => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                next => {
                    drop(state);
                    self.room.notify_one();
                    return Some(next);
                }
            }
        }
    }

    /// Lets go whoever waits.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }
}
