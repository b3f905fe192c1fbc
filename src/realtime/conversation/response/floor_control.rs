// SPDX-License-Identifier: MPL-2.0

//! Floor control: one response is heard at a time.
//!
//! An out-of-band response may run beside another one, and a server sends the audio of both as it comes. The first one
//! has the floor until its audio is complete; the events of the others wait until then. A response that falls silent
//! loses the floor. The term is that of conferencing (RFC 4376, RFC 8855).

use crate::realtime::conversation::config::Config;
use crate::types::Timing;
use openai_protocol::ServerEvent;
use openai_protocol::items::Status;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most bytes of audio that wait: more than five minutes at 24 kHz.
const MAX_WAITING_BYTES: usize = 16 << 20;
/// Live: a response that is silent for this long loses the floor if another one waits.
const FLOOR_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a response that the server began while the user speaks is held for the server to cancel it.
const HOLD: Duration = Duration::from_secs(3);

/// Who has the floor, and what waits.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    /// The response that has the floor, and when its last audio came.
    speaker: Option<(String, Instant)>,
    waiting: VecDeque<ServerEvent>,
    bytes: usize,
    /// A response that the server began while the user speaks, and until when it is held.
    held: Option<(String, Instant)>,
}

/// The response that an event belongs to, if it must keep the order.
pub(crate) fn response_of(event: &ServerEvent) -> Option<&str> {
    Some(match event {
        ServerEvent::ResponseOutputAudioDelta(event) => &event.response_id,
        ServerEvent::ResponseOutputAudioDone(event) => &event.response_id,
        ServerEvent::ResponseOutputAudioTranscriptDelta(event) => &event.response_id,
        ServerEvent::ResponseOutputAudioTranscriptDone(event) => &event.response_id,
        ServerEvent::ResponseOutputTextDelta(event) => &event.response_id,
        ServerEvent::ResponseOutputTextDone(event) => &event.response_id,
        ServerEvent::ResponseOutputItemDone(event) => &event.response_id,
        ServerEvent::ResponseDone(event) => event.response.id(),
        _ => return None,
    })
}

impl Floor {
    /// Whether a response is held because the user speaks.
    pub fn is_held(&self, response_id: &str) -> bool {
        self.held.as_ref().is_some_and(|(held, _)| held == response_id)
    }

    fn waits(&self, response_id: &str) -> bool {
        self.waiting.iter().any(|event| response_of(event) == Some(response_id))
    }

    /// Takes a turn at the floor with an event. Returns it if it is to be handled now; otherwise it waits.
    /// `is_muted`: nothing more of the response is played.
    pub fn admit(&mut self, response_id: &str, event: ServerEvent, is_muted: bool, now: Instant) -> Admission {
        if self.is_held(response_id) {
            return self.wait(event);
        }
        let speaks = audio_length(&event) > 0 && !is_muted;
        let is_speaker = self.speaker.as_ref().is_some_and(|(speaker, _)| speaker == response_id);
        if self.speaker.is_some() && !is_speaker && (speaks || self.waits(response_id)) {
            return self.wait(event);
        }
        if speaks {
            match &mut self.speaker {
                Some((_, spoke)) => *spoke = now,
                None => self.speaker = Some((response_id.to_owned(), now)),
            }
        }
        let ends = matches!(event, ServerEvent::ResponseOutputAudioDone(_) | ServerEvent::ResponseDone(_));
        Admission::Now { event, frees_floor: ends && is_speaker }
    }

    fn wait(&mut self, event: ServerEvent) -> Admission {
        self.bytes += audio_length(&event);
        let done = match &event {
            ServerEvent::ResponseDone(event) => Some(event.response.id().to_owned()),
            _ => None,
        };
        self.waiting.push_back(event);
        Admission::Waits { done, is_full: self.bytes > MAX_WAITING_BYTES }
    }

    /// Takes what waits, for the floor is free.
    pub fn free(&mut self) -> VecDeque<ServerEvent> {
        let held = self.held.take();
        std::mem::replace(self, Self { held, ..Self::default() }).waiting
    }

    /// Takes everything that waits, also of a response that is held.
    pub fn release(&mut self) -> VecDeque<ServerEvent> {
        self.held = None;
        self.free()
    }

    /// Holds a response that begins while the user speaks.
    pub fn hold(&mut self, response_id: &str, now: Instant) {
        self.held = Some((response_id.to_owned(), now + HOLD));
    }

    /// The held response was cancelled, and its waiting events are dropped. Returns the items with audio in them.
    pub fn drop_held(&mut self) -> Vec<String> {
        let Some((held, _)) = self.held.take() else { return Vec::new() };
        let all = std::mem::take(&mut self.waiting);
        let (of_it, others) =
            all.into_iter().partition::<VecDeque<_>, _>(|event| response_of(event) == Some(held.as_str()));
        self.waiting = others;
        let mut items: Vec<String> = Vec::new();
        for event in of_it {
            if let ServerEvent::ResponseOutputAudioDelta(event) = event {
                self.bytes = self.bytes.saturating_sub(event.delta.0.len());
                if !items.contains(&event.item_id) {
                    items.push(event.item_id);
                }
            }
        }
        items
    }

    /// Responses that wait.
    pub fn waiting_responses(&self) -> impl Iterator<Item = &str> {
        self.waiting.iter().filter_map(response_of)
    }

    /// When the response that has the floor loses it, if another one waits, or a held one is let through.
    pub fn deadline(&self, config: &Config) -> Option<Instant> {
        let silence = match config.timing {
            Timing::Live => FLOOR_TIMEOUT,
            Timing::Offline => config.drain_timeout,
        };
        let held = self.held.as_ref().map(|(_, until)| *until);
        let speaker = self.speaker.as_ref().filter(|_| !self.waiting.is_empty());
        speaker.map(|(_, spoke)| *spoke + silence).into_iter().chain(held).min()
    }

    /// Whether the held response need not be held any more: the user has stopped, or the server did not cancel it in time.
    pub fn hold_is_over(&self, is_speaking: bool, now: Instant) -> bool {
        self.held.as_ref().is_some_and(|(_, until)| now >= *until || !is_speaking)
    }
}

/// What becomes of an event.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it is taken apart at once, a copy is cheaper than a box")]
pub(crate) enum Admission {
    /// It is handled. `frees_floor`: afterwards the next response has the floor.
    Now { event: ServerEvent, frees_floor: bool },
    /// It waits. `done`: its response is done, and the server free for another one. `is_full`: too much waits, and all of
    /// it is let through.
    Waits { done: Option<String>, is_full: bool },
}

fn audio_length(event: &ServerEvent) -> usize {
    match event {
        ServerEvent::ResponseOutputAudioDelta(event) => event.delta.0.len(),
        _ => 0,
    }
}

/// The server has cancelled the response.
pub(crate) fn is_cancelled(event: &ServerEvent) -> bool {
    matches!(event, ServerEvent::ResponseDone(event) if event.response.status == Some(Status::Cancelled))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;
    use openai_protocol::Base64;
    use openai_protocol::server::{ResponseOutputAudioDelta, ResponseOutputAudioDone};

    fn audio(response_id: &str) -> ServerEvent {
        let (response_id, item_id) = (response_id.to_owned(), format!("item of {response_id}"));
        ResponseOutputAudioDelta { response_id, item_id, delta: Base64(vec![0; 4].into()), ..Default::default() }.into()
    }

    fn end(response_id: &str) -> ServerEvent {
        ResponseOutputAudioDone { response_id: response_id.into(), ..Default::default() }.into()
    }

    fn waits(floor: &mut Floor, response_id: &str, event: ServerEvent, now: Instant) -> bool {
        matches!(floor.admit(response_id, event, false, now), Admission::Waits { .. })
    }

    #[test]
    fn the_second_response_waits_until_the_first_has_ended() {
        let (mut floor, now) = (Floor::default(), Instant::now());
        assert!(!waits(&mut floor, "r1", audio("r1"), now));
        assert!(waits(&mut floor, "r2", audio("r2"), now) && waits(&mut floor, "r2", end("r2"), now));
        let first = floor.admit("r1", end("r1"), false, now);
        assert!(matches!(first, Admission::Now { frees_floor: true, .. }));
        assert_eq!(floor.free().len(), 2);
        assert!(!waits(&mut floor, "r2", audio("r2"), now));
    }

    #[test]
    fn a_silent_response_loses_the_floor_only_if_another_one_waits() {
        let (mut floor, fixture) = (Floor::default(), Fixture::new(Timing::Live));
        waits(&mut floor, "r1", audio("r1"), fixture.now);
        assert_eq!(floor.deadline(&fixture.config), None);
        waits(&mut floor, "r2", audio("r2"), fixture.now + HOLD);
        assert_eq!(floor.deadline(&fixture.config), Some(fixture.now + FLOOR_TIMEOUT));
    }

    #[test]
    fn a_response_held_while_the_user_speaks_is_dropped_or_released() {
        let (mut floor, now) = (Floor::default(), Instant::now());
        floor.hold("r1", now);
        assert!(waits(&mut floor, "r1", audio("r1"), now) && waits(&mut floor, "r1", audio("r1"), now));
        assert!(!floor.hold_is_over(true, now) && floor.hold_is_over(true, now + HOLD));
        assert!(floor.hold_is_over(false, now), "the user has stopped");
        assert_eq!(floor.drop_held(), ["item of r1"]);
        assert!(!floor.is_held("r1") && floor.release().is_empty());
    }
}
