// SPDX-License-Identifier: MPL-2.0

//! Offline: what is told of an answer is kept until the answer is whole.
//!
//! Nobody waits for the sound of a file. So an answer whose session is lost in the middle can be forgotten and asked for
//! again, where a listener would have heard one half already.

use crate::realtime::conversation::Conversation;
use crate::types::Timing;
use openai_protocol::ServerEvent;
use std::collections::VecDeque;

/// Bytes of sound that are kept at most: more than five minutes at 24 kHz. An answer that is longer is let through.
const KEPT: usize = 16 << 20;

/// What was told of the answer that is under way.
#[derive(Debug, Default)]
pub(crate) struct Held {
    events: VecDeque<ServerEvent>,
    bytes: usize,
    /// The answer is too long, and the rest of it is let through.
    is_through: bool,
}

impl Conversation {
    /// Keeps an event of the answer that is under way; gives it back where it need not wait.
    pub(crate) fn keep_until_whole(&mut self, answer: &str, event: ServerEvent) -> Option<ServerEvent> {
        let may_be_asked_again = self.config.timing == Timing::Offline && self.config.reconnects;
        let is_it = self.scheduler.active() == Some(answer);
        // Some servers give no name there.
        if matches!(event, ServerEvent::ResponseDone(_)) && (is_it || answer.is_empty()) {
            self.let_through();
            return Some(event);
        }
        if !may_be_asked_again || !is_it || self.held.is_through {
            return Some(event);
        }
        if let ServerEvent::ResponseOutputAudioDelta(delta) = &event {
            self.held.bytes += delta.delta.0.len();
            self.answers_first_audio(answer);
        }
        self.held.events.push_back(event);
        if self.held.bytes > KEPT {
            self.let_through();
            self.held.is_through = true;
        }
        None
    }

    /// What was kept is told: the answer is whole, or there will be no more of it.
    pub(crate) fn let_through(&mut self) {
        let Held { events, .. } = std::mem::take(&mut self.held);
        events.into_iter().for_each(|event| self.take_floor(event));
    }

    /// What was kept is forgotten. True where all of the answer was, so that it can be asked for again.
    pub(crate) fn forget_held(&mut self) -> bool {
        let held = std::mem::take(&mut self.held);
        self.config.timing == Timing::Offline && !held.is_through
    }
}
