// SPDX-License-Identifier: MPL-2.0

//! Captions: the model's text, timed along its audio.
//!
//! A server sends text and audio apart, without a relation between the two. So the text of an item is spread evenly
//! over its audio: exactly once both are complete, before that by the speech rate so far. It goes out in pieces that
//! fit on a screen: sentences, and parts of long ones.

use crate::audio::sample_clock::samples_to_time;
use crate::realtime::conversation::response::{audio_part::AudioPart, responses::Responses};
use crate::realtime::conversation::{Conversation, Output};
use crate::types::Timing;
use crate::types::{Speaker, TimedText};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use unicode_segmentation::UnicodeSegmentation;

/// Longest piece in characters: two lines of a subtitle.
const PIECE: usize = 84;
/// How much earlier than its audio a piece goes out, so that it can be rendered.
const MAX_LEAD: Duration = Duration::from_millis(100);
/// Content parts remembered.
const PARTS: usize = 64;
/// Time of a character before the speech rate is known.
const LETTER: Duration = Duration::from_millis(66);

/// A content part of an item.
#[derive(Clone, Debug)]
pub(crate) struct ContentRef {
    pub response_id: String,
    pub item_id: String,
    pub content_index: u32,
    /// Text without audio.
    pub written: bool,
}

impl ContentRef {
    /// The transcript of audio.
    pub fn spoken(response_id: String, item_id: String, content_index: u32) -> Self {
        Self { response_id, item_id, content_index, written: false }
    }

    /// Text without audio.
    pub fn written(response_id: String, item_id: String, content_index: u32) -> Self {
        Self { response_id, item_id, content_index, written: true }
    }
}

/// Length of the whole words that end at this byte or before. Chinese, Japanese, Thai and other scripts are written
/// without spaces: there a piece may end after every grapheme.
fn whole_words(text: &str, end: usize) -> usize {
    let may_end = |at: usize, char_duration: &str| {
        let before = text[..at].chars().next_back();
        let (before, after) = (before.unwrap_or(' '), char_duration.chars().next().unwrap_or(' '));
        before.is_whitespace() || after.is_whitespace() || has_no_spaces(before) || has_no_spaces(after)
    };
    let char_count = text.grapheme_indices(true).take_while(|(at, _)| *at <= end);
    char_count.filter(|(at, char_duration)| may_end(*at, char_duration)).last().map_or(0, |(at, _)| at)
}

/// Characters of scripts that put no spaces between words.
fn has_no_spaces(char_duration: char) -> bool {
    matches!(char_duration,
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

/// The text of a content part.
#[derive(Debug)]
pub(crate) struct Part {
    place: ContentRef,
    text: String,
    /// No more text will come.
    complete: bool,
    /// The response is done, so no audio will come either.
    closed: bool,
    /// Bytes and characters that have gone out.
    out: usize,
    letters_out: u32,
    /// The last piece has gone out, marked as such.
    ended: bool,
}

impl Part {
    /// End of the next piece in bytes of the text; `None` while it is not known.
    fn next_piece(&self) -> Option<usize> {
        let rest = &self.text[self.out..];
        for (char_count, (at, char_duration)) in rest.char_indices().enumerate() {
            let end = at + char_duration.len_utf8();
            let ends = rest[end..].chars().next().is_some_and(char::is_whitespace);
            if matches!(char_duration, '.' | '!' | '?' | '…' | '\n') && ends
                || matches!(char_duration, '。' | '！' | '？' | '｡')
            {
                return Some(self.out + end);
            }
            if char_count + 1 >= PIECE {
                let whole = whole_words(rest, end);
                return Some(self.out + if whole > 0 { whole } else { end });
            }
        }
        (self.complete && !rest.is_empty()).then_some(self.text.len())
    }

    fn char_count(&self) -> u32 {
        self.text.chars().count() as u32
    }

    /// The audio of the part; `None` if it has none so far.
    fn spoken<'a>(&self, responses: &'a Responses) -> Option<&'a AudioPart> {
        responses.get(&self.place.item_id, self.place.content_index)
    }

    /// Time of a character: exact once text and audio are complete.
    fn char_duration(&self, spoken: &AudioPart, pace: Duration, rate: u32) -> Duration {
        match self.char_count() {
            char_count if char_count > 0 && self.complete && !spoken.growing => {
                samples_to_time(spoken.received, rate) / char_count
            }
            _ => pace,
        }
    }
}

/// Text that has not gone out.
#[derive(Debug, Default)]
pub(crate) struct Captions {
    parts: VecDeque<Part>,
    /// Time of a character in the model's last item.
    pace: Option<Duration>,
    /// Sample rate of output audio.
    rate: u32,
}

impl Captions {
    pub fn new(rate: u32) -> Self {
        Self { rate, ..Default::default() }
    }

    fn pace(&self) -> Duration {
        self.pace.unwrap_or(LETTER)
    }

    fn part(&mut self, place: &ContentRef) -> &mut Part {
        let is_there = |is: &ContentRef| is.item_id == place.item_id && is.content_index == place.content_index;
        let found = self.parts.iter().position(|part| is_there(&part.place));
        let index = found.unwrap_or_else(|| {
            if self.parts.len() == PARTS {
                self.parts.pop_front();
            }
            self.parts.push_back(Part {
                place: place.clone(),
                text: String::new(),
                complete: false,
                closed: false,
                out: 0,
                letters_out: 0,
                ended: false,
            });
            self.parts.len() - 1
        });
        &mut self.parts[index]
    }

    /// Appends text. Returns its approximate running time, if known.
    pub fn add(&mut self, place: &ContentRef, text: &str, responses: &Responses) -> Option<Duration> {
        let pace = self.pace();
        let part = self.part(place);
        let before = part.char_count();
        part.text.push_str(text);
        let starts = part.spoken(responses)?.starts?;
        Some(starts + pace * before)
    }

    /// The whole text, which may differ from the pieces.
    pub fn complete(&mut self, place: &ContentRef, text: String) {
        let part = self.part(place);
        // What has gone out cannot be changed.
        if text.starts_with(&part.text[..part.out]) && !text.is_empty() {
            part.text = text;
        }
        part.complete = true;
    }

    /// Whether there is complete text whose audio is still being played.
    pub fn are_pending(&self, responses: &Responses) -> bool {
        self.parts.iter().any(|part| part.complete && part.spoken(responses).is_some_and(|spoken| !spoken.growing))
    }

    /// Running time of the earliest text that has not gone out.
    pub fn pending_from(&self, responses: &Responses) -> Option<Duration> {
        self.parts.iter().filter_map(|part| part.spoken(responses)?.starts).min()
    }

    /// Live: when the next piece is due.
    pub fn deadline(&self, responses: &Responses, timing: Timing) -> Option<Instant> {
        if timing == Timing::Offline {
            return None;
        }
        self.parts.iter().filter_map(|part| self.due(part, responses)).min()
    }

    /// When the next piece of a part that is being played goes out, or the part ends.
    fn due(&self, part: &Part, responses: &Responses) -> Option<Instant> {
        let spoken = part.spoken(responses)?;
        let began = spoken.began?;
        if part.next_piece().is_some() {
            let char_duration = part.char_duration(spoken, self.pace(), self.rate);
            return Some((began + char_duration * part.letters_out).checked_sub(MAX_LEAD).unwrap_or(began));
        }
        (part.complete && !spoken.growing).then_some(began + self.length(spoken))
    }

    /// Length of the audio of a part so far.
    fn length(&self, spoken: &AudioPart) -> Duration {
        samples_to_time(spoken.received, self.rate)
    }
}

impl Conversation {
    /// Sends the pieces that are due.
    pub(crate) fn advance_captions(&mut self) {
        let mut index = 0;
        while let Some(part) = self.captions.parts.get(index) {
            let over = self.is_over(part);
            let due = || self.captions.due(part, &self.responses).is_some_and(|due| self.now >= due);
            let flows = over || part.place.written || self.config.timing == Timing::Live && due();
            if flows && self.send_piece(index) {
                continue;
            }
            if over {
                self.finish_part(index);
            } else {
                index += 1;
            }
        }
    }

    /// Text and audio of the part are complete, and live were played.
    fn is_over(&self, part: &Part) -> bool {
        let ends = |spoken: &AudioPart| Some(spoken.began? + self.captions.length(spoken));
        match part.spoken(&self.responses) {
            None => part.complete && (part.place.written || part.closed),
            Some(spoken) if self.config.timing == Timing::Offline => part.complete && !spoken.growing,
            Some(spoken) => part.complete && !spoken.growing && ends(spoken).is_some_and(|ends| self.now >= ends),
        }
    }

    /// Sends the next piece of a part. False if there is none so far.
    fn send_piece(&mut self, index: usize) -> bool {
        let offline = self.config.timing == Timing::Offline;
        let Some(part) = self.captions.parts.get(index) else { return false };
        // Text without audio streams as it comes.
        let all = || Some(part.text.len()).filter(|end| *end > part.out);
        let Some(end) = (if part.place.written && !offline { all() } else { part.next_piece() }) else { return false };
        let text = part.text[part.out..end].to_owned();
        let char_count = text.chars().count() as u32;
        let spoken = part.spoken(&self.responses);
        let pace = self.captions.pace();
        let char_duration = spoken.map_or(pace, |spoken| part.char_duration(spoken, pace, self.captions.rate));
        let starts = match spoken {
            Some(spoken) => spoken.starts,
            None => offline.then(|| self.responses.next_from()),
        };
        let last = part.complete && end == part.text.len();
        self.outbox.push(Output::Text(TimedText {
            role: Speaker::Assistant,
            item_id: part.place.item_id.clone(),
            text,
            last,
            at: starts.map(|starts| starts + char_duration * part.letters_out),
            duration: (spoken.is_some() || offline).then(|| char_duration * char_count),
        }));
        if let Some(part) = self.captions.parts.get_mut(index) {
            (part.out, part.letters_out, part.ended) = (end, part.letters_out + char_count, last);
        }
        true
    }

    /// All of a part has gone out: posts the final transcript.
    fn finish_part(&mut self, index: usize) {
        let Some(part) = self.captions.parts.remove(index) else { return };
        if !part.ended {
            let (role, item_id) = (Speaker::Assistant, part.place.item_id.clone());
            let end = TimedText { role, item_id, text: String::new(), last: true, at: None, duration: None };
            self.outbox.push(Output::Text(end));
        }
        if let Some(spoken) = part.spoken(&self.responses)
            && part.char_count() >= 20
        {
            self.captions.pace = Some(part.char_duration(spoken, self.captions.pace(), self.captions.rate));
        }
        self.post_final(part.place, part.text);
    }

    /// `response.done`: what is not complete now never will be.
    pub(crate) fn transcripts_of_response_done(&mut self, response_id: &str) {
        for part in self.captions.parts.iter_mut().filter(|part| part.place.response_id == response_id) {
            (part.complete, part.closed) = (true, true);
        }
        self.advance_captions();
    }

    /// Nothing more will come of any response.
    pub(crate) fn finish_captions(&mut self) {
        self.captions.parts.iter_mut().for_each(|part| (part.complete, part.closed) = (true, true));
        self.responses.give_up();
        self.advance_captions();
    }

    /// Removes the text of items that are cut off, and returns it with the text that was played.
    pub(crate) fn take_transcript(&mut self, items: &[&str]) -> Vec<(Part, String)> {
        let (cut, kept) = std::mem::take(&mut self.captions.parts)
            .into_iter()
            .partition(|p| items.contains(&p.place.item_id.as_str()));
        self.captions.parts = kept;
        let cut: VecDeque<Part> = cut;
        cut.into_iter().map(|part| (self.played_text(&part), part)).map(|(heard, part)| (part, heard)).collect()
    }

    /// Posts the final transcripts of items that were cut off: what was played of them.
    pub(crate) fn post_cut_transcripts(&mut self, cut: Vec<(Part, String)>) {
        for (part, heard) in cut {
            if heard.is_empty() {
                self.drop_final(&part.place.item_id);
            } else {
                self.post_final(part.place, heard);
            }
        }
    }

    /// The text of a part that was played, in whole words.
    fn played_text(&self, part: &Part) -> String {
        let Some(spoken) = part.spoken(&self.responses) else { return String::new() };
        let rate = self.captions.rate;
        let char_duration = part.char_duration(spoken, self.captions.pace(), rate).max(Duration::from_millis(1));
        let heard = samples_to_time(spoken.heard, rate).as_nanos() / char_duration.as_nanos();
        let heard = usize::try_from(heard).unwrap_or(usize::MAX);
        match part.text.char_indices().nth(heard) {
            None => part.text.clone(),
            Some((end, _)) => part.text[..whole_words(&part.text, end)].trim_end().to_owned(),
        }
    }
}
