// SPDX-License-Identifier: MPL-2.0

//! Transcripts that come while the user speaks, from models that do not wait for the end of a turn. They go to
//! `transcript_src` line by line, and the final transcript brings the rest.

use crate::realtime::conversation::event::TranscriptEvent;
use crate::realtime::conversation::transcript::lines::{Line, Lines};
use crate::types::{Speaker, TimedText};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most items whose transcripts are under way.
const MAX_ITEMS: usize = 64;

#[derive(Debug)]
struct Streamed {
    item_id: String,
    lines: Lines,
    /// The lines that have gone out, without blanks.
    out: String,
}

impl Streamed {
    /// What has not gone out, as the last piece.
    fn end(mut self) -> TimedText {
        let item_id = self.item_id.clone();
        match self.lines.end() {
            Some(line) => TimedText { last: true, ..timed(&item_id, line) },
            None => {
                let text = String::new();
                TimedText { role: Speaker::User, item_id, text, last: true, at: None, duration: None }
            }
        }
    }
}

/// Transcripts that are not final.
#[derive(Debug, Default)]
pub(crate) struct StreamedTranscripts {
    items: VecDeque<Streamed>,
}

impl StreamedTranscripts {
    /// A piece of an item's transcript, and how far the input was when it came. Returns the lines that are complete.
    pub fn add(&mut self, item_id: &str, text: &str, at: Duration, now: Instant) -> Vec<TimedText> {
        let found = self.items.iter().position(|item| item.item_id == item_id);
        let index = found.unwrap_or_else(|| {
            if self.items.len() == MAX_ITEMS {
                self.items.pop_front();
            }
            self.items.push_back(Streamed {
                item_id: item_id.to_owned(),
                lines: Lines::new(item_id),
                out: String::new(),
            });
            self.items.len() - 1
        });
        let item = &mut self.items[index];
        let lines = item.lines.add(text, at, now);
        lines.iter().for_each(|line| item.out.extend(line.text.chars().filter(|char| !char.is_whitespace())));
        lines.into_iter().map(|line| timed(item_id, line)).collect()
    }

    fn remove(&mut self, item_id: &str) -> Option<Streamed> {
        let index = self.items.iter().position(|item| item.item_id == item_id)?;
        self.items.remove(index)
    }

    /// No final transcript of an item will come. Returns the end of what came.
    pub fn give_up(&mut self, item_id: &str) -> Option<TimedText> {
        self.remove(item_id).map(Streamed::end)
    }

    /// No final transcript will come any more. Returns the ends of what came.
    pub fn give_up_all(&mut self) -> Vec<TimedText> {
        std::mem::take(&mut self.items).into_iter().map(Streamed::end).collect()
    }

    /// The final transcript of an item. Returns what has not gone out, unless no piece of it came before.
    pub fn finish(&mut self, transcript: &TranscriptEvent) -> Option<TimedText> {
        let mut item = self.remove(&transcript.item_id)?;
        // What has gone out cannot be changed. Where the final transcript is another one, it ends as it was begun.
        let rest = without_prefix(&transcript.text, &item.out);
        let at = item.lines.open_from().unwrap_or(item.lines.until());
        let open = item.lines.end().map(|line| line.text).unwrap_or_default();
        let text = rest.map_or(open, |rest| rest.trim().to_owned());
        let end = transcript.running_time.zip(transcript.duration).map(|(begin, length)| begin + length);
        let is_empty = text.is_empty();
        Some(TimedText {
            role: Speaker::User,
            item_id: transcript.item_id.clone(),
            text,
            last: true,
            at: Some(at).filter(|_| !is_empty),
            duration: end.map(|end| end.saturating_sub(at)).filter(|_| !is_empty),
        })
    }
}

/// The text behind what its letters begin with; `None` if it begins in another way.
fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let mut expected = prefix.chars();
    let mut rest = text.char_indices().filter(|(_, char)| !char.is_whitespace());
    loop {
        let Some(letter) = expected.next() else {
            return Some(rest.next().map_or("", |(at, _)| &text[at..]));
        };
        if rest.next()?.1 != letter {
            return None;
        }
    }
}

fn timed(item_id: &str, line: Line) -> TimedText {
    TimedText {
        role: Speaker::User,
        item_id: item_id.to_owned(),
        text: line.text,
        last: false,
        at: Some(line.at),
        duration: Some(line.duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn last(text: &str) -> TranscriptEvent {
        TranscriptEvent {
            role: Speaker::User,
            text: text.into(),
            last: true,
            item_id: "u1".into(),
            response_id: None,
            running_time: Some(ms(1_000)),
            duration: Some(ms(4_000)),
        }
    }

    #[test]
    fn lines_go_out_while_they_are_said_and_the_rest_at_the_end() {
        let (mut streamed, now) = (StreamedTranscripts::default(), Instant::now());
        assert!(streamed.add("u1", "Zero one.", ms(1_500), now).is_empty());
        let lines = streamed.add("u1", " Two", ms(2_500), now);
        assert_eq!((lines[0].text.as_str(), lines[0].at, lines[0].last), ("Zero one.", Some(ms(1_500)), false));
        let rest = streamed.finish(&last("Zero one. Two three.")).expect("the rest");
        assert_eq!((rest.text.as_str(), rest.at, rest.duration), ("Two three.", Some(ms(2_500)), Some(ms(2_500))));
        assert!(rest.last && streamed.finish(&last("Zero one. Two three.")).is_none(), "once");
    }

    #[test]
    fn what_has_gone_out_cannot_be_changed() {
        let (mut streamed, now) = (StreamedTranscripts::default(), Instant::now());
        streamed.add("u1", "Zero one. Too", ms(1_500), now);
        let rest = streamed.finish(&last("Zero won. Two.")).expect("the rest");
        assert_eq!(rest.text, "Too");
        streamed.add("u1", "Zero one. Two", ms(1_500), now);
        let given_up = streamed.give_up("u1").expect("an end");
        assert!(given_up.last && given_up.text == "Two" && streamed.give_up_all().is_empty());
        streamed.add("u1", "Zero one. ", ms(1_500), now);
        let rest = streamed.finish(&last("Zero one.")).expect("an end");
        assert_eq!((rest.text.as_str(), rest.at, rest.last), ("", None, true));
    }
}
