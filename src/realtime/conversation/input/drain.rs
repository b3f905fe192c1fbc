// SPDX-License-Identifier: MPL-2.0

//! The end of the stream: the turn in hand is closed, what is owed is waited for, and then it is over.
//!
//! Our own ear closes its turn by itself, and push to talk is committed. A server's detection is given the silence
//! that ends a turn, then a question whose answer tells that the silence was taken in, then a moment to say that
//! somebody spoke; speech that has not ended by then is committed by hand.

use crate::realtime::conversation::config::{Detection, MIN_COMMIT};
use crate::realtime::conversation::io::{Event, SessionEvent};
use crate::realtime::conversation::{Conversation, Output, Phase};
use std::time::{Duration, Instant};

/// Silence beyond the one that ends a turn, so that a server's detection surely finds the end.
const MARGIN: Duration = Duration::from_millis(500);
/// How long a server may take after the last sound to say that somebody spoke in it.
const GRACE: Duration = Duration::from_secs(1);

/// The words of a user that no server has written down so far are waited for so long once all is answered: to write
/// them down is optional.
const UNWRITTEN: Duration = Duration::from_secs(2);

/// How far the end has come.
#[derive(Debug, Default)]
pub(crate) enum Drain {
    /// Sound may still come.
    #[default]
    No,
    /// The stream has ended; nothing was done about it while input is held for an answer.
    Begun,
    /// A server's detection got its silence, and the question (an event of ours) whether it has taken it in.
    Fenced(String),
    /// It has; until then it may still find a turn.
    Grace(Instant),
    /// The last turn is closed; what is owed is waited for.
    Waiting {
        /// It was closed by us although the server finds the turns.
        by_hand: bool,
    },
}

impl Drain {
    pub fn begin(&mut self) {
        if matches!(self, Self::No) {
            *self = Self::Begun;
        }
    }

    /// The stream ends with what is owed now.
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

    /// The last turn is being closed, and it has its own patience.
    pub fn is_closing(&self) -> bool {
        !matches!(self, Self::No | Self::Begun)
    }

    /// The last turn was committed by us although the server finds the turns.
    pub fn commits_by_command(&self) -> bool {
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

    /// Time until which what is owed may stay away. Functions have a time limit of their own, which has nothing to do
    /// with the server.
    pub(crate) fn owed_until(&self) -> Instant {
        let timeout = if self.scheduler.is_pending() { self.answer_patience() } else { self.config.drain_timeout };
        let server = self.last_progress + if self.seems_not_to_write() { timeout.min(UNWRITTEN) } else { timeout };
        self.calls_until().map_or(server, |calls| calls.max(server))
    }

    /// Only the user's words are owed, all is answered, and the server has not written down a word so far.
    fn seems_not_to_write(&self) -> bool {
        !self.owes_response()
            && !self.writes_down
            && self.responses.records.any_is_done()
            && !self.config.is_transcription_only()
    }

    pub(crate) fn advance_drain(&mut self) {
        let late = |conversation: &Self| conversation.now >= conversation.owed_until();
        let is_waiting = matches!(self.drain, Drain::Waiting { .. });
        if is_waiting && self.owes_anything() && self.seems_not_to_write() && late(self) {
            self.does_not_write();
        }
        loop {
            let next = match &self.drain {
                Drain::No => return,
                Drain::Begun if self.holds_input() => return,
                Drain::Begun => self.close_turn(),
                Drain::Fenced(question) if !self.updates.contains(question) => Drain::Grace(self.now + GRACE),
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
                // What is there is still being listened to.
                Drain::Waiting { .. } if self.owes_transcripts() => return,
                // Behind the turn that was waited for, the server has found another one.
                Drain::Waiting { .. } if self.turns.speaking => Drain::Grace(self.now + GRACE),
                Drain::Waiting { .. } => return self.finish(false),
            };
            self.drain = next;
        }
    }

    fn owes_anything(&self) -> bool {
        self.owes_response() || self.config.transcribes && self.turns.backlog() > 0
    }

    /// The input is at its end. Who finds the turns decides how the last one is closed.
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
                return Drain::Fenced(self.send_fence());
            }
            Detection::Server { .. } => {}
        }
        Drain::Waiting { by_hand: false }
    }

    /// Ends the turn in hand without waiting for a detection, if there is enough of it.
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
        if responses && self.config.respond_on_eos && self.may_respond() {
            self.scheduler.request(None);
            self.send_due_request();
        }
    }

    fn finish(&mut self, late: bool) {
        // Calls that are open are told by their names.
        if late && (self.scheduler.is_pending() || self.turns.backlog() > 0 || self.calls.open() == 0) {
            let seconds = self.config.drain_timeout.as_secs_f64();
            let message = format!("the stream has ended, and the server owes something and was silent for {seconds} s");
            self.warn("drain-timeout", message);
        }
        self.let_through();
        self.end_in_hand();
        self.close_calls();
        self.finish_captions();
        self.flush_all_finals();
        self.phase = Phase::Over;
        self.notify(Event::Session(SessionEvent::Closed {
            reason: "end of stream".into(),
            running_time: self.done_until(),
        }));
        let at = self.audio_input.end().max(self.frames.position).max(self.responses.end());
        self.outbox.push(Output::Finished { at });
    }
}
