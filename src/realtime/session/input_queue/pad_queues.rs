// SPDX-License-Identifier: MPL-2.0

//! One FIFO for each sink pad, and the order in which their items leave.
//!
//! Live: in arrival order, frames first. Offline: merged by running time, as GstAggregator does it: an item leaves when no
//! synchronized pad can still bring an earlier one.

use crate::audio::sample_clock::{samples_to_time, time_to_samples};
use crate::realtime::conversation::io::Input;
use crate::types::AudioChunk;
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::Duration;

/// The pad whose queue also holds what has to keep its place among the audio: commands of the application, changes of
/// format, EOS.
pub const AUDIO_PAD: &str = "audio_sink";
/// Queued buffers of audio are joined up to this length, so that a session that is behind sends fewer, larger events.
const MAX_JOINED_AUDIO: Duration = Duration::from_millis(100);
/// Difference between a timestamp and the end of the buffer before it up to which both are continuous.
const JOIN_TOLERANCE: Duration = Duration::from_millis(1);

/// An item with what decides on its order.
#[derive(Debug)]
pub struct QueueItem {
    input: Input,
    /// Running time; an item without one leaves as soon as it is the first of its pad.
    at: Option<Duration>,
    /// Zero for everything but audio.
    duration: Duration,
    /// Sample rate and bytes per sample, for audio.
    rate: (u32, usize),
    /// Sequence number over all pads, for the order of a live session.
    sequence: u64,
}

impl QueueItem {
    /// An item without a duration.
    pub fn new(input: Input, at: Option<Duration>) -> Self {
        Self { input, at, duration: Duration::ZERO, rate: (1, 1), sequence: 0 }
    }
}

#[derive(Debug, Default)]
struct PadQueue {
    pad: String,
    items: VecDeque<QueueItem>,
    /// Running time before which the pad brings nothing more.
    watermark: Duration,
    /// Offline, items of other pads wait for this one.
    synchronized: bool,
    /// Others do not wait for it until its next item, because it brought nothing for too long.
    idle: bool,
    ended: bool,
    flushing: bool,
}

/// The FIFOs of all pads.
#[derive(Debug, Default)]
pub struct PadQueues {
    pads: Vec<PadQueue>,
    pushed: u64,
    /// Duration of the queued audio.
    pub queued_audio: Duration,
    /// Duration of the dropped audio.
    pub dropped: Duration,
    /// Length of live audio for one append; zero: each buffer at once.
    pub append_interval: Duration,
}

impl PadQueues {
    fn pad_queue(&mut self, pad: &str) -> &mut PadQueue {
        let known = self.pads.iter().position(|pad_queue| pad_queue.pad == pad);
        let index = known.unwrap_or_else(|| {
            self.pads.push(PadQueue { pad: pad.to_owned(), ..PadQueue::default() });
            self.pads.len() - 1
        });
        &mut self.pads[index]
    }

    fn find(&self, pad: &str) -> Option<&PadQueue> {
        self.pads.iter().find(|pad_queue| pad_queue.pad == pad)
    }

    pub fn open(&mut self, pad: &str, synchronized: bool) {
        let pad_queue = self.pad_queue(pad);
        (pad_queue.synchronized, pad_queue.ended) = (synchronized, false);
    }

    pub fn end(&mut self, pad: &str) {
        self.pad_queue(pad).ended = true;
    }

    pub fn end_all(&mut self) {
        self.pads.iter_mut().for_each(|pad_queue| pad_queue.ended = true);
    }

    pub fn remove(&mut self, pad: &str) {
        self.pads.retain(|pad_queue| pad_queue.pad != pad);
    }

    pub fn advance(&mut self, pad: &str, until: Duration) {
        let pad_queue = self.pad_queue(pad);
        pad_queue.watermark = pad_queue.watermark.max(until);
    }

    /// Begins or ends a flush. Commands and changes of format survive it.
    pub fn set_flushing(&mut self, pad: &str, flushing: bool) {
        let pad_queue = self.pad_queue(pad);
        pad_queue.flushing = flushing;
        if flushing {
            pad_queue.watermark = Duration::ZERO;
            pad_queue.items.retain(|item| {
                pad == AUDIO_PAD && !matches!(item.input, Input::Audio(_) | Input::Discont | Input::EndOfStream)
            });
        }
        if flushing && pad == AUDIO_PAD {
            self.queued_audio = Duration::ZERO;
        }
    }

    pub fn is_flushing(&self, pad: &str) -> bool {
        self.find(pad).is_some_and(|pad_queue| pad_queue.flushing)
    }

    pub fn count(&self, pad: &str) -> usize {
        self.find(pad).map_or(0, |pad_queue| pad_queue.items.len())
    }

    pub fn commands(&self) -> usize {
        let items = self.pads.iter().flat_map(|pad_queue| &pad_queue.items);
        items.filter(|item| matches!(item.input, Input::Command(_))).count()
    }

    pub fn clear(&mut self, pad: &str) {
        self.pad_queue(pad).items.clear();
    }

    pub fn push(&mut self, pad: &str, mut item: QueueItem) {
        self.pushed += 1;
        item.sequence = self.pushed;
        let pad_queue = self.pad_queue(pad);
        pad_queue.idle = false;
        pad_queue.items.push_back(item);
    }

    /// From now on, nothing waits for the pads that have no item.
    pub fn skip_idle(&mut self) {
        self.pads.iter_mut().filter(|pad_queue| pad_queue.items.is_empty()).for_each(|pad_queue| pad_queue.idle = true);
    }

    pub fn push_audio(&mut self, audio: AudioChunk, format: &AudioFormat) {
        let rate = (format.rate(), format.sample_size());
        let duration = samples_to_time((audio.data.len() / rate.1) as u64, rate.0);
        self.queued_audio += duration;
        let at = audio.at;
        self.push(AUDIO_PAD, QueueItem { duration, rate, ..QueueItem::new(Input::Audio(audio), at) });
    }

    /// Whether the queued audio is enough for an append.
    pub fn has_append(&self) -> bool {
        self.queued_audio + JOIN_TOLERANCE >= self.append_interval
    }

    pub fn drop_oldest_audio(&mut self) {
        let pad_queue = self.pad_queue(AUDIO_PAD);
        let oldest = pad_queue.items.iter().position(|item| matches!(item.input, Input::Audio(_)));
        let taken = oldest.and_then(|index| Some((index, pad_queue.items.remove(index)?)));
        let Some((index, QueueItem { duration, sequence, .. })) = taken else {
            self.queued_audio = Duration::ZERO;
            return;
        };
        // One DISCONT stands where audio is missing, because what follows is placed by its timestamp.
        let is_break = |index: Option<usize>| {
            index.and_then(|index| pad_queue.items.get(index)).is_some_and(|item| matches!(item.input, Input::Discont))
        };
        match (is_break(index.checked_sub(1)), is_break(Some(index))) {
            (true, true) => drop(pad_queue.items.remove(index)),
            (false, false) => {
                pad_queue.items.insert(index, QueueItem { sequence, ..QueueItem::new(Input::Discont, None) });
            }
            _ => {}
        }
        self.queued_audio = self.queued_audio.saturating_sub(duration);
        self.dropped += duration;
    }

    /// The next item of a live session: frames first, of which only the newest is queued, then in order of arrival.
    pub fn take_in_arrival_order(&mut self, stream: bool, frames: bool) -> Option<Input> {
        let is_frame =
            |pad_queue: &PadQueue| pad_queue.items.front().is_some_and(|w| matches!(w.input, Input::Frame(_)));
        if frames && let Some(pad_queue) = self.pads.iter_mut().find(|pad_queue| is_frame(pad_queue)) {
            return pad_queue.items.pop_front().map(|item| item.input);
        }
        if !stream {
            return None;
        }
        let pad_queues = self.pads.iter_mut().filter(|pad_queue| !is_frame(pad_queue) && !pad_queue.items.is_empty());
        let first = pad_queues.min_by_key(|pad_queue| pad_queue.items.front().map(|item| item.sequence))?;
        let QueueItem { mut input, duration, .. } = first.items.pop_front()?;
        if let Input::Audio(audio) = &mut input {
            self.join(audio, duration);
        }
        Some(input)
    }

    /// The next item of an offline session: the earliest, if no synchronized pad can still bring an earlier one.
    pub fn take_in_time_order(&mut self) -> Option<Input> {
        let key = |pad_queue: &PadQueue| {
            let first = pad_queue.items.front()?;
            let rank = match first.input {
                Input::EndOfStream => return Some((Duration::MAX, 4)),
                // Audio without a timestamp follows the audio before it; anything else without one leaves at once.
                Input::Audio(_) => return Some((first.at.unwrap_or(pad_queue.watermark), 3)),
                Input::Frame(_) => 1,
                _ if first.at.is_some() => 2,
                _ => 0,
            };
            Some((first.at.unwrap_or_default(), rank))
        };
        let keys = self.pads.iter().enumerate().filter_map(|(index, pad_queue)| Some((key(pad_queue)?, index)));
        let ((at, _), index) = keys.min()?;
        let others = || self.pads.iter().enumerate().filter(|(other, _)| *other != index);
        let next = others().filter_map(|(_, pad_queue)| key(pad_queue)).map(|(at, _)| at).min();
        let first = self.pads[index].items.front()?;
        let (duration, rate, is_timed) =
            (first.duration, first.rate.0, first.at.is_some() || !first.duration.is_zero());
        // Audio that reaches beyond the next item of another pad is split there.
        let cut = next.filter(|next| *next < at + duration).map(|next| next - at);
        let cut = cut.map(|cut| time_to_samples(cut, rate)).filter(|samples| *samples > 0);
        let end = cut.map_or(at.saturating_add(duration), |cut| at + samples_to_time(cut, rate));
        let may_be_earlier = |pad_queue: &PadQueue| {
            pad_queue.synchronized
                && !pad_queue.idle
                && !pad_queue.ended
                && pad_queue.items.is_empty()
                && pad_queue.watermark < end
        };
        if is_timed && others().any(|(_, pad_queue)| may_be_earlier(pad_queue)) {
            return None;
        }
        self.take_until(index, cut, end)
    }

    /// Takes the first item of a pad; of audio only `cut` samples, if that is given.
    fn take_until(&mut self, index: usize, cut: Option<u64>, end: Duration) -> Option<Input> {
        let is_alone =
            self.pads.iter().filter(|pad_queue| pad_queue.synchronized || !pad_queue.items.is_empty()).count() == 1;
        let pad_queue = &mut self.pads[index];
        let first = pad_queue.items.pop_front()?;
        if first.at.is_some() || first.duration > Duration::ZERO {
            pad_queue.watermark = pad_queue.watermark.max(end);
        }
        let QueueItem { input, duration, rate, sequence, .. } = first;
        let Input::Audio(mut audio) = input else { return Some(input) };
        let bytes = cut.map(|samples| samples as usize * rate.1).filter(|bytes| *bytes < audio.data.len());
        if let Some(bytes) = bytes {
            let rest = AudioChunk { data: audio.data.split_off(bytes), at: Some(end) };
            let taken = samples_to_time((bytes / rate.1) as u64, rate.0);
            let duration = duration.saturating_sub(taken);
            pad_queue.items.push_front(QueueItem {
                input: Input::Audio(rest),
                at: Some(end),
                duration,
                rate,
                sequence,
            });
            self.queued_audio = self.queued_audio.saturating_sub(taken);
        } else if is_alone {
            self.join(&mut audio, duration);
        } else {
            self.queued_audio = self.queued_audio.saturating_sub(duration);
        }
        Some(Input::Audio(audio))
    }

    /// Appends the queued audio that continues this without a gap, up to [`MAX_JOINED_AUDIO`] or the append interval.
    fn join(&mut self, audio: &mut AudioChunk, duration: Duration) {
        let mut total = duration;
        self.queued_audio = self.queued_audio.saturating_sub(total);
        let mut joined = bytes::BytesMut::new();
        let mut more_audio = Duration::ZERO;
        let limit = MAX_JOINED_AUDIO.max(self.append_interval + JOIN_TOLERANCE);
        let pad_queue = self.pad_queue(AUDIO_PAD);
        while let Some(QueueItem { input: Input::Audio(next), duration, .. }) = pad_queue.items.front() {
            let more = *duration;
            let follows = match (audio.at, next.at) {
                (Some(at), Some(next)) => next.abs_diff(at + total) <= JOIN_TOLERANCE,
                (_, next) => next.is_none(),
            };
            if !follows || total + more > limit {
                break;
            }
            if joined.is_empty() {
                joined.extend_from_slice(&audio.data);
            }
            joined.extend_from_slice(&next.data);
            pad_queue.items.pop_front();
            more_audio += more;
            total += more;
        }
        if let Some(at) = audio.at {
            pad_queue.watermark = pad_queue.watermark.max(at + total);
        }
        self.queued_audio = self.queued_audio.saturating_sub(more_audio);
        if !joined.is_empty() {
            audio.data = joined.freeze();
        }
    }
}
