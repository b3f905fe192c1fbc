// SPDX-License-Identifier: MPL-2.0

//! The model's words along its sound.
//!
//! A server sends words and sound apart, and tells of neither where in the other it stands. So the words of a message
//! are laid evenly along its sound: exactly once both are complete, before that by the speed at which the model has
//! spoken so far. They go out in pieces that fit on a screen: sentences, and parts of long ones.

use crate::audio::sample_clock::samples_to_time;
use crate::realtime::conversation::response::{audio_part::AudioPart, responses::Responses};
use crate::realtime::conversation::{Conversation, Output};
use crate::types::Timing;
use crate::types::{Speaker, TimedText};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use unicode_segmentation::UnicodeSegmentation;

/// A piece is no longer than two lines of a subtitle.
const PIECE: usize = 84;
/// Pieces come so much before their sound, because somebody has to draw them.
const MAX_LEAD: Duration = Duration::from_millis(100);
/// Messages that are remembered.
const PARTS: usize = 64;
/// How long a letter takes before anything is known of the voice.
const LETTER: Duration = Duration::from_millis(66);

/// Which words.
#[derive(Clone, Debug)]
pub(crate) struct ContentRef {
    pub response_id: String,
    pub item_id: String,
    pub content_index: u32,
    /// They are written, and have no sound.
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

/// How much of the text are whole words that end at this byte or before. Chinese, Japanese, Thai and their neighbours
/// write without spaces: there it may end behind every letter with its marks.
fn whole_words(text: &str, end: usize) -> usize {
    let may_end = |at: usize, char_duration: &str| {
        let before = text[..at].chars().next_back();
        let (before, after) = (before.unwrap_or(' '), char_duration.chars().next().unwrap_or(' '));
        before.is_whitespace() || after.is_whitespace() || has_no_spaces(before) || has_no_spaces(after)
    };
    let char_count = text.grapheme_indices(true).take_while(|(at, _)| *at <= end);
    char_count.filter(|(at, char_duration)| may_end(*at, char_duration)).last().map_or(0, |(at, _)| at)
}

/// Letters of scripts that put no spaces between words.
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

/// The words of a part of a message.
#[derive(Debug)]
pub(crate) struct Part {
    place: ContentRef,
    text: String,
    /// No more words will come.
    complete: bool,
    /// The answer is done, so no sound will come either.
    closed: bool,
    /// So many bytes and letters of the text have gone out.
    out: usize,
    letters_out: u32,
    /// The last piece has gone out as such.
    ended: bool,
}

impl Part {
    /// The end of the next piece, in bytes of the text; `None` while it is not known.
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

    /// The part's sound; `None` where it has none so far.
    fn spoken<'a>(&self, responses: &'a Responses) -> Option<&'a AudioPart> {
        responses.get(&self.place.item_id, self.place.content_index)
    }

    /// How long a letter takes: exact where all is there.
    fn char_duration(&self, spoken: &AudioPart, pace: Duration, rate: u32) -> Duration {
        match self.char_count() {
            char_count if char_count > 0 && self.complete && !spoken.growing => {
                samples_to_time(spoken.received, rate) / char_count
            }
            _ => pace,
        }
    }
}

/// The words that have not gone out.
#[derive(Debug, Default)]
pub(crate) struct Captions {
    parts: VecDeque<Part>,
    /// How long a letter of the model's last message took.
    pace: Option<Duration>,
    /// Samples in a second of the model's sound.
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

    /// More words. Gives back where about they stand on the timeline, as far as that is known.
    pub fn add(&mut self, place: &ContentRef, text: &str, responses: &Responses) -> Option<Duration> {
        let pace = self.pace();
        let part = self.part(place);
        let before = part.char_count();
        part.text.push_str(text);
        let starts = part.spoken(responses)?.starts?;
        Some(starts + pace * before)
    }

    /// All words, which may differ from the pieces.
    pub fn complete(&mut self, place: &ContentRef, text: String) {
        let part = self.part(place);
        // What is out already cannot be changed.
        if text.starts_with(&part.text[..part.out]) && !text.is_empty() {
            part.text = text;
        }
        part.complete = true;
    }

    /// Whether words are known that are still being listened to.
    pub fn are_pending(&self, responses: &Responses) -> bool {
        self.parts.iter().any(|part| part.complete && part.spoken(responses).is_some_and(|spoken| !spoken.growing))
    }

    /// Where the earliest words begin that have not gone out.
    pub fn pending_from(&self, responses: &Responses) -> Option<Duration> {
        self.parts.iter().filter_map(|part| part.spoken(responses)?.starts).min()
    }

    /// When the next piece is due, live.
    pub fn deadline(&self, responses: &Responses, timing: Timing) -> Option<Instant> {
        if timing == Timing::Offline {
            return None;
        }
        self.parts.iter().filter_map(|part| self.due(part, responses)).min()
    }

    /// When the next thing happens to a part of which the sound has begun: a piece goes out, or it is over.
    fn due(&self, part: &Part, responses: &Responses) -> Option<Instant> {
        let spoken = part.spoken(responses)?;
        let began = spoken.began?;
        if part.next_piece().is_some() {
            let char_duration = part.char_duration(spoken, self.pace(), self.rate);
            return Some((began + char_duration * part.letters_out).checked_sub(MAX_LEAD).unwrap_or(began));
        }
        (part.complete && !spoken.growing).then_some(began + self.length(spoken))
    }

    /// How long the sound of a part is so far.
    fn length(&self, spoken: &AudioPart) -> Duration {
        samples_to_time(spoken.received, self.rate)
    }
}

impl Conversation {
    /// Sends out the words whose time has come.
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

    /// Everything of the part is there, and live it was heard.
    fn is_over(&self, part: &Part) -> bool {
        let ends = |spoken: &AudioPart| Some(spoken.began? + self.captions.length(spoken));
        match part.spoken(&self.responses) {
            None => part.complete && (part.place.written || part.closed),
            Some(spoken) if self.config.timing == Timing::Offline => part.complete && !spoken.growing,
            Some(spoken) => part.complete && !spoken.growing && ends(spoken).is_some_and(|ends| self.now >= ends),
        }
    }

    /// Sends the next piece of a part. False where there is none so far.
    fn send_piece(&mut self, index: usize) -> bool {
        let offline = self.config.timing == Timing::Offline;
        let Some(part) = self.captions.parts.get(index) else { return false };
        // What is only written streams as it comes.
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

    /// All of a part is out: the whole is told.
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

    /// An answer is done; what of its words is not complete never will be.
    pub(crate) fn transcripts_of_response_done(&mut self, response_id: &str) {
        for part in self.captions.parts.iter_mut().filter(|part| part.place.response_id == response_id) {
            (part.complete, part.closed) = (true, true);
        }
        self.advance_captions();
    }

    /// Nothing more will come of any answer.
    pub(crate) fn finish_captions(&mut self) {
        self.captions.parts.iter_mut().for_each(|part| (part.complete, part.closed) = (true, true));
        self.responses.give_up();
        self.advance_captions();
    }

    /// Takes the words of messages that are cut off out of what waits, with those of them that were heard.
    pub(crate) fn take_transcript(&mut self, items: &[&str]) -> Vec<(Part, String)> {
        let (cut, kept) = std::mem::take(&mut self.captions.parts)
            .into_iter()
            .partition(|p| items.contains(&p.place.item_id.as_str()));
        self.captions.parts = kept;
        let cut: VecDeque<Part> = cut;
        cut.into_iter().map(|part| (self.played_text(&part), part)).map(|(heard, part)| (part, heard)).collect()
    }

    /// Messages were cut off: their wholes are what was heard.
    pub(crate) fn tell_cut(&mut self, cut: Vec<(Part, String)>) {
        for (part, heard) in cut {
            if heard.is_empty() {
                self.drop_final(&part.place.item_id);
            } else {
                self.post_final(part.place, heard);
            }
        }
    }

    /// The words of a part that the listener has heard, as whole words.
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
