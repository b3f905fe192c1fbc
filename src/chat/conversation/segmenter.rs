// SPDX-License-Identifier: MPL-2.0

//! Cuts what comes in into segments: one request is made of each.
//!
//! A segment ends at a multiple of `segment-duration`, at the end of speech that `segment-gap` of silence follows, with
//! a typed message, when the application asks for it, and at the end of the stream. Which audio and which pictures are
//! in it is decided by running time alone: a segment is closed when every pad has reached its end, so it does not
//! depend on which streaming thread was faster.

use crate::chat::conversation::config::Config;
use crate::chat::conversation::frame_selection::Frames;
use crate::chat::conversation::io::AudioCoding;
use crate::chat::conversation::segment_audio::SegmentAudio;
use crate::types::{AudioChunk, Frame};
use std::collections::VecDeque;
use std::time::Duration;

/// A request's material.
#[derive(Debug, Default, PartialEq)]
pub struct Segment {
    /// Running time.
    pub start: Duration,
    /// Running time.
    pub end: Duration,
    /// A file, and what it is: `wav` or `mp3`.
    pub audio: Option<(Vec<u8>, &'static str)>,
    /// Pictures that go along.
    pub frames: Vec<Frame>,
    /// Pictures that do not.
    pub skipped: Vec<Frame>,
    /// What was typed.
    pub text: Option<String>,
}

impl Segment {
    /// There is nothing to ask about.
    pub fn is_empty(&self) -> bool {
        self.audio.is_none() && self.frames.is_empty() && self.text.is_none()
    }
}

#[derive(Debug)]
struct Pad {
    name: String,
    /// Nothing comes before this running time.
    reached: Duration,
    /// Segments wait for it.
    waits: bool,
    ended: bool,
}

/// Why a segment ends where it does.
enum End {
    Boundary,
    Speech,
    Text,
    /// The audio is as long as one request can be.
    Full,
    /// It was asked for.
    Now,
}

/// The material that was not sent yet.
pub struct Segmenter {
    duration: Option<Duration>,
    max_frames: usize,
    selection: crate::chat::conversation::config::FrameSelection,
    pads: Vec<Pad>,
    audio: SegmentAudio,
    frames: Frames,
    texts: VecDeque<(Option<Duration>, String)>,
    /// Where the segment in hand begins at the earliest.
    begin: Duration,
    /// What was dropped since that was asked last.
    skipped: Vec<Frame>,
    /// Audio was cut because a request cannot be longer.
    cut_full: bool,
}

impl Segmenter {
    /// Nothing has come in yet.
    pub fn new(config: &Config) -> Self {
        Self {
            duration: config.segment_duration.filter(|duration| !duration.is_zero()),
            max_frames: config.max_frames,
            selection: config.frame_selection,
            pads: Vec::new(),
            audio: SegmentAudio::new(config.segment_gap, config.vad_threshold),
            frames: Frames::default(),
            texts: VecDeque::new(),
            begin: Duration::ZERO,
            skipped: Vec::new(),
            cut_full: false,
        }
    }

    fn pad(&mut self, name: &str) -> &mut Pad {
        let known = self.pads.iter().position(|pad| pad.name == name);
        let index = known.unwrap_or_else(|| {
            self.pads.push(Pad { name: name.to_owned(), reached: Duration::ZERO, waits: false, ended: false });
            self.pads.len() - 1
        });
        &mut self.pads[index]
    }

    /// A pad's stream begins.
    pub fn open(&mut self, name: &str, waits: bool) {
        let pad = self.pad(name);
        (pad.waits, pad.ended) = (waits, false);
    }

    /// A pad's stream ends.
    pub fn end(&mut self, name: &str) {
        self.pad(name).ended = true;
    }

    /// Nothing comes on a pad before this running time.
    pub fn reach(&mut self, name: &str, until: Duration) {
        let pad = self.pad(name);
        pad.reached = pad.reached.max(until);
    }

    /// A pad was flushed.
    pub fn flush(&mut self, name: &str, is_audio: bool) {
        let pad = self.pad(name);
        (pad.reached, pad.ended) = (Duration::ZERO, false);
        self.frames.remove_pad(name);
        if is_audio {
            self.audio.clear();
        }
        self.begin = Duration::ZERO;
    }

    /// Audio comes in this form from now on. What came in another one is a segment of its own.
    pub fn set_format(&mut self, coding: AudioCoding) -> Result<Option<Segment>, String> {
        let before =
            (!self.audio.is_empty() && self.audio.coding() != Some(coding)).then(|| self.close_now()).flatten();
        self.audio.set_coding(coding)?;
        Ok(before)
    }

    /// Audio. Without a time it follows what was there.
    pub fn push_audio(&mut self, pad: &str, chunk: AudioChunk) {
        let end = self.audio.push(chunk);
        self.reach(pad, end);
    }

    /// A picture.
    pub fn push_frame(&mut self, frame: Frame) {
        if let Some(pad) = frame.pad.clone() {
            self.reach(&pad, frame.at);
        }
        let dropped = self.frames.push(frame, self.selection);
        self.skipped.extend(dropped);
    }

    /// A typed message.
    pub fn push_text(&mut self, text: String, at: Option<Duration>) {
        self.texts.push_back((at, text));
    }

    /// Nothing earlier than this can come any more; `None` where nothing at all can.
    fn horizon(&self) -> Option<Duration> {
        self.pads.iter().filter(|pad| pad.waits && !pad.ended).map(|pad| pad.reached).min()
    }

    /// Pictures that were dropped because there were too many to keep.
    pub fn take_skipped(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.skipped)
    }

    /// Whether audio was cut because a request cannot be longer, since that was asked last.
    pub fn take_cut_full(&mut self) -> bool {
        std::mem::take(&mut self.cut_full)
    }

    /// Where the next segment begins at the earliest: no answer to what comes will stand before it.
    pub fn begin(&self) -> Duration {
        self.begin
    }

    /// The next segment that is complete.
    pub fn next(&mut self) -> Option<Segment> {
        loop {
            let (end, why) = self.next_end()?;
            let segment = self.close(end, &why);
            if !segment.is_empty() {
                return Some(segment);
            }
            // Pictures that were not to be sent are told with the next segment.
            self.skipped.extend(segment.skipped);
        }
    }

    /// The earliest place at which a segment ends, if nothing that belongs to it can come any more.
    fn next_end(&mut self) -> Option<(Duration, End)> {
        self.skip_empty();
        let horizon = self.horizon();
        let is_settled = |end: &Duration| horizon.is_none_or(|horizon| *end <= horizon);
        let boundary = self.duration.filter(|_| self.has_content()).map(|duration| {
            let passed = self.begin.as_nanos() / duration.as_nanos();
            let boundary = duration.saturating_mul(u32::try_from(passed + 1).unwrap_or(u32::MAX));
            self.input_end().map_or(boundary, |end| boundary.min(end))
        });
        let text = self.texts.front().map(|(at, _)| at.unwrap_or_else(|| self.latest()));
        let ends = [
            (self.audio.speech_end(), End::Speech),
            (self.audio.full_at(), End::Full),
            (boundary, End::Boundary),
            (text, End::Text),
        ];
        let (end, why) = ends.into_iter().filter_map(|(end, why)| Some((end?, why))).min_by_key(|(end, _)| *end)?;
        // What has no time is not to be waited for.
        let is_untimed = matches!(why, End::Text) && self.texts.front().is_some_and(|(at, _)| at.is_none());
        (is_untimed || is_settled(&end)).then_some((end, why))
    }

    fn has_content(&self) -> bool {
        !self.audio.is_empty() || !self.frames.is_empty()
    }

    /// Moves to the first whole piece in which there is something.
    fn skip_empty(&mut self) {
        let Some(duration) = self.duration else { return };
        let first = [self.audio.first_at(), self.frames.first_at()].into_iter().flatten().min();
        let until = match (first, self.horizon()) {
            (Some(first), _) => first,
            (None, Some(horizon)) => horizon,
            (None, None) => return,
        };
        let passed = until.as_nanos() / duration.as_nanos();
        let start = duration.saturating_mul(u32::try_from(passed).unwrap_or(u32::MAX));
        self.begin = self.begin.max(start);
    }

    /// Where the input ends, once all of it is there: the last segment is no longer than that. `None` where its end is not
    /// known, which is so behind a picture without a length and a frame of MP3.
    fn input_end(&self) -> Option<Duration> {
        let has_ended = !self.pads.is_empty() && self.pads.iter().all(|pad| pad.ended);
        let end = has_ended.then(|| self.latest()).filter(|end| *end > self.begin)?;
        let is_known = self.audio.is_empty() || self.audio.coding() != Some(AudioCoding::Mp3);
        (is_known && self.frames.last_at().is_none_or(|last| last < end)).then_some(end)
    }

    /// The end of all that has come in.
    fn latest(&self) -> Duration {
        let audio = self.audio.end_at();
        let reached = self.pads.iter().map(|pad| pad.reached).max();
        [audio, self.frames.last_at(), reached].into_iter().flatten().max().unwrap_or_default().max(self.begin)
    }

    fn close(&mut self, end: Duration, why: &End) -> Segment {
        let first = [self.audio.first_at(), self.frames.first_at()].into_iter().flatten().min();
        let text_at = self.texts.front().and_then(|(at, _)| *at);
        let start = match self.duration {
            Some(_) => self.begin,
            None => first.or(text_at).unwrap_or(self.begin).max(self.begin),
        };
        let takes_all = matches!(why, End::Now);
        let limit = (!takes_all).then_some(end);
        let audio = self.audio.take(limit);
        // A picture at the very moment of a message is one that the message is about.
        let frame_limit = limit.map(|end| if matches!(why, End::Text) { end + Duration::from_nanos(1) } else { end });
        let (frames, skipped) = self.frames.take(frame_limit, self.max_frames, self.selection);
        let text = match why {
            End::Text => self.texts.pop_front().map(|(_, text)| text),
            End::Now => Some(self.texts.drain(..).map(|(_, text)| text).collect::<Vec<_>>().join("\n")),
            _ => None,
        };
        self.cut_full |= matches!(why, End::Full);
        self.begin = self.begin.max(end);
        let start = start.min(end);
        Segment { start, end, audio, frames, skipped, text: text.filter(|text| !text.is_empty()) }
    }

    /// Closes the segment in hand with all that is there.
    pub fn close_now(&mut self) -> Option<Segment> {
        let end = self.latest();
        let segment = self.close(end, &End::Now);
        (!segment.is_empty()).then_some(segment)
    }

    /// No more audio will come: speech that goes on ends here.
    pub fn finish(&mut self) {
        self.audio.finish();
        self.pads.iter_mut().for_each(|pad| pad.ended = true);
    }

    /// Whether audio came in of which nothing was speech.
    pub fn heard_no_speech(&self) -> bool {
        self.audio.heard_no_speech()
    }
}
