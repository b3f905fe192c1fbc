// SPDX-License-Identifier: MPL-2.0

//! Word error rate of transcripts.

use crate::speech::plain_words;

/// Deletions, insertions and substitutions, and the number of words in the reference. Case, punctuation and digits or
/// words for numbers make no difference.
pub fn errors(expected: &str, heard: &str) -> (usize, usize) {
    let (expected, heard) = (plain_words(expected), plain_words(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, word) in expected.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in heard.iter().enumerate() {
            let changed = diagonal + usize::from(word != other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    (row[heard.len()], expected.len())
}

#[test]
fn differences_are_counted_in_words() {
    assert_eq!(errors("It is 3:45 p.m.", "it is three forty five PM"), (2, 7));
    assert_eq!(errors("It is 3:45 p.m.", "It is 3.45 p.m.").1, 7);
    assert_eq!(errors("one two three", "1, 2, 3!"), (0, 3));
    assert_eq!(errors("one two three", "two three four"), (2, 3));
    assert_eq!(errors("", "you"), (1, 0));
    assert_eq!(errors("nothing heard", ""), (2, 2));
}
