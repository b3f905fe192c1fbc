// SPDX-License-Identifier: MPL-2.0

//! Captions: the model's text, timed along its audio.
//!
//! A server sends text and audio apart, without a relation between the two. So the text of an item is spread evenly
//! over its audio: exactly once both are complete, before that by the speech rate so far. It goes out in pieces that
//! fit on a screen: sentences, and parts of long ones.

use crate::audio::sample_clock::samples_to_time;
use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::io::Output;
use crate::realtime::conversation::response::{audio_part::AudioPart, responses::Responses};
use crate::realtime::conversation::transcript::word_break::whole_words;
use crate::types::Timing;
use crate::types::{Speaker, TimedText};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Longest piece in characters: two lines of a subtitle.
const PIECE: usize = 84;
/// How much earlier than its audio a piece goes out, so that it can be rendered.
const MAX_LEAD: Duration = Duration::from_millis(100);
/// Content parts remembered.
const PARTS: usize = 64;
/// Shortest text that the speech rate is measured by, in characters.
const MIN_PACE_CHARS: u32 = 20;
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

/// The text of a content part.
#[derive(Debug)]
struct Part {
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

    /// Sends the pieces that are due. Returns the next part of which all has gone out, for its final transcript; to be
    /// called until it is `None`.
    pub fn advance(&mut self, responses: &Responses, ctx: &mut Ctx) -> Option<(ContentRef, String)> {
        let is_live = ctx.config.timing == Timing::Live;
        let mut index = 0;
        while let Some(part) = self.parts.get(index) {
            let over = self.is_over(part, responses, ctx);
            let due = || self.due(part, responses).is_some_and(|due| ctx.now >= due);
            let flows = over || part.place.written || is_live && due();
            if flows && self.send_piece(index, responses, ctx) {
                continue;
            }
            if over {
                return self.finish_part(index, responses, ctx);
            }
            index += 1;
        }
        None
    }

    /// Text and audio of the part are complete, and live were played.
    fn is_over(&self, part: &Part, responses: &Responses, ctx: &Ctx) -> bool {
        let ends = |spoken: &AudioPart| Some(spoken.began? + self.length(spoken));
        match part.spoken(responses) {
            None => part.complete && (part.place.written || part.closed),
            Some(spoken) if ctx.config.timing == Timing::Offline => part.complete && !spoken.growing,
            Some(spoken) => part.complete && !spoken.growing && ends(spoken).is_some_and(|ends| ctx.now >= ends),
        }
    }

    /// Sends the next piece of a part. False if there is none so far.
    fn send_piece(&mut self, index: usize, responses: &Responses, ctx: &mut Ctx) -> bool {
        let offline = ctx.config.timing == Timing::Offline;
        let pace = self.pace();
        let Some(part) = self.parts.get_mut(index) else { return false };
        // Text without audio streams as it comes.
        let all = || Some(part.text.len()).filter(|end| *end > part.out);
        let Some(end) = (if part.place.written && !offline { all() } else { part.next_piece() }) else { return false };
        let text = part.text[part.out..end].to_owned();
        let char_count = text.chars().count() as u32;
        let spoken = part.spoken(responses);
        let char_duration = spoken.map_or(pace, |spoken| part.char_duration(spoken, pace, self.rate));
        let starts = match spoken {
            Some(spoken) => spoken.starts,
            None => offline.then(|| responses.next_from()),
        };
        let last = part.complete && end == part.text.len();
        ctx.outbox.push(Output::Text(TimedText {
            role: Speaker::Assistant,
            item_id: part.place.item_id.clone(),
            text,
            last,
            at: starts.map(|starts| starts + char_duration * part.letters_out),
            duration: (spoken.is_some() || offline).then(|| char_duration * char_count),
        }));
        (part.out, part.letters_out, part.ended) = (end, part.letters_out + char_count, last);
        true
    }

    /// All of a part has gone out.
    fn finish_part(&mut self, index: usize, responses: &Responses, ctx: &mut Ctx) -> Option<(ContentRef, String)> {
        let part = self.parts.remove(index)?;
        if !part.ended {
            let (role, item_id) = (Speaker::Assistant, part.place.item_id.clone());
            let end = TimedText { role, item_id, text: String::new(), last: true, at: None, duration: None };
            ctx.outbox.push(Output::Text(end));
        }
        if let Some(spoken) = part.spoken(responses)
            && part.char_count() >= MIN_PACE_CHARS
        {
            self.pace = Some(part.char_duration(spoken, self.pace(), self.rate));
        }
        Some((part.place, part.text))
    }

    /// `response.done`: what is not complete now never will be.
    pub fn response_done(&mut self, response_id: &str) {
        for part in self.parts.iter_mut().filter(|part| part.place.response_id == response_id) {
            (part.complete, part.closed) = (true, true);
        }
    }

    /// Nothing more will come of any response.
    pub fn complete_all(&mut self) {
        self.parts.iter_mut().for_each(|part| (part.complete, part.closed) = (true, true));
    }

    /// Removes the text of items that are cut off, and returns what was played of it.
    pub fn cut_off(&mut self, items: &[&str], responses: &Responses) -> Vec<(ContentRef, String)> {
        let all = std::mem::take(&mut self.parts);
        let (cut, kept) = all.into_iter().partition(|part| items.contains(&part.place.item_id.as_str()));
        self.parts = kept;
        let cut: VecDeque<Part> = cut;
        let played = |part: Part| (self.played_text(&part, responses), part.place);
        cut.into_iter().map(played).map(|(text, place)| (place, text)).collect()
    }

    /// The text of a part that was played, in whole words.
    fn played_text(&self, part: &Part, responses: &Responses) -> String {
        let Some(spoken) = part.spoken(responses) else { return String::new() };
        let char_duration = part.char_duration(spoken, self.pace(), self.rate).max(Duration::from_millis(1));
        let played = samples_to_time(spoken.heard, self.rate).as_nanos() / char_duration.as_nanos();
        let played = usize::try_from(played).unwrap_or(usize::MAX);
        match part.text.char_indices().nth(played) {
            None => part.text.clone(),
            Some((end, _)) => part.text[..whole_words(&part.text, end)].trim_end().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;

    fn texts(fixture: &mut Fixture) -> Vec<(String, bool)> {
        let text = |output| match output {
            Output::Text(text) => Some((text.text, text.last)),
            _ => None,
        };
        fixture.outputs().into_iter().filter_map(text).collect()
    }

    #[test]
    fn text_without_audio_streams_live_and_goes_out_in_sentences_offline() {
        for (timing, pieces) in [(Timing::Live, ["One. Tw", "o."]), (Timing::Offline, ["One.", " Two."])] {
            let (mut captions, mut fixture) = (Captions::new(24_000), Fixture::new(timing));
            let responses = Responses::default();
            let place = ContentRef::written("r1".into(), "a1".into(), 0);
            captions.add(&place, "One. Tw", &responses);
            assert!(captions.advance(&responses, &mut fixture.ctx()).is_none());
            captions.add(&place, "o.", &responses);
            assert!(captions.advance(&responses, &mut fixture.ctx()).is_none());
            captions.complete(&place, "One. Two.".into());
            let finished = captions.advance(&responses, &mut fixture.ctx());
            assert_eq!(finished.map(|(place, text)| (place.item_id, text)), Some(("a1".into(), "One. Two.".into())));
            let texts = texts(&mut fixture);
            let texts: Vec<&str> =
                texts.iter().map(|(text, _)| text.as_str()).filter(|text| !text.is_empty()).collect();
            assert_eq!(texts, pieces);
        }
    }

    #[test]
    fn the_transcript_of_audio_that_never_came_ends_with_its_response() {
        let (mut captions, mut fixture) = (Captions::new(24_000), Fixture::new(Timing::Live));
        let responses = Responses::default();
        let place = ContentRef::spoken("r1".into(), "a1".into(), 0);
        captions.add(&place, "Hello", &responses);
        captions.response_done("r2");
        assert!(captions.advance(&responses, &mut fixture.ctx()).is_none());
        captions.response_done("r1");
        assert!(captions.advance(&responses, &mut fixture.ctx()).is_some());
        assert_eq!(texts(&mut fixture), [("Hello".to_owned(), true)]);
    }

    #[test]
    fn of_an_item_that_was_never_played_no_text_is_left() {
        let (mut captions, responses) = (Captions::new(24_000), Responses::default());
        for id in ["a1", "a2"] {
            captions.add(&ContentRef::spoken("r1".into(), id.into(), 0), "Hello", &responses);
        }
        let cut = captions.cut_off(&["a1"], &responses);
        assert!(cut.len() == 1 && cut[0].0.item_id == "a1" && cut[0].1.is_empty());
        assert_eq!(captions.parts.len(), 1);
    }
}
