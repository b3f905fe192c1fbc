// SPDX-License-Identifier: MPL-2.0

//! Bounded queue between the sink pads' streaming threads and the session task.
//!
//! Offline, a streaming thread waits while the queue is full. Live, nothing waits: the oldest audio and pictures are
//! dropped and counted. Commands, texts and marks of streams are never dropped.

use crate::chat::conversation::io::Input;
use std::collections::{HashSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Maximum size of queued audio and pictures offline.
const MAX_OFFLINE_SIZE: usize = 8 << 20;
/// The same live, where more is dropped.
const MAX_LIVE_SIZE: usize = 64 << 20;
/// Maximum number of queued inputs of any size.
const MAX_COUNT: usize = 16 << 10;

pub use crate::queue::push_error::PushError;

#[derive(Debug, Default)]
struct State {
    control: VecDeque<Input>,
    waiting: VecDeque<(String, Input, usize)>,
    size: usize,
    live: bool,
    closed: bool,
    flushing: HashSet<String>,
    dropped: u64,
}

impl State {
    fn is_full(&self) -> bool {
        let most = if self.live { MAX_LIVE_SIZE } else { MAX_OFFLINE_SIZE };
        self.size > most || self.waiting.len() >= MAX_COUNT
    }
}

/// The queue.
#[derive(Debug, Default)]
pub struct InputQueue {
    state: Mutex<State>,
    room: Condvar,
    arrived: Notify,
}

impl InputQueue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Selects what a full queue does, see the module.
    pub fn set_live(&self, live: bool) {
        self.state().live = live;
        self.room.notify_all();
    }

    /// Queues an item of a pad's stream. `size` is that of audio and pictures, and 0 for anything else.
    pub fn push(&self, pad: &str, input: Input, size: usize) -> Result<(), PushError> {
        let mut state = self.state();
        while state.is_full() && !state.live && !state.closed && !state.flushing.contains(pad) {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(PushError::Closed);
        }
        if state.flushing.contains(pad) {
            return Err(PushError::Flushing);
        }
        while state.live && state.is_full() {
            let Some(oldest) = state.waiting.iter().position(|(_, _, size)| *size > 0) else { break };
            if let Some((_, _, size)) = state.waiting.remove(oldest) {
                state.size -= size;
                state.dropped += 1;
            }
        }
        state.size += size;
        state.waiting.push_back((pad.to_owned(), input, size));
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Queues a mark in a pad's stream without waiting.
    pub fn mark(&self, pad: &str, input: Input) {
        self.state().waiting.push_back((pad.to_owned(), input, 0));
        self.arrived.notify_one();
    }

    /// Queues a command ahead of everything. False if the run is over.
    pub fn command(&self, input: Input) -> bool {
        let mut state = self.state();
        if !state.closed {
            state.control.push_back(input);
        }
        let taken = !state.closed;
        drop(state);
        self.arrived.notify_one();
        taken
    }

    /// Begins or ends the flush of a pad, which drops its queued media.
    pub fn set_flushing(&self, pad: &str, flushing: bool) {
        if flushing {
            let mut state = self.state();
            state.waiting.retain(|(of, _, size)| of != pad || *size == 0);
            state.size = state.waiting.iter().map(|(_, _, size)| *size).sum();
        }
        self.set_refusing(pad, flushing);
    }

    /// Refuses the items of a pad and ends a wait of its streaming thread, or accepts them again. Queued items are kept.
    pub fn set_refusing(&self, pad: &str, refusing: bool) {
        let mut state = self.state();
        if refusing {
            state.flushing.insert(pad.to_owned());
        } else {
            state.flushing.remove(pad);
        }
        drop(state);
        self.room.notify_all();
    }

    /// Refuses everything from now on, and ends all waits.
    pub fn close(&self) {
        self.state().closed = true;
        self.room.notify_all();
        self.arrived.notify_one();
    }

    /// The next command, or if `media` is true the next input of any kind.
    pub fn take(&self, media: bool) -> Option<Input> {
        let mut state = self.state();
        if let Some(input) = state.control.pop_front() {
            return Some(input);
        }
        let (_, input, size) = state.waiting.pop_front_if(|_| media)?;
        state.size -= size;
        drop(state);
        self.room.notify_all();
        Some(input)
    }

    /// The number of buffers that were dropped since the last call.
    pub fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.state().dropped)
    }

    /// Wakes [`Self::arrived`].
    pub fn wake(&self) {
        self.arrived.notify_one();
    }

    /// Waits until an input may be there.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::AudioChunk;
    use std::sync::Arc;

    fn audio(size: usize) -> Input {
        Input::Audio(AudioChunk { data: vec![0; size].into(), at: None })
    }

    #[test]
    fn offline_a_full_queue_waits_until_there_is_room_a_flush_or_the_end() {
        for (release, expected) in [
            ((|queue| drop(queue.take(true))) as fn(&InputQueue), Ok(())),
            (|queue| queue.set_flushing("audio_sink", true), Err(PushError::Flushing)),
            (|queue| queue.set_refusing("audio_sink", true), Err(PushError::Flushing)),
            (InputQueue::close, Err(PushError::Closed)),
        ] {
            let queue = Arc::new(InputQueue::default());
            queue.push("audio_sink", audio(MAX_OFFLINE_SIZE + 1), MAX_OFFLINE_SIZE + 1).expect("there is room");
            let pushing = std::thread::spawn({
                let queue = queue.clone();
                move || queue.push("audio_sink", audio(1), 1)
            });
            release(&queue);
            assert_eq!(pushing.join().expect("no panic"), expected);
        }
    }

    #[test]
    fn a_pad_that_goes_leaves_what_waits() {
        let queue = InputQueue::default();
        queue.push("video_sink_0", audio(1), 1).expect("there is room");
        queue.set_refusing("video_sink_0", true);
        assert_eq!(queue.push("video_sink_0", audio(1), 1), Err(PushError::Flushing));
        queue.set_refusing("video_sink_0", false);
        queue.push("video_sink_0", audio(1), 1).expect("one of the same name begins anew");
        assert_eq!(std::iter::from_fn(|| queue.take(true)).count(), 2);
    }

    #[test]
    fn live_the_oldest_media_is_dropped_and_counted_and_nothing_else() {
        let queue = InputQueue::default();
        queue.set_live(true);
        queue.mark("text_sink", Input::Text { text: "hello".into(), at: None });
        for _ in 0..3 {
            queue.push("audio_sink", audio(MAX_LIVE_SIZE), MAX_LIVE_SIZE).expect("nothing waits");
        }
        assert_eq!(queue.take_dropped(), 1);
        assert!(matches!(queue.take(true), Some(Input::Text { .. })));
        assert!(queue.command(Input::Cancel));
        assert!(matches!(queue.take(false), Some(Input::Cancel)));
        assert!(queue.take(false).is_none(), "media waits where none is wanted");
    }
}
