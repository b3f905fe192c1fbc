// SPDX-License-Identifier: MPL-2.0

//! The answer's timeline: what the model says, laid out sample by sample on the output's running time.
//!
//! The output is one stream without holes. Where the model speaks there is sound, elsewhere silence, cut into pieces
//! of equal length. The timeline remembers which sample of which item went out where, so it can tell at any time what
//! a listener has heard of an item.

use crate::audio::sample_clock::{samples_to_time, time_to_samples};
use crate::types::{OutputAudio, PlayedPart};
use bytes::{Bytes, BytesMut};
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::Duration;

/// Stretches of items that are remembered after they went out.
const MAX_SENT_ITEMS: usize = 256;

/// Items whose sound may come interleaved.
const MAX_INTERLEAVED: usize = 8;

/// Silence that is known in one step and is longer is left out of an offline stream, whose timestamps go on behind it:
/// how long it is comes from outside, and nobody has a disk for it.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// How long speech that is cut off takes to fade: too short to be heard as speech, long enough not to click.
const FADE_DURATION: Duration = Duration::from_millis(5);

/// The first so many samples (16 bit), fading to nothing.
fn faded(data: &[u8], samples: usize) -> Bytes {
    let fading = data.chunks_exact(2).take(samples).enumerate().flat_map(|(index, sample)| {
        let sample = i64::from(i16::from_le_bytes([sample[0], sample[1]]));
        let left = (samples - index) as i64;
        ((sample * left / (samples as i64 + 1)) as i16).to_le_bytes()
    });
    fading.collect::<Vec<u8>>().into()
}

/// A piece of the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Samples in the output's format; empty where there is silence.
    pub data: Bytes,
    /// How many samples.
    pub samples: u64,
    /// Position of the first sample in the stream.
    pub position: u64,
    /// True where it is all silence.
    pub silent: bool,
    /// Items that begin in this piece, with the position of their first sample.
    pub begins: Vec<(String, u64)>,
}

/// What the next piece can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Sound or silence.
    Piece(Piece),
    /// Not known yet.
    Wait,
    /// The stream has ended.
    End,
}

#[derive(Debug)]
struct Queued {
    item_id: String,
    content_index: u32,
    /// Position of `data` in the item's part.
    offset: u64,
    /// Position in the stream before which it may not begin.
    not_before: u64,
    data: Bytes,
}

#[derive(Debug)]
struct Sent {
    item_id: String,
    content_index: u32,
    offset: u64,
    position: u64,
    samples: u64,
}

/// The timeline.
#[derive(Debug)]
pub struct Timeline {
    format: AudioFormat,
    position: u64,
    queue: VecDeque<Queued>,
    queued: u64,
    /// How much of the newest items has come so far, by item and part.
    received: VecDeque<(String, u32, u64)>,
    sent: VecDeque<Sent>,
    quiet: u64,
    ends_at: Option<u64>,
    /// Offline: where the stream leaves silence out, and where it goes on.
    jumps: VecDeque<(u64, u64)>,
    /// Silence as pieces of its own, so that it can be left out.
    split_silence: bool,
}

impl Timeline {
    /// An empty timeline. With `split_silence` no piece mixes sound and silence.
    pub fn new(format: AudioFormat, split_silence: bool) -> Self {
        Self {
            format,
            position: 0,
            queue: VecDeque::new(),
            queued: 0,
            received: VecDeque::new(),
            sent: VecDeque::new(),
            quiet: 0,
            ends_at: None,
            jumps: VecDeque::new(),
            split_silence,
        }
    }

    /// The format of the output.
    pub fn format(&self) -> &AudioFormat {
        &self.format
    }

    /// Where the next sample goes.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The running time of a position.
    pub fn time_of(&self, position: u64) -> Duration {
        samples_to_time(position, self.format.rate())
    }

    /// Samples of speech that are not out yet.
    pub fn queued(&self) -> u64 {
        self.queued
    }

    /// Puts speech behind what is there.
    pub fn play(&mut self, speech: OutputAudio) {
        let size = self.format.sample_size();
        let samples = (speech.data.len() / size) as u64;
        if samples == 0 {
            return;
        }
        let offset = self.receive(&speech, samples);
        let not_before = time_to_samples(speech.not_before, self.format.rate());
        self.leave_out_silence(not_before);
        self.queued += samples;
        self.queue.push_back(Queued {
            item_id: speech.item_id,
            content_index: speech.content_index,
            offset,
            not_before,
            data: speech.data.slice(..samples as usize * size),
        });
    }

    /// Counts what has come of the item. Gives back how much that was before.
    fn receive(&mut self, speech: &OutputAudio, samples: u64) -> u64 {
        let same = |(item, part, _): &&mut (String, u32, u64)| *part == speech.content_index && *item == speech.item_id;
        if let Some((_, _, so_far)) = self.received.iter_mut().rev().find(same) {
            *so_far += samples;
            return *so_far - samples;
        }
        if self.received.len() == MAX_INTERLEAVED {
            self.received.pop_front();
        }
        self.received.push_back((speech.item_id.clone(), speech.content_index, samples));
        0
    }

    /// Nothing new will begin before this running time.
    pub fn gap_until(&mut self, time: Duration) {
        let quiet = time_to_samples(time, self.format.rate());
        self.leave_out_silence(quiet);
        self.quiet = self.quiet.max(quiet);
    }

    /// The stream is known up to this position.
    fn leave_out_silence(&mut self, position: u64) {
        let known = self.known();
        if position.saturating_sub(known) > time_to_samples(LONGEST_SILENCE, self.format.rate()) {
            self.jumps.push_back((known, position));
        }
    }

    /// Nothing new will come at all; the stream ends with what is there, and not before this running time.
    pub fn finish(&mut self, time: Duration) {
        self.gap_until(time);
        self.ends_at = Some(self.quiet);
    }

    /// Moves the position forward when the stream has fallen behind; what is queued is kept.
    pub fn skip_to(&mut self, time: Duration) {
        self.position = self.position.max(time_to_samples(time, self.format.rate()));
    }

    /// Drops what is not out yet. With `fades`, speech that is being played ends within a moment instead of at once.
    pub fn cut(&mut self, fades: bool) {
        let goes_on = self.sent.back().is_some_and(|sent| sent.position + sent.samples == self.position);
        let end = self.queue.pop_front().filter(|next| fades && goes_on && next.not_before <= self.position);
        self.queue.clear();
        self.queued = 0;
        if let Some(mut end) = end.filter(|_| self.format == AudioFormat::Pcm) {
            end.data = faded(&end.data, time_to_samples(FADE_DURATION, self.format.rate()) as usize);
            self.queued = (end.data.len() / self.format.sample_size()) as u64;
            self.queue.push_back(end);
        }
    }

    /// The next piece of a live stream: sound where there is some, else silence, always `samples` long (but for the
    /// last one, and where silence is split off).
    pub fn next_live(&mut self, samples: u64) -> Next {
        if self.ends_at.is_some() && self.queue.is_empty() {
            return Next::End;
        }
        Next::Piece(self.take(samples))
    }

    /// The next piece of an offline stream, as soon as it cannot change any more.
    pub fn next_offline(&mut self, samples: u64) -> Next {
        while let Some((_, to)) = self.jumps.pop_front_if(|(from, _)| *from <= self.position) {
            self.position = self.position.max(to);
        }
        let samples = self.jumps.front().map_or(samples, |(from, _)| samples.min(from - self.position));
        let known = self.known();
        if known < self.position + samples && self.ends_at.is_none() {
            return Next::Wait;
        }
        match known - self.position {
            0 => Next::End,
            left => Next::Piece(self.take(samples.min(left))),
        }
    }

    /// The position up to which everything is settled.
    fn known(&self) -> u64 {
        let queued = self.queue.iter().fold(self.position, |at, speech| {
            at.max(speech.not_before) + (speech.data.len() / self.format.sample_size()) as u64
        });
        queued.max(self.quiet)
    }

    fn take(&mut self, samples: u64) -> Piece {
        let start = self.position;
        let mut piece = Piece { data: Bytes::new(), samples: 0, position: start, silent: true, begins: Vec::new() };
        let mut mixed = BytesMut::new();
        while piece.samples < samples {
            let left = samples - piece.samples;
            let wait = self.queue.front().map_or(u64::MAX, |next| next.not_before.saturating_sub(self.position));
            if wait > 0 {
                if self.split_silence && !piece.silent {
                    break;
                }
                let silence = left.min(wait);
                if !piece.silent || wait < left {
                    Self::to_mixed(&mut piece, &mut mixed);
                    self.append_silence(&mut mixed, silence);
                }
                self.position += silence;
                piece.samples += silence;
                if self.split_silence && silence < left {
                    break;
                }
                continue;
            }
            if self.split_silence && piece.silent && piece.samples > 0 {
                break;
            }
            let data = self.take_speech(left, &mut piece.begins);
            piece.samples += (data.len() / self.format.sample_size()) as u64;
            if piece.silent && mixed.is_empty() {
                piece.data = data;
            } else {
                Self::to_mixed(&mut piece, &mut mixed);
                mixed.extend_from_slice(&data);
            }
            piece.silent = false;
        }
        if !piece.silent && !mixed.is_empty() {
            piece.data = mixed.freeze();
        }
        piece
    }

    /// From here on the piece is put together from several parts.
    fn to_mixed(piece: &mut Piece, mixed: &mut BytesMut) {
        if mixed.is_empty() {
            mixed.extend_from_slice(&piece.data);
            piece.data = Bytes::new();
        }
    }

    fn append_silence(&self, mixed: &mut BytesMut, samples: u64) {
        let length = mixed.len() + samples as usize * self.format.sample_size();
        mixed.resize(length, self.format.silence()[0]);
    }

    /// Takes up to so many samples off the queue's first entry.
    fn take_speech(&mut self, samples: u64, begins: &mut Vec<(String, u64)>) -> Bytes {
        let Some(front) = self.queue.front_mut() else { return Bytes::new() };
        let size = self.format.sample_size();
        let count = samples.min((front.data.len() / size) as u64);
        let data = front.data.split_to(count as usize * size);
        let (content_index, offset) = (front.content_index, front.offset);
        front.offset += count;
        if offset == 0 && content_index == 0 {
            begins.push((front.item_id.clone(), self.position));
        }
        let goes_on = |last: &&mut Sent| {
            last.item_id == front.item_id
                && last.content_index == content_index
                && last.position + last.samples == self.position
        };
        if let Some(last) = self.sent.back_mut().filter(goes_on) {
            last.samples += count;
        } else {
            if self.sent.len() == MAX_SENT_ITEMS {
                self.sent.pop_front();
            }
            let item_id = front.item_id.clone();
            self.sent.push_back(Sent { item_id, content_index, offset, position: self.position, samples: count });
        }
        if front.data.is_empty() {
            self.queue.pop_front();
        }
        self.position += count;
        self.queued -= count;
        data
    }

    /// What a listener who is at this running time has heard of every item that is remembered.
    pub fn played_at(&self, time: Duration) -> Vec<PlayedPart> {
        let here = time_to_samples(time, self.format.rate());
        let mut items: Vec<PlayedPart> = Vec::new();
        for sent in &self.sent {
            let heard = sent.offset + here.saturating_sub(sent.position).min(sent.samples);
            match items.iter_mut().find(|i| i.item_id == sent.item_id && i.content_index == sent.content_index) {
                Some(item) if here > sent.position => item.heard = item.heard.max(heard),
                Some(_) => {}
                None => items.push(PlayedPart {
                    item_id: sent.item_id.clone(),
                    content_index: sent.content_index,
                    heard: if here > sent.position { heard } else { sent.offset },
                }),
            }
        }
        items
    }
}
