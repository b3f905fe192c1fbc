// SPDX-License-Identifier: MPL-2.0

//! Where a text may be cut: between words, and in scripts without spaces after every grapheme.

use unicode_segmentation::UnicodeSegmentation;

/// Length of the whole words that end at this byte or before. Chinese, Japanese, Thai and other scripts are written
/// without spaces: there a piece may end after every grapheme.
pub(crate) fn whole_words(text: &str, end: usize) -> usize {
    let may_end = |at: usize, grapheme: &str| {
        let before = text[..at].chars().next_back();
        let (before, after) = (before.unwrap_or(' '), grapheme.chars().next().unwrap_or(' '));
        before.is_whitespace() || after.is_whitespace() || has_no_spaces(before) || has_no_spaces(after)
    };
    let graphemes = text.grapheme_indices(true).take_while(|(at, _)| *at <= end);
    graphemes.filter(|(at, grapheme)| may_end(*at, grapheme)).last().map_or(0, |(at, _)| at)
}

/// Characters of scripts that put no spaces between words.
fn has_no_spaces(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Myanmar
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{0f00}'..='\u{0fff}' // Tibetan
        | '\u{2e80}'..='\u{312f}' // radicals, marks, kana, Bopomofo
        | '\u{31a0}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' // Han
        | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ff9f}' // wide marks, narrow kana
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_behind_whole_words() {
        for (end, whole) in [(0, 0), (4, 0), (5, 5), (6, 6), (9, 6), (11, 11)] {
            assert_eq!(whole_words("hello world", end), whole.min(6), "{end}");
        }
    }

    #[test]
    fn scripts_without_spaces_are_cut_behind_every_grapheme() {
        let text = "今日はいい";
        assert_eq!(whole_words(text, 9), 9);
        assert_eq!(whole_words(text, 10), 9);
        let joined = "นี้ดี";
        assert_eq!(whole_words(joined, 4), 0, "a vowel sign stays with its consonant");
    }
}
