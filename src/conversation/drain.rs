//! The end of the stream: the turn in hand is closed, what is owed is waited for, and then it is over.

use super::listen::LEAST_COMMIT;
use super::{Conversation, Detection, Output, Phase};
use crate::conversation::events::{Notice, SessionNotice};
use std::time::{Duration, Instant};

/// Silence beyond the one that ends a turn, so that a server's detection surely finds the end.
const MARGIN: Duration = Duration::from_millis(500);
/// How long a server may take after the last sound to say that somebody spoke in it.
const GRACE: Duration = Duration::from_secs(1);

/// How far the end has come.
#[derive(Debug, Default)]
pub(super) enum Drain {
    /// Sound may still come.
    #[default]
    No,
    /// The stream has ended, nothing was done about it so far.
    Begun,
    /// A server's detection got its silence, and the question whether it has taken it in.
    Fenced,
    /// It has; until then it may still find a turn.
    Grace(Instant),
    /// The last turn is closed; what is owed is waited for.
    Waiting {
        by_hand: bool,
    },
}

impl Drain {
    pub fn begin(&mut self) {
        if matches!(self, Self::No) {
            *self = Self::Begun;
        }
    }

    pub fn has_begun(&self) -> bool {
        !matches!(self, Self::No)
    }

    /// The last turn was committed by us although the server finds the turns.
    pub fn commits_by_hand(&self) -> bool {
        matches!(self, Self::Waiting { by_hand: true })
    }

    /// The server has taken in everything that was sent before the end.
    pub fn fence_passed(&mut self, now: Instant) {
        if matches!(self, Self::Fenced) {
            *self = Self::Grace(now + GRACE);
        }
    }
}

impl Conversation {
    pub(super) fn drain_deadline(&self) -> Option<Instant> {
        match &self.drain {
            Drain::No => None,
            Drain::Grace(until) => Some(*until),
            Drain::Begun | Drain::Fenced | Drain::Waiting { .. } => Some(self.last_event_or_end() + self.config.drain_timeout),
        }
    }

    fn last_event_or_end(&self) -> Instant {
        self.last_event.max(self.listening.last_turn)
    }

    pub(super) fn go_on_draining(&mut self) {
        loop {
            let next = match &self.drain {
                Drain::No => return,
                Drain::Begun => self.close_turn(),
                Drain::Fenced => match self.is_out_of_patience() {
                    true => Drain::Grace(self.now),
                    false => return,
                },
                Drain::Grace(until) => match self.after_grace(*until) {
                    Some(next) => next,
                    None => return,
                },
                Drain::Waiting { .. } => {
                    if self.owes_anything() && !self.is_out_of_patience() {
                        return;
                    }
                    return self.finish();
                }
            };
            self.drain = next;
        }
    }

    fn is_out_of_patience(&self) -> bool {
        self.now >= self.last_event_or_end() + self.config.drain_timeout
    }

    fn owes_anything(&self) -> bool {
        self.gate.owes() || !self.turns.untranscribed.is_empty()
    }

    /// The input is at its end. Who finds the turns decides how the last one is closed.
    fn close_turn(&mut self) -> Drain {
        self.listening.last_turn = self.now;
        match self.config.detection {
            Detection::Local(_) => {
                self.finish_listening();
                self.ask_for_answer();
                Drain::Waiting { by_hand: false }
            }
            Detection::Manual => {
                self.commit_rest();
                Drain::Waiting { by_hand: false }
            }
            Detection::Server { .. } if self.listening.sent.samples() == 0 => Drain::Waiting { by_hand: false },
            Detection::Server { silence } => {
                self.append_silence(silence + MARGIN);
                self.send_fence();
                Drain::Fenced
            }
        }
    }

    /// A server's detection had its time. Speech that it found and did not end is ended by hand.
    fn after_grace(&mut self, until: Instant) -> Option<Drain> {
        if self.gate.owes() {
            return Some(Drain::Waiting { by_hand: false });
        }
        if self.now < until {
            return None;
        }
        if self.turns.speaking {
            self.commit_rest();
            return Some(Drain::Waiting { by_hand: true });
        }
        Some(Drain::Waiting { by_hand: false })
    }

    fn commit_rest(&mut self) {
        if self.listening.sent.duration(self.listening.uncommitted) < LEAST_COMMIT {
            return;
        }
        let end = self.listening.sent.end();
        self.turns.end(end);
        self.answers.answer_from(end.unwrap_or_default());
        self.commit();
        self.gate.turn_ended = Some(self.now);
        if self.config.respond_on_eos {
            self.gate.wish(None);
            self.ask_for_answer();
        }
    }

    fn finish(&mut self) {
        if self.owes_anything() {
            let seconds = self.config.drain_timeout.as_secs_f64();
            let message = format!("the stream has ended, the server still owes something and has said nothing for {seconds} s");
            self.warn("drain-timeout", message);
        }
        self.phase = Phase::Over;
        self.notify(Notice::Session(SessionNotice::Closed { reason: "end of stream".into() }));
        let at = self.input_end().max(self.answers.end());
        self.output.push_back(Output::Finished { at });
    }
}
