// SPDX-License-Identifier: MPL-2.0

//! Timeline of the output audio: speech of the model laid out sample by sample on the running time of `src`, and silence
//! between. The output is one continuous stream, taken in pieces of equal length.

use crate::audio::sample_clock::{samples_to_time, time_to_samples};
use crate::queue::playout_log::PlayoutLog;
use crate::types::{OutputAudio, PlayedPart};
use bytes::{Bytes, BytesMut};
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::Duration;

/// Maximum number of content parts whose audio may arrive interleaved.
const MAX_INTERLEAVED: usize = 8;

/// Longer silence is left out of an offline stream, as a jump of its timestamps: its length comes from timestamps of the
/// input or from the server, and a wrong one would fill the disk.
const MAX_OFFLINE_SILENCE: Duration = Duration::from_secs(60);

/// Fade-out of speech that is cut off: too short to be heard as speech, long enough not to click.
const FADE_DURATION: Duration = Duration::from_millis(5);

/// The first `samples` samples (S16LE) with a linear fade-out.
fn faded(data: &[u8], samples: usize) -> Bytes {
    let fading = data.chunks_exact(2).take(samples).enumerate().flat_map(|(index, sample)| {
        let sample = i64::from(i16::from_le_bytes([sample[0], sample[1]]));
        let left = (samples - index) as i64;
        ((sample * left / (samples as i64 + 1)) as i16).to_le_bytes()
    });
    fading.collect::<Vec<u8>>().into()
}

/// A piece of the output stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Audio in the output's format; empty if it is all silence.
    pub data: Bytes,
    /// Number of samples.
    pub samples: u64,
    /// Position of the first sample in the stream.
    pub position: u64,
    /// Whether it is all silence.
    pub silent: bool,
    /// Items that start in this piece, with the position of their first sample.
    pub begins: Vec<(String, u64)>,
}

/// Result of asking for the next piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Audio or silence.
    Piece(Piece),
    /// Offline: it may still change.
    Wait,
    /// The stream has ended.
    End,
}

#[derive(Debug)]
struct Queued {
    item_id: String,
    content_index: u32,
    /// Offset of `data` in the content part, in samples.
    offset: u64,
    /// Earliest position in the stream.
    not_before: u64,
    data: Bytes,
}

/// The timeline.
#[derive(Debug)]
pub struct Timeline {
    format: AudioFormat,
    position: u64,
    queue: VecDeque<Queued>,
    queued: u64,
    /// Samples received so far of the newest content parts.
    received: VecDeque<(String, u32, u64)>,
    log: PlayoutLog,
    /// Position before which no further speech starts.
    quiet: u64,
    /// Position of EOS, once it is known.
    ends_at: Option<u64>,
    /// Offline: positions from and to which the stream jumps over silence.
    jumps: VecDeque<(u64, u64)>,
    /// Whether no piece holds both speech and silence.
    split_silence: bool,
}

impl Timeline {
    /// An empty timeline. With `split_silence` no piece holds both speech and silence, so that silence can be left out.
    pub fn new(format: AudioFormat, split_silence: bool) -> Self {
        Self {
            format,
            position: 0,
            queue: VecDeque::new(),
            queued: 0,
            received: VecDeque::new(),
            log: PlayoutLog::default(),
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

    /// Position of the next sample.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The running time of a position.
    pub fn time_of(&self, position: u64) -> Duration {
        samples_to_time(position, self.format.rate())
    }

    /// Samples of speech in the queue.
    pub fn queued(&self) -> u64 {
        self.queued
    }

    /// Appends speech.
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

    /// Adds to the samples received of the content part; returns how many there were before.
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

    /// No further speech starts before this running time.
    pub fn gap_until(&mut self, time: Duration) {
        let quiet = time_to_samples(time, self.format.rate());
        self.leave_out_silence(quiet);
        self.quiet = self.quiet.max(quiet);
    }

    /// Offline: jumps over the silence before this position if it is too long.
    fn leave_out_silence(&mut self, position: u64) {
        let known = self.known();
        if position.saturating_sub(known) > time_to_samples(MAX_OFFLINE_SILENCE, self.format.rate()) {
            self.jumps.push_back((known, position));
        }
    }

    /// No further speech comes: the stream ends behind the queue, but not before this running time.
    pub fn finish(&mut self, time: Duration) {
        self.gap_until(time);
        self.ends_at = Some(self.quiet);
    }

    /// Moves the position forward when the stream is late; the queue is kept.
    pub fn skip_to(&mut self, time: Duration) {
        self.position = self.position.max(time_to_samples(time, self.format.rate()));
    }

    /// Drops the queue. With `fades`, speech that is being played is faded out.
    pub fn cut(&mut self, fades: bool) {
        let goes_on = self.log.end() == Some(self.position);
        let end = self.queue.pop_front().filter(|next| fades && goes_on && next.not_before <= self.position);
        self.queue.clear();
        self.queued = 0;
        if let Some(mut end) = end.filter(|_| self.format == AudioFormat::Pcm) {
            end.data = faded(&end.data, time_to_samples(FADE_DURATION, self.format.rate()) as usize);
            self.queued = (end.data.len() / self.format.sample_size()) as u64;
            self.queue.push_back(end);
        }
    }

    /// The next piece of a live stream, speech or silence. It has `samples` samples, unless it is the last or silence is
    /// split off.
    pub fn next_live(&mut self, samples: u64) -> Next {
        if self.ends_at.is_some() && self.queue.is_empty() {
            return Next::End;
        }
        Next::Piece(self.take(samples))
    }

    /// The next piece of an offline stream, once it cannot change any more.
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

    /// Position up to which the stream cannot change any more.
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

    /// Copies a piece that holds one buffer so far, because more is appended.
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

    /// Takes up to `samples` samples off the front of the queue.
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
        self.log.add(&front.item_id, content_index, offset, self.position, count);
        if front.data.is_empty() {
            self.queue.pop_front();
        }
        self.position += count;
        self.queued -= count;
        data
    }

    /// What was played of each item when the running time `time` is being heard.
    pub fn played_at(&self, time: Duration) -> Vec<PlayedPart> {
        self.log.played_at(time_to_samples(time, self.format.rate()))
    }
}
