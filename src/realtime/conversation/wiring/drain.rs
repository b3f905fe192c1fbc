// SPDX-License-Identifier: MPL-2.0

//! The end of the stream: closes the last turn and finishes, as [`Drain`](crate::realtime::conversation::input::drain)
//! decides.

use crate::realtime::conversation::config::{Detection, MIN_COMMIT};
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::input::drain::{DrainSituation, DrainStep};
use crate::realtime::conversation::io::{Event, SessionEvent};
use crate::realtime::conversation::{Conversation, Output, Phase};
use std::time::{Duration, Instant};

/// Silence beyond what ends a turn, so that the server's VAD finds the end.
const SILENCE_MARGIN: Duration = Duration::from_millis(500);

impl Conversation {
    fn drain_situation(&self) -> DrainSituation {
        DrainSituation {
            holds_input: self.holds_input(),
            is_fence_unanswered: self.drain.fence().is_some_and(|fence| self.updater.is_unanswered(fence)),
            is_late: self.now >= self.owed_until(),
            is_response_pending: self.scheduler.is_pending(),
            is_speaking: self.turns.is_speaking(),
            owes_anything: self.owes_anything(),
            awaits_playback: self.captions.are_pending(&self.responses),
        }
    }

    pub(crate) fn drain_deadline(&self) -> Option<Instant> {
        self.drain.deadline(self.owed_until(), self.owes_anything())
    }

    /// Takes the steps of the drain that are due.
    pub(crate) fn advance_drain(&mut self) {
        let is_late = |conversation: &Self| conversation.now >= conversation.owed_until();
        if self.drain.is_waiting() && self.owes_anything() && self.awaits_optional_transcripts() && is_late(self) {
            self.does_not_write();
        }
        while self.drain.has_begun() {
            match self.drain.next(&self.drain_situation(), self.now) {
                DrainStep::Wait => return,
                DrainStep::CloseTurn => self.close_turn(),
                DrainStep::CommitTurn => {
                    self.commit_rest(self.config.create_response);
                    self.drain.turn_closed(true);
                }
                DrainStep::Finish { late } => return self.finish(late),
            }
        }
    }

    /// Closes the last turn, as the turn detection mode demands.
    fn close_turn(&mut self) {
        self.last_progress = self.now;
        match self.config.detection {
            Detection::Local(_) => {
                self.finish_audio_input();
                self.send_due_request();
            }
            Detection::Manual => {
                let start = self.audio_input.sent().samples() - self.audio_input.uncommitted();
                self.turns.begin(None, self.audio_input.sent().time_of(start));
                self.commit_rest(true);
            }
            Detection::Server { silence } if self.audio_input.sent().samples() > 0 => {
                self.append_silence(silence + SILENCE_MARGIN);
                if self.opening.acknowledges() {
                    let fence = self.updater.send_fence(&mut ctx!(self));
                    self.drain.await_fence(fence);
                } else {
                    self.drain.await_vad(self.now);
                }
                return;
            }
            Detection::Server { .. } => {}
        }
        self.drain.turn_closed(false);
    }

    /// Commits the rest without waiting for a VAD, if it is long enough.
    fn commit_rest(&mut self, responses: bool) {
        if self.audio_input.sent().duration(self.audio_input.uncommitted()) < MIN_COMMIT {
            self.turns.drop_open();
            return;
        }
        let end = self.audio_input.heard().end();
        match self.turns.open().and_then(|turn| turn.item_id.clone()) {
            Some(item_id) => {
                if self.config.transcribes {
                    self.turns.await_transcript(&item_id);
                }
                self.end_turn(Some(item_id), end);
            }
            None => {
                self.turns.end(None, end);
                self.await_response_from(end);
            }
        }
        self.commit();
        self.last_progress = self.now;
        if responses && self.config.respond_on_eos && self.limits.may_respond(&self.config) {
            self.scheduler.request(None);
            self.send_due_request();
        }
    }

    fn finish(&mut self, late: bool) {
        // Open function calls have warnings of their own, by name.
        if late && (self.scheduler.is_pending() || self.turns.backlog() > 0 || self.calls.open() == 0) {
            let seconds = self.config.drain_timeout.as_secs_f64();
            let message = format!("the stream has ended, and the server owes something and was silent for {seconds} s");
            self.warn("drain-timeout", message);
        }
        self.release_held();
        self.resumed_turn.end(self.audio_input.heard().end(), &mut ctx!(self));
        self.close_calls();
        self.finish_captions();
        self.flush_all_finals();
        self.turn_latency.post_last(&mut self.outbox);
        self.phase = Phase::Over;
        self.notify(Event::Session(SessionEvent::Closed {
            reason: "end of stream".into(),
            running_time: self.done_until(),
        }));
        let at = self.audio_input.end().max(self.frames.position()).max(self.responses.end());
        self.outbox.push(Output::Finished { at });
    }
}
