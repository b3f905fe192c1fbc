// SPDX-License-Identifier: MPL-2.0

//! Floor control: one response is heard at a time.
//!
//! An out-of-band response may run beside another one, and a server sends the audio of both as it comes. The first one
//! has the floor until its audio is complete; the events of the others wait until then. A response that falls silent
//! loses the floor. The term is that of conferencing (RFC 4376, RFC 8855).

use crate::realtime::conversation::Conversation;
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
fn response_of(event: &ServerEvent) -> Option<&str> {
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
    fn is_held(&self, answer: &str) -> bool {
        self.held.as_ref().is_some_and(|(held, _)| held == answer)
    }

    fn waits(&self, answer: &str) -> bool {
        self.waiting.iter().any(|event| response_of(event) == Some(answer))
    }
}

impl Conversation {
    /// Handles a server event, or queues it where it belongs to a response that must wait: offline until that is whole,
    /// live until the response that has the floor has ended.
    pub(crate) fn schedule(&mut self, event: ServerEvent) {
        let Some(response_id) = response_of(&event).map(str::to_owned) else { return self.dispatch(event) };
        if let Some(event) = self.hold_until_complete(&response_id, event) {
            self.take_floor(event);
        }
    }

    /// The second half of [`Self::schedule`]: past what waits until a response is whole.
    pub(crate) fn take_floor(&mut self, event: ServerEvent) {
        let Some(answer) = response_of(&event).map(str::to_owned) else { return self.dispatch(event) };
        let answer = answer.as_str();
        if self.records.is_late(answer) {
            self.resume_late_response(answer);
        }
        let is_cancelled = |event: &ServerEvent| matches!(event, ServerEvent::ResponseDone(event) if event.response.status == Some(Status::Cancelled));
        if self.floor.is_held(answer) {
            if !is_cancelled(&event) {
                return self.wait(event);
            }
            self.drop_held_while_user_speaks();
        }
        let length = match &event {
            ServerEvent::ResponseOutputAudioDelta(event) => event.delta.0.len(),
            _ => 0,
        };
        let speaks = length > 0 && !self.responses.is_muted(answer);
        let is_speaker = self.floor.speaker.as_ref().is_some_and(|(speaker, _)| speaker == answer);
        if self.floor.speaker.is_some() && !is_speaker && (speaks || self.floor.waits(answer)) {
            return self.wait(event);
        }
        if speaks {
            match &mut self.floor.speaker {
                Some((_, spoke)) => *spoke = self.now,
                None => self.floor.speaker = Some((answer.to_owned(), self.now)),
            }
        }
        let ends = matches!(event, ServerEvent::ResponseOutputAudioDone(_) | ServerEvent::ResponseDone(_));
        self.dispatch(event);
        if ends && is_speaker {
            self.free_floor();
        }
    }

    /// Gives the floor to the next response.
    pub(crate) fn free_floor(&mut self) {
        let held = self.floor.held.take();
        let waiting = std::mem::replace(&mut self.floor, Floor { held, ..Floor::default() }).waiting;
        waiting.into_iter().for_each(|event| self.take_floor(event));
    }

    fn wait(&mut self, event: ServerEvent) {
        if let ServerEvent::ResponseOutputAudioDelta(event) = &event {
            self.floor.bytes += event.delta.0.len();
        }
        if let ServerEvent::ResponseDone(event) = &event {
            self.scheduler_done(event.response.id());
        }
        self.floor.waiting.push_back(event);
        if self.floor.bytes > MAX_WAITING_BYTES {
            self.release_floor();
        }
    }

    /// Holds a response that begins while the user speaks.
    pub(crate) fn hold_while_user_speaks(&mut self, answer: &str) {
        self.floor.held = Some((answer.to_owned(), self.now + HOLD));
    }

    /// Lets everything that waits through.
    pub(crate) fn release_floor(&mut self) {
        self.floor.held = None;
        self.free_floor();
    }

    /// The held response was cancelled: nothing of it is played.
    fn drop_held_while_user_speaks(&mut self) {
        let Some((held, _)) = self.floor.held.take() else { return };
        let (of_it, others) = std::mem::take(&mut self.floor.waiting)
            .into_iter()
            .partition::<VecDeque<_>, _>(|event| response_of(event) == Some(held.as_str()));
        self.floor.waiting = others;
        self.responses.mute(&held);
        let mut items: Vec<String> = Vec::new();
        for event in of_it {
            if let ServerEvent::ResponseOutputAudioDelta(event) = event {
                self.floor.bytes = self.floor.bytes.saturating_sub(event.delta.0.len());
                if !items.contains(&event.item_id) {
                    items.push(event.item_id);
                }
            }
        }
        items.iter().for_each(|item| self.forget_item(item));
    }

    /// Mutes every response that waits.
    pub(crate) fn clear_floor(&mut self) {
        let waiting: Vec<String> = self.floor.waiting.iter().filter_map(response_of).map(str::to_owned).collect();
        waiting.iter().for_each(|answer| self.responses.mute(answer));
        self.release_floor();
    }

    /// When the response that has the floor loses it, if another one waits.
    pub(crate) fn floor_deadline(&self) -> Option<Instant> {
        let silence = match self.config.timing {
            Timing::Live => FLOOR_TIMEOUT,
            Timing::Offline => self.config.drain_timeout,
        };
        let held = self.floor.held.as_ref().map(|(_, until)| *until);
        let speaker = self.floor.speaker.as_ref().filter(|_| !self.floor.waiting.is_empty());
        speaker.map(|(_, spoke)| *spoke + silence).into_iter().chain(held).min()
    }

    pub(crate) fn advance_floor(&mut self) {
        let held = self.floor.held.as_ref();
        if held.is_some_and(|(_, until)| self.now >= *until || !self.turns.speaking) {
            self.release_floor();
        }
        if self.floor_deadline().is_some_and(|until| self.now >= until) {
            self.free_floor();
        }
    }
}
