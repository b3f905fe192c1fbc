// SPDX-License-Identifier: MPL-2.0

//! The way out: the answer's timeline, between the session that fills it and the source pad that empties it.
//!
//! It is bounded by length: when a server sends minutes of speech at once, the session stops reading its socket until
//! some of it is played. Nothing here asks a clock; where the listener is comes from whoever knows it.

use crate::audio::sample_clock::time_to_samples;
use crate::queue::timeline::{Next, Timeline};
use crate::types::{OutputAudio, PlayedPart};
use openai_protocol::session::AudioFormat;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How much speech waits at most.
const LIMIT: Duration = Duration::from_secs(600);

struct State {
    timeline: Timeline,
    stopped: bool,
    /// OutputAudio was dropped. What is out of it already is to be silenced before the stream goes on.
    cut: Option<Cut>,
    /// Behind the last sample of speech that went out.
    spoken: u64,
    /// Where the listener was when that was asked last; what they had heard by then is known.
    told: u64,
}

/// The model is to be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// When that was known.
    pub since: Instant,
}

/// The play-out.
pub struct Playout {
    state: Mutex<State>,
    changed: Condvar,
    room: Notify,
    listener: Box<dyn Fn() -> Option<Duration> + Send + Sync>,
    /// Whether a cut ends in a fade.
    fades: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
    /// Silences what is out already.
    flush_handler: OnceLock<Box<dyn Fn(Instant) + Send + Sync>>,
    /// Ends the wait for the next piece of silence.
    speech_handler: OnceLock<Box<dyn Fn() + Send + Sync>>,
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
            state: Mutex::new(State {
                timeline: Timeline::new(format, split_silence),
                stopped: false,
                cut: None,
                spoken: 0,
                told: 0,
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
        let result = change(&mut self.state().timeline);
        self.changed.notify_all();
        result
    }

    /// Puts speech behind what is there.
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

    /// Nothing new begins before this running time.
    pub fn gap_until(&self, time: Duration) {
        self.change(|timeline| timeline.gap_until(time));
    }

    /// Sets who silences what is out already.
    pub fn set_flush_handler(&self, flush_handler: impl Fn(Instant) + Send + Sync + 'static) {
        // It is set once, by the one who made the play-out.
        let _ = self.flush_handler.set(Box::new(flush_handler));
    }

    /// A cut does not end in a click but in a very short fade, where this says so.
    pub fn fade_cuts_where(&self, fades: impl Fn() -> bool + Send + Sync + 'static) {
        // It is set once, by the one who made the play-out.
        let _ = self.fades.set(Box::new(fades));
    }

    /// Sets who is told that speech begins after silence.
    pub fn set_speech_handler(&self, speech_handler: impl Fn() + Send + Sync + 'static) {
        // It is set once, by the one who made the play-out.
        let _ = self.speech_handler.set(Box::new(speech_handler));
    }

    /// Drops what is not out yet; nothing more goes out before [`Self::take_cut`]. `since` is when it was known that
    /// the model has to be silent. True where what is out already is to be silenced by [`Self::silence`], once.
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

    /// Silences what is out already. That may take its time where a sink is slow.
    pub fn silence(&self, since: Instant) {
        if let Some(flush_handler) = self.flush_handler.get() {
            flush_handler(since);
        }
    }

    /// Once after each cut; the stream may go on then.
    pub fn take_cut(&self) -> Option<Cut> {
        self.state().cut.take()
    }

    /// The stream ends here, and what is not out yet never will be.
    pub fn abandon(&self) {
        self.change(|timeline| {
            timeline.cut(false);
            timeline.finish(Duration::ZERO);
        });
        self.room.notify_one();
    }

    /// The stream ends with what is there, and not before this running time.
    pub fn finish(&self, time: Duration) {
        self.change(|timeline| timeline.finish(time));
    }

    /// Where the listener is, and what they have heard, as far as that is news.
    pub fn heard(&self) -> Option<(Duration, Vec<PlayedPart>)> {
        let now = (self.listener)()?;
        let mut state = self.state();
        if state.told >= state.spoken {
            return Some((now, Vec::new()));
        }
        state.told = time_to_samples(now, state.timeline.format().rate());
        Some((now, state.timeline.played_at(now)))
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

    /// Where the next piece goes, and whether there will be speech in it.
    pub fn next_at(&self) -> (Duration, bool) {
        let state = self.state();
        (state.timeline.time_of(state.timeline.position()), state.timeline.queued() > 0)
    }

    /// Moves the position forward when the stream has fallen behind.
    pub fn skip_to(&self, time: Duration) {
        self.state().timeline.skip_to(time);
    }

    /// The next piece of a live stream: so many samples with speech in them, or so many of silence. `None` when there
    /// was a cut, which comes first.
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
            state.spoken = piece.position + piece.samples;
        }
        drop(state);
        self.room.notify_one();
        Some(next)
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
