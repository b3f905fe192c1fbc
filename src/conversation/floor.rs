//! The floor: one answer speaks at a time.
//!
//! An answer beside the conversation may be made while another one is, and a server sends the sound of both as it comes.
//! Whoever began has the floor until its message is complete; what is told of the others waits, and follows then. It
//! does not wait for a speaker that falls silent.

use super::{Conversation, Timing};
use crate::protocol::ServerEvent;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bytes of sound that wait at most: more than five minutes at 24 kHz.
const WAITING: usize = 16 << 20;
/// Live, a speaker who says nothing for so long loses the floor if somebody else has something to say.
const SILENCE: Duration = Duration::from_secs(2);

/// Who speaks, and what waits.
#[derive(Debug, Default)]
pub(super) struct Floor {
    /// The answer that speaks, and when it did so last.
    speaker: Option<(String, Instant)>,
    waiting: VecDeque<ServerEvent>,
    bytes: usize,
}

/// The answer that something is told of.
fn answer_of(event: &ServerEvent) -> Option<&str> {
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
    fn waits(&self, answer: &str) -> bool {
        self.waiting.iter().any(|event| answer_of(event) == Some(answer))
    }
}

impl Conversation {
    /// Something is told of an answer. It is heard when that has the floor.
    pub(super) fn hear_answer(&mut self, event: ServerEvent) {
        let Some(answer) = answer_of(&event).map(str::to_owned) else { return self.follow_answer(event) };
        if let Some(event) = self.hold(&answer, event) {
            self.follow_in_turn(event);
        }
    }

    /// The same, past what is kept until an answer is whole.
    pub(super) fn follow_in_turn(&mut self, event: ServerEvent) {
        let Some(answer) = answer_of(&event) else { return self.follow_answer(event) };
        let length = match &event {
            ServerEvent::ResponseOutputAudioDelta(event) => event.delta.0.len(),
            _ => 0,
        };
        let speaks = length > 0 && !self.answers.is_muted(answer);
        let is_speaker = self.floor.speaker.as_ref().is_some_and(|(speaker, _)| speaker == answer);
        if self.floor.speaker.is_some() && !is_speaker && (speaks || self.floor.waits(answer)) {
            self.floor.bytes += length;
            self.floor.waiting.push_back(event);
            if self.floor.bytes > WAITING {
                self.free_floor();
            }
            return;
        }
        if speaks {
            match &mut self.floor.speaker {
                Some((_, spoke)) => *spoke = self.now,
                None => self.floor.speaker = Some((answer.to_owned(), self.now)),
            }
        }
        let ends = matches!(event, ServerEvent::ResponseOutputAudioDone(_) | ServerEvent::ResponseDone(_));
        self.follow_answer(event);
        if ends && is_speaker {
            self.free_floor();
        }
    }

    /// Whoever speaks has ended, or is not waited for: who comes next may speak.
    pub(super) fn free_floor(&mut self) {
        let Floor { waiting, .. } = std::mem::take(&mut self.floor);
        waiting.into_iter().for_each(|event| self.follow_in_turn(event));
    }

    /// Nobody of those who wait is to be heard any more.
    pub(super) fn clear_floor(&mut self) {
        let waiting: Vec<String> = self.floor.waiting.iter().filter_map(answer_of).map(str::to_owned).collect();
        waiting.iter().for_each(|answer| self.answers.mute(answer));
        self.free_floor();
    }

    /// When the speaker is not waited for any more, if somebody waits.
    pub(super) fn floor_deadline(&self) -> Option<Instant> {
        let silence = match self.config.timing {
            Timing::Live => SILENCE,
            Timing::Offline => self.config.drain_timeout,
        };
        let (_, spoke) = self.floor.speaker.as_ref().filter(|_| !self.floor.waiting.is_empty())?;
        Some(*spoke + silence)
    }

    pub(super) fn go_on_speaking(&mut self) {
        if self.floor_deadline().is_some_and(|until| self.now >= until) {
            self.free_floor();
        }
    }
}
