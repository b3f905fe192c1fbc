// SPDX-License-Identifier: MPL-2.0

//! Playout queue: the timeline of the output audio between the session, which fills it, and the task of `src`, which
//! empties it.
//!
//! It is bounded by duration: when a server sends minutes of speech at once, the session stops reading its socket until
//! some of them are played. It asks no clock; the playback position comes from a closure.

use crate::audio::sample_clock::time_to_samples;
use crate::queue::timeline::{Next, Timeline};
use crate::types::{OutputAudio, PlayedPart};
use openai_protocol::session::AudioFormat;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Queued speech above which the session stops reading.
const MAX_QUEUED: Duration = Duration::from_secs(600);

struct State {
    timeline: Timeline,
    stopped: bool,
    /// The pad's task waits for a change. To wake nobody is a system call as well.
    is_waiting: bool,
    /// The queue was dropped, and the pad's task has not taken note of it.
    cut: Option<Cut>,
    /// Position behind the last sample of speech that was taken.
    speech_end: u64,
    /// Playback position of the last report.
    reported: u64,
}

/// The queue was dropped, because the model has to be silent (barge-in).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// When the reason for it arrived.
    pub since: Instant,
}

/// The queue.
pub struct Playout {
    state: Mutex<State>,
    changed: Condvar,
    room: Notify,
    listener: Box<dyn Fn() -> Option<Duration> + Send + Sync>,
    /// Whether speech that is cut off is faded out.
    fades: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
    /// Flushes what was taken already.
    flush_handler: OnceLock<Box<dyn Fn(Instant) + Send + Sync>>,
    /// Wakes the pad's task while it waits to push silence.
    speech_handler: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl std::fmt::Debug for Playout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playout").finish_non_exhaustive()
    }
}

impl Playout {
    /// An empty queue. `listener` returns the running time that is being heard now, if there is a clock.
    pub fn new(
        format: AudioFormat,
        split_silence: bool,
        listener: impl Fn() -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        Self {
            state: Mutex::new(State {
                timeline: Timeline::new(format, split_silence),
                stopped: false,
                is_waiting: false,
                cut: None,
                speech_end: 0,
                reported: 0,
            }),
            changed: Condvar::new(),
            room: Notify::new(),
            listener: Box::new(listener),
            fades: OnceLock::new(),
            flush_handler: OnceLock::new(),
            speech_handler: OnceLock::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Timeline) -> T) -> T {
        let mut state = self.state();
        let result = change(&mut state.timeline);
        let is_waiting = std::mem::take(&mut state.is_waiting);
        drop(state);
        if is_waiting {
            self.changed.notify_all();
        }
        result
    }

    /// Appends speech.
    pub fn play(&self, speech: OutputAudio) {
        let begins = self.change(|timeline| {
            let was_silent = timeline.queued() == 0;
            timeline.play(speech);
            was_silent && timeline.queued() > 0
        });
        if begins && let Some(speech_handler) = self.speech_handler.get() {
            speech_handler();
        }
    }

    /// No further speech starts before this running time.
    pub fn gap_until(&self, time: Duration) {
        self.change(|timeline| timeline.gap_until(time));
    }

    /// Sets the handler that [`Self::flush_downstream`] calls.
    pub fn set_flush_handler(&self, flush_handler: impl Fn(Instant) + Send + Sync + 'static) {
        // Set once, where the queue is made.
        let _ = self.flush_handler.set(Box::new(flush_handler));
    }

    /// Sets whether speech that is cut off is faded out, which nobody hears if a flush follows.
    pub fn fade_cuts_where(&self, fades: impl Fn() -> bool + Send + Sync + 'static) {
        // Set once, where the queue is made.
        let _ = self.fades.set(Box::new(fades));
    }

    /// Sets the handler for speech that is appended to an empty queue.
    pub fn set_speech_handler(&self, speech_handler: impl Fn() + Send + Sync + 'static) {
        // Set once, where the queue is made.
        let _ = self.speech_handler.set(Box::new(speech_handler));
    }

    /// Drops the queue; nothing can be taken before [`Self::take_cut`]. `since` is when the reason arrived. Returns whether
    /// the caller has to call [`Self::flush_downstream`], which is so once for each cut that is taken.
    pub fn cut(&self, since: Instant) -> bool {
        let fades = self.fades.get().is_some_and(|fades| fades());
        let mut state = self.state();
        state.timeline.cut(fades);
        let is_new = state.cut.is_none();
        state.cut.get_or_insert(Cut { since });
        drop(state);
        self.room.notify_one();
        is_new
    }

    /// Flushes what was taken already. It blocks while a sink handles the flush.
    pub fn flush_downstream(&self, since: Instant) {
        if let Some(flush_handler) = self.flush_handler.get() {
            flush_handler(since);
        }
    }

    /// The cut, once; the stream goes on after it.
    pub fn take_cut(&self) -> Option<Cut> {
        self.state().cut.take()
    }

    /// Ends the stream at once and drops the queue.
    pub fn abandon(&self) {
        self.change(|timeline| {
            timeline.cut(false);
            timeline.finish(Duration::ZERO);
        });
        self.room.notify_one();
    }

    /// Ends the stream behind the queue, but not before this running time.
    pub fn finish(&self, time: Duration) {
        self.change(|timeline| timeline.finish(time));
    }

    /// The running time that is being heard and what was played of each item; no items if nothing was played since the
    /// last report.
    pub fn heard(&self) -> Option<(Duration, Vec<PlayedPart>)> {
        let now = (self.listener)()?;
        let mut state = self.state();
        if state.reported >= state.speech_end {
            return Some((now, Vec::new()));
        }
        state.reported = time_to_samples(now, state.timeline.format().rate());
        Some((now, state.timeline.played_at(now)))
    }

    /// Whether the session should append nothing more.
    pub fn is_full(&self) -> bool {
        let state = self.state();
        state.timeline.queued() > time_to_samples(MAX_QUEUED, state.timeline.format().rate())
    }

    /// Waits until there may be room.
    pub async fn room(&self) {
        self.room.notified().await;
    }

    /// Running time of the next piece, and whether it will hold speech.
    pub fn next_at(&self) -> (Duration, bool) {
        let state = self.state();
        (state.timeline.time_of(state.timeline.position()), state.timeline.queued() > 0)
    }

    /// Moves the position forward when the stream is late.
    pub fn skip_to(&self, time: Duration) {
        self.state().timeline.skip_to(time);
    }

    /// The next piece of a live stream: `speech` samples if there is speech in them, or else `silence`. `None` if
    /// [`Self::take_cut`] has to come first.
    pub fn next_live(&self, speech: u64, silence: u64) -> Option<Next> {
        let mut state = self.state();
        if state.cut.is_some() {
            return None;
        }
        let samples = if state.timeline.queued() > 0 { speech } else { silence };
        let next = state.timeline.next_live(samples);
        if let Next::Piece(piece) = &next
            && !piece.silent
        {
            state.speech_end = piece.position + piece.samples;
        }
        drop(state);
        self.room.notify_one();
        Some(next)
    }

    /// The next piece of an offline stream, for which it waits. `None` if it was stopped.
    pub fn next_offline(&self, samples: u64) -> Option<Next> {
        let mut state = self.state();
        loop {
            if state.stopped {
                return None;
            }
            match state.timeline.next_offline(samples) {
                Next::Wait => {
                    state.is_waiting = true;
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn speech(item_id: &str, ms: usize) -> OutputAudio {
        OutputAudio {
            item_id: item_id.into(),
            content_index: 0,
            data: vec![1; ms * 48].into(),
            not_before: Duration::ZERO,
        }
    }

    fn playout(listener: Duration) -> Playout {
        Playout::new(AudioFormat::Pcm, false, move || Some(listener))
    }

    #[test]
    fn nothing_goes_out_between_a_cut_and_its_flush() {
        let playout = playout(Duration::ZERO);
        playout.play(speech("old", 100));
        assert!(matches!(playout.next_live(480, 480), Some(Next::Piece(piece)) if !piece.silent));
        assert!(playout.cut(Instant::now()) && !playout.cut(Instant::now()));
        playout.play(speech("new", 100));
        assert_eq!(playout.next_live(480, 480), None);
        assert!(playout.take_cut().is_some() && playout.take_cut().is_none());
        let Some(Next::Piece(piece)) = playout.next_live(480, 480) else { panic!("a piece") };
        assert_eq!(piece.begins, [("new".to_owned(), 480)]);
    }

    #[test]
    fn what_was_heard_is_told_until_it_is_known() {
        let playout = playout(Duration::from_millis(15));
        playout.play(speech("item", 20));
        let heard = |playout: &Playout| playout.heard().map(|(_, items)| items.len());
        assert_eq!(heard(&playout), Some(0), "nothing is out");
        playout.next_live(480, 480);
        assert_eq!((heard(&playout), heard(&playout)), (Some(1), Some(1)), "5 ms are still to be heard");
        let playout = self::playout(Duration::from_millis(20));
        playout.play(speech("item", 20));
        playout.next_live(480, 480);
        assert_eq!((heard(&playout), heard(&playout)), (Some(1), Some(0)), "all is heard and told");
    }

    #[test]
    fn speech_after_silence_is_announced_once() {
        let playout = playout(Duration::ZERO);
        let announced = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&announced);
        playout.set_speech_handler(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        playout.play(speech("first", 20));
        playout.play(speech("first", 20));
        assert_eq!(announced.load(Ordering::Relaxed), 1, "the second follows speech");
        while matches!(playout.next_live(480, 960), Some(Next::Piece(piece)) if !piece.silent) {}
        playout.play(speech("second", 20));
        assert_eq!(announced.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn pieces_of_speech_and_of_silence_have_lengths_of_their_own() {
        let playout = playout(Duration::ZERO);
        let samples = |next: Option<Next>| match next {
            Some(Next::Piece(piece)) => (piece.samples, piece.silent),
            other => panic!("{other:?}"),
        };
        assert_eq!(samples(playout.next_live(480, 960)), (960, true));
        playout.play(speech("item", 40));
        assert_eq!(samples(playout.next_live(480, 960)), (480, false));
    }
}
