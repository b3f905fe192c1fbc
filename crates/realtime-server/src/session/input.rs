// SPDX-License-Identifier: MPL-2.0

//! The input audio buffer: the clock of all sound of the session, and what of it is not part of a message yet.
//!
//! Sound is taken in two steps. `append` only stores it; `listen` hears a tenth of a second of it at a time, so that
//! a client that sends a whole file at once does not keep the server from everything else. All places are in ticks
//! of 24 kHz on a clock that counts every sample ever heard, also those that were thrown away.

use crate::audio::Sound;
use crate::engine::TurnDetector;
use crate::session::detector::{Detector, Edge, Rules, TICKS};
use std::collections::VecDeque;

/// How much is heard in one step.
const STEP_MS: usize = 100;
/// Without speech only so much of the past is kept, beside the padding: enough for the longest idle timeout.
const KEEP: u64 = 31_000 * TICKS;
/// The most sound that may wait for a commit: 15 minutes.
const MAX_BUFFER_MS: u64 = 15 * 60 * 1000;

/// The buffer.
pub struct Input {
    rate: u32,
    pending: VecDeque<i16>,
    buffer: VecDeque<i16>,
    /// Where the buffer ends.
    clock: u64,
    ear: Option<Box<dyn TurnDetector>>,
    /// Where the ear's next frame begins.
    frame_start: u64,
    detector: Detector,
}

impl Input {
    /// An empty buffer at the begin of the clock.
    pub fn new(rate: u32) -> Self {
        let (pending, buffer) = Default::default();
        Self { rate, pending, buffer, clock: 0, ear: None, frame_start: 0, detector: Detector::Quiet }
    }

    /// Ticks that a sample takes.
    fn sample(&self) -> u64 {
        24_000 / u64::from(self.rate)
    }

    /// Where the sound ends that was heard so far.
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// Where the buffer begins.
    pub fn start(&self) -> u64 {
        self.clock - self.buffer.len() as u64 * self.sample()
    }

    /// How much there is to commit.
    pub fn buffered_ms(&self) -> f64 {
        self.buffer.len() as f64 * 1000.0 / f64::from(self.rate)
    }

    /// Changes the rate; sound of the old rate that was not committed is forgotten, the clock goes on.
    pub fn set_rate(&mut self, rate: u32) {
        if rate != self.rate {
            self.clear();
            self.rate = rate;
            self.ear = None;
        }
    }

    /// Hears with this ear from now on, or with none.
    pub fn set_ear(&mut self, ear: Option<Box<dyn TurnDetector>>) {
        self.ear = ear;
        self.frame_start = self.clock;
        self.detector = Detector::Quiet;
    }

    /// Whether there is an ear.
    pub fn has_ear(&self) -> bool {
        self.ear.is_some()
    }

    /// Takes more sound. False: there is so much already that it was not taken.
    #[must_use]
    pub fn append(&mut self, samples: &[i16]) -> bool {
        let most = MAX_BUFFER_MS * u64::from(self.rate) / 1000;
        if (self.pending.len() + self.buffer.len() + samples.len()) as u64 > most {
            return false;
        }
        self.pending.extend(samples);
        true
    }

    /// Hears the next step. `None`: everything was heard. Sound between turns is forgotten, unless all of it is to be kept
    /// for a commit.
    pub fn listen(&mut self, rules: Option<&Rules>, keep_all: bool) -> Option<Vec<Edge>> {
        if self.pending.is_empty() {
            self.pending.shrink_to(self.spare());
            return None;
        }
        let step = (self.rate as usize * STEP_MS / 1000).min(self.pending.len());
        let heard: Vec<i16> = self.pending.drain(..step).collect();
        self.clock += heard.len() as u64 * self.sample();
        let mut edges = Vec::new();
        if let (Some(ear), Some(rules)) = (&mut self.ear, rules) {
            let length = ear.frame_ms() * TICKS;
            for probability in ear.hear(&heard) {
                self.frame_start += length;
                edges.extend(self.detector.step(probability, length, self.frame_start, rules));
            }
        }
        self.buffer.extend(heard);
        if let Some(rules) = rules.filter(|_| !keep_all && edges.is_empty() && self.detector == Detector::Quiet) {
            self.drop_before(self.clock.saturating_sub(KEEP + rules.prefix));
        }
        Some(edges)
    }

    /// Where a turn begins whose first syllable is at `onset`.
    pub fn turn_start(&self, onset: u64, rules: &Rules) -> u64 {
        onset.saturating_sub(rules.prefix).max(self.start())
    }

    /// How long the one who speaks has been silent by now; `None` where nobody speaks.
    pub fn silence(&self) -> Option<u64> {
        match self.detector {
            Detector::Speaking { silence } => Some(silence),
            Detector::Quiet | Detector::Maybe { .. } => None,
        }
    }

    /// The sound from a place on, which stays.
    pub fn peek(&self, from: u64) -> Sound {
        let skip = from.saturating_sub(self.start()) / self.sample();
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        Sound::new(self.buffer.iter().skip(skip).copied().collect(), self.rate)
    }

    /// Takes the sound between two places; what lies before it is forgotten.
    pub fn take(&mut self, from: u64, until: u64) -> Sound {
        self.drop_before(from);
        let count = until.saturating_sub(self.start()) / self.sample();
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.buffer.len());
        let sound = Sound::new(self.buffer.drain(..count).collect(), self.rate);
        self.buffer.shrink_to(self.spare());
        sound
    }

    /// The samples for which memory is kept: of a longer turn it is given back.
    fn spare(&self) -> usize {
        self.rate as usize * 60
    }

    /// Takes all that was heard, and forgets what turn it may have been part of.
    pub fn take_all(&mut self) -> Sound {
        self.detector = Detector::Quiet;
        self.take(0, self.clock)
    }

    /// Forgets what is not committed.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.detector = Detector::Quiet;
    }

    fn drop_before(&mut self, place: u64) {
        let count = place.saturating_sub(self.start()) / self.sample();
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.buffer.len());
        self.buffer.drain(..count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use crate::engines::echo::Echo;
    use crate::session::detector::TEST_RULES;

    /// Edges of a sound that comes in chunks of so many samples.
    fn edges(rate: u32, chunk: usize) -> (Vec<Edge>, u64) {
        let (silence, speech) = (vec![0; rate as usize], vec![8_000; rate as usize / 2]);
        let sound = [silence.clone(), speech, silence].concat();
        let mut input = Input::new(rate);
        input.set_ear(Some(Echo.turn_detector(rate)));
        let mut found = Vec::new();
        for part in sound.chunks(chunk) {
            assert!(input.append(part));
            while let Some(edges) = input.listen(Some(&TEST_RULES), false) {
                found.extend(edges);
            }
        }
        (found, input.clock() / TICKS)
    }

    #[test]
    fn turns_depend_on_the_sound_alone_and_not_on_how_it_comes() {
        let expected = (vec![Edge::Started(1000 * TICKS), Edge::Stopped(1700 * TICKS)], 2500);
        for rate in [8_000, 24_000] {
            for chunk in [7, 160, 1_000, 1_000_000] {
                assert_eq!(edges(rate, chunk), expected, "{rate} Hz in chunks of {chunk}");
            }
        }
    }

    #[test]
    fn a_turn_is_cut_out_to_the_sample_and_the_rest_stays() {
        let mut input = Input::new(24_000);
        assert!(input.append(&(0..24_000).map(|i| i as i16).collect::<Vec<_>>()));
        while input.listen(None, true).is_some() {}
        let sound = input.take(100 * TICKS, 600 * TICKS);
        assert_eq!((sound.ms(), sound.samples[0]), (500, 2_400));
        assert_eq!(input.take_all().samples[0], 14_400);
        assert_eq!((input.buffered_ms(), input.clock()), (0.0, 24_000));
    }

    #[test]
    fn the_clock_goes_on_over_clear_and_another_rate() {
        let mut input = Input::new(24_000);
        assert!(input.append(&[0; 2_400]));
        while input.listen(None, true).is_some() {}
        input.clear();
        input.set_rate(8_000);
        assert!(input.append(&[0; 800]));
        while input.listen(None, true).is_some() {}
        assert_eq!(input.clock(), 200 * TICKS);
        assert_eq!(input.buffered_ms(), 100.0);
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let mut input = Input::new(8_000);
        assert!(input.append(&vec![0; 8_000 * 60 * 15]));
        assert!(!input.append(&[0]));
    }
}
