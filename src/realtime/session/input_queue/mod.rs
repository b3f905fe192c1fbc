// SPDX-License-Identifier: MPL-2.0

//! Bounded queue between the sink pads' streaming threads and the session task, one FIFO for each pad.
//!
//! Live: items leave in arrival order; when a FIFO is full, the oldest audio is dropped and counted, and of frames the
//! newest is kept. Offline: FIFOs are merged by running time, so that the result does not depend on which thread was
//! faster, and a full FIFO blocks its streaming thread until there is room, a flush, or the end. Control items are never
//! dropped, and nothing blocks live.

mod pad_queues;

use crate::net::clock::Clock;
use crate::net::session_task::wake_inline;
use crate::queue::push_error::PushError;
use crate::realtime::conversation::io::{Command, Input};
use crate::realtime::session::input_queue::pad_queues::{AUDIO_PAD, PadQueues, QueueItem};
use crate::types::{AudioChunk, Frame};
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Maximum live audio in the queue while there is a session: an answer to audio that is older would come too late.
const MAX_LIVE_AUDIO: Duration = Duration::from_secs(10);
/// The same while there is no session, unless `reconnect-buffer` was set.
const DEFAULT_RECONNECT_BUFFER: Duration = Duration::from_secs(30);
/// Live audio that may be added while what was kept for the session is being sent, which is faster than real time.
const BACKLOG_HEADROOM: Duration = Duration::from_secs(1);
/// Read-ahead of an offline stream.
const MAX_OFFLINE_AUDIO: Duration = Duration::from_secs(1);

/// How long an offline stream waits for a pad that brings nothing. A track of a file may end before the others, and its
/// EOS comes only when the whole file is read.
const IDLE_PAD_TIMEOUT: Duration = Duration::from_secs(3);

/// Delay beyond `append-interval` after which gathered audio leaves without the rest.
const GATHER_MARGIN: Duration = Duration::from_millis(100);

/// Maximum number of queued commands.
const MAX_COMMANDS: usize = 1024;
/// Maximum number of buffers of `text_sink` that an offline stream reads ahead.
const MAX_OFFLINE_COMMANDS: usize = 16;

#[derive(Debug, Default)]
struct State {
    /// Items with a place in the stream.
    pad_queues: PadQueues,
    /// Items that overtake the stream, so that they arrive even while audio is held back.
    control: VecDeque<Input>,
    format: AudioFormat,
    offline: bool,
    closed: bool,
    unconnected: bool,
    /// Audio that was queued when the session came back and has not been taken since.
    backlog: Duration,
    reconnect_buffer: Option<Duration>,
    /// Audio was taken, so that more is expected and may be gathered.
    gathers: bool,
    /// The part of the dropped audio that was dropped without a session.
    dropped_unconnected: Duration,
    /// The session wants an item, and all have to wait for a pad without one.
    stalled: bool,
}

/// Duration of the audio that was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// While there was a session.
    pub connected: Duration,
    /// While there was none.
    pub unconnected: Duration,
}

impl State {
    fn max_live_audio(&mut self) -> Duration {
        self.backlog = self.backlog.min(self.pad_queues.queued_audio);
        match self.unconnected {
            true => self.reconnect_buffer.unwrap_or(DEFAULT_RECONNECT_BUFFER),
            false => MAX_LIVE_AUDIO.max(self.backlog + BACKLOG_HEADROOM),
        }
    }
}

/// The queue. It is shared by the streaming threads, the application's threads and the session task.
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

    /// Changes the state and wakes both sides.
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.room.notify_all();
        self.arrived.notify_one();
    }

    /// Waits while a pad's queue is full offline.
    fn wait_for_room<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        pad: &str,
        is_full: impl Fn(&PadQueues) -> bool,
    ) -> Result<MutexGuard<'a, State>, PushError> {
        while state.offline && !state.closed && !state.pad_queues.is_flushing(pad) && is_full(&state.pad_queues) {
            let waited = self.room.wait_timeout(state, IDLE_PAD_TIMEOUT).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            if waited.1.timed_out() && state.stalled {
                state.pad_queues.skip_idle();
                self.arrived.notify_one();
            }
        }
        if state.closed {
            return Err(PushError::Closed);
        }
        if state.pad_queues.is_flushing(pad) {
            return Err(PushError::Flushing);
        }
        Ok(state)
    }

    /// Selects the order of items and what a full queue does, see the module.
    pub fn set_offline(&self, offline: bool) {
        self.change(|state| state.offline = offline);
    }

    /// A pad's stream starts. Offline, items of other pads wait for it if it is `synchronized`.
    pub fn open(&self, pad: &str, synchronized: bool) {
        self.change(|state| state.pad_queues.open(pad, synchronized));
    }

    /// A pad's stream is at EOS.
    pub fn end(&self, pad: &str) {
        self.change(|state| state.pad_queues.end(pad));
    }

    /// A pad is released; its items are dropped.
    pub fn remove(&self, pad: &str) {
        self.change(|state| state.pad_queues.remove(pad));
    }

    /// A pad brings nothing before this running time (GAP).
    pub fn advance(&self, pad: &str, until: Duration) {
        self.change(|state| state.pad_queues.advance(pad, until));
    }

    /// Queues audio. Offline this waits for room, live it may drop the oldest.
    pub fn push_audio(&self, audio: AudioChunk) -> Result<(), PushError> {
        let state = self.state();
        let is_full = |pad_queues: &PadQueues| pad_queues.queued_audio >= MAX_OFFLINE_AUDIO;
        let mut state = self.wait_for_room(state, AUDIO_PAD, is_full)?;
        let format = state.format.clone();
        let (limit, before) = (state.max_live_audio(), state.pad_queues.dropped);
        state.pad_queues.push_audio(audio, &format);
        while !state.offline && state.pad_queues.queued_audio > limit {
            state.pad_queues.drop_oldest_audio();
        }
        if state.unconnected {
            let dropped = state.pad_queues.dropped - before;
            state.dropped_unconnected += dropped;
        }
        // Otherwise it leaves with what comes next, whatever that is, or when nothing comes.
        let wakes = state.pad_queues.has_append() || state.offline || !state.gathers;
        let sends = !state.offline && !state.unconnected;
        drop(state);
        let wake = || self.arrived.notify_one();
        if wakes && sends {
            wake_inline(wake);
        } else if wakes {
            // To connect takes longer than a streaming thread may be kept.
            wake();
        }
        Ok(())
    }

    /// Queues a frame. Live it replaces the queued one of its pad; offline this waits until that one is taken.
    pub fn push_frame(&self, pad: &str, frame: Frame) -> Result<(), PushError> {
        let state = self.state();
        let mut state = self.wait_for_room(state, pad, |pad_queues| pad_queues.count(pad) > 0)?;
        let at = Some(frame.at);
        state.pad_queues.clear(pad);
        state.pad_queues.push(pad, QueueItem::new(Input::Frame(Box::new(frame)), at));
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Queues a command of the application, in its place among the audio or ahead of it. This never waits.
    pub fn push_command(&self, command: Command, in_order: bool) -> Result<(), PushError> {
        let mut state = self.state();
        if state.closed {
            return Err(PushError::Closed);
        }
        if state.pad_queues.commands() + state.control.len() >= MAX_COMMANDS {
            return Err(PushError::Full);
        }
        if in_order {
            state.pad_queues.push(AUDIO_PAD, QueueItem::new(Input::Command(command), None));
        } else {
            state.control.push_back(Input::Command(command));
        }
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Queues the command that a buffer of a pad stands for. Offline this waits for room.
    pub fn push_blocking(&self, pad: &str, command: Command, at: Option<Duration>) -> Result<(), PushError> {
        let state = self.state();
        let mut state = self.wait_for_room(state, pad, |pad_queues| pad_queues.count(pad) >= MAX_OFFLINE_COMMANDS)?;
        if state.pad_queues.commands() >= MAX_COMMANDS {
            return Err(PushError::Full);
        }
        state.pad_queues.push(pad, QueueItem::new(Input::Command(command), at));
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Queues an input that keeps its place among the audio. EOS leaves after the items of all pads.
    pub fn push_in_order(&self, input: Input) {
        let mut state = self.state();
        if let Input::Format(format) = &input {
            state.format = format.clone();
        }
        if matches!(input, Input::EndOfStream) {
            state.pad_queues.end_all();
        }
        if !state.closed {
            state.pad_queues.push(AUDIO_PAD, QueueItem::new(input, None));
        }
        drop(state);
        self.arrived.notify_one();
    }

    /// Queues an input that overtakes the audio.
    pub fn push(&self, input: Input) {
        let mut state = self.state();
        if !state.closed {
            state.control.push_back(input);
        }
        drop(state);
        self.arrived.notify_one();
    }

    /// Begins or ends a flush of a pad, which drops its items and refuses new ones while it lasts.
    pub fn set_flushing(&self, pad: &str, flushing: bool) {
        self.change(|state| state.pad_queues.set_flushing(pad, flushing));
    }

    /// Refuses everything from now on, and ends all waits: the session is over.
    pub fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// The next input: items of the stream only if `stream` is true, and live frames only if `frames` is.
    pub fn take(&self, stream: bool, frames: bool) -> Option<Input> {
        let mut state = self.state();
        if let Some(input) = state.control.pop_front() {
            return Some(input);
        }
        let input = match state.offline {
            true if stream => {
                let taken = state.pad_queues.take_in_time_order();
                state.stalled = taken.is_none();
                taken
            }
            true => None,
            false => state.pad_queues.take_in_arrival_order(stream, frames),
        };
        state.gathers |= matches!(input, Some(Input::Audio(_)));
        // Live, nobody waits for room, and to wake nobody is a system call as well.
        let has_room = state.offline && input.is_some();
        drop(state);
        if has_room {
            self.room.notify_all();
        }
        input
    }

    /// Waits until an item may be there, or audio that is gathered has waited for the rest for too long.
    pub async fn arrived(&self, clock: &Clock) {
        let Some(limit) = self.gathering_timeout() else { return self.arrived.notified().await };
        if clock.timeout(limit, self.arrived.notified()).await.is_none() {
            self.state().gathers = false;
        }
    }

    /// Time limit of gathered audio; `None` if no audio is gathered.
    fn gathering_timeout(&self) -> Option<Duration> {
        let state = self.state();
        let interval = state.pad_queues.append_interval;
        (state.gathers && !interval.is_zero()).then(|| interval + GATHER_MARGIN)
    }

    /// The audio that was dropped since the last call.
    pub fn take_dropped(&self) -> Dropped {
        let mut state = self.state();
        let unconnected = std::mem::take(&mut state.dropped_unconnected);
        let connected = std::mem::take(&mut state.pad_queues.dropped).saturating_sub(unconnected);
        Dropped { connected, unconnected }
    }

    /// Sets how much live audio is kept while there is no session.
    pub fn set_reconnect_buffer(&self, length: Duration) {
        self.state().reconnect_buffer = Some(length);
    }

    /// Sets how much live audio is gathered before it leaves, in one piece; zero: each buffer at once. The first audio after a
    /// pause leaves at once.
    pub fn set_append_interval(&self, length: Duration) {
        self.state().pad_queues.append_interval = length;
    }

    /// Says whether there is a session.
    pub fn set_connected(&self, connected: bool) {
        let mut state = self.state();
        if connected && state.unconnected {
            state.backlog = state.pad_queues.queued_audio;
        }
        state.unconnected = !connected;
    }
}

#[cfg(test)]
mod tests;
