// SPDX-License-Identifier: MPL-2.0

//! Drain at EOS: closes the current turn, waits for what is owed, then finishes.
//!
//! The element's own VAD closes its turn by itself, and push to talk is committed. A server's VAD gets the silence that
//! ends a turn, then an event whose answer tells that the silence was processed, then a moment to tell of a turn;
//! speech that has not ended by then is committed by the element.

use crate::realtime::conversation::config::{Detection, MIN_COMMIT};
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::io::{Event, SessionEvent};
use crate::realtime::conversation::{Conversation, Output, Phase};
use std::time::{Duration, Instant};

/// Silence beyond what ends a turn, so that the server's VAD finds the end.
const MARGIN: Duration = Duration::from_millis(500);
/// How long after the last audio a server's VAD may tell of speech in it.
const GRACE: Duration = Duration::from_secs(1);

/// State of the drain.
#[derive(Debug, Default)]
pub(crate) enum Drain {
    /// Not at EOS.
    #[default]
    No,
    /// At EOS; waiting while input is held for a response.
    Begun,
    /// The server's VAD got its silence, and this event after it, whose answer tells that it was processed.
    Fenced(String),
    /// It was; until then the VAD may still tell of a turn.
    Grace(Instant),
    /// The last turn is closed; waiting for what is owed.
    Waiting {
        /// The element committed it, although the server's VAD detects the turns.
        by_hand: bool,
    },
}

impl Drain {
    pub fn begin(&mut self) {
        if matches!(self, Self::No) {
            *self = Self::Begun;
        }
    }

    /// Ends the stream with what is owed now.
    pub fn end_at_once(&mut self) {
        *self = Self::Waiting { by_hand: false };
    }

    /// A flush: the stream begins again.
    pub fn reset(&mut self) {
        *self = Self::No;
    }

    pub fn has_begun(&self) -> bool {
        !matches!(self, Self::No)
    }

    /// The last turn is being closed, which has a time-out of its own.
    pub fn is_closing(&self) -> bool {
        !matches!(self, Self::No | Self::Begun)
    }

    /// The element committed the last turn, although the server's VAD detects the turns.
    pub fn committed_by_element(&self) -> bool {
        matches!(self, Self::Waiting { by_hand: true })
    }
}

impl Conversation {
    pub(crate) fn drain_deadline(&self) -> Option<Instant> {
        match &self.drain {
            Drain::No | Drain::Begun => None,
            Drain::Grace(until) => Some(*until),
            Drain::Waiting { .. } if !self.owes_anything() => None,
            Drain::Fenced(_) | Drain::Waiting { .. } => Some(self.owed_until()),
        }
    }

    pub(crate) fn advance_drain(&mut self) {
        let late = |conversation: &Self| conversation.now >= conversation.owed_until();
        let is_waiting = matches!(self.drain, Drain::Waiting { .. });
        if is_waiting && self.owes_anything() && self.awaits_optional_transcripts() && late(self) {
            self.does_not_write();
        }
        loop {
            let next = match &self.drain {
                Drain::No => return,
                Drain::Begun if self.holds_input() => return,
                Drain::Begun => self.close_turn(),
                Drain::Fenced(question) if !self.updater.is_unanswered(question) => Drain::Grace(self.now + GRACE),
                Drain::Fenced(_) if late(self) => return self.finish(true),
                Drain::Fenced(_) => return,
                Drain::Grace(_) if self.scheduler.is_pending() => Drain::Waiting { by_hand: false },
                Drain::Grace(until) if self.now < *until => return,
                Drain::Grace(_) if self.turns.speaking => {
                    self.commit_rest(self.config.create_response);
                    Drain::Waiting { by_hand: true }
                }
                Drain::Grace(_) => Drain::Waiting { by_hand: false },
                Drain::Waiting { .. } if self.owes_anything() && late(self) => return self.finish(true),
                Drain::Waiting { .. } if self.owes_anything() => return,
                // Final transcripts wait for the end of playback.
                Drain::Waiting { .. } if self.captions.are_pending(&self.responses) => return,
                // The server's VAD has found another turn behind the last one.
                Drain::Waiting { .. } if self.turns.speaking => Drain::Grace(self.now + GRACE),
                Drain::Waiting { .. } => return self.finish(false),
            };
            self.drain = next;
        }
    }

    /// Closes the last turn, as the turn detection mode demands.
    fn close_turn(&mut self) -> Drain {
        self.last_progress = self.now;
        match self.config.detection {
            Detection::Local(_) => {
                self.finish_audio_input();
                self.send_due_request();
            }
            Detection::Manual => {
                let start = self.audio_input.sent.samples() - self.audio_input.uncommitted();
                self.turns.begin(None, self.audio_input.sent.time_of(start));
                self.commit_rest(true);
            }
            Detection::Server { silence } if self.audio_input.sent.samples() > 0 => {
                self.append_silence(silence + MARGIN);
                if !self.acknowledges {
                    return Drain::Grace(self.now + GRACE);
                }
                return Drain::Fenced(self.updater.send_fence(&mut ctx!(self)));
            }
            Detection::Server { .. } => {}
        }
        Drain::Waiting { by_hand: false }
    }

    /// Commits the rest without waiting for a VAD, if it is long enough.
    fn commit_rest(&mut self, responses: bool) {
        if self.audio_input.sent.duration(self.audio_input.uncommitted()) < MIN_COMMIT {
            self.turns.drop_open();
            return;
        }
        let end = self.audio_input.heard.end();
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
        self.end_in_hand();
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
