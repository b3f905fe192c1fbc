// SPDX-License-Identifier: MPL-2.0

//! A turn that the user is in, and the words that are looked for while it goes on.
//!
//! Whenever the user pauses, what was said since the last pause is listened to. If they go on speaking, and it was long
//! enough to be understood by itself, its words are kept; so when a long turn ends, only its last part is left to do.

use crate::audio::Sound;
use crate::engine::{Hints, SharedTranscript, Utterance, UtterancePart};
use crate::session::detector::TICKS;
use std::sync::Arc;

/// A part is no shorter: recognition of a few words without the others is worse.
const MIN_PART: u64 = 5_000 * TICKS;
/// A pause in which a part may end.
const PART_PAUSE: u64 = 100 * TICKS;

/// A turn that has begun and not ended.
#[derive(Debug)]
pub struct OpenTurn {
    /// The message that it will be.
    pub item_id: String,
    /// Where it begins, padding included.
    pub start: u64,
    /// Its complete parts, by where they begin.
    parts: Vec<(u64, SharedTranscript)>,
    /// How many of them were handed out.
    handed_out: usize,
    /// Where the part begins that is not complete.
    part_start: u64,
    /// The pause in which the user is, if it is long enough to listen.
    pause: Option<Pause>,
}

#[derive(Debug)]
struct Pause {
    start: u64,
    /// Where the part before it ends.
    middle: u64,
    words: SharedTranscript,
}

impl OpenTurn {
    /// A turn that begins here.
    pub fn new(item_id: String, start: u64) -> Self {
        Self { item_id, start, parts: Vec::new(), handed_out: 0, part_start: start, pause: None }
    }

    /// The user has been silent for so long at `clock`, and a silence of `end` ends the turn. Gives where the sound begins
    /// that is to be listened to now, and the place for its words.
    pub fn on_silence(&mut self, silence: u64, clock: u64, end: u64) -> Option<(u64, SharedTranscript)> {
        let start = clock.saturating_sub(silence);
        if let Some(pause) = self.pause.take_if(|pause| silence == 0 || pause.start != start) {
            self.resume(pause);
        }
        let is_long = start.saturating_sub(self.part_start) >= MIN_PART;
        let enough = if is_long { PART_PAUSE.min(end / 2) } else { end / 2 };
        if silence == 0 || silence < enough || self.pause.is_some() {
            return None;
        }
        let words = SharedTranscript::default();
        self.pause = Some(Pause { start, middle: clock - silence / 2, words: words.clone() });
        Some((self.part_start, words))
    }

    /// The user goes on after a pause: what was said before it is a part of its own, or was listened to in vain.
    fn resume(&mut self, pause: Pause) {
        if pause.start.saturating_sub(self.part_start) >= MIN_PART {
            self.parts.push((self.part_start, pause.words));
            self.part_start = pause.middle;
        }
    }

    /// The next complete part that was not handed out: its number, where it begins and ends, and the place for its words.
    pub fn next_part(&mut self) -> Option<(usize, u64, u64, SharedTranscript)> {
        let index = self.handed_out;
        let (start, words) = self.parts.get(index)?;
        let end = self.parts.get(index + 1).map_or(self.part_start, |(next, _)| *next);
        self.handed_out += 1;
        Some((index, *start, end, words.clone()))
    }

    /// What was said, with the words that are known or looked for already. `sound` begins at `sound_start`.
    pub fn finish(self, sound: Sound, sound_start: u64, hints: Arc<Hints>) -> Utterance {
        let utterance = Utterance::new(sound).with_hints(hints);
        let words = self.pause.map(|pause| pause.words).unwrap_or_default();
        if self.parts.is_empty() {
            return Utterance { words, ..utterance };
        }
        let part = |(index, (start, words)): (usize, (u64, SharedTranscript))| {
            // The first one takes what stands before the turn in the buffer.
            let start_ms = if index == 0 { 0 } else { start.saturating_sub(sound_start) / TICKS };
            UtterancePart { start_ms, words }
        };
        let parts = self.parts.into_iter().chain([(self.part_start, words)]).enumerate().map(part).collect();
        Utterance { parts, ..utterance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: u64 = 500 * TICKS;

    /// Silences of a turn, in ms on its clock: what is to be listened to in each.
    fn starts(turn: &mut OpenTurn, silences: &[(u64, u64)]) -> Vec<Option<u64>> {
        let start =
            |&(clock, silence)| turn.on_silence(silence * TICKS, clock * TICKS, END).map(|(start, _)| start / TICKS);
        silences.iter().map(start).collect()
    }

    fn utterance(turn: OpenTurn, ms: u64) -> Utterance {
        turn.finish(Sound::new(vec![0; 24 * ms as usize], 24_000), 0, Arc::default())
    }

    #[test]
    fn a_short_turn_is_listened_to_as_a_whole_from_the_middle_of_the_silence_on() {
        let mut turn = OpenTurn::new("item".into(), 0);
        assert_eq!(
            starts(&mut turn, &[(2_000, 0), (2_100, 100), (2_250, 250), (2_350, 350)]),
            [None, None, Some(0), None]
        );
        let words = turn.pause.as_ref().map(|pause| pause.words.clone()).expect("it is listened to");
        let utterance = utterance(turn, 2_500);
        assert!(utterance.parts.is_empty() && Arc::ptr_eq(&utterance.words, &words));
    }

    #[test]
    fn what_was_listened_to_in_vain_is_forgotten() {
        let mut turn = OpenTurn::new("item".into(), 0);
        assert_eq!(starts(&mut turn, &[(2_250, 250), (2_400, 0), (4_250, 250)]), [Some(0), None, Some(0)]);
        assert_eq!(utterance(turn, 4_500).parts.len(), 0);
    }

    #[test]
    fn long_speech_is_listened_to_part_by_part() {
        let mut turn = OpenTurn::new("item".into(), 0);
        let silences = [(6_100, 100), (6_200, 0), (9_100, 100), (13_100, 120), (13_200, 50), (14_250, 250)];
        assert_eq!(starts(&mut turn, &silences), [Some(0), None, None, Some(6_050), None, Some(13_040)]);
        let part =
            |turn: &mut OpenTurn| turn.next_part().map(|(index, start, end, _)| (index, start / TICKS, end / TICKS));
        assert_eq!(part(&mut turn), Some((0, 0, 6_050)));
        assert_eq!(part(&mut turn), Some((1, 6_050, 13_040)));
        assert_eq!(part(&mut turn), None);
        let utterance = utterance(turn, 15_000);
        let starts: Vec<u64> = utterance.parts.iter().map(|part| part.start_ms).collect();
        assert_eq!(starts, [0, 6_050, 13_040]);
        let pieces = utterance.pieces();
        assert_eq!(pieces.iter().map(|(sound, _)| sound.ms()).collect::<Vec<_>>(), [6_050, 6_990, 1_960]);
    }
}
