// SPDX-License-Identifier: MPL-2.0

//! Where turns begin and end, from probabilities of speech: a clock and two thresholds, nothing else.
//!
//! Everything is counted in the sound itself, never in the time at which it arrives, so the same sound gives the same
//! turns however fast it comes. A turn begins when there was speech for [`MIN_SPEECH`]; a click does not start one.
//! It ends after the configured silence. Within a turn the threshold is a little lower, so that a soft syllable does
//! not end it.

use openai_protocol::session::TurnDetection;

/// Ticks in a millisecond. A tick is a sample at 24 kHz, or a third of one at 8 kHz.
pub const TICKS: u64 = 24;
/// How much speech it takes to begin a turn.
const MIN_SPEECH: u64 = 160 * TICKS;
/// How much silence between the first syllables is overlooked.
const MAX_GAP: u64 = 100 * TICKS;
/// How much lower the threshold is while somebody speaks.
const HYSTERESIS: f32 = 0.15;

/// How turns are found and what follows from them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// From which probability on it is speech.
    pub threshold: f32,
    /// Sound before the speech that belongs to the turn, in ticks.
    pub prefix: u64,
    /// Silence that ends the turn, in ticks.
    pub silence: u64,
    /// Silence of both sides after which the model speaks up, in ticks.
    pub idle: Option<u64>,
    /// The end of a turn asks for an answer.
    pub create_response: bool,
    /// The begin of a turn stops the answer that is being made.
    pub interrupt_response: bool,
}

impl Rules {
    /// Rules that find pauses where the client says when a turn ends.
    pub const PAUSES: Self = Self {
        threshold: 0.5,
        prefix: 0,
        silence: 500 * TICKS,
        idle: None,
        create_response: false,
        interrupt_response: false,
    };

    /// The rules of a configuration. Semantic detection is done by patience alone here: the more eager, the less
    /// silence it takes.
    pub fn new(turns: &TurnDetection, only_transcribes: bool) -> Self {
        let silence_ms = match turns.eagerness.as_deref() {
            _ if !is_semantic(turns) => turns.silence_duration_ms.unwrap_or(200),
            Some("low") => 1_600,
            Some("high") => 400,
            _ => 800,
        };
        Self {
            threshold: turns.threshold.unwrap_or(0.5) as f32,
            prefix: turns.prefix_padding_ms.unwrap_or(300) * TICKS,
            silence: silence_ms * TICKS,
            idle: turns.idle_timeout_ms.value().map(|ms| ms * TICKS),
            create_response: turns.create_response.unwrap_or(true) && !only_transcribes,
            interrupt_response: turns.interrupt_response.unwrap_or(true),
        }
    }
}

/// Something that happened to a turn, in ticks of the input's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Speech began here, padding not counted.
    Started(u64),
    /// The silence that ends the turn is complete here.
    Stopped(u64),
}

/// Finds the edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detector {
    /// Nobody speaks.
    #[default]
    Quiet,
    /// There was something.
    Maybe {
        /// Where it began.
        onset: u64,
        /// How much of it was speech.
        speech: u64,
        /// Silence since then.
        gap: u64,
    },
    /// Somebody speaks.
    Speaking {
        /// Silence since the last syllable.
        silence: u64,
    },
}

impl Detector {
    /// Takes the next frame, which ends at `end`.
    pub fn step(&mut self, probability: f32, length: u64, end: u64, rules: &Rules) -> Option<Edge> {
        let speech = probability >= rules.threshold;
        let hold = probability >= (rules.threshold - HYSTERESIS).max(0.01).min(rules.threshold);
        match self {
            Self::Quiet if speech => {
                *self = Self::Maybe { onset: end - length, speech: 0, gap: 0 };
                self.count_speech(length)
            }
            Self::Maybe { .. } if speech => self.count_speech(length),
            Self::Maybe { gap, .. } => {
                *gap += length;
                if *gap > MAX_GAP {
                    *self = Self::Quiet;
                }
                None
            }
            Self::Speaking { silence } if hold => {
                *silence = 0;
                None
            }
            Self::Speaking { silence } => {
                *silence += length;
                let over = *silence >= rules.silence;
                over.then(|| {
                    *self = Self::Quiet;
                    Edge::Stopped(end)
                })
            }
            Self::Quiet => None,
        }
    }

    fn count_speech(&mut self, length: u64) -> Option<Edge> {
        let Self::Maybe { onset, speech, gap } = self else { return None };
        (*speech, *gap) = (*speech + length, 0);
        let onset = *onset;
        (*speech >= MIN_SPEECH).then(|| {
            *self = Self::Speaking { silence: 0 };
            Edge::Started(onset)
        })
    }
}

/// What the tests of listening go by.
/// Turn detection is by meaning (`semantic_vad`) rather than by silence alone.
fn is_semantic(turns: &TurnDetection) -> bool {
    turns.kind.as_deref() == Some("semantic_vad")
}

#[cfg(test)]
pub const TEST_RULES: Rules = Rules {
    threshold: 0.5,
    prefix: 300 * TICKS,
    silence: 200 * TICKS,
    idle: None,
    create_response: true,
    interrupt_response: true,
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The edges in milliseconds of frames of 20 ms: pairs of probability and milliseconds.
    fn edges(sound: &[(f32, u64)]) -> Vec<(&'static str, u64)> {
        let (mut detector, mut end, mut found) = (Detector::default(), 0, Vec::new());
        for &(probability, ms) in sound {
            for _ in 0..ms / 20 {
                end += 20 * TICKS;
                found.extend(detector.step(probability, 20 * TICKS, end, &TEST_RULES).map(|edge| match edge {
                    Edge::Started(at) => ("started", at / TICKS),
                    Edge::Stopped(at) => ("stopped", at / TICKS),
                }));
            }
        }
        found
    }

    #[test]
    fn a_turn_begins_at_its_first_syllable_and_ends_with_the_silence() {
        assert_eq!(edges(&[(0.0, 500), (0.9, 400), (0.0, 400)]), [("started", 500), ("stopped", 1100)]);
    }

    #[test]
    fn a_click_is_no_turn() {
        assert_eq!(edges(&[(0.0, 500), (0.9, 140), (0.0, 400), (0.9, 140), (0.0, 400)]), []);
    }

    #[test]
    fn a_short_gap_between_the_first_syllables_is_overlooked() {
        assert_eq!(edges(&[(0.9, 100), (0.0, 80), (0.9, 100), (0.0, 200)]), [("started", 0), ("stopped", 480)]);
    }

    #[test]
    fn a_pause_shorter_than_the_silence_does_not_end_the_turn() {
        assert_eq!(edges(&[(0.9, 400), (0.0, 180), (0.9, 200), (0.0, 200)]), [("started", 0), ("stopped", 980)]);
    }

    #[test]
    fn a_soft_syllable_holds_a_turn_and_does_not_begin_one() {
        assert_eq!(edges(&[(0.4, 1000)]), []);
        assert_eq!(edges(&[(0.9, 200), (0.4, 1000), (0.3, 200)]), [("started", 0), ("stopped", 1400)]);
    }
}
