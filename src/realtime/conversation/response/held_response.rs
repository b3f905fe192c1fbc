// SPDX-License-Identifier: MPL-2.0

//! Offline: holds the events of a response until it is complete.
//!
//! Nobody listens to a file as it is made. So a response whose session is lost in the middle can be dropped and requested
//! again, where a listener would have heard one half already.

use crate::realtime::conversation::Conversation;
use crate::types::Timing;
use openai_protocol::ServerEvent;
use std::collections::VecDeque;

/// Most bytes of audio that are held: more than five minutes at 24 kHz. A longer response is let through.
const KEPT: usize = 16 << 20;

/// Events of the response under way.
#[derive(Debug, Default)]
pub(crate) struct Held {
    events: VecDeque<ServerEvent>,
    bytes: usize,
    /// The response is too long, and the rest of it is let through.
    is_through: bool,
}

impl Conversation {
    /// Holds an event of the response under way, or returns it if it need not wait.
    pub(crate) fn hold_until_complete(&mut self, answer: &str, event: ServerEvent) -> Option<ServerEvent> {
        let may_be_asked_again = self.config.timing == Timing::Offline && self.config.reconnects;
        let is_it = self.scheduler.active() == Some(answer);
        // Some servers send no response id there.
        if matches!(event, ServerEvent::ResponseDone(_)) && (is_it || answer.is_empty()) {
            self.release_held();
            return Some(event);
        }
        if !may_be_asked_again || !is_it || self.held.is_through {
            return Some(event);
        }
        if let ServerEvent::ResponseOutputAudioDelta(delta) = &event {
            self.held.bytes += delta.delta.0.len();
            self.first_audio_received(answer);
        }
        self.held.events.push_back(event);
        if self.held.bytes > KEPT {
            self.release_held();
            self.held.is_through = true;
        }
        None
    }

    /// Lets held events through: the response is complete, or nothing more will come of it.
    pub(crate) fn release_held(&mut self) {
        let Held { events, .. } = std::mem::take(&mut self.held);
        events.into_iter().for_each(|event| self.take_floor(event));
    }

    /// Drops held events. True if all of the response was held, so that it can be requested again.
    pub(crate) fn drop_held_response(&mut self) -> bool {
        let held = std::mem::take(&mut self.held);
        self.config.timing == Timing::Offline && !held.is_through
    }
}
