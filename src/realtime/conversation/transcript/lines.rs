// SPDX-License-Identifier: MPL-2.0

//! Lines of subtitles, made from the pieces of text in which a server tells what is said while it is said.
//!
//! A piece has a position on the time line of the input and may be part of a word. A line ends with a sentence, when it is as
//! long as two lines on a screen, or when nothing follows for a while.

use crate::types::{Speaker, TimedText};
use std::time::{Duration, Instant};

/// Longest line in characters: two lines on a screen.
const MAX_CHARS: usize = 84;
/// A line ends when nothing follows for this long, on the time line or, live, by the clock.
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// The same, by the clock, after what ends as a sentence does.
const SENTENCE_PAUSE: Duration = Duration::from_millis(500);
/// The steps in which positions are told: a piece lasts this long.
const STEP: Duration = Duration::from_millis(200);

/// A line that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub item_id: String,
    pub text: String,
    pub at: Duration,
    pub duration: Duration,
}

impl Line {
    /// For a source pad.
    pub fn timed(&self, role: Speaker) -> TimedText {
        TimedText {
            role,
            item_id: self.item_id.clone(),
            text: self.text.clone(),
            last: true,
            at: Some(self.at),
            duration: Some(self.duration),
        }
    }
}

/// The text of one language.
#[derive(Debug)]
pub(crate) struct Lines {
    /// Begin of the ids of its lines.
    prefix: String,
    count: u64,
    text: String,
    /// Running time of the first and of the last piece.
    from: Duration,
    until: Duration,
    /// When the last piece came.
    came: Option<Instant>,
}

impl Lines {
    pub fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            count: 0,
            text: String::new(),
            from: Duration::ZERO,
            until: Duration::ZERO,
            came: None,
        }
    }

    /// The id of the line that is being written.
    pub fn item_id(&self) -> String {
        format!("{}_{}", self.prefix, self.count + 1)
    }

    /// Running time of the newest piece.
    pub fn until(&self) -> Duration {
        self.until
    }

    /// Whether a line is being written.
    pub fn is_open(&self) -> bool {
        !self.text.trim().is_empty()
    }

    /// Running time before which no line begins that has not gone out.
    pub fn open_from(&self) -> Option<Duration> {
        self.is_open().then_some(self.from)
    }

    /// Appends a piece. Returns the line before it, if that ends here, and the lines that it completes.
    pub fn add(&mut self, piece: &str, at: Duration, now: Instant) -> Vec<Line> {
        let mut lines = Vec::new();
        let has_paused = at.saturating_sub(self.until) > MAX_PAUSE;
        if has_paused || self.ends_sentence() && piece.starts_with(char::is_whitespace) {
            lines.extend(self.end());
        }
        if !self.is_open() {
            self.text.clear();
            self.from = at;
        }
        self.text.push_str(if self.text.is_empty() { piece.trim_start() } else { piece });
        self.until = at.max(self.until);
        self.came = Some(now);
        while let Some(end) = self.next_break() {
            lines.push(self.split(end));
        }
        lines
    }

    /// Whether the text ends as a sentence does. What follows tells whether it is one: a full stop may be in a number.
    fn ends_sentence(&self) -> bool {
        self.text.ends_with(['.', '!', '?', '…'])
    }

    /// Where the first line ends that is complete already, in bytes.
    fn next_break(&self) -> Option<usize> {
        let mut chars = self.text.char_indices().peekable();
        let (mut count, mut last_space) = (0, None);
        while let Some((at, char)) = chars.next() {
            let end = at + char.len_utf8();
            let before_space = chars.peek().is_some_and(|(_, next)| next.is_whitespace());
            if matches!(char, '。' | '！' | '？' | '\n') || matches!(char, '.' | '!' | '?' | '…') && before_space {
                return Some(end);
            }
            if char.is_whitespace() {
                last_space = Some(end);
            }
            count += 1;
            if count >= MAX_CHARS && chars.peek().is_some() {
                return Some(last_space.unwrap_or(end));
            }
        }
        None
    }

    /// The line up to this byte; what follows it begins where the newest piece does.
    fn split(&mut self, end: usize) -> Line {
        let rest = self.text[end..].trim_start().to_owned();
        self.text.truncate(end);
        let line = self.line();
        self.text = rest;
        self.from = self.until;
        line
    }

    fn line(&mut self) -> Line {
        let item_id = self.item_id();
        self.count += 1;
        let text = std::mem::take(&mut self.text).trim().to_owned();
        Line { item_id, text, at: self.from, duration: self.until.saturating_sub(self.from) + STEP }
    }

    /// Live: when the line ends because nothing follows.
    pub fn deadline(&self) -> Option<Instant> {
        let pause = if self.ends_sentence() { SENTENCE_PAUSE } else { MAX_PAUSE };
        self.came.filter(|_| self.is_open()).map(|came| came + pause)
    }

    /// Ends the line that is being written.
    pub fn end(&mut self) -> Option<Line> {
        let line = self.is_open().then(|| self.line());
        self.text.clear();
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn written(pieces: &[(&str, u64)]) -> Vec<(String, u64, u64)> {
        let (mut lines, now) = (Lines::new("line"), Instant::now());
        let mut all: Vec<Line> = pieces.iter().flat_map(|(text, at)| lines.add(text, ms(*at), now)).collect();
        all.extend(lines.end());
        let ids: Vec<_> = all.iter().map(|line| line.item_id.clone()).collect();
        assert_eq!(ids, (1..=all.len()).map(|n| format!("line_{n}")).collect::<Vec<_>>());
        all.into_iter().map(|line| (line.text, line.at.as_millis() as u64, line.duration.as_millis() as u64)).collect()
    }

    #[test]
    fn a_line_is_a_sentence_that_begins_where_its_first_piece_does() {
        let lines = written(&[("Hel", 200), ("lo there.", 400), (" It costs 3.", 1000), ("50", 1200), (" now", 1400)]);
        assert_eq!(lines, [("Hello there.".into(), 200, 400), ("It costs 3.50 now".into(), 1000, 600)]);
    }

    #[test]
    fn a_pause_ends_a_line_and_long_ones_break_between_words() {
        assert_eq!(written(&[("One", 0), (" two", 2200)]).len(), 2);
        assert_eq!(written(&[("One", 0), (" two", 2000)]).len(), 1);
        let word = "abcdefghi ".repeat(17);
        let lines = written(&[(&word, 0)]);
        assert!(lines.len() == 3 && lines.iter().all(|(text, ..)| text.chars().count() <= MAX_CHARS), "{lines:?}");
        assert_eq!(lines.iter().map(|(text, ..)| format!("{text} ")).collect::<String>(), word, "no word is lost");
        let unbroken = "あ".repeat(100);
        assert_eq!(written(&[(&unbroken, 0)]).iter().map(|(text, ..)| text.as_str()).collect::<String>(), unbroken);
    }

    #[test]
    fn what_is_said_without_spaces_ends_at_its_own_full_stops() {
        let lines = written(&[("こんにちは。元気", 0), ("ですか？", 200)]);
        assert_eq!(lines.iter().map(|(text, ..)| text.as_str()).collect::<Vec<_>>(), ["こんにちは。", "元気ですか？"]);
    }
}
