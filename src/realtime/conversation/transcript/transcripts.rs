// SPDX-License-Identifier: MPL-2.0

//! Transcripts of both sides: pieces as they come, and final ones.
//!
//! Final transcripts are posted in the order of the conversation, also where the server transcribes the user after it
//! has answered. Those of the model are posted when they were played, so that after a barge-in they hold what was
//! heard and no more. Offline they are posted as soon as they are known.

use crate::audio::sample_clock::samples_to_time;
use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::event::{Event, TranscriptEvent};
use crate::realtime::conversation::input::turns::Turn;
use crate::realtime::conversation::response::audio_part::AudioPart;
use crate::realtime::conversation::transcript::captions::ContentRef;
use crate::types::{Speaker, Timing};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most transcripts that are waited for.
const MAX_PENDING_TRANSCRIPTS: usize = 64;
/// Live: how long a final transcript waits for an earlier one of the other speaker before it is posted out of order.
const TRANSCRIPT_ORDER_TIMEOUT: Duration = Duration::from_secs(3);

/// A final transcript in its place in the order.
#[derive(Debug)]
struct PendingTranscript {
    role: Speaker,
    item_id: String,
    content_index: u32,
    /// The transcript, and since when it is known.
    whole: Option<(TranscriptEvent, Instant)>,
}

/// Final transcripts that are not posted, oldest first.
#[derive(Debug, Default)]
pub(crate) struct TranscriptQueue {
    pending: VecDeque<PendingTranscript>,
    /// The server has sent a transcript of the user.
    server_transcribes: bool,
}

impl TranscriptQueue {
    fn find(&mut self, role: Speaker, item_id: &str, content_index: u32) -> Option<&mut PendingTranscript> {
        self.pending.iter_mut().find(|u| u.role == role && u.item_id == item_id && u.content_index == content_index)
    }

    /// Reserves the place of an item.
    pub fn expect(&mut self, role: Speaker, item_id: &str, content_index: u32) {
        if self.find(role, item_id, content_index).is_none() {
            if self.pending.len() == MAX_PENDING_TRANSCRIPTS {
                self.pending.pop_front();
            }
            self.pending.push_back(PendingTranscript { role, item_id: item_id.to_owned(), content_index, whole: None });
        }
    }

    /// Transcripts of the user that are missing will not come.
    pub fn give_up_user(&mut self) {
        self.pending.retain(|u| u.role != Speaker::User || u.whole.is_some());
    }

    /// No transcript will come of an item: nothing of it was played, or it cannot be transcribed.
    pub fn drop(&mut self, role: Speaker, item_id: &str) {
        self.pending.retain(|u| u.role != role || u.item_id != item_id || u.whole.is_some());
    }

    /// The server has told of a transcript of the user.
    pub fn user_is_transcribed(&mut self) {
        self.server_transcribes = true;
    }

    /// Whether it has done so at all: transcription is optional.
    pub fn server_transcribes(&self) -> bool {
        self.server_transcribes
    }

    /// Posts a piece of a turn's transcript.
    pub fn user_delta(&mut self, item_id: String, text: String, turn: Option<&Turn>, ctx: &mut Ctx) {
        if !text.is_empty() {
            ctx.notify(Event::Transcript(TranscriptEvent {
                role: Speaker::User,
                text,
                last: false,
                item_id,
                response_id: None,
                running_time: turn.and_then(|turn| turn.start),
                duration: None,
            }));
        }
    }

    /// The final transcript of a turn is known.
    pub fn user_done(&mut self, item_id: String, text: String, turn: Option<&Turn>, now: Instant) {
        self.expect(Speaker::User, &item_id, 0);
        let transcript = TranscriptEvent {
            role: Speaker::User,
            text,
            last: true,
            item_id,
            response_id: None,
            running_time: turn.and_then(|turn| turn.start),
            duration: turn.and_then(|turn| turn.duration()),
        };
        self.complete(transcript, 0, now);
    }

    /// Posts a piece of the model's text, with its running time if that is known.
    pub fn model_delta(&mut self, place: ContentRef, text: String, running_time: Option<Duration>, ctx: &mut Ctx) {
        ctx.notify(Event::Transcript(TranscriptEvent {
            role: Speaker::Assistant,
            text,
            last: false,
            item_id: place.item_id,
            response_id: Some(place.response_id),
            running_time,
            duration: None,
        }));
    }

    /// The final transcript of the model is known, with its audio.
    pub fn model_done(&mut self, place: ContentRef, text: String, audio: Option<&AudioPart>, ctx: &Ctx) {
        let rate = ctx.config.output.rate();
        let ContentRef { response_id, item_id, content_index, .. } = place;
        let transcript = TranscriptEvent {
            role: Speaker::Assistant,
            text,
            last: true,
            item_id,
            response_id: Some(response_id),
            running_time: audio.and_then(|audio| audio.starts),
            duration: audio.map(|audio| samples_to_time(audio.received, rate)),
        };
        self.complete(transcript, content_index, ctx.now);
    }

    fn complete(&mut self, transcript: TranscriptEvent, content_index: u32, now: Instant) {
        if let Some(pending) = self.find(transcript.role, &transcript.item_id, content_index) {
            pending.whole = Some((transcript, now));
        }
    }

    /// The next final transcript that is due.
    pub fn take_due(&mut self, ctx: &Ctx) -> Option<TranscriptEvent> {
        self.take(ctx.now, ctx.config.timing == Timing::Offline)
    }

    /// The next final transcript that is known, whatever is missing before it.
    pub fn take_known(&mut self) -> Option<TranscriptEvent> {
        let known = self.pending.iter().position(|u| u.whole.is_some())?;
        self.pending.remove(known)?.whole.map(|(whole, _)| whole)
    }

    /// The next final transcript. `patient`: it waits for earlier ones without limit.
    fn take(&mut self, now: Instant, patient: bool) -> Option<TranscriptEvent> {
        let late = |u: &PendingTranscript| {
            !patient && u.whole.as_ref().is_some_and(|(_, since)| now >= *since + TRANSCRIPT_ORDER_TIMEOUT)
        };
        let next = match self.pending.front()?.whole {
            Some(_) => 0,
            None => self.pending.iter().position(late)?,
        };
        self.pending.remove(next)?.whole.map(|(whole, _)| whole)
    }

    /// Live: when a transcript is posted although an earlier one is missing.
    pub fn deadline(&self, timing: Timing) -> Option<Instant> {
        if timing == Timing::Offline {
            return None;
        }
        self.pending.iter().filter_map(|u| u.whole.as_ref()).map(|(_, since)| *since + TRANSCRIPT_ORDER_TIMEOUT).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;

    /// A turn, its response, and the response's transcript before that of the turn.
    fn response_first(fixture: &mut Fixture) -> TranscriptQueue {
        let mut queue = TranscriptQueue::default();
        queue.expect(Speaker::User, "u1", 0);
        queue.expect(Speaker::Assistant, "a1", 0);
        let place = ContentRef::spoken("r1".into(), "a1".into(), 0);
        queue.model_done(place, "Hello".into(), None, &fixture.ctx());
        queue
    }

    fn items(queue: &mut TranscriptQueue, ctx: &Ctx) -> Vec<String> {
        std::iter::from_fn(|| queue.take_due(ctx)).map(|transcript| transcript.item_id).collect()
    }

    #[test]
    fn transcripts_come_in_the_order_of_the_conversation() {
        let mut fixture = Fixture::new(Timing::Live);
        let mut queue = response_first(&mut fixture);
        assert!(items(&mut queue, &fixture.ctx()).is_empty());
        queue.user_done("u1".into(), "Hi".into(), None, fixture.now);
        assert_eq!(items(&mut queue, &fixture.ctx()), ["u1", "a1"]);
    }

    #[test]
    fn live_a_missing_one_is_waited_for_three_seconds_offline_until_it_is_given_up() {
        for (timing, is_late) in [(Timing::Live, true), (Timing::Offline, false)] {
            let mut fixture = Fixture::new(timing);
            let mut queue = response_first(&mut fixture);
            let deadline = fixture.now + TRANSCRIPT_ORDER_TIMEOUT;
            assert_eq!(queue.deadline(timing), is_late.then_some(deadline));
            let late = items(&mut queue, &fixture.after(TRANSCRIPT_ORDER_TIMEOUT));
            assert_eq!(late.len(), usize::from(is_late));
            queue.give_up_user();
            assert_eq!(late.len() + items(&mut queue, &fixture.ctx()).len(), 1);
        }
    }

    #[test]
    fn at_the_end_all_that_is_known_is_taken() {
        let mut fixture = Fixture::new(Timing::Live);
        let mut queue = response_first(&mut fixture);
        assert_eq!(queue.take_known().map(|transcript| transcript.item_id), Some("a1".into()));
        assert_eq!(queue.take_known(), None);
    }
}
