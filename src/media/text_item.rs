// SPDX-License-Identifier: MPL-2.0

//! What source pads of text send, and how it is written: transcripts as text, one message a line on a terminal, and wire
//! events as JSON lines.

use crate::types::{Speaker, TimedText, TraceEvent};
use std::time::Duration;

/// An item of a text pad's queue.
#[derive(Clone, Debug)]
pub enum TextItem {
    /// A piece of a transcript or of an answer.
    Words(TimedText),
    /// A wire event.
    Event(TraceEvent),
    /// No text starts before this running time.
    GapUntil(Duration),
    /// A serialized event that passes through the element.
    Passing(gst::Event),
}

/// The role of a speaker in the custom event `rstranscribe/speaker-change`.
pub fn role(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
    }
}

/// A wire event as a line of JSON.
pub fn event_line(event: &TraceEvent) -> String {
    let side = if event.from_server { 's' } else { 'c' };
    format!("{{\"dir\":\"{side}\",\"t\":{:.3},\"ev\":{}}}\n", event.time.as_secs_f64(), event.json)
}

/// The text of a buffer. The last piece of a message ends with a line break. Captions, which have a duration, end with a
/// space and begin without one; deltas that come without a duration are left as they are.
pub fn buffer_text(words: &TimedText) -> String {
    let has_end = words.text.ends_with(char::is_whitespace);
    let text = match (words.last, words.duration) {
        (true, _) => format!("{}\n", words.text.trim_end()),
        (false, Some(_)) if !has_end => format!("{} ", words.text),
        (false, _) => words.text.clone(),
    };
    if words.duration.is_some() { text.trim_start().to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_line_and_captions_are_spaced() {
        let words = |text: &str, last, seconds: Option<u64>| TimedText {
            role: Speaker::Assistant,
            item_id: String::new(),
            text: text.into(),
            last,
            at: None,
            duration: seconds.map(Duration::from_secs),
        };
        assert_eq!(buffer_text(&words(" Hel", false, None)), " Hel", "a delta may end in the midst of a word");
        assert_eq!(buffer_text(&words(" Hello", false, Some(1))), "Hello ");
        assert_eq!(buffer_text(&words("Hello ", false, Some(1))), "Hello ");
        assert_eq!(buffer_text(&words("there. ", true, Some(1))), "there.\n");
    }
}
