// SPDX-License-Identifier: MPL-2.0

//! The text of an answer, cut while it streams: into sentences where it is spoken, between words where it is shown.

use crate::llm::markdown::speakable;
use crate::speech::sentences;

/// A sentence that is longer than this is cut at a comma or a space, so that speech does not wait for its end.
const MAX_SENTENCE: usize = 400;

/// Text of which more is to come.
pub struct Text {
    held: String,
    is_spoken: bool,
}

impl Text {
    /// Text to be spoken: sentences without markup.
    pub fn spoken() -> Self {
        Self { held: String::new(), is_spoken: true }
    }

    /// Text to be shown as it is.
    pub fn written() -> Self {
        Self { held: String::new(), is_spoken: false }
    }

    /// Takes more; gives what is complete now. What could still change is held back.
    pub fn push(&mut self, more: &str) -> Vec<String> {
        self.held.push_str(more);
        if !self.is_spoken {
            // Pieces end in white space, which tells that nothing belongs between them.
            let end = self.held.rfind(char::is_whitespace).map_or(0, |at| at + width(&self.held, at));
            let piece: String = self.held.drain(..end).collect();
            return if piece.is_empty() { Vec::new() } else { vec![piece] };
        }
        let mut complete: Vec<String> = sentences(&self.held).map(str::to_owned).collect();
        let last = complete.pop().unwrap_or_default();
        // The space behind it may be the end of a word that goes on.
        let space = if self.held.ends_with(char::is_whitespace) && !last.is_empty() { " " } else { "" };
        let ends_line = self.held.ends_with('\n');
        self.held = format!("{last}{space}");
        if ends_line || self.held.len() > MAX_SENTENCE {
            let end = if ends_line { self.held.len() } else { clause(&self.held) };
            complete.push(self.held.drain(..end).collect());
        }
        complete.iter().filter_map(|sentence| spoken(sentence)).collect()
    }

    /// Nothing follows.
    pub fn finish(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.held);
        if self.is_spoken { spoken(&rest) } else { Some(rest).filter(|rest| !rest.is_empty()) }
    }
}

fn spoken(sentence: &str) -> Option<String> {
    Some(speakable(sentence)).filter(|sentence| sentence.contains(char::is_alphanumeric))
}

fn width(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}

/// The place at which a long text is cut: behind its last comma, or its last space, or at its end.
fn clause(text: &str) -> usize {
    let comma = text.rfind([',', ';', ':']).filter(|at| *at > MAX_SENTENCE / 4);
    let at = comma.or_else(|| text.rfind(char::is_whitespace).filter(|at| *at > 0));
    at.map_or(text.len(), |at| at + width(text, at))
}

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Leaves out the reasoning that some models put in front of their answer, in `<think>`.
#[derive(Debug)]
pub enum Reasoning {
    /// The answer has hardly begun.
    Unknown(String),
    /// Within the reasoning, with what may be the beginning of its end.
    Inside(String),
    /// The answer itself.
    Over,
}

impl Default for Reasoning {
    fn default() -> Self {
        Self::Unknown(String::new())
    }
}

impl Reasoning {
    /// Takes more of the text; gives what of it belongs to the answer.
    pub fn push(&mut self, more: &str) -> String {
        match self {
            Self::Over => more.to_owned(),
            Self::Unknown(held) => {
                held.push_str(more);
                let begin = held.trim_start();
                if OPEN.starts_with(begin) {
                    return String::new();
                }
                let Some(inside) = begin.strip_prefix(OPEN) else {
                    let text = std::mem::take(held);
                    *self = Self::Over;
                    return text;
                };
                let inside = inside.to_owned();
                *self = Self::Inside(String::new());
                self.push(&inside)
            }
            Self::Inside(held) => {
                held.push_str(more);
                if let Some(at) = held.find(CLOSE) {
                    let text = held[at + CLOSE.len()..].to_owned();
                    *self = Self::Over;
                    return text;
                }
                let keep = held.char_indices().rev().nth(CLOSE.len()).map_or(0, |(at, _)| at);
                held.drain(..keep);
                String::new()
            }
        }
    }

    /// Nothing follows; gives what was held back and is no reasoning.
    pub fn finish(&mut self) -> String {
        match std::mem::replace(self, Self::Over) {
            Self::Unknown(held) => held,
            Self::Inside(_) | Self::Over => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pieces, with the text cut into pieces of so many characters.
    fn pieces(mut text: Text, answer: &str, size: usize) -> Vec<String> {
        let letters: Vec<char> = answer.chars().collect();
        let mut pieces: Vec<String> =
            letters.chunks(size).flat_map(|chunk| text.push(&String::from_iter(chunk))).collect();
        pieces.extend(text.finish());
        pieces
    }

    #[test]
    fn sentences_do_not_depend_on_how_they_stream() {
        let answer = "Ask Dr. Smith at 5 p.m. today. It costs 3.50 dollars!\n- **First**, rest\nLast one";
        let expected = ["Ask Dr. Smith at 5 p.m. today.", "It costs 3.50 dollars!", "First, rest", "Last one"];
        for size in 1..=answer.len() {
            assert_eq!(pieces(Text::spoken(), answer, size), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_sentence_is_complete_as_soon_as_the_next_one_begins() {
        let mut text = Text::spoken();
        assert!(text.push("Hello there. ").is_empty());
        assert_eq!(text.push("H"), ["Hello there."]);
        assert_eq!(text.finish().as_deref(), Some("H"));
    }

    #[test]
    fn a_sentence_without_end_is_cut() {
        let pieces = pieces(Text::spoken(), &"word, and ".repeat(100), 7);
        assert!(pieces.len() >= 3 && pieces.iter().all(|piece| piece.len() <= MAX_SENTENCE + 7), "{pieces:?}");
        assert_eq!(pieces.join(" ").split(' ').count(), 200);
    }

    #[test]
    fn written_text_comes_as_it_is() {
        let answer = "# A  list\n\n* one\n* *two*\n";
        for size in 1..=answer.len() {
            assert_eq!(pieces(Text::written(), answer, size).concat(), answer);
        }
    }

    #[test]
    fn reasoning_is_left_out() {
        let answer = "\n<think>Hm. a < b</think>\nYes. <think>";
        for size in 1..=answer.len() {
            let (mut reasoning, letters) = (Reasoning::default(), answer.chars().collect::<Vec<_>>());
            let mut text: String =
                letters.chunks(size).map(|chunk| reasoning.push(&String::from_iter(chunk))).collect();
            text += &reasoning.finish();
            assert_eq!(text, "\nYes. <think>", "in pieces of {size}");
        }
        let mut short = Reasoning::default();
        assert_eq!(short.push("<"), "");
        assert_eq!(short.finish(), "<");
    }
}
