// SPDX-License-Identifier: MPL-2.0

//! Audio of the model's responses: what was received and played, and what is dropped after a barge-in.

use crate::audio::format_converter::Converter;
use crate::audio::sample_clock::samples_to_time;
use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::io::{Event, Output, ResponseEvent};
use crate::realtime::conversation::response::audio_part::{AudioPart, MAX_AUDIO_PARTS};
use crate::types::{OutputAudio, PlayedPart, Timing};
use bytes::Bytes;
use openai_protocol::server::ResponseOutputAudioDelta;
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Longest time from a response's audio to its playback.
const MAX_PLAYBACK_DELAY: Duration = Duration::from_secs(1);

/// Audio of responses.
#[derive(Debug, Default)]
pub(crate) struct Responses {
    spoken: VecDeque<AudioPart>,
    /// Last playback position.
    listener: Duration,
    /// Responses whose further audio is dropped.
    muted: VecDeque<String>,
    /// Offline: end of the turn that is answered next.
    not_before: Duration,
    /// Offline: end of the output so far.
    end: Duration,
    /// Responses whose end was posted without a `response.done`.
    finished_locally: VecDeque<String>,
}

/// A part that was not played to its end.
#[derive(Debug)]
pub(crate) struct UnplayedPart {
    pub response_id: String,
    pub item_id: String,
    pub content_index: u32,
    /// Samples played of it.
    pub played: u64,
    /// Session it belongs to.
    pub session_generation: u32,
}

impl Responses {
    /// Playback position, and samples played of each item.
    pub fn played(&mut self, now: Duration, items: &[PlayedPart]) {
        self.listener = now;
        for played in items {
            if let Some(spoken) = self.find(&played.item_id, played.content_index) {
                spoken.heard = played.heard.min(spoken.received).max(spoken.heard);
            }
        }
    }

    /// Last playback position.
    pub fn position(&self) -> Duration {
        self.listener
    }

    /// Playback of an item begins at this running time. Returns its response.
    pub fn began(&mut self, item_id: &str, at: Duration, now: Instant) -> Option<&str> {
        for spoken in self.spoken.iter_mut().filter(|spoken| spoken.item_id == item_id) {
            spoken.starts.get_or_insert(at);
            spoken.began.get_or_insert(now);
        }
        self.spoken.iter().rev().find(|spoken| spoken.item_id == item_id).map(|spoken| spoken.response_id.as_str())
    }

    /// `response.output_audio.done`
    pub fn audio_done(&mut self, item_id: &str, content_index: u32) {
        if let Some(part) = self.find(item_id, content_index) {
            part.growing = false;
        }
    }

    /// `response.done`
    pub fn response_done(&mut self, response_id: &str) {
        self.spoken.iter_mut().filter(|part| part.response_id == response_id).for_each(|part| part.growing = false);
    }

    /// Whether audio of a response has come.
    pub fn has_audio_of(&self, response_id: &str) -> bool {
        self.spoken.iter().any(|spoken| spoken.response_id == response_id)
    }

    /// Whether an item has audio of another session than this one.
    pub fn is_of_other_session(&self, item_id: &str, session_generation: u32) -> bool {
        self.spoken.iter().any(|part| part.item_id == item_id && part.session_generation != session_generation)
    }

    /// Parts that were not played to their end, or are not complete.
    pub fn unplayed(&self) -> Vec<UnplayedPart> {
        let unplayed = |spoken: &&AudioPart| spoken.growing || spoken.heard < spoken.received;
        let part = |spoken: &AudioPart| UnplayedPart {
            response_id: spoken.response_id.clone(),
            item_id: spoken.item_id.clone(),
            content_index: spoken.content_index,
            played: spoken.heard,
            session_generation: spoken.session_generation,
        };
        self.spoken.iter().filter(unplayed).map(part).collect()
    }

    /// No part of the item was played for a millisecond.
    pub fn is_unplayed(&self, item_id: &str, rate: u32) -> bool {
        let least = u64::from(rate).div_ceil(1000);
        self.spoken.iter().filter(|spoken| spoken.item_id == item_id).all(|spoken| spoken.heard < least)
    }

    /// A part was cut off where it was played up to.
    pub fn cut_off(&mut self, part: &UnplayedPart) {
        if let Some(spoken) = self.find(&part.item_id, part.content_index) {
            (spoken.received, spoken.growing) = (part.played, false);
        }
    }

    /// Posts the end of a response that the server will not tell, once.
    pub fn finish_locally(&mut self, response_id: &str, state: &str, reason: Option<&str>, ctx: &mut Ctx) {
        if self.is_finished_locally(response_id) {
            return;
        }
        if self.finished_locally.len() == MAX_AUDIO_PARTS {
            self.finished_locally.pop_front();
        }
        self.finished_locally.push_back(response_id.to_owned());
        ctx.notify(Event::Response(ResponseEvent {
            state: state.into(),
            response_id: response_id.to_owned(),
            reason: reason.map(str::to_owned),
            ..Default::default()
        }));
    }

    /// Whether the end of a response was posted without a `response.done`.
    pub fn is_finished_locally(&self, response_id: &str) -> bool {
        self.finished_locally.iter().any(|id| id == response_id)
    }

    /// It goes on although its end was posted.
    pub fn goes_on(&mut self, response_id: &str) {
        self.finished_locally.retain(|id| id != response_id);
    }

    /// Offline: running time of a response without audio.
    pub fn next_from(&self) -> Duration {
        self.not_before.max(self.end)
    }

    /// The next response answers a turn that ended there.
    pub fn response_from(&mut self, turn_end: Duration) {
        self.not_before = self.not_before.max(turn_end);
    }

    /// The time line begins at 0 again.
    pub fn forget_time(&mut self) {
        (self.not_before, self.end) = (Duration::ZERO, Duration::ZERO);
    }

    /// No more audio will come of what is under way.
    pub fn give_up(&mut self) {
        self.spoken.iter_mut().for_each(|spoken| spoken.growing = false);
    }

    /// When playback ends of what has come, which may be over. What is not played yet begins soon after it came.
    pub fn plays_until(&self, rate: u32, now: Instant, last_progress: Instant) -> Option<Instant> {
        let end = |part: &AudioPart| match part.began {
            Some(began) => began + samples_to_time(part.received, rate),
            None if part.received > part.heard => last_progress + MAX_PLAYBACK_DELAY,
            None => now,
        };
        self.spoken.iter().map(end).max()
    }

    /// When playback of a response is expected to end; `None` once it was played. After a pause it is later than what the
    /// begin of its playback tells.
    pub fn expected_end(&self, response_id: &str, rate: u32, now: Instant) -> Option<Instant> {
        let parts = || self.spoken.iter().filter(|part| part.response_id == response_id);
        let left = parts().map(|part| part.received.saturating_sub(part.heard)).sum::<u64>();
        let end = |part: &AudioPart| part.began.map(|began| began + samples_to_time(part.received, rate));
        let by_begin = parts().filter_map(end).max().filter(|end| *end > now);
        (left > 0).then(|| by_begin.unwrap_or_else(|| now + samples_to_time(left, rate)))
    }

    /// Offline: end of the output so far.
    pub fn end(&self) -> Duration {
        self.end
    }

    /// Whether further audio of a response is dropped.
    pub fn is_muted(&self, response_id: &str) -> bool {
        self.muted.iter().any(|id| id == response_id)
    }

    pub fn mute(&mut self, response_id: &str) {
        if !self.is_muted(response_id) {
            if self.muted.len() == MAX_AUDIO_PARTS {
                self.muted.pop_front();
            }
            self.muted.push_back(response_id.to_owned());
        }
    }

    /// The audio part of an item.
    pub fn get(&self, item_id: &str, content_index: u32) -> Option<&AudioPart> {
        self.spoken.iter().rev().find(|s| s.content_index == content_index && s.item_id == item_id)
    }

    fn find(&mut self, item_id: &str, content_index: u32) -> Option<&mut AudioPart> {
        self.spoken.iter_mut().rev().find(|s| s.content_index == content_index && s.item_id == item_id)
    }

    /// `response.output_audio.delta`: audio in the server's format. Puts it out in the format of the pad.
    pub fn audio_delta(
        &mut self,
        mut event: ResponseOutputAudioDelta,
        from: &AudioFormat,
        session_generation: u32,
        ctx: &mut Ctx,
    ) {
        let to = &ctx.config.output;
        let known = self.find(&event.item_id, event.content_index);
        let (rest, converter) =
            known.map(|part| (std::mem::take(&mut part.rest), part.converter.take())).unwrap_or_default();
        let rest = whole_samples(&mut event.delta.0, rest, from.sample_size());
        let mut converter = converter.filter(|_| from != to);
        if from != to {
            converter = converter.or_else(|| Converter::new(from, to));
            if let Some(converter) = &mut converter {
                event.delta.0 = converter.convert(&event.delta.0).into();
            }
        }
        let samples = (event.delta.0.len() / to.sample_size()) as u64;
        let length = samples_to_time(samples, to.rate());
        let offline = ctx.config.timing == Timing::Offline;
        let part = self.append(&event, samples, length, offline);
        (part.session_generation, part.rest, part.converter) = (session_generation, rest, converter);
        if samples > 0 {
            let not_before = if offline { part.not_before } else { Duration::ZERO };
            ctx.outbox.push(Output::Play(OutputAudio {
                item_id: event.item_id,
                content_index: event.content_index,
                data: event.delta.0,
                not_before,
            }));
        }
    }

    /// Appends audio to the time line. Returns its part.
    fn append(
        &mut self,
        event: &ResponseOutputAudioDelta,
        samples: u64,
        length: Duration,
        offline: bool,
    ) -> &mut AudioPart {
        let found =
            self.spoken.iter().rposition(|s| s.content_index == event.content_index && s.item_id == event.item_id);
        let index = found.unwrap_or_else(|| {
            if self.spoken.len() == MAX_AUDIO_PARTS {
                self.spoken.pop_front();
            }
            let sibling = self.spoken.iter().find(|s| s.response_id == event.response_id);
            self.spoken.push_back(AudioPart {
                response_id: event.response_id.clone(),
                item_id: event.item_id.clone(),
                content_index: event.content_index,
                growing: true,
                not_before: sibling.map_or(self.not_before, |sibling| sibling.not_before),
                ..AudioPart::default()
            });
            self.spoken.len() - 1
        });
        let spoken = &mut self.spoken[index];
        spoken.received += samples;
        if offline {
            let start = self.end.max(spoken.not_before);
            spoken.starts.get_or_insert(start);
            self.end = start + length;
        }
        spoken
    }
}

/// Servers cut audio at any byte. Prepends the rest of the last delta, and splits off an incomplete sample.
fn whole_samples(data: &mut Bytes, rest: Vec<u8>, size: usize) -> Vec<u8> {
    if !rest.is_empty() {
        *data = [&rest, &data[..]].concat().into();
    }
    data.split_off(data.len() / size * size).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;
    use openai_protocol::Base64;

    fn delta(item_id: &str, bytes: usize) -> ResponseOutputAudioDelta {
        ResponseOutputAudioDelta {
            response_id: "r1".into(),
            item_id: item_id.into(),
            delta: Base64(vec![0; bytes].into()),
            ..Default::default()
        }
    }

    fn played(item_id: &str, heard: u64) -> PlayedPart {
        PlayedPart { item_id: item_id.into(), content_index: 0, heard }
    }

    #[test]
    fn a_sample_that_is_cut_in_two_is_put_together() {
        let (mut responses, mut fixture) = (Responses::default(), Fixture::new(Timing::Live));
        for bytes in [3, 1] {
            responses.audio_delta(delta("a1", bytes), &AudioFormat::Pcm, 0, &mut fixture.ctx());
        }
        let lengths: Vec<usize> = fixture
            .outputs()
            .into_iter()
            .map(|output| match output {
                Output::Play(audio) => audio.data.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(lengths, [2, 2]);
    }

    #[test]
    fn the_playback_position_never_goes_back_nor_beyond_what_has_come() {
        let (mut responses, mut fixture) = (Responses::default(), Fixture::new(Timing::Live));
        responses.audio_delta(delta("a1", 4_800), &AudioFormat::Pcm, 0, &mut fixture.ctx());
        for (heard, expected) in [(100, 100), (50, 100), (9_999, 2_400)] {
            responses.played(Duration::ZERO, &[played("a1", heard)]);
            assert_eq!(responses.get("a1", 0).map(|part| part.heard), Some(expected));
        }
        assert_eq!(responses.unplayed().len(), 1, "more may come");
        responses.audio_done("a1", 0);
        assert!(responses.unplayed().is_empty());
    }

    #[test]
    fn less_than_a_millisecond_is_not_played() {
        let (mut responses, mut fixture) = (Responses::default(), Fixture::new(Timing::Live));
        responses.audio_delta(delta("a1", 4_800), &AudioFormat::Pcm, 0, &mut fixture.ctx());
        responses.played(Duration::ZERO, &[played("a1", 23)]);
        assert!(responses.is_unplayed("a1", 24_000));
        responses.played(Duration::ZERO, &[played("a1", 24)]);
        assert!(!responses.is_unplayed("a1", 24_000));
    }

    #[test]
    fn the_end_of_a_response_is_posted_once() {
        let (mut responses, mut fixture) = (Responses::default(), Fixture::new(Timing::Live));
        for _ in 0..2 {
            responses.finish_locally("r1", "incomplete", Some("timeout"), &mut fixture.ctx());
        }
        assert_eq!(fixture.outputs().len(), 1);
        assert!(responses.is_finished_locally("r1"));
    }
}
