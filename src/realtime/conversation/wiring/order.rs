// SPDX-License-Identifier: MPL-2.0

//! The order in which the events of responses are handled: offline a response that is complete, live one after the other.

use crate::realtime::conversation::Conversation;
use crate::realtime::conversation::response::floor_control::{Admission, is_cancelled, response_of};
use crate::realtime::conversation::response::held_response::Hold;
use openai_protocol::ServerEvent;

impl Conversation {
    /// Handles a server event, or queues it where it belongs to a response that must wait: offline until that is complete,
    /// live until the response that has the floor has ended.
    pub(crate) fn schedule(&mut self, event: ServerEvent) {
        let Some(response_id) = response_of(&event).map(str::to_owned) else { return self.dispatch(event) };
        let is_active = self.scheduler.active() == Some(response_id.as_str());
        let hold = self.held.hold(&response_id, is_active, event, &self.config);
        if let Hold::Held { is_audio: true } | Hold::Full { is_audio: true } = hold {
            self.first_audio_received(&response_id);
        }
        match hold {
            Hold::Pass(event) => self.take_floor(event),
            Hold::Complete(event) => {
                self.release_held();
                self.take_floor(event);
            }
            Hold::Held { .. } => {}
            Hold::Full { .. } => {
                self.release_held();
                self.held.let_through();
            }
        }
    }

    /// Lets held events through: the response is complete, or nothing more will come of it.
    pub(crate) fn release_held(&mut self) {
        self.held.release().into_iter().for_each(|event| self.take_floor(event));
    }

    /// The second half of [`Self::schedule`]: past what waits until a response is complete.
    fn take_floor(&mut self, event: ServerEvent) {
        let Some(response_id) = response_of(&event).map(str::to_owned) else { return self.dispatch(event) };
        if self.records.is_late(&response_id) {
            self.resume_late_response(&response_id);
        }
        if self.floor.is_held(&response_id) && is_cancelled(&event) {
            // Nothing of it is played.
            let items = self.floor.drop_held();
            self.responses.mute(&response_id);
            items.iter().for_each(|item| self.forget_item(item));
        }
        let is_muted = self.responses.is_muted(&response_id);
        match self.floor.admit(&response_id, event, is_muted, self.now) {
            Admission::Now { event, frees_floor } => {
                self.dispatch(event);
                if frees_floor {
                    self.free_floor();
                }
            }
            Admission::Waits { done, is_full } => {
                done.iter().for_each(|response_id| self.scheduler_done(response_id));
                if is_full {
                    self.release_floor();
                }
            }
        }
    }

    /// Gives the floor to the next response.
    fn free_floor(&mut self) {
        self.floor.free().into_iter().for_each(|event| self.take_floor(event));
    }

    /// Lets everything that waits through.
    pub(crate) fn release_floor(&mut self) {
        self.floor.release().into_iter().for_each(|event| self.take_floor(event));
    }

    /// Mutes every response that waits.
    pub(crate) fn clear_floor(&mut self) {
        self.floor.waiting_responses().for_each(|response_id| self.responses.mute(response_id));
        self.release_floor();
    }

    /// Serves the time-outs of floor control.
    pub(crate) fn advance_floor(&mut self) {
        if self.floor.hold_is_over(self.turns.is_speaking(), self.now) {
            self.release_floor();
        }
        if self.floor.deadline(&self.config).is_some_and(|until| self.now >= until) {
            self.free_floor();
        }
    }
}
