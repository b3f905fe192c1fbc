//! The way in: what the pads and the application hand over to the session.
//!
//! Each sink pad has a lane, in which things keep their order. A live session takes what came first. Offline the lanes
//! are merged by running time: nothing is taken before every other lane has come as far, so that the result does not
//! depend on which thread was faster. Every lane is bounded. When one is full, a live stream loses its oldest sound and
//! counts it, or its older frames; an offline stream holds upstream back. What is neither sound nor a frame is never
//! dropped. Nothing here blocks live; offline every flush and every stop lets go at once whoever waits.

use crate::queue::pad_queues::{Lanes, Waiting};
use crate::realtime::conversation::io::{Command, Frame, Input, Sound};
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
const COMMANDS: usize = 1024;
/// How many commands an offline stream reads ahead.
const OFFLINE_COMMANDS: usize = 16;

/// Why something was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
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
    lanes: Lanes,
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
        self.backlog = self.backlog.min(self.lanes.waiting);
        match self.unconnected {
            true => self.reconnect_buffer.unwrap_or(RECONNECT_BUFFER),
            // It is taken faster than it grows.
            false => LIVE_LIMIT.max(self.backlog + Duration::from_secs(1)),
        }
    }
}

/// The mailbox.
#[derive(Debug, Default)]
pub struct Mailbox {
    state: Mutex<State>,
    room: Condvar,
    arrived: Notify,
}

impl Mailbox {
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
        is_full: impl Fn(&Lanes) -> bool,
    ) -> Result<MutexGuard<'a, State>, Refused> {
        while state.offline && !state.closed && !state.lanes.is_flushing(pad) && is_full(&state.lanes) {
            let waited = self.room.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            if waited.1.timed_out() && state.stalled {
                state.lanes.wait_for_nobody();
                self.arrived.notify_one();
            }
        }
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.lanes.is_flushing(pad) {
            return Err(Refused::Flushing);
        }
        Ok(state)
    }

    /// Sets what happens when it is full, and whether running times make the order.
    pub fn set_offline(&self, offline: bool) {
        self.change(|state| state.offline = offline);
    }

    /// A pad brings something from now on. With `holds`, the others wait for it, offline.
    pub fn open(&self, pad: &str, holds: bool) {
        self.change(|state| state.lanes.open(pad, holds));
    }

    /// A pad brings nothing any more.
    pub fn end(&self, pad: &str) {
        self.change(|state| state.lanes.end(pad));
    }

    /// A pad is gone, with what is waiting of it.
    pub fn remove(&self, pad: &str) {
        self.change(|state| state.lanes.remove(pad));
    }

    /// A pad brings nothing before this running time.
    pub fn advance(&self, pad: &str, until: Duration) {
        self.change(|state| state.lanes.advance(pad, until));
    }

    /// Hands over sound. Offline this waits for room.
    pub fn push_sound(&self, sound: Sound) -> Result<(), Refused> {
        let state = self.state();
        let is_full = |lanes: &Lanes| lanes.waiting >= OFFLINE_LIMIT;
        let mut state = self.wait_for_room(state, crate::queue::pad_queues::SOUND, is_full)?;
        let format = state.format.clone();
        let (limit, before) = (state.limit(), state.lanes.dropped);
        state.lanes.push_sound(sound, &format);
        while !state.offline && state.lanes.waiting > limit {
            state.lanes.drop_oldest_sound();
        }
        if state.unconnected {
            let dropped = state.lanes.dropped - before;
            state.dropped_unconnected += dropped;
        }
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Hands over a frame. Live it takes the place of the one that waits; offline this waits until that is taken.
    pub fn push_frame(&self, pad: &str, frame: Frame) -> Result<(), Refused> {
        let state = self.state();
        let mut state = self.wait_for_room(state, pad, |lanes| lanes.count(pad) > 0)?;
        let at = Some(frame.at);
        state.lanes.clear(pad);
        state.lanes.push(pad, Waiting::new(Input::Frame(Box::new(frame)), at));
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Hands over a command, in its place in the stream of sound or past it. It is refused where too many wait.
    pub fn push_command(&self, command: Command, in_order: bool) -> Result<(), Refused> {
        let mut state = self.state();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.lanes.commands() + state.control.len() >= COMMANDS {
            return Err(Refused::Full);
        }
        if in_order {
            state.lanes.push(crate::queue::pad_queues::SOUND, Waiting::new(Input::Command(command), None));
        } else {
            state.control.push_back(Input::Command(command));
        }
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Hands over what a pad asks for at a running time. Offline this waits for room.
    pub fn push_patiently(&self, pad: &str, command: Command, at: Option<Duration>) -> Result<(), Refused> {
        let state = self.state();
        let mut state = self.wait_for_room(state, pad, |lanes| lanes.count(pad) >= OFFLINE_COMMANDS)?;
        if state.lanes.commands() >= COMMANDS {
            return Err(Refused::Full);
        }
        state.lanes.push(pad, Waiting::new(Input::Command(command), at));
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
            state.lanes.end_all();
        }
        if !state.closed {
            state.lanes.push(crate::queue::pad_queues::SOUND, Waiting::new(input, None));
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
        self.change(|state| state.lanes.set_flushing(pad, flushing));
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
                let taken = state.lanes.take_by_time();
                state.stalled = taken.is_none();
                taken
            }
            true => None,
            false => state.lanes.take_by_arrival(stream, frames),
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
        let connected = std::mem::take(&mut state.lanes.dropped).saturating_sub(unconnected);
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
            state.backlog = state.lanes.waiting;
        }
        state.unconnected = !connected;
    }
}

#[cfg(test)]
mod tests {
    use crate::queue::pad_queues::SOUND;
    use super::*;
    use bytes::Bytes;
    use std::sync::Arc;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn sound(at_ms: u64, length: usize) -> Sound {
        Sound { data: Bytes::from(vec![at_ms as u8; length * 48]), at: Some(ms(at_ms)) }
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
    fn taken(mailbox: &Mailbox) -> Vec<String> {
        let tell = |input| match input {
            Input::Sound(sound) => {
                format!("s{}+{}", sound.at.unwrap_or_default().as_millis(), sound.data.len() / 48)
            }
            Input::Frame(frame) => format!("f{}", frame.at.as_millis()),
            Input::Command(Command::Text { at, .. }) => format!("t{}", at.unwrap_or_default().as_millis()),
            Input::EndOfStream => "end".into(),
            Input::Discont => "discont".into(),
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| mailbox.take(true, true)).map(tell).collect()
    }

    fn offline(lanes: &[&str]) -> Arc<Mailbox> {
        let mailbox = Mailbox::default();
        mailbox.set_offline(true);
        lanes.iter().for_each(|lane| mailbox.open(lane, true));
        Arc::new(mailbox)
    }

    #[test]
    fn a_live_stream_loses_its_oldest_and_counts() {
        let mailbox = Mailbox::default();
        (0..150).for_each(|n| mailbox.push_sound(sound(n * 100, 100)).expect("taken"));
        assert_eq!(mailbox.take_dropped().connected, Duration::from_secs(5));
        assert_eq!(mailbox.take_dropped(), Dropped::default());
        assert_eq!(taken(&mailbox)[..2], ["discont", "s5000+100"]);
    }

    #[test]
    fn without_a_session_more_is_kept_and_then_handed_over() {
        let mailbox = Mailbox::default();
        mailbox.set_connected(false);
        mailbox.set_reconnect_buffer(Duration::from_secs(20));
        (0..250).for_each(|n| mailbox.push_sound(sound(n * 100, 100)).expect("taken"));
        let unconnected = Duration::from_secs(5);
        assert_eq!(mailbox.take_dropped(), Dropped { unconnected, ..Dropped::default() });
        mailbox.set_connected(true);
        mailbox.push_sound(sound(25_000, 100)).expect("taken");
        assert_eq!(mailbox.take_dropped(), Dropped::default());
        assert_eq!(taken(&mailbox)[..2], ["discont", "s5000+100"]);
        // What was kept is gone, and the limit is the usual one.
        (300..450).for_each(|n| mailbox.push_sound(sound(n * 100, 100)).expect("taken"));
        assert_eq!(mailbox.take_dropped().connected, Duration::from_secs(5));
    }

    #[test]
    fn small_pieces_are_joined_unless_there_is_a_break() {
        let mailbox = Mailbox::default();
        (0..7).for_each(|n| mailbox.push_sound(sound(n * 20, 20)).expect("taken"));
        mailbox.push_sound(sound(500, 20)).expect("taken");
        assert_eq!(taken(&mailbox), ["s0+100", "s100+40", "s500+20"]);
    }

    #[test]
    fn an_offline_stream_waits_until_there_is_room_or_it_is_let_go() {
        let mailbox = offline(&[SOUND]);
        (0..10).for_each(|n| mailbox.push_sound(sound(n * 100, 100)).expect("taken"));
        let pusher = |mailbox: &Arc<Mailbox>| {
            let mailbox = mailbox.clone();
            std::thread::spawn(move || mailbox.push_sound(sound(1000, 100)))
        };
        let waits = pusher(&mailbox);
        assert!(mailbox.take(true, true).is_some());
        assert_eq!(waits.join().expect("no panic"), Ok(()));
        let waits = pusher(&mailbox);
        mailbox.set_flushing(SOUND, true);
        assert_eq!(waits.join().expect("no panic"), Err(Refused::Flushing));
        mailbox.set_flushing(SOUND, false);
        mailbox.close();
        assert_eq!(mailbox.push_sound(sound(0, 20)), Err(Refused::Closed));
    }

    #[test]
    fn commands_keep_their_place_and_are_bounded() {
        let mailbox = Mailbox::default();
        mailbox.push_sound(sound(0, 20)).expect("taken");
        assert_eq!(mailbox.push_command(Command::Commit, true), Ok(()));
        assert_eq!(mailbox.push_command(Command::CancelResponse, false), Ok(()));
        assert!(matches!(mailbox.take(true, true), Some(Input::Command(Command::CancelResponse))));
        assert!(matches!(mailbox.take(true, true), Some(Input::Sound(_))));
        assert!(matches!(mailbox.take(true, true), Some(Input::Command(Command::Commit))));
        while mailbox.push_command(Command::Commit, true).is_ok() {}
        assert_eq!(mailbox.push_command(Command::Commit, false), Err(Refused::Full));
        mailbox.close();
        assert_eq!(mailbox.push_command(Command::Commit, true), Err(Refused::Closed));
    }

    #[test]
    fn what_is_no_command_does_not_wait_for_sound() {
        let mailbox = Mailbox::default();
        mailbox.push_sound(sound(0, 20)).expect("taken");
        mailbox.push_in_order(Input::EndOfStream);
        mailbox.push(Input::Behind(true));
        assert!(matches!(mailbox.take(false, false), Some(Input::Behind(true))));
        assert!(mailbox.take(false, false).is_none());
        assert_eq!(taken(&mailbox), ["s0+20", "end"]);
    }

    #[test]
    fn live_the_newest_frame_waits_and_passes_the_sound() {
        let mailbox = Mailbox::default();
        mailbox.push_sound(sound(0, 20)).expect("taken");
        for at in [10, 20, 30] {
            mailbox.push_frame("video_sink_0", frame(at)).expect("taken");
        }
        mailbox.push_frame("video_sink_1", frame(5)).expect("taken");
        assert!(mailbox.take(true, false).is_some_and(|input| matches!(input, Input::Sound(_))));
        assert!(mailbox.take(true, false).is_none());
        assert_eq!(taken(&mailbox), ["f30", "f5"]);
    }

    #[test]
    fn offline_the_lanes_are_merged_by_time_and_sound_is_cut_where_a_frame_stands() {
        let mailbox = offline(&[SOUND, "video_sink_0", "text_sink"]);
        mailbox.push_sound(sound(0, 100)).expect("taken");
        assert_eq!(taken(&mailbox), [""; 0], "the others have not come so far");
        mailbox.push_frame("video_sink_0", frame(40)).expect("taken");
        assert_eq!(taken(&mailbox), [""; 0], "a text may come before it");
        let (command, at) = text(40);
        mailbox.push_patiently("text_sink", command, at).expect("taken");
        // The frame comes before the text of the same time; then there may be more of both at any time.
        assert_eq!(taken(&mailbox), ["s0+40", "f40", "t40"]);
        mailbox.advance("video_sink_0", ms(70));
        mailbox.end("text_sink");
        assert_eq!(taken(&mailbox), [""; 0]);
        mailbox.push_frame("video_sink_0", frame(100)).expect("taken");
        assert_eq!(taken(&mailbox), ["s40+60", "f100"]);
        mailbox.end("video_sink_0");
        mailbox.push_sound(sound(100, 50)).expect("taken");
        mailbox.push_in_order(Input::EndOfStream);
        assert_eq!(taken(&mailbox), ["s100+50", "end"]);
    }

    #[test]
    fn offline_frames_hold_their_pad_back_and_the_end_comes_last() {
        let mailbox = offline(&[SOUND, "video_sink_0"]);
        mailbox.push_frame("video_sink_0", frame(40)).expect("taken");
        let waits = std::thread::spawn({
            let mailbox = mailbox.clone();
            move || (mailbox.push_frame("video_sink_0", frame(80)), mailbox.push_frame("video_sink_0", frame(90)))
        });
        assert!(mailbox.take(true, true).is_none(), "there may be sound before it");
        mailbox.advance(SOUND, ms(60));
        assert!(matches!(mailbox.take(true, true), Some(Input::Frame(_))));
        // The first of them has room now, and a flush lets the second one go.
        while mailbox.state().lanes.count("video_sink_0") == 0 {
            std::thread::yield_now();
        }
        mailbox.set_flushing("video_sink_0", true);
        assert_eq!(waits.join().expect("no panic"), (Ok(()), Err(Refused::Flushing)));
        mailbox.set_flushing("video_sink_0", false);
        mailbox.push_frame("video_sink_0", frame(10)).expect("taken");
        mailbox.push_in_order(Input::EndOfStream);
        assert_eq!(taken(&mailbox), ["f10", "end"]);
    }

    #[test]
    fn a_pad_that_brings_nothing_more_is_not_waited_for_for_ever() {
        let mailbox = offline(&[SOUND, "video_sink_0"]);
        mailbox.push_frame("video_sink_0", frame(40)).expect("taken");
        assert!(mailbox.take(true, true).is_none(), "there may be sound before it");
        let waits = std::thread::spawn({
            let mailbox = mailbox.clone();
            move || mailbox.push_frame("video_sink_0", frame(80))
        });
        let first = loop {
            match mailbox.take(true, true) {
                Some(first) => break first,
                None => std::thread::yield_now(),
            }
        };
        assert!(matches!(first, Input::Frame(_)));
        assert_eq!(waits.join().expect("no panic"), Ok(()));
        // When it brings something again, it is waited for again.
        mailbox.push_sound(sound(50, 10)).expect("taken");
        assert_eq!(taken(&mailbox), ["s50+10"]);
    }

    #[test]
    fn a_lane_without_times_holds_nobody() {
        let mailbox = offline(&[SOUND]);
        mailbox.open("text_sink", false);
        mailbox.push_sound(sound(0, 100)).expect("taken");
        assert_eq!(taken(&mailbox), ["s0+100"]);
        mailbox.open("video_sink_0", true);
        mailbox.push_sound(sound(100, 100)).expect("taken");
        assert_eq!(taken(&mailbox), [""; 0]);
        mailbox.remove("video_sink_0");
        assert_eq!(taken(&mailbox), ["s100+100"]);
    }
}
