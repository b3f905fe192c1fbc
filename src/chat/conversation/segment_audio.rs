// SPDX-License-Identifier: MPL-2.0

//! The audio that was not sent yet: stretches of samples with their running times, cut at running times into files.
//!
//! With `segment-gap` only speech is sent, with a moment in front of it; the same voice activity detection decides that
//! as with `turn-detection=local` of `openairealtime`.

use crate::audio::sample_clock::{SampleClock, samples_to_time, time_to_samples};
use crate::audio::vad::{TurnDetector, VadConfig, VadEvent};
use crate::chat::conversation::io::AudioCoding;
use crate::types::AudioChunk;
use audio_dsp::Resampler;
use audio_dsp::pcm::{to_f32, to_i16};
use audio_dsp::wav;
use bytes::{Bytes, BytesMut};
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::Duration;

/// Timestamps that differ by less from the counted samples are jitter.
const JITTER: Duration = Duration::from_millis(40);
/// A hole in the audio that is not longer is filled with silence, so that what follows keeps its place.
const MAX_FILL: Duration = Duration::from_secs(60);
/// How much audio one request carries: more is refused by the API, whose limit for a body is 25 MB.
const MAX_AUDIO: usize = 18 << 20;
/// Audio in front of the begin of speech that belongs to it.
const SPEECH_PREFIX: Duration = Duration::from_millis(300);
/// While nobody speaks, so much is kept back for the begin of speech.
const KEPT_SILENCE: Duration = Duration::from_secs(2);

/// A stretch of audio.
#[derive(Debug)]
struct Chunk {
    at: Duration,
    length: Duration,
    data: Bytes,
}

/// Speech, from where to where; without an end it goes on.
type Span = (Duration, Option<Duration>);

/// Finds speech in the audio.
struct SpeechFinder {
    detector: TurnDetector,
    resampler: Option<Resampler>,
    clock: SampleClock,
    spans: VecDeque<Span>,
    heard: bool,
    found: bool,
}

/// Audio in order of running time.
pub struct SegmentAudio {
    coding: Option<AudioCoding>,
    chunks: VecDeque<Chunk>,
    size: usize,
    end: Option<Duration>,
    /// Half a sample that the next buffer completes.
    torn: Option<u8>,
    gap: Option<Duration>,
    threshold: f32,
    finder: Option<SpeechFinder>,
}

impl SegmentAudio {
    /// No audio yet.
    pub fn new(gap: Option<Duration>, threshold: f32) -> Self {
        let gap = gap.filter(|gap| !gap.is_zero());
        Self { coding: None, chunks: VecDeque::new(), size: 0, end: None, torn: None, gap, threshold, finder: None }
    }

    /// How it comes in.
    pub fn coding(&self) -> Option<AudioCoding> {
        self.coding
    }

    /// It comes in this form from now on.
    pub fn set_coding(&mut self, coding: AudioCoding) -> Result<(), String> {
        if self.coding == Some(coding) {
            return Ok(());
        }
        self.coding = Some(coding);
        self.torn = None;
        self.finder = match (coding, self.gap) {
            (_, None) => None,
            (AudioCoding::Mp3, Some(_)) => {
                return Err("segment-gap needs raw audio to hear speech in: decode the MP3 (mpg123audiodec), or set \
                            segment-duration instead"
                    .into());
            }
            (AudioCoding::Pcm(rate), Some(gap)) => Some(SpeechFinder::new(rate, gap, self.threshold)?),
        };
        Ok(())
    }

    /// Whether nothing is there that will be sent.
    pub fn is_empty(&self) -> bool {
        match &self.finder {
            Some(finder) => finder.spans.is_empty(),
            None => self.chunks.is_empty(),
        }
    }

    /// Where it begins, of what will be sent.
    pub fn first_at(&self) -> Option<Duration> {
        match &self.finder {
            Some(finder) => finder.spans.front().map(|(start, _)| *start),
            None => self.chunks.front().map(|chunk| chunk.at),
        }
    }

    /// Where it ends.
    pub fn end_at(&self) -> Option<Duration> {
        self.end
    }

    /// Where the first speech ends that is followed by silence.
    pub fn speech_end(&self) -> Option<Duration> {
        self.finder.as_ref()?.spans.front()?.1
    }

    /// Where it is as long as one request can be.
    pub fn full_at(&self) -> Option<Duration> {
        if self.size <= MAX_AUDIO {
            return None;
        }
        let mut size = 0;
        let full = self.chunks.iter().find(|chunk| {
            size += chunk.data.len();
            size > MAX_AUDIO
        });
        full.map(|chunk| chunk.at)
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        self.chunks.clear();
        (self.size, self.end, self.torn) = (0, None, None);
        if let (Some(AudioCoding::Pcm(rate)), Some(gap)) = (self.coding, self.gap) {
            // The rate was accepted before.
            self.finder = SpeechFinder::new(rate, gap, self.threshold).ok();
        }
    }

    /// More audio; gives back where it ends.
    pub fn push(&mut self, chunk: AudioChunk) -> Duration {
        let expected = self.end;
        let at = match (chunk.at, expected) {
            (Some(at), Some(expected)) if at.abs_diff(expected) < JITTER => expected,
            (Some(at), _) => at,
            (None, expected) => expected.unwrap_or_default(),
        };
        let Some(AudioCoding::Pcm(rate)) = self.coding else {
            // Where an MP3 frame ends is known when the next one comes.
            self.size += chunk.data.len();
            self.chunks.push_back(Chunk { at, length: Duration::ZERO, data: chunk.data });
            self.end = Some(at);
            return at;
        };
        let data = self.whole_samples(chunk.data);
        if let Some(hole) = expected.and_then(|expected| at.checked_sub(expected)).filter(|hole| !hole.is_zero())
            && hole <= MAX_FILL
            && !self.chunks.is_empty()
        {
            let silence = vec![0; time_to_samples(hole, rate) as usize * 2];
            self.append(at - hole, silence.into(), rate);
        }
        self.append(at, data, rate)
    }

    fn whole_samples(&mut self, data: Bytes) -> Bytes {
        if self.torn.is_none() && data.len().is_multiple_of(2) {
            return data;
        }
        let mut all = BytesMut::with_capacity(data.len() + 1);
        all.extend(self.torn.take());
        all.extend_from_slice(&data);
        if all.len() % 2 == 1 {
            self.torn = all.last().copied();
            all.truncate(all.len() - 1);
        }
        all.freeze()
    }

    fn append(&mut self, at: Duration, data: Bytes, rate: u32) -> Duration {
        let length = samples_to_time((data.len() / 2) as u64, rate);
        let end = at + length;
        if let Some(finder) = &mut self.finder {
            finder.push(&data, at);
        }
        self.size += data.len();
        self.chunks.push_back(Chunk { at, length, data });
        // Counting in nanoseconds anew for each buffer would drift: the end is what the next one is held against.
        self.end = Some(end);
        let idle = self.finder.as_ref().is_some_and(|finder| finder.spans.is_empty());
        while idle
            && let Some(first) = self.chunks.front()
            && first.at + first.length + KEPT_SILENCE < end
        {
            self.size -= first.data.len();
            self.chunks.pop_front();
        }
        end
    }

    /// Takes what lies before `end` (all without one) as a file, and its kind.
    pub fn take(&mut self, end: Option<Duration>) -> Option<(Vec<u8>, &'static str)> {
        let coding = self.coding?;
        let AudioCoding::Pcm(rate) = coding else {
            let count = end.map_or(self.chunks.len(), |end| self.chunks.partition_point(|chunk| chunk.at < end));
            let file: Vec<u8> = self.chunks.drain(..count).flat_map(|chunk| chunk.data).collect();
            self.size -= file.len();
            return (!file.is_empty()).then_some((file, "mp3"));
        };
        let spans = match &mut self.finder {
            Some(finder) => finder.take(end, self.end.unwrap_or_default()),
            None => vec![(Duration::ZERO, end)],
        };
        let mut samples = Vec::new();
        for (start, end) in spans {
            self.drop_before(start, rate);
            self.take_before(end, rate, &mut samples);
        }
        if samples.is_empty() {
            return None;
        }
        let mut file = wav::header(rate, u32::try_from(samples.len()).unwrap_or(u32::MAX)).to_vec();
        file.append(&mut samples);
        Some((file, "wav"))
    }

    fn take_before(&mut self, end: Option<Duration>, rate: u32, samples: &mut Vec<u8>) {
        while let Some(chunk) = self.chunks.front_mut()
            && end.is_none_or(|end| chunk.at < end)
        {
            let bytes = match end {
                Some(end) if end < chunk.at + chunk.length => time_to_samples(end - chunk.at, rate) as usize * 2,
                _ => chunk.data.len(),
            };
            let taken = chunk.data.split_to(bytes.min(chunk.data.len()));
            samples.extend_from_slice(&taken);
            self.size -= taken.len();
            if chunk.data.is_empty() {
                self.chunks.pop_front();
                continue;
            }
            let length = samples_to_time((taken.len() / 2) as u64, rate);
            chunk.at += length;
            chunk.length = chunk.length.saturating_sub(length);
            break;
        }
    }

    fn drop_before(&mut self, start: Duration, rate: u32) {
        let mut dropped = Vec::new();
        self.take_before(Some(start), rate, &mut dropped);
    }

    /// No more will come.
    pub fn finish(&mut self) {
        if let Some(finder) = &mut self.finder {
            finder.finish();
        }
    }

    /// Whether audio came in of which nothing was speech.
    pub fn heard_no_speech(&self) -> bool {
        self.finder.as_ref().is_some_and(|finder| finder.heard && !finder.found)
    }
}

impl SpeechFinder {
    fn new(rate: u32, gap: Duration, threshold: f32) -> Result<Self, String> {
        let format = AudioFormat::Pcm;
        let resampler = (rate != format.rate()).then(|| Resampler::causal(rate, format.rate())).transpose();
        let resampler = resampler.map_err(|error| format!("segment-gap: {error}; put audioresample in front"))?;
        let clock = SampleClock::new(format.rate());
        let config = VadConfig { threshold, prefix: SPEECH_PREFIX, silence: gap };
        let detector = TurnDetector::new(&config, format);
        Ok(Self { detector, resampler, clock, spans: VecDeque::new(), heard: false, found: false })
    }

    fn push(&mut self, data: &[u8], at: Duration) {
        self.heard = true;
        let resampled = self.resampler.as_mut().map(|resampler| {
            let samples: Vec<f32> = data.as_chunks().0.iter().map(|two| to_f32(i16::from_le_bytes(*two))).collect();
            let mut output = Vec::new();
            resampler.push(&samples, &mut output);
            output.into_iter().flat_map(|sample| to_i16(sample).to_le_bytes()).collect::<Vec<u8>>()
        });
        let mut data = resampled.as_deref().unwrap_or(data);
        self.clock.advance((data.len() / 2) as u64, Some(at));
        let mut events = Vec::new();
        while !data.is_empty() {
            data = &data[self.detector.push(data, &mut events)..];
        }
        self.note(events);
    }

    fn note(&mut self, events: Vec<VadEvent>) {
        let time = |sample| self.clock.time_of(sample).unwrap_or_default();
        for event in events {
            match event {
                VadEvent::SpeechStarted(sample) => {
                    self.found = true;
                    self.spans.push_back((time(sample), None));
                }
                VadEvent::SpeechStopped(sample) => {
                    if let Some((_, end)) = self.spans.back_mut() {
                        *end = Some(time(sample));
                    }
                }
                VadEvent::Audio(_) => {}
            }
        }
    }

    fn finish(&mut self) {
        let mut events = Vec::new();
        self.detector.finish(&mut events);
        self.note(events);
    }

    /// The speech before `limit`, or without one before `latest`, the end of the audio. What goes on behind it begins
    /// there.
    fn take(&mut self, limit: Option<Duration>, latest: Duration) -> Vec<Span> {
        let mut taken = Vec::new();
        while let Some((start, end)) = self.spans.front_mut()
            && limit.is_none_or(|limit| *start < limit)
        {
            match (*end, limit) {
                (Some(end), limit) if limit.is_none_or(|limit| end <= limit) => {
                    taken.push((*start, Some(end)));
                    self.spans.pop_front();
                }
                (_, Some(limit)) => {
                    taken.push((*start, Some(limit)));
                    *start = limit;
                    break;
                }
                (_, None) => {
                    taken.push((*start, None));
                    *start = latest;
                    break;
                }
            }
        }
        taken
    }
}
