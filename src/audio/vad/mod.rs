// SPDX-License-Identifier: MPL-2.0

//! Turn detection of `turn-detection=local`: begin and end of speech, found in the samples alone.
//!
//! It works in frames of 32 ms of the stream, so the result does not depend on how audio is cut into buffers. Outside of
//! speech the last moments are kept back; when speech begins they go out first, so that no first syllable is lost. The
//! probability of speech in each frame is that of Silero VAD (see the `audio-dsp` crate).

use crate::audio::sample_clock::time_to_samples;
use audio_dsp::g711::{decode_alaw, decode_ulaw};
use audio_dsp::pcm::to_f32;
use audio_dsp::vad::{FRAME, SAMPLE_RATE, Vad};
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::Duration;

/// Speech has begun when this many …
const VOICED: usize = 4;
/// … of the last this many frames are voiced.
const WINDOW: usize = 6;
/// The network reacts about one frame late. (Resampling adds no more than 4 ms.)
const LATE: usize = 1;
/// Hysteresis: a frame is silent only when it is this far below the threshold.
const HYSTERESIS: f32 = 0.15;

/// Configuration of turn detection.
#[derive(Clone, Debug, PartialEq)]
pub struct VadConfig {
    /// Threshold of the probability of speech, 0 to 1.
    pub threshold: f32,
    /// Audio before the begin of speech that belongs to the turn.
    pub prefix: Duration,
    /// Silence that ends a turn.
    pub silence: Duration,
}

/// Result of turn detection, in stream order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VadEvent {
    /// Speech began at this sample of the input, padding included.
    SpeechStarted(u64),
    /// Audio of the turn.
    Audio(Vec<u8>),
    /// The turn ended at this sample of the input, its silence included.
    SpeechStopped(u64),
}

#[derive(Debug)]
enum State {
    Quiet,
    /// Silent frames in a row.
    Speaking(usize),
}

/// A turn detector for one stream.
pub struct TurnDetector {
    format: AudioFormat,
    threshold: f32,
    prefix_frames: usize,
    silence_frames: usize,
    vad: Vad,
    /// Bytes of a frame in the input's format.
    frame_bytes: usize,
    frame_samples: u64,
    partial: Vec<u8>,
    kept: VecDeque<Vec<u8>>,
    recent: VecDeque<bool>,
    state: State,
    frames: u64,
}

impl std::fmt::Debug for TurnDetector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ear").field("state", &self.state).field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl TurnDetector {
    /// A detector for this format.
    pub fn new(settings: &VadConfig, format: AudioFormat) -> Self {
        let rate = format.rate() as usize;
        let frame_samples = FRAME * rate / SAMPLE_RATE as usize;
        let vad = Vad::new(format.rate()).unwrap_or_else(|error| unreachable!("the API has 8 and 24 kHz: {error}"));
        let frames = |time| time_to_samples(time, format.rate()).div_ceil(frame_samples as u64) as usize;
        Self {
            threshold: settings.threshold,
            prefix_frames: frames(settings.prefix),
            silence_frames: frames(settings.silence).max(1),
            vad,
            frame_bytes: frame_samples * format.sample_size(),
            frame_samples: frame_samples as u64,
            partial: Vec::new(),
            kept: VecDeque::new(),
            recent: VecDeque::with_capacity(WINDOW + 1),
            state: State::Quiet,
            frames: 0,
            format,
        }
    }

    /// Whether a turn has begun and not ended.
    pub fn is_speaking(&self) -> bool {
        matches!(self.state, State::Speaking(_))
    }

    /// Processes audio, at most to the end of a turn. Returns the number of bytes consumed.
    pub fn push(&mut self, data: &[u8], heard: &mut Vec<VadEvent>) -> usize {
        let mut rest = data;
        while self.partial.len() + rest.len() >= self.frame_bytes {
            let (head, tail) = rest.split_at(self.frame_bytes - self.partial.len());
            let mut frame = std::mem::take(&mut self.partial);
            frame.extend_from_slice(head);
            rest = tail;
            if self.frame(frame, heard) {
                return data.len() - rest.len();
            }
        }
        self.partial.extend_from_slice(rest);
        data.len()
    }

    /// End of the stream: ends the current turn with what is left.
    pub fn finish(&mut self, heard: &mut Vec<VadEvent>) {
        let rest = std::mem::take(&mut self.partial);
        if self.is_speaking() {
            let end = self.frames * self.frame_samples + (rest.len() / self.format.sample_size()) as u64;
            add_sound(heard, rest);
            heard.push(VadEvent::SpeechStopped(end));
        }
        self.state = State::Quiet;
        self.recent.clear();
        self.kept.clear();
    }

    /// Processes one frame. True if it ended a turn.
    fn frame(&mut self, frame: Vec<u8>, heard: &mut Vec<VadEvent>) -> bool {
        let score = self.score(&frame);
        self.frames += 1;
        match &mut self.state {
            State::Quiet => {
                self.kept.push_back(frame);
                self.recent.push_back(score >= self.threshold);
                if self.recent.len() > WINDOW {
                    self.recent.pop_front();
                }
                if self.recent.iter().filter(|voiced| **voiced).count() >= VOICED {
                    self.begin(heard);
                } else if self.kept.len() > self.prefix_frames + LATE + WINDOW {
                    self.kept.pop_front();
                }
                false
            }
            State::Speaking(quiet) => {
                *quiet = if score < self.threshold - HYSTERESIS { *quiet + 1 } else { 0 };
                let over = *quiet >= self.silence_frames;
                add_sound(heard, frame);
                if over {
                    heard.push(VadEvent::SpeechStopped(self.frames * self.frame_samples));
                    self.state = State::Quiet;
                    self.recent.clear();
                }
                over
            }
        }
    }

    /// Speech began with the first voiced frame of the window; the audio kept back before it goes out first.
    fn begin(&mut self, heard: &mut Vec<VadEvent>) {
        let first = self.recent.iter().position(|voiced| *voiced).unwrap_or_default();
        let keep = (self.recent.len() - first + LATE + self.prefix_frames).min(self.kept.len());
        self.kept.drain(..self.kept.len() - keep);
        heard.push(VadEvent::SpeechStarted((self.frames - keep as u64) * self.frame_samples));
        for frame in self.kept.drain(..) {
            add_sound(heard, frame);
        }
        self.recent.clear();
        self.state = State::Speaking(0);
    }

    fn score(&mut self, frame: &[u8]) -> f32 {
        let samples: Vec<f32> = match self.format {
            AudioFormat::Pcmu => frame.iter().map(|code| to_f32(decode_ulaw(*code))).collect(),
            AudioFormat::Pcma => frame.iter().map(|code| to_f32(decode_alaw(*code))).collect(),
            AudioFormat::Pcm | AudioFormat::Other(_) => {
                frame.as_chunks().0.iter().map(|sample| to_f32(i16::from_le_bytes(*sample))).collect()
            }
        };
        let probabilities = self.vad.push(&samples);
        debug_assert_eq!(probabilities.len(), 1, "the data is one frame");
        probabilities.last().copied().unwrap_or_default()
    }
}

fn add_sound(heard: &mut Vec<VadEvent>, frame: Vec<u8>) {
    match heard.last_mut() {
        Some(VadEvent::Audio(data)) => data.extend_from_slice(&frame),
        _ if frame.is_empty() => {}
        _ => heard.push(VadEvent::Audio(frame)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::tests::recording;

    fn settings() -> VadConfig {
        VadConfig { threshold: 0.5, prefix: Duration::from_millis(300), silence: Duration::from_millis(500) }
    }

    fn listen(data: &[u8], piece: usize) -> Vec<VadEvent> {
        let mut ear = TurnDetector::new(&settings(), AudioFormat::Pcm);
        let mut heard = Vec::new();
        for mut part in data.chunks(piece) {
            while !part.is_empty() {
                part = &part[ear.push(part, &mut heard)..];
            }
        }
        ear.finish(&mut heard);
        heard
    }

    /// Joins adjacent pieces of audio.
    fn joined(heard: Vec<VadEvent>) -> Vec<VadEvent> {
        heard.into_iter().fold(Vec::new(), |mut all, next| {
            match next {
                VadEvent::Audio(data) => add_sound(&mut all, data),
                other => all.push(other),
            }
            all
        })
    }

    #[test]
    fn a_sentence_is_one_turn_with_all_its_sound() {
        let mut sound = vec![0; 48_000];
        sound.extend(recording("goforward.wav"));
        sound.extend(vec![0; 96_000]);
        let heard = joined(listen(&sound, 960));
        let [VadEvent::SpeechStarted(began), VadEvent::Audio(data), VadEvent::SpeechStopped(ended)] = &heard[..] else {
            panic!("one turn expected, heard {} things", heard.len());
        };
        assert_eq!(data.len() as u64, (ended - began) * 2);
        assert_eq!(data[..], sound[*began as usize * 2..*ended as usize * 2]);
    }

    #[test]
    fn what_is_heard_does_not_depend_on_the_buffers() {
        let mut sound = recording("lv0880.wav");
        sound.extend(vec![0; 48_000]);
        let whole = joined(listen(&sound, sound.len()));
        assert!(!whole.is_empty());
        for piece in [2, 466, 960, 4800] {
            assert_eq!(joined(listen(&sound, piece)), whole, "pieces of {piece} bytes");
        }
    }

    #[test]
    fn edges_hold_wherever_the_frames_lie() {
        let frame = 768;
        let edges = |shift: usize| {
            let mut sound = vec![0; (24_000 + shift) * 2];
            sound.extend(recording("goforward.wav"));
            sound.extend(vec![0; 96_000]);
            let heard = joined(listen(&sound, 960));
            let [VadEvent::SpeechStarted(began), _, VadEvent::SpeechStopped(ended)] = heard[..] else {
                panic!("one turn expected, heard {} things", heard.len());
            };
            (began - shift as u64, ended - shift as u64)
        };
        let (began, ended) = edges(0);
        for shift in (0..frame).step_by(96) {
            let (begins, ends) = edges(shift);
            assert!(begins.abs_diff(began) <= frame as u64, "{shift} samples later, speech begins at {begins}");
            // A last syllable fades out, so its end is less sharp.
            assert!(ends.abs_diff(ended) <= 2 * frame as u64, "{shift} samples later, speech ends at {ends}");
        }
    }

    #[test]
    fn silence_is_nothing() {
        assert_eq!(listen(&vec![0; 480_000], 960), []);
    }

    #[test]
    fn the_loudest_noise_is_survived() {
        let square: Vec<u8> =
            (0..48_000).flat_map(|n| if n / 7 % 2 == 0 { i16::MAX } else { i16::MIN }.to_le_bytes()).collect();
        listen(&square, 960);
    }

    #[test]
    fn speech_to_the_last_sample_is_still_a_turn() {
        let sound = recording("goforward.wav");
        let middle = &sound[..sound.len() / 2 / 2 * 2];
        let heard = listen(middle, 960);
        assert_eq!(heard.last(), Some(&VadEvent::SpeechStopped(middle.len() as u64 / 2)));
    }
}
