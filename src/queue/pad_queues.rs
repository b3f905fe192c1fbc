// SPDX-License-Identifier: MPL-2.0

//! What waits in the mailbox, one lane for each sink pad, and the order in which it is taken.

use crate::audio::sample_clock::{samples_to_time, time_to_samples};
use crate::realtime::conversation::io::Input;
use crate::types::AudioChunk;
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::Duration;

/// The lane of the sound, in which commands of the application, changes of format and the end stand as well.
pub const SOUND: &str = "audio_sink";
/// Sound is joined up to this length when several pieces wait: fewer, larger events when the link is behind.
const JOIN: Duration = Duration::from_millis(100);

/// What waits in order.
#[derive(Debug)]
pub struct QueueItem {
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

impl QueueItem {
    /// Something of no length.
    pub fn new(input: Input, at: Option<Duration>) -> Self {
        Self { input, at, length: Duration::ZERO, rate: (1, 1), number: 0 }
    }
}

#[derive(Debug, Default)]
struct PadQueue {
    pad: String,
    waiting: VecDeque<QueueItem>,
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
pub struct PadQueues {
    pad_queues: Vec<PadQueue>,
    pushed: u64,
    /// Length of the sound that waits.
    pub waiting: Duration,
    /// Length of the sound that was dropped.
    pub dropped: Duration,
}

impl PadQueues {
    fn pad_queue(&mut self, pad: &str) -> &mut PadQueue {
        let known = self.pad_queues.iter().position(|pad_queue| pad_queue.pad == pad);
        let index = known.unwrap_or_else(|| {
            self.pad_queues.push(PadQueue { pad: pad.to_owned(), ..PadQueue::default() });
            self.pad_queues.len() - 1
        });
        &mut self.pad_queues[index]
    }

    fn find(&self, pad: &str) -> Option<&PadQueue> {
        self.pad_queues.iter().find(|pad_queue| pad_queue.pad == pad)
    }

    pub fn open(&mut self, pad: &str, holds: bool) {
        let pad_queue = self.pad_queue(pad);
        (pad_queue.holds, pad_queue.ended) = (holds, false);
    }

    pub fn end(&mut self, pad: &str) {
        self.pad_queue(pad).ended = true;
    }

    pub fn end_all(&mut self) {
        self.pad_queues.iter_mut().for_each(|pad_queue| pad_queue.ended = true);
    }

    pub fn remove(&mut self, pad: &str) {
        self.pad_queues.retain(|pad_queue| pad_queue.pad != pad);
    }

    pub fn advance(&mut self, pad: &str, until: Duration) {
        let pad_queue = self.pad_queue(pad);
        pad_queue.reached = pad_queue.reached.max(until);
    }

    /// Begins or ends a flush. What the sound's lane has besides sound is kept.
    pub fn set_flushing(&mut self, pad: &str, flushing: bool) {
        let pad_queue = self.pad_queue(pad);
        pad_queue.flushing = flushing;
        if flushing {
            pad_queue.reached = Duration::ZERO;
            pad_queue.waiting.retain(|waiting| {
                pad == SOUND && !matches!(waiting.input, Input::Audio(_) | Input::Discont | Input::EndOfStream)
            });
        }
        if flushing && pad == SOUND {
            self.waiting = Duration::ZERO;
        }
    }

    pub fn is_flushing(&self, pad: &str) -> bool {
        self.find(pad).is_some_and(|pad_queue| pad_queue.flushing)
    }

    /// How much waits in a lane.
    pub fn count(&self, pad: &str) -> usize {
        self.find(pad).map_or(0, |pad_queue| pad_queue.waiting.len())
    }

    /// How many commands wait.
    pub fn commands(&self) -> usize {
        let all = self.pad_queues.iter().flat_map(|pad_queue| &pad_queue.waiting);
        all.filter(|waiting| matches!(waiting.input, Input::Command(_))).count()
    }

    pub fn clear(&mut self, pad: &str) {
        self.pad_queue(pad).waiting.clear();
    }

    pub fn push(&mut self, pad: &str, mut waiting: QueueItem) {
        self.pushed += 1;
        waiting.number = self.pushed;
        let pad_queue = self.pad_queue(pad);
        pad_queue.given_up = false;
        pad_queue.waiting.push_back(waiting);
    }

    /// Those that bring nothing are not waited for.
    pub fn skip_idle(&mut self) {
        self.pad_queues
            .iter_mut()
            .filter(|pad_queue| pad_queue.waiting.is_empty())
            .for_each(|pad_queue| pad_queue.given_up = true);
    }

    pub fn push_audio(&mut self, sound: AudioChunk, format: &AudioFormat) {
        let rate = (format.rate(), format.sample_size());
        let length = samples_to_time((sound.data.len() / rate.1) as u64, rate.0);
        self.waiting += length;
        let at = sound.at;
        self.push(SOUND, QueueItem { length, rate, ..QueueItem::new(Input::Audio(sound), at) });
    }

    pub fn drop_oldest_audio(&mut self) {
        let pad_queue = self.pad_queue(SOUND);
        let oldest = pad_queue.waiting.iter().position(|waiting| matches!(waiting.input, Input::Audio(_)));
        let taken = oldest.and_then(|index| Some((index, pad_queue.waiting.remove(index)?)));
        let Some((index, QueueItem { length, number, .. })) = taken else {
            self.waiting = Duration::ZERO;
            return;
        };
        // What comes next is later than what was taken before.
        let is_break = |index: Option<usize>| {
            index
                .and_then(|index| pad_queue.waiting.get(index))
                .is_some_and(|waiting| matches!(waiting.input, Input::Discont))
        };
        match (is_break(index.checked_sub(1)), is_break(Some(index))) {
            (true, true) => drop(pad_queue.waiting.remove(index)),
            (false, false) => {
                pad_queue.waiting.insert(index, QueueItem { number, ..QueueItem::new(Input::Discont, None) });
            }
            _ => {}
        }
        self.waiting = self.waiting.saturating_sub(length);
        self.dropped += length;
    }

    /// The next thing of a live stream: frames first, for they are the newest ones, then what came first.
    pub fn take_in_arrival_order(&mut self, stream: bool, frames: bool) -> Option<Input> {
        let is_frame =
            |pad_queue: &PadQueue| pad_queue.waiting.front().is_some_and(|w| matches!(w.input, Input::Frame(_)));
        if frames && let Some(pad_queue) = self.pad_queues.iter_mut().find(|pad_queue| is_frame(pad_queue)) {
            return pad_queue.waiting.pop_front().map(|waiting| waiting.input);
        }
        if !stream {
            return None;
        }
        let pad_queues =
            self.pad_queues.iter_mut().filter(|pad_queue| !is_frame(pad_queue) && !pad_queue.waiting.is_empty());
        let first = pad_queues.min_by_key(|pad_queue| pad_queue.waiting.front().map(|waiting| waiting.number))?;
        let QueueItem { mut input, length, .. } = first.waiting.pop_front()?;
        if let Input::Audio(sound) = &mut input {
            self.join(sound, length);
        }
        Some(input)
    }

    /// The next thing of an offline stream: the earliest, once nothing earlier can come.
    pub fn take_in_time_order(&mut self) -> Option<Input> {
        let key = |pad_queue: &PadQueue| {
            let first = pad_queue.waiting.front()?;
            let rank = match first.input {
                Input::EndOfStream => return Some((Duration::MAX, 4)),
                // What has no time is not to be waited for, but for sound, which follows what was there.
                Input::Audio(_) => return Some((first.at.unwrap_or(pad_queue.reached), 3)),
                Input::Frame(_) => 1,
                _ if first.at.is_some() => 2,
                _ => 0,
            };
            Some((first.at.unwrap_or_default(), rank))
        };
        let keys = self.pad_queues.iter().enumerate().filter_map(|(index, pad_queue)| Some((key(pad_queue)?, index)));
        let ((at, _), index) = keys.min()?;
        let others = || self.pad_queues.iter().enumerate().filter(|(other, _)| *other != index);
        let next = others().filter_map(|(_, pad_queue)| key(pad_queue)).map(|(at, _)| at).min();
        let first = self.pad_queues[index].waiting.front()?;
        let (length, rate, is_timed) = (first.length, first.rate.0, first.at.is_some() || !first.length.is_zero());
        // Sound that goes on beyond the next thing of another lane is cut there.
        let cut = next.filter(|next| *next < at + length).map(|next| next - at);
        let cut = cut.map(|cut| time_to_samples(cut, rate)).filter(|samples| *samples > 0);
        let end = cut.map_or(at.saturating_add(length), |cut| at + samples_to_time(cut, rate));
        let may_be_earlier = |pad_queue: &PadQueue| {
            pad_queue.holds
                && !pad_queue.given_up
                && !pad_queue.ended
                && pad_queue.waiting.is_empty()
                && pad_queue.reached < end
        };
        if is_timed && others().any(|(_, pad_queue)| may_be_earlier(pad_queue)) {
            return None;
        }
        self.take_until(index, cut, end)
    }

    /// Takes the first of a lane; of sound so many samples.
    fn take_until(&mut self, index: usize, cut: Option<u64>, end: Duration) -> Option<Input> {
        let is_alone =
            self.pad_queues.iter().filter(|pad_queue| pad_queue.holds || !pad_queue.waiting.is_empty()).count() == 1;
        let pad_queue = &mut self.pad_queues[index];
        let first = pad_queue.waiting.pop_front()?;
        if first.at.is_some() || first.length > Duration::ZERO {
            pad_queue.reached = pad_queue.reached.max(end);
        }
        let QueueItem { input, length, rate, number, .. } = first;
        let Input::Audio(mut sound) = input else { return Some(input) };
        let bytes = cut.map(|samples| samples as usize * rate.1).filter(|bytes| *bytes < sound.data.len());
        if let Some(bytes) = bytes {
            let rest = AudioChunk { data: sound.data.split_off(bytes), at: Some(end) };
            let taken = samples_to_time((bytes / rate.1) as u64, rate.0);
            let length = length.saturating_sub(taken);
            pad_queue.waiting.push_front(QueueItem { input: Input::Audio(rest), at: Some(end), length, rate, number });
            self.waiting = self.waiting.saturating_sub(taken);
        } else if is_alone {
            self.join(&mut sound, length);
        } else {
            self.waiting = self.waiting.saturating_sub(length);
        }
        Some(Input::Audio(sound))
    }

    /// Joins to the sound what follows it without a break, up to a limit.
    fn join(&mut self, sound: &mut AudioChunk, length: Duration) {
        let mut total = length;
        self.waiting = self.waiting.saturating_sub(total);
        let mut joined = bytes::BytesMut::new();
        let mut more_waiting = Duration::ZERO;
        let pad_queue = self.pad_queue(SOUND);
        while let Some(QueueItem { input: Input::Audio(next), length, .. }) = pad_queue.waiting.front() {
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
            pad_queue.waiting.pop_front();
            more_waiting += more;
            total += more;
        }
        if let Some(at) = sound.at {
            pad_queue.reached = pad_queue.reached.max(at + total);
        }
        self.waiting = self.waiting.saturating_sub(more_waiting);
        if !joined.is_empty() {
            sound.data = joined.freeze();
        }
    }
}
