// SPDX-License-Identifier: MPL-2.0

//! Bounded queue between the sink pads' streaming threads and the session task, one FIFO for each pad.
//!
//! Live: items leave in arrival order; when a FIFO is full, the oldest audio is dropped and counted, and of frames the
//! newest is kept. Offline: FIFOs are merged by running time, so that the result does not depend on which thread was
//! faster, and a full FIFO blocks its streaming thread until there is room, a flush, or the end. Control items are never
//! dropped, and nothing blocks live.

use crate::queue::pad_queues::{PadQueues, QueueItem};
use crate::realtime::conversation::io::{Command, Input};
use crate::types::{AudioChunk, Frame};
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How much live sound waits at most while there is a session. A stream that is behind by more is not worth sending,
/// unless it waited for the session.
const LIVE_LIMIT: Duration = Duration::from_secs(10);
/// The same while there is none, unless that is set.
const RECONNECT_BUFFER: Duration = Duration::from_secs(30);
/// How much sound an offline stream reads ahead.
const OFFLINE_LIMIT: Duration = Duration::from_secs(1);

/// So long an offline stream waits for a pad that brings nothing while another one cannot go on. A track of a file may
/// end before the others, and its end is told only when all of the file is read.
const PATIENCE: Duration = Duration::from_secs(3);

/// How many commands wait at most.
const MAX_COMMANDS: usize = 1024;
/// How many commands an offline stream reads ahead.
const MAX_OFFLINE_COMMANDS: usize = 16;

/// Why something was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// A flush is going on.
    Flushing,
    /// The session is over.
    Closed,
    /// Too much waits already.
    Full,
}

#[derive(Debug, Default)]
struct State {
    /// In order.
    pad_queues: PadQueues,
    /// Out of order: what must get through even when the sound has to wait.
    control: VecDeque<Input>,
    format: AudioFormat,
    offline: bool,
    closed: bool,
    /// There is no session.
    unconnected: bool,
    /// What waited when there was one again, and has not been taken since.
    backlog: Duration,
    /// How much live sound waits while there is none.
    reconnect_buffer: Option<Duration>,
    /// Of the sound that was dropped, what was while there was no session.
    dropped_unconnected: Duration,
    /// More is wanted, and what is there has to wait for a pad that has brought nothing.
    stalled: bool,
}

/// Sound that was dropped, by whether there was a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// While there was one, by its length.
    pub connected: Duration,
    /// While there was none.
    pub unconnected: Duration,
}

impl State {
    /// How much live sound may wait.
    fn limit(&mut self) -> Duration {
        self.backlog = self.backlog.min(self.pad_queues.waiting);
        match self.unconnected {
            true => self.reconnect_buffer.unwrap_or(RECONNECT_BUFFER),
            // It is taken faster than it grows.
            false => LIVE_LIMIT.max(self.backlog + Duration::from_secs(1)),
        }
    }
}

/// The mailbox.
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

    /// Changes something that may let others go on.
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.room.notify_all();
        self.arrived.notify_one();
    }

    /// Waits while an offline lane is full. Gives back why nothing is taken, if nothing is.
    fn wait_for_room<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        pad: &str,
        is_full: impl Fn(&PadQueues) -> bool,
    ) -> Result<MutexGuard<'a, State>, PushError> {
        while state.offline && !state.closed && !state.pad_queues.is_flushing(pad) && is_full(&state.pad_queues) {
            let waited = self.room.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
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

    /// Sets what happens when it is full, and whether running times make the order.
    pub fn set_offline(&self, offline: bool) {
        self.change(|state| state.offline = offline);
    }

    /// A pad brings something from now on. With `holds`, the others wait for it, offline.
    pub fn open(&self, pad: &str, holds: bool) {
        self.change(|state| state.pad_queues.open(pad, holds));
    }

    /// A pad brings nothing any more.
    pub fn end(&self, pad: &str) {
        self.change(|state| state.pad_queues.end(pad));
    }

    /// A pad is gone, with what is waiting of it.
    pub fn remove(&self, pad: &str) {
        self.change(|state| state.pad_queues.remove(pad));
    }

    /// A pad brings nothing before this running time.
    pub fn advance(&self, pad: &str, until: Duration) {
        self.change(|state| state.pad_queues.advance(pad, until));
    }

    /// Hands over sound. Offline this waits for room.
    pub fn push_audio(&self, sound: AudioChunk) -> Result<(), PushError> {
        let state = self.state();
        let is_full = |pad_queues: &PadQueues| pad_queues.waiting >= OFFLINE_LIMIT;
        let mut state = self.wait_for_room(state, crate::queue::pad_queues::SOUND, is_full)?;
        let format = state.format.clone();
        let (limit, before) = (state.limit(), state.pad_queues.dropped);
        state.pad_queues.push_audio(sound, &format);
        while !state.offline && state.pad_queues.waiting > limit {
            state.pad_queues.drop_oldest_audio();
        }
        if state.unconnected {
            let dropped = state.pad_queues.dropped - before;
            state.dropped_unconnected += dropped;
        }
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Hands over a frame. Live it takes the place of the one that waits; offline this waits until that is taken.
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

    /// Hands over a command, in its place in the stream of sound or past it. It is refused where too many wait.
    pub fn push_command(&self, command: Command, in_order: bool) -> Result<(), PushError> {
        let mut state = self.state();
        if state.closed {
            return Err(PushError::Closed);
        }
        if state.pad_queues.commands() + state.control.len() >= MAX_COMMANDS {
            return Err(PushError::Full);
        }
        if in_order {
            state.pad_queues.push(crate::queue::pad_queues::SOUND, QueueItem::new(Input::Command(command), None));
        } else {
            state.control.push_back(Input::Command(command));
        }
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Hands over what a pad asks for at a running time. Offline this waits for room.
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

    /// Hands over something that keeps its place in the stream of sound. The end comes after everything else.
    pub fn push_in_order(&self, input: Input) {
        let mut state = self.state();
        if let Input::Format(format) = &input {
            state.format = format.clone();
        }
        if matches!(input, Input::EndOfStream) {
            state.pad_queues.end_all();
        }
        if !state.closed {
            state.pad_queues.push(crate::queue::pad_queues::SOUND, QueueItem::new(input, None));
        }
        drop(state);
        self.arrived.notify_one();
    }

    /// Hands over something that does not wait for the sound before it.
    pub fn push(&self, input: Input) {
        let mut state = self.state();
        if !state.closed {
            state.control.push_back(input);
        }
        drop(state);
        self.arrived.notify_one();
    }

    /// Begins or ends a flush of a pad: what waits of it is forgotten, and nothing is taken while it lasts.
    pub fn set_flushing(&self, pad: &str, flushing: bool) {
        self.change(|state| state.pad_queues.set_flushing(pad, flushing));
    }

    /// The session is over: nothing is taken any more, and whoever waits is let go.
    pub fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// The next thing; what stands in the stream only with `stream`, and frames of a live one only with `frames`.
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
        drop(state);
        if input.is_some() {
            self.room.notify_all();
        }
        input
    }

    /// Waits until something may have arrived.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// How much sound was dropped since this was asked last.
    pub fn take_dropped(&self) -> Dropped {
        let mut state = self.state();
        let unconnected = std::mem::take(&mut state.dropped_unconnected);
        let connected = std::mem::take(&mut state.pad_queues.dropped).saturating_sub(unconnected);
        Dropped { connected, unconnected }
    }

    /// Sets how much live sound is kept while there is no session.
    pub fn set_reconnect_buffer(&self, length: Duration) {
        self.state().reconnect_buffer = Some(length);
    }

    /// There is a session from now on, or none.
    pub fn set_connected(&self, connected: bool) {
        let mut state = self.state();
        if connected && state.unconnected {
            state.backlog = state.pad_queues.waiting;
        }
        state.unconnected = !connected;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::pad_queues::SOUND;
    use bytes::Bytes;
    use std::sync::Arc;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn sound(at_ms: u64, length: usize) -> AudioChunk {
        AudioChunk { data: Bytes::from(vec![at_ms as u8; length * 48]), at: Some(ms(at_ms)) }
    }

    fn frame(at_ms: u64) -> Frame {
        let file = Bytes::from_static(b"picture");
        let (media_type, at) = ("image/jpeg", ms(at_ms));
        Frame { pad: None, file, media_type, at, interval: None, detail: None, prompt: None }
    }

    fn text(at_ms: u64) -> (Command, Option<Duration>) {
        (Command::Text { text: "t".into(), respond: true, at: Some(ms(at_ms)) }, Some(ms(at_ms)))
    }

    /// What can be taken: `s` for sound, `f` for a frame, `t` for a text, with its time and length.
    fn taken(input_queue: &InputQueue) -> Vec<String> {
        let tell = |input| match input {
            Input::Audio(sound) => {
                format!("s{}+{}", sound.at.unwrap_or_default().as_millis(), sound.data.len() / 48)
            }
            Input::Frame(frame) => format!("f{}", frame.at.as_millis()),
            Input::Command(Command::Text { at, .. }) => format!("t{}", at.unwrap_or_default().as_millis()),
            Input::EndOfStream => "end".into(),
            Input::Discont => "discont".into(),
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| input_queue.take(true, true)).map(tell).collect()
    }

    fn offline(pad_queues: &[&str]) -> Arc<InputQueue> {
        let input_queue = InputQueue::default();
        input_queue.set_offline(true);
        pad_queues.iter().for_each(|pad_queue| input_queue.open(pad_queue, true));
        Arc::new(input_queue)
    }

    #[test]
    fn a_live_stream_loses_its_oldest_and_counts() {
        let input_queue = InputQueue::default();
        (0..150).for_each(|n| input_queue.push_audio(sound(n * 100, 100)).expect("taken"));
        assert_eq!(input_queue.take_dropped().connected, Duration::from_secs(5));
        assert_eq!(input_queue.take_dropped(), Dropped::default());
        assert_eq!(taken(&input_queue)[..2], ["discont", "s5000+100"]);
    }

    #[test]
    fn without_a_session_more_is_kept_and_then_handed_over() {
        let input_queue = InputQueue::default();
        input_queue.set_connected(false);
        input_queue.set_reconnect_buffer(Duration::from_secs(20));
        (0..250).for_each(|n| input_queue.push_audio(sound(n * 100, 100)).expect("taken"));
        let unconnected = Duration::from_secs(5);
        assert_eq!(input_queue.take_dropped(), Dropped { unconnected, ..Dropped::default() });
        input_queue.set_connected(true);
        input_queue.push_audio(sound(25_000, 100)).expect("taken");
        assert_eq!(input_queue.take_dropped(), Dropped::default());
        assert_eq!(taken(&input_queue)[..2], ["discont", "s5000+100"]);
        // What was kept is gone, and the limit is the usual one.
        (300..450).for_each(|n| input_queue.push_audio(sound(n * 100, 100)).expect("taken"));
        assert_eq!(input_queue.take_dropped().connected, Duration::from_secs(5));
    }

    #[test]
    fn small_pieces_are_joined_unless_there_is_a_break() {
        let input_queue = InputQueue::default();
        (0..7).for_each(|n| input_queue.push_audio(sound(n * 20, 20)).expect("taken"));
        input_queue.push_audio(sound(500, 20)).expect("taken");
        assert_eq!(taken(&input_queue), ["s0+100", "s100+40", "s500+20"]);
    }

    #[test]
    fn an_offline_stream_waits_until_there_is_room_or_it_is_let_go() {
        let input_queue = offline(&[SOUND]);
        (0..10).for_each(|n| input_queue.push_audio(sound(n * 100, 100)).expect("taken"));
        let pusher = |input_queue: &Arc<InputQueue>| {
            let input_queue = input_queue.clone();
            std::thread::spawn(move || input_queue.push_audio(sound(1000, 100)))
        };
        let waits = pusher(&input_queue);
        assert!(input_queue.take(true, true).is_some());
        assert_eq!(waits.join().expect("no panic"), Ok(()));
        let waits = pusher(&input_queue);
        input_queue.set_flushing(SOUND, true);
        assert_eq!(waits.join().expect("no panic"), Err(PushError::Flushing));
        input_queue.set_flushing(SOUND, false);
        input_queue.close();
        assert_eq!(input_queue.push_audio(sound(0, 20)), Err(PushError::Closed));
    }

    #[test]
    fn commands_keep_their_place_and_are_bounded() {
        let input_queue = InputQueue::default();
        input_queue.push_audio(sound(0, 20)).expect("taken");
        assert_eq!(input_queue.push_command(Command::Commit, true), Ok(()));
        assert_eq!(input_queue.push_command(Command::CancelResponse, false), Ok(()));
        assert!(matches!(input_queue.take(true, true), Some(Input::Command(Command::CancelResponse))));
        assert!(matches!(input_queue.take(true, true), Some(Input::Audio(_))));
        assert!(matches!(input_queue.take(true, true), Some(Input::Command(Command::Commit))));
        while input_queue.push_command(Command::Commit, true).is_ok() {}
        assert_eq!(input_queue.push_command(Command::Commit, false), Err(PushError::Full));
        input_queue.close();
        assert_eq!(input_queue.push_command(Command::Commit, true), Err(PushError::Closed));
    }

    #[test]
    fn what_is_no_command_does_not_wait_for_sound() {
        let input_queue = InputQueue::default();
        input_queue.push_audio(sound(0, 20)).expect("taken");
        input_queue.push_in_order(Input::EndOfStream);
        input_queue.push(Input::Behind(true));
        assert!(matches!(input_queue.take(false, false), Some(Input::Behind(true))));
        assert!(input_queue.take(false, false).is_none());
        assert_eq!(taken(&input_queue), ["s0+20", "end"]);
    }

    #[test]
    fn live_the_newest_frame_waits_and_passes_the_sound() {
        let input_queue = InputQueue::default();
        input_queue.push_audio(sound(0, 20)).expect("taken");
        for at in [10, 20, 30] {
            input_queue.push_frame("video_sink_0", frame(at)).expect("taken");
        }
        input_queue.push_frame("video_sink_1", frame(5)).expect("taken");
        assert!(input_queue.take(true, false).is_some_and(|input| matches!(input, Input::Audio(_))));
        assert!(input_queue.take(true, false).is_none());
        assert_eq!(taken(&input_queue), ["f30", "f5"]);
    }

    #[test]
    fn offline_the_lanes_are_merged_by_time_and_sound_is_cut_where_a_frame_stands() {
        let input_queue = offline(&[SOUND, "video_sink_0", "text_sink"]);
        input_queue.push_audio(sound(0, 100)).expect("taken");
        assert_eq!(taken(&input_queue), [""; 0], "the others have not come so far");
        input_queue.push_frame("video_sink_0", frame(40)).expect("taken");
        assert_eq!(taken(&input_queue), [""; 0], "a text may come before it");
        let (command, at) = text(40);
        input_queue.push_blocking("text_sink", command, at).expect("taken");
        // The frame comes before the text of the same time; then there may be more of both at any time.
        assert_eq!(taken(&input_queue), ["s0+40", "f40", "t40"]);
        input_queue.advance("video_sink_0", ms(70));
        input_queue.end("text_sink");
        assert_eq!(taken(&input_queue), [""; 0]);
        input_queue.push_frame("video_sink_0", frame(100)).expect("taken");
        assert_eq!(taken(&input_queue), ["s40+60", "f100"]);
        input_queue.end("video_sink_0");
        input_queue.push_audio(sound(100, 50)).expect("taken");
        input_queue.push_in_order(Input::EndOfStream);
        assert_eq!(taken(&input_queue), ["s100+50", "end"]);
    }

    #[test]
    fn offline_frames_hold_their_pad_back_and_the_end_comes_last() {
        let input_queue = offline(&[SOUND, "video_sink_0"]);
        input_queue.push_frame("video_sink_0", frame(40)).expect("taken");
        let waits = std::thread::spawn({
            let input_queue = input_queue.clone();
            move || {
                (input_queue.push_frame("video_sink_0", frame(80)), input_queue.push_frame("video_sink_0", frame(90)))
            }
        });
        assert!(input_queue.take(true, true).is_none(), "there may be sound before it");
        input_queue.advance(SOUND, ms(60));
        assert!(matches!(input_queue.take(true, true), Some(Input::Frame(_))));
        // The first of them has room now, and a flush lets the second one go.
        while input_queue.state().pad_queues.count("video_sink_0") == 0 {
            std::thread::yield_now();
        }
        input_queue.set_flushing("video_sink_0", true);
        assert_eq!(waits.join().expect("no panic"), (Ok(()), Err(PushError::Flushing)));
        input_queue.set_flushing("video_sink_0", false);
        input_queue.push_frame("video_sink_0", frame(10)).expect("taken");
        input_queue.push_in_order(Input::EndOfStream);
        assert_eq!(taken(&input_queue), ["f10", "end"]);
    }

    #[test]
    fn a_pad_that_brings_nothing_more_is_not_waited_for_for_ever() {
        let input_queue = offline(&[SOUND, "video_sink_0"]);
        input_queue.push_frame("video_sink_0", frame(40)).expect("taken");
        assert!(input_queue.take(true, true).is_none(), "there may be sound before it");
        let waits = std::thread::spawn({
            let input_queue = input_queue.clone();
            move || input_queue.push_frame("video_sink_0", frame(80))
        });
        let first = loop {
            match input_queue.take(true, true) {
                Some(first) => break first,
                None => std::thread::yield_now(),
            }
        };
        assert!(matches!(first, Input::Frame(_)));
        assert_eq!(waits.join().expect("no panic"), Ok(()));
        // When it brings something again, it is waited for again.
        input_queue.push_audio(sound(50, 10)).expect("taken");
        assert_eq!(taken(&input_queue), ["s50+10"]);
    }

    #[test]
    fn a_lane_without_times_holds_nobody() {
        let input_queue = offline(&[SOUND]);
        input_queue.open("text_sink", false);
        input_queue.push_audio(sound(0, 100)).expect("taken");
        assert_eq!(taken(&input_queue), ["s0+100"]);
        input_queue.open("video_sink_0", true);
        input_queue.push_audio(sound(100, 100)).expect("taken");
        assert_eq!(taken(&input_queue), [""; 0]);
        input_queue.remove("video_sink_0");
        assert_eq!(taken(&input_queue), ["s100+100"]);
    }
}
