// SPDX-License-Identifier: MPL-2.0

//! Selects the parts of a recording to recognise.
//!
//! The recogniser hallucinates on silence and degrades on long input. Therefore silence at the ends is cut off, a
//! recording without speech is skipped, and a long one is split at pauses. All decisions use the frame probabilities of
//! the VAD.

use std::ops::Range;

use crate::speech::THRESHOLD;
use audio_dsp::vad::FRAME;

/// Minimum number of frames with speech: 6 of 32 ms, about 190 ms.
const MIN_SPEECH: usize = 6;

/// Frames kept before and after the speech, because words begin and end quietly.
const MARGIN: usize = 7;

/// Maximum length of a part: 20 s.
const MAX_PART: usize = 625;

/// A part is not split earlier: 8 s.
const MIN_PART: usize = 250;

/// Window in which the probabilities are averaged to find a pause: about 300 ms.
const PAUSE: usize = 9;

/// The parts to recognise of a recording of `samples` samples, in order. Empty when there is no speech. An incomplete
/// last frame needs no probability.
pub fn parts(probabilities: &[f32], samples: usize) -> Vec<Range<usize>> {
    let frames = probabilities.len().min(samples.div_ceil(FRAME));
    let probabilities = &probabilities[..frames];
    let is_speech = |probability: &f32| *probability >= THRESHOLD;
    let speech: Vec<usize> = (0..probabilities.len()).filter(|&frame| is_speech(&probabilities[frame])).collect();
    let (Some(first), Some(last)) = (speech.first(), speech.last()) else { return Vec::new() };
    if speech.len() < MIN_SPEECH {
        return Vec::new();
    }
    let mut start = first.saturating_sub(MARGIN);
    let end = (last + 1 + MARGIN).min(frames);
    let mut parts = Vec::new();
    while end - start > MAX_PART {
        let cut = start + MIN_PART + longest_pause(&probabilities[start + MIN_PART..start + MAX_PART]);
        parts.push(start..cut);
        start = cut;
    }
    parts.push(start..end);
    parts.retain(|part| probabilities[part.clone()].iter().any(is_speech));
    let sample = |frame: usize| if frame == frames { (frame + 1) * FRAME } else { frame * FRAME }.min(samples);
    parts.into_iter().map(|part| part.start * FRAME..sample(part.end)).collect()
}

/// The middle of the window with the lowest speech probability; the last one of equals.
fn longest_pause(probabilities: &[f32]) -> usize {
    let likelihood = |window: &[f32]| window.iter().sum::<f32>();
    let quietest = probabilities
        .windows(PAUSE)
        .enumerate()
        .min_by(|(i, a), (j, b)| likelihood(a).total_cmp(&likelihood(b)).then(j.cmp(i)));
    quietest.map_or(probabilities.len(), |(start, _)| start + PAUSE / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probabilities from `(seconds, speech?)`.
    fn recording(parts: &[(f32, bool)]) -> Vec<f32> {
        let frames = |seconds: f32| (seconds * 16_000.0 / FRAME as f32) as usize;
        parts.iter().flat_map(|&(s, speech)| vec![if speech { 0.9 } else { 0.1 }; frames(s)]).collect()
    }

    fn seconds(parts: Vec<Range<usize>>) -> Vec<(f32, f32)> {
        let second = |sample: usize| (sample as f32 / 16_000.0 * 10.0).round() / 10.0;
        parts.into_iter().map(|part| (second(part.start), second(part.end))).collect()
    }

    #[test]
    fn silence_and_clicks_are_left_alone() {
        assert!(parts(&[], 0).is_empty());
        assert!(parts(&recording(&[(9.0, false)]), 144_000).is_empty());
        assert!(parts(&recording(&[(1.0, false), (0.1, true), (1.0, false)]), 33_600).is_empty());
    }

    #[test]
    fn a_turn_keeps_a_margin() {
        let turn = recording(&[(2.0, false), (3.0, true), (2.0, false)]);
        assert_eq!(seconds(parts(&turn, 112_000)), vec![(1.8, 5.2)]);
    }

    #[test]
    fn probabilities_and_samples_need_not_agree() {
        let turn = recording(&[(3.0, true)]);
        for samples in [0, 1, 511, 512, 513, 16_000, 48_000, 1_000_000] {
            for part in parts(&turn, samples) {
                assert!(part.start < part.end && part.end <= samples);
            }
        }
    }

    #[test]
    fn a_long_turn_is_cut_in_its_pauses() {
        let turn = recording(&[(12.0, true), (0.6, false), (15.0, true), (0.5, false), (8.0, true)]);
        assert_eq!(seconds(parts(&turn, turn.len() * FRAME)), vec![(0.0, 12.4), (12.4, 27.9), (27.9, 36.0)]);
    }

    #[test]
    fn parts_cover_endless_speech_without_a_gap() {
        for length in (1..200).step_by(7) {
            let turn = recording(&[(length as f32, true)]);
            let samples = turn.len() * FRAME - 100;
            let parts = parts(&turn, samples);
            assert_eq!(parts.first().map(|part| part.start), Some(0));
            assert_eq!(parts.last().map(|part| part.end), Some(samples));
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert!(parts.iter().all(|part| part.len() <= (MAX_PART + 1) * FRAME && !part.is_empty()));
        }
    }
}
