//! The way in: what the pads and the application hand over to the session.
//!
//! Sound waits here in order, bounded by its length. When it is full, a live stream loses its oldest sound and counts
//! it; an offline stream holds upstream back. What is not sound is never dropped. Nothing here blocks, but for an
//! offline `push_sound`, which every flush and every stop ends at once.

use crate::conversation::events::{Command, Input, Sound};
use crate::conversation::uplink::samples_to_time;
use crate::protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How much sound waits at most, by its length. A live stream that is behind by more is not worth sending.
const LIVE_LIMIT: Duration = Duration::from_secs(10);
/// How much sound an offline stream reads ahead.
const OFFLINE_LIMIT: Duration = Duration::from_secs(1);
/// Sound is joined up to this length when several pieces wait: fewer, larger events when the link is behind.
const JOIN: Duration = Duration::from_millis(100);

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

/// What waits in order.
#[derive(Debug)]
struct Waiting {
    input: Input,
    /// Of sound its length, in the format that it came in.
    length: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// In order with the sound: sound, changes of format, the end.
    stream: VecDeque<Waiting>,
    /// Out of order: what must get through even when the sound has to wait.
    control: VecDeque<Input>,
    /// Length of the sound in `stream`.
    waiting: Duration,
    dropped: Duration,
    format: AudioFormat,
    offline: bool,
    flushing: bool,
    closed: bool,
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

    /// Sets what happens when it is full.
    pub fn set_offline(&self, offline: bool) {
        self.state().offline = offline;
    }

    /// Hands over sound. Offline this waits for room.
    pub fn push_sound(&self, sound: Sound) -> Result<(), Refused> {
        let mut state = self.state();
        let length = length(&sound, &state.format);
        while state.offline && !state.flushing && !state.closed && state.waiting >= OFFLINE_LIMIT {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.flushing {
            return Err(Refused::Flushing);
        }
        state.waiting += length;
        state.stream.push_back(Waiting { input: Input::Sound(sound), length });
        while !state.offline && state.waiting > LIVE_LIMIT {
            state.drop_oldest();
        }
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
        if state.commands() + state.control.len() >= COMMANDS {
            return Err(Refused::Full);
        }
        state.push(Input::Command(command), in_order);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Hands over a command in its place in the stream. Offline this waits for room.
    pub fn push_patiently(&self, command: Command) -> Result<(), Refused> {
        let mut state = self.state();
        while state.offline && !state.flushing && !state.closed && state.commands() >= OFFLINE_COMMANDS {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.flushing {
            return Err(Refused::Flushing);
        }
        drop(state);
        self.push_command(command, true)
    }

    /// Hands over something that keeps its place in the stream of sound.
    pub fn push_in_order(&self, input: Input) {
        let mut state = self.state();
        if let Input::Format(format) = &input {
            state.format = format.clone();
        }
        if !state.closed {
            state.stream.push_back(Waiting { input, length: Duration::ZERO });
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

    /// Begins or ends a flush: what waits is forgotten, and nothing is taken while it lasts.
    pub fn set_flushing(&self, flushing: bool) {
        let mut state = self.state();
        state.flushing = flushing;
        if flushing {
            state.stream.retain(|waiting| !matches!(waiting.input, Input::Sound(_) | Input::EndOfStream));
            state.waiting = Duration::ZERO;
        }
        drop(state);
        self.room.notify_all();
    }

    /// The session is over: nothing is taken any more, and whoever waits is let go.
    pub fn close(&self) {
        self.state().closed = true;
        self.room.notify_all();
        self.arrived.notify_one();
    }

    /// The next thing; what stands in the stream only with `stream`.
    pub fn take(&self, stream: bool) -> Option<Input> {
        let mut state = self.state();
        if let Some(input) = state.control.pop_front() {
            return Some(input);
        }
        if !stream {
            return None;
        }
        let Waiting { mut input, length } = state.stream.pop_front()?;
        if let Input::Sound(sound) = &mut input {
            state.join(sound, length);
        }
        drop(state);
        self.room.notify_all();
        Some(input)
    }

    /// Waits until something may have arrived.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// How much sound was dropped since this was asked last.
    pub fn take_dropped(&self) -> Duration {
        std::mem::take(&mut self.state().dropped)
    }
}

impl State {
    fn push(&mut self, input: Input, in_order: bool) {
        if in_order {
            self.stream.push_back(Waiting { input, length: Duration::ZERO });
        } else {
            self.control.push_back(input);
        }
    }

    /// Commands that wait in the stream.
    fn commands(&self) -> usize {
        self.stream.iter().filter(|waiting| matches!(waiting.input, Input::Command(_))).count()
    }

    fn drop_oldest(&mut self) {
        let oldest = self.stream.iter().position(|waiting| matches!(waiting.input, Input::Sound(_)));
        if let Some(Waiting { length, .. }) = oldest.and_then(|index| self.stream.remove(index)) {
            self.waiting = self.waiting.saturating_sub(length);
            self.dropped += length;
        } else {
            self.waiting = Duration::ZERO;
        }
    }

    /// Joins to the sound what follows it without a break, up to a limit.
    fn join(&mut self, sound: &mut Sound, length: Duration) {
        let mut total = length;
        self.waiting = self.waiting.saturating_sub(total);
        let mut joined = bytes::BytesMut::new();
        while let Some(Waiting { input: Input::Sound(next), length }) = self.stream.front() {
            let more = *length;
            let follows = match (sound.at, next.at) {
                (Some(at), Some(next)) => next.abs_diff(at + total) <= Duration::from_millis(1),
                (_, next) => next.is_none(),
            };
            if !follows || total + more > JOIN {
                break;
            }
            if joined.is_empty() {
                joined.extend_from_slice(&sound.data);
            }
            joined.extend_from_slice(&next.data);
            self.stream.pop_front();
            self.waiting = self.waiting.saturating_sub(more);
            total += more;
        }
        if !joined.is_empty() {
            sound.data = joined.freeze();
        }
    }
}

fn length(sound: &Sound, format: &AudioFormat) -> Duration {
    samples_to_time((sound.data.len() / format.sample_size()) as u64, format.rate())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::sync::Arc;

    fn sound(at_ms: u64, ms: usize) -> Sound {
        Sound { data: Bytes::from(vec![at_ms as u8; ms * 48]), at: Some(Duration::from_millis(at_ms)) }
    }

    fn times(mailbox: &Mailbox) -> Vec<(u128, usize)> {
        std::iter::from_fn(|| mailbox.take(true))
            .map(|input| match input {
                Input::Sound(sound) => (sound.at.unwrap_or_default().as_millis(), sound.data.len() / 48),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_live_stream_loses_its_oldest_and_counts() {
        let mailbox = Mailbox::default();
        (0..150).for_each(|n| mailbox.push_sound(sound(n * 100, 100)).expect("taken"));
        assert_eq!(mailbox.take_dropped(), Duration::from_secs(5));
        assert_eq!(mailbox.take_dropped(), Duration::ZERO);
        assert_eq!(times(&mailbox).first(), Some(&(5000, 100)));
    }

    #[test]
    fn small_pieces_are_joined_unless_there_is_a_break() {
        let mailbox = Mailbox::default();
        (0..7).for_each(|n| mailbox.push_sound(sound(n * 20, 20)).expect("taken"));
        mailbox.push_sound(sound(500, 20)).expect("taken");
        assert_eq!(times(&mailbox), [(0, 100), (100, 40), (500, 20)]);
    }

    #[test]
    fn an_offline_stream_waits_until_there_is_room_or_it_is_let_go() {
        let mailbox = Arc::new(Mailbox::default());
        mailbox.set_offline(true);
        (0..10).for_each(|n| mailbox.push_sound(sound(n * 100, 100)).expect("taken"));
        let pusher = |mailbox: &Arc<Mailbox>| {
            let mailbox = mailbox.clone();
            std::thread::spawn(move || mailbox.push_sound(sound(1000, 100)))
        };
        let waits = pusher(&mailbox);
        assert!(mailbox.take(true).is_some());
        assert_eq!(waits.join().expect("no panic"), Ok(()));
        let waits = pusher(&mailbox);
        mailbox.set_flushing(true);
        assert_eq!(waits.join().expect("no panic"), Err(Refused::Flushing));
        mailbox.set_flushing(false);
        mailbox.close();
        assert_eq!(mailbox.push_sound(sound(0, 20)), Err(Refused::Closed));
    }

    #[test]
    fn commands_keep_their_place_and_are_bounded() {
        let mailbox = Mailbox::default();
        mailbox.push_sound(sound(0, 20)).expect("taken");
        assert_eq!(mailbox.push_command(Command::Commit, true), Ok(()));
        assert_eq!(mailbox.push_command(Command::CancelResponse, false), Ok(()));
        assert!(matches!(mailbox.take(true), Some(Input::Command(Command::CancelResponse))));
        assert!(matches!(mailbox.take(true), Some(Input::Sound(_))));
        assert!(matches!(mailbox.take(true), Some(Input::Command(Command::Commit))));
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
        mailbox.push(Input::Connected);
        assert!(matches!(mailbox.take(false), Some(Input::Connected)));
        assert!(mailbox.take(false).is_none());
        assert!(matches!(mailbox.take(true), Some(Input::Sound(_))));
        assert!(matches!(mailbox.take(true), Some(Input::EndOfStream)));
    }
}
