//! What waits in the mailbox, one lane for each sink pad, and the order in which it is taken.

use crate::realtime::conversation::io::{Input, Sound};
use crate::audio::sample_clock::{samples_to_time, time_to_samples};
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::Duration;

/// The lane of the sound, in which commands of the application, changes of format and the end stand as well.
pub const SOUND: &str = "audio_sink";
/// Sound is joined up to this length when several pieces wait: fewer, larger events when the link is behind.
const JOIN: Duration = Duration::from_millis(100);

/// What waits in order.
#[derive(Debug)]
pub struct Waiting {
    input: Input,
    /// Running time; without one it is taken as soon as it is the first of its lane.
    at: Option<Duration>,
    /// Of sound its length.
    length: Duration,
    /// Of sound its samples a second, and the bytes of each.
    rate: (u32, usize),
    /// The how-many-eth it was of all.
    number: u64,
}

impl Waiting {
    /// Something of no length.
    pub fn new(input: Input, at: Option<Duration>) -> Self {
        Self { input, at, length: Duration::ZERO, rate: (1, 1), number: 0 }
    }
}

#[derive(Debug, Default)]
struct Lane {
    pad: String,
    waiting: VecDeque<Waiting>,
    /// Nothing comes before this running time.
    reached: Duration,
    /// The others wait for it.
    holds: bool,
    /// They do not any more, until it brings something.
    given_up: bool,
    ended: bool,
    flushing: bool,
}

/// All lanes.
#[derive(Debug, Default)]
pub struct Lanes {
    lanes: Vec<Lane>,
    pushed: u64,
    /// Length of the sound that waits.
    pub waiting: Duration,
    /// Length of the sound that was dropped.
    pub dropped: Duration,
}

impl Lanes {
    fn lane(&mut self, pad: &str) -> &mut Lane {
        let known = self.lanes.iter().position(|lane| lane.pad == pad);
        let index = known.unwrap_or_else(|| {
            self.lanes.push(Lane { pad: pad.to_owned(), ..Lane::default() });
            self.lanes.len() - 1
        });
        &mut self.lanes[index]
    }

    fn find(&self, pad: &str) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.pad == pad)
    }

    pub fn open(&mut self, pad: &str, holds: bool) {
        let lane = self.lane(pad);
        (lane.holds, lane.ended) = (holds, false);
    }

    pub fn end(&mut self, pad: &str) {
        self.lane(pad).ended = true;
    }

    pub fn end_all(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.ended = true);
    }

    pub fn remove(&mut self, pad: &str) {
        self.lanes.retain(|lane| lane.pad != pad);
    }

    pub fn advance(&mut self, pad: &str, until: Duration) {
        let lane = self.lane(pad);
        lane.reached = lane.reached.max(until);
    }

    /// Begins or ends a flush. What the sound's lane has besides sound is kept.
    pub fn set_flushing(&mut self, pad: &str, flushing: bool) {
        let lane = self.lane(pad);
        lane.flushing = flushing;
        if flushing {
            lane.reached = Duration::ZERO;
            lane.waiting.retain(|waiting| {
                pad == SOUND && !matches!(waiting.input, Input::Sound(_) | Input::Discont | Input::EndOfStream)
            });
        }
        if flushing && pad == SOUND {
            self.waiting = Duration::ZERO;
        }
    }

    pub fn is_flushing(&self, pad: &str) -> bool {
        self.find(pad).is_some_and(|lane| lane.flushing)
    }

    /// How much waits in a lane.
    pub fn count(&self, pad: &str) -> usize {
        self.find(pad).map_or(0, |lane| lane.waiting.len())
    }

    /// How many commands wait.
    pub fn commands(&self) -> usize {
        let all = self.lanes.iter().flat_map(|lane| &lane.waiting);
        all.filter(|waiting| matches!(waiting.input, Input::Command(_))).count()
    }

    pub fn clear(&mut self, pad: &str) {
        self.lane(pad).waiting.clear();
    }

    pub fn push(&mut self, pad: &str, mut waiting: Waiting) {
        self.pushed += 1;
        waiting.number = self.pushed;
        let lane = self.lane(pad);
        lane.given_up = false;
        lane.waiting.push_back(waiting);
    }

    /// Those that bring nothing are not waited for.
    pub fn wait_for_nobody(&mut self) {
        self.lanes.iter_mut().filter(|lane| lane.waiting.is_empty()).for_each(|lane| lane.given_up = true);
    }

    pub fn push_sound(&mut self, sound: Sound, format: &AudioFormat) {
        let rate = (format.rate(), format.sample_size());
        let length = samples_to_time((sound.data.len() / rate.1) as u64, rate.0);
        self.waiting += length;
        let at = sound.at;
        self.push(SOUND, Waiting { length, rate, ..Waiting::new(Input::Sound(sound), at) });
    }

    pub fn drop_oldest_sound(&mut self) {
        let lane = self.lane(SOUND);
        let oldest = lane.waiting.iter().position(|waiting| matches!(waiting.input, Input::Sound(_)));
        let taken = oldest.and_then(|index| Some((index, lane.waiting.remove(index)?)));
        let Some((index, Waiting { length, number, .. })) = taken else {
            self.waiting = Duration::ZERO;
            return;
        };
        // What comes next is later than what was taken before.
        let is_break = |index: Option<usize>| {
            index
                .and_then(|index| lane.waiting.get(index))
                .is_some_and(|waiting| matches!(waiting.input, Input::Discont))
        };
        match (is_break(index.checked_sub(1)), is_break(Some(index))) {
            (true, true) => drop(lane.waiting.remove(index)),
            (false, false) => {
                lane.waiting.insert(index, Waiting { number, ..Waiting::new(Input::Discont, None) });
            }
            _ => {}
        }
        self.waiting = self.waiting.saturating_sub(length);
        self.dropped += length;
    }

    /// The next thing of a live stream: frames first, for they are the newest ones, then what came first.
    pub fn take_by_arrival(&mut self, stream: bool, frames: bool) -> Option<Input> {
        let is_frame = |lane: &Lane| lane.waiting.front().is_some_and(|w| matches!(w.input, Input::Frame(_)));
        if frames && let Some(lane) = self.lanes.iter_mut().find(|lane| is_frame(lane)) {
            return lane.waiting.pop_front().map(|waiting| waiting.input);
        }
        if !stream {
            return None;
        }
        let lanes = self.lanes.iter_mut().filter(|lane| !is_frame(lane) && !lane.waiting.is_empty());
        let first = lanes.min_by_key(|lane| lane.waiting.front().map(|waiting| waiting.number))?;
        let Waiting { mut input, length, .. } = first.waiting.pop_front()?;
        if let Input::Sound(sound) = &mut input {
            self.join(sound, length);
        }
        Some(input)
    }

    /// The next thing of an offline stream: the earliest, once nothing earlier can come.
    pub fn take_by_time(&mut self) -> Option<Input> {
        let key = |lane: &Lane| {
            let first = lane.waiting.front()?;
            let rank = match first.input {
                Input::EndOfStream => return Some((Duration::MAX, 4)),
                // What has no time is not to be waited for, but for sound, which follows what was there.
                Input::Sound(_) => return Some((first.at.unwrap_or(lane.reached), 3)),
                Input::Frame(_) => 1,
                _ if first.at.is_some() => 2,
                _ => 0,
            };
            Some((first.at.unwrap_or_default(), rank))
        };
        let keys = self.lanes.iter().enumerate().filter_map(|(index, lane)| Some((key(lane)?, index)));
        let ((at, _), index) = keys.min()?;
        let others = || self.lanes.iter().enumerate().filter(|(other, _)| *other != index);
        let next = others().filter_map(|(_, lane)| key(lane)).map(|(at, _)| at).min();
        let first = self.lanes[index].waiting.front()?;
        let (length, rate, is_timed) = (first.length, first.rate.0, first.at.is_some() || !first.length.is_zero());
        // Sound that goes on beyond the next thing of another lane is cut there.
        let cut = next.filter(|next| *next < at + length).map(|next| next - at);
        let cut = cut.map(|cut| time_to_samples(cut, rate)).filter(|samples| *samples > 0);
        let end = cut.map_or(at.saturating_add(length), |cut| at + samples_to_time(cut, rate));
        let may_be_earlier =
            |lane: &Lane| lane.holds && !lane.given_up && !lane.ended && lane.waiting.is_empty() && lane.reached < end;
        if is_timed && others().any(|(_, lane)| may_be_earlier(lane)) {
            return None;
        }
        self.take_until(index, cut, end)
    }

    /// Takes the first of a lane; of sound so many samples.
    fn take_until(&mut self, index: usize, cut: Option<u64>, end: Duration) -> Option<Input> {
        let is_alone = self.lanes.iter().filter(|lane| lane.holds || !lane.waiting.is_empty()).count() == 1;
        let lane = &mut self.lanes[index];
        let first = lane.waiting.pop_front()?;
        if first.at.is_some() || first.length > Duration::ZERO {
            lane.reached = lane.reached.max(end);
        }
        let Waiting { input, length, rate, number, .. } = first;
        let Input::Sound(mut sound) = input else { return Some(input) };
        let bytes = cut.map(|samples| samples as usize * rate.1).filter(|bytes| *bytes < sound.data.len());
        if let Some(bytes) = bytes {
            let rest = Sound { data: sound.data.split_off(bytes), at: Some(end) };
            let taken = samples_to_time((bytes / rate.1) as u64, rate.0);
            let length = length.saturating_sub(taken);
            lane.waiting.push_front(Waiting { input: Input::Sound(rest), at: Some(end), length, rate, number });
            self.waiting = self.waiting.saturating_sub(taken);
        } else if is_alone {
            self.join(&mut sound, length);
        } else {
            self.waiting = self.waiting.saturating_sub(length);
        }
        Some(Input::Sound(sound))
    }

    /// Joins to the sound what follows it without a break, up to a limit.
    fn join(&mut self, sound: &mut Sound, length: Duration) {
        let mut total = length;
        self.waiting = self.waiting.saturating_sub(total);
        let mut joined = bytes::BytesMut::new();
        let mut more_waiting = Duration::ZERO;
        let lane = self.lane(SOUND);
        while let Some(Waiting { input: Input::Sound(next), length, .. }) = lane.waiting.front() {
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
            lane.waiting.pop_front();
            more_waiting += more;
            total += more;
        }
        if let Some(at) = sound.at {
            lane.reached = lane.reached.max(at + total);
        }
        self.waiting = self.waiting.saturating_sub(more_waiting);
        if !joined.is_empty() {
            sound.data = joined.freeze();
        }
    }
}
