// SPDX-License-Identifier: MPL-2.0

//! The silence around a sentence: the model makes more of it in front than a conversation bears, and behind as much as
//! it likes.

/// Samples of a millisecond.
const MS: usize = 24;
/// Kept in front: a soft consonant begins below the level.
const LEAD: usize = 30 * MS;
/// Between two sentences.
const PAUSE: usize = 200 * MS;
/// This part of the loudest sample is sound: -46 dB.
const LEVEL: u16 = 200;

/// A sentence at 24 kHz that begins at once and ends in a pause, so that sentences in a row are 200 ms apart.
pub fn spaced(mut samples: Vec<i16>) -> Vec<i16> {
    let loudest = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or_default();
    let is_sound = |sample: &i16| sample.unsigned_abs() > loudest / LEVEL;
    let (Some(first), Some(last)) = (samples.iter().position(is_sound), samples.iter().rposition(is_sound)) else {
        return Vec::new();
    };
    samples.resize(last + 1 + PAUSE - LEAD, 0);
    samples.drain(..first.saturating_sub(LEAD));
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(before: usize, after: usize) -> Vec<i16> {
        [vec![3; before * MS], vec![8_000; 500 * MS], vec![-3; after * MS]].concat()
    }

    #[test]
    fn sentences_in_a_row_are_200_ms_apart() {
        for (before, after) in [(300, 150), (30, 0), (40, 900)] {
            let two = [spaced(sentence(before, after)), spaced(sentence(before, after))].concat();
            let sounds: Vec<usize> = (0..two.len()).filter(|at| two[*at] == 8_000).collect();
            let gap = sounds.windows(2).map(|pair| pair[1] - pair[0] - 1).max();
            assert_eq!((sounds[0], gap), (LEAD, Some(PAUSE)), "{before} ms before, {after} ms after");
        }
    }

    #[test]
    fn a_sentence_that_begins_at_once_loses_nothing() {
        let spoken = spaced(sentence(0, 0));
        assert_eq!(spoken[..500 * MS], sentence(0, 0));
        assert!(spaced(Vec::new()).is_empty() && spaced(vec![0; 1_000]).is_empty());
    }
}
