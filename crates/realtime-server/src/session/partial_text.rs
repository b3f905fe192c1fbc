// SPDX-License-Identifier: MPL-2.0

//! The words of a turn that are told while it is still spoken, part by part and in order.

use std::collections::BTreeMap;

/// The models whose transcripts come while somebody speaks.
const STREAMING: &[&str] = &["gpt-realtime-whisper", "gpt-live-transcribe"];

/// Whether a model tells words before the turn has ended.
pub fn is_streamed(model: &str) -> bool {
    STREAMING.iter().any(|name| model.starts_with(name))
}

/// What was told of one turn.
#[derive(Debug, Default)]
pub struct PartialText {
    told: String,
    /// Parts that were told or had no words.
    complete: usize,
    /// Words of later parts, which wait for those before them.
    waiting: BTreeMap<usize, String>,
}

impl PartialText {
    /// The words of a part are found; gives what can be told now.
    pub fn add(&mut self, part: usize, words: String) -> String {
        self.waiting.insert(part, words);
        let before = self.told.len();
        while let Some(words) = self.waiting.remove(&self.complete) {
            self.complete += 1;
            if !words.is_empty() && !self.told.is_empty() {
                self.told.push(' ');
            }
            self.told += &words;
        }
        self.told[before..].to_owned()
    }

    /// What of the whole transcript was not told.
    pub fn rest<'a>(&self, whole: &'a str) -> &'a str {
        whole.strip_prefix(self.told.as_str()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_in_order_and_the_rest_at_the_end() {
        let mut text = PartialText::default();
        assert_eq!(text.add(1, "two".into()), "");
        assert_eq!(text.add(0, "One".into()), "One two");
        assert_eq!(text.add(2, String::new()), "");
        assert_eq!(text.add(3, "three".into()), " three");
        assert_eq!(text.rest("One two three four."), " four.");
        assert_eq!(PartialText::default().rest("All."), "All.");
    }
}
