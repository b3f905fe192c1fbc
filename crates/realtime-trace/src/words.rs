// SPDX-License-Identifier: MPL-2.0

//! Words along sound.

/// The words that were heard of a message whose sound was cut off, reckoned evenly along the sound and cut between words, as
/// the element does.
pub fn heard_words(words: &str, heard: f64, all: f64) -> &str {
    if all <= 0.0 || heard >= all {
        return words;
    }
    let letters = words.chars().count();
    let count = (letters as f64 * heard.max(0.0) / all) as usize;
    let Some((end, next)) = words.char_indices().nth(count) else { return words };
    let cut = &words[..end];
    if next.is_whitespace() || !words.contains(char::is_whitespace) {
        return cut.trim_end();
    }
    cut.rfind(char::is_whitespace).map_or("", |space| cut[..space].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_where_the_sound_was() {
        assert_eq!(heard_words("one two three four", 1.0, 2.0), "one two");
        assert_eq!(heard_words("one two three four", 2.0, 2.0), "one two three four");
        assert_eq!(heard_words("one two", 0.1, 2.0), "");
        assert_eq!(heard_words("一二三四", 1.0, 2.0), "一二");
        assert_eq!(heard_words("one", 1.0, 0.0), "one");
    }
}
