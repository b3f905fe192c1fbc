// SPDX-License-Identifier: MPL-2.0

//! Drain at EOS: closes the current turn, waits for what is owed, then finishes.
//!
//! The element's own VAD closes its turn by itself, and push to talk is committed. A server's VAD gets the silence that
//! ends a turn, then an event whose answer tells that the silence was processed, then a moment to tell of a turn;
//! speech that has not ended by then is committed by the element.

use std::time::{Duration, Instant};

/// How long after the last audio a server's VAD may tell of speech in it.
const VAD_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
enum State {
    /// Not at EOS.
    #[default]
    No,
    /// At EOS; waiting while input is held for a response.
    Begun,
    /// The server's VAD got its silence, and this event after it, whose answer tells that it was processed.
    Fenced(String),
    /// It was; until then the VAD may still tell of a turn.
    AwaitsVad(Instant),
    /// The last turn is closed; waiting for what is owed.
    Waiting {
        /// The element committed it, although the server's VAD detects the turns.
        by_element: bool,
    },
}

/// How far the drain is.
#[derive(Debug, Default)]
pub(crate) struct Drain(State);

/// What the rest of the conversation is doing, as far as the drain depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DrainSituation {
    /// Input waits for a response.
    pub holds_input: bool,
    /// The server has not answered the event behind the silence.
    pub is_fence_unanswered: bool,
    /// What the server owes is overdue.
    pub is_late: bool,
    /// A response is requested or under way.
    pub is_response_pending: bool,
    /// The user speaks.
    pub is_speaking: bool,
    /// A response, a function output or a transcript is owed.
    pub owes_anything: bool,
    /// Final transcripts of the model wait for the end of playback.
    pub awaits_playback: bool,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DrainStep {
    /// Nothing now.
    Wait,
    /// The last turn is to be closed, as the turn detection mode demands.
    CloseTurn,
    /// The server's VAD has not ended the last turn: the element commits it.
    CommitTurn,
    /// The stream ends; `late`: without what is owed.
    Finish { late: bool },
}

impl Drain {
    pub fn begin(&mut self) {
        if matches!(self.0, State::No) {
            self.0 = State::Begun;
        }
    }

    /// Ends the stream with what is owed now.
    pub fn end_at_once(&mut self) {
        self.turn_closed(false);
    }

    /// A flush: the stream begins again.
    pub fn reset(&mut self) {
        self.0 = State::No;
    }

    pub fn has_begun(&self) -> bool {
        !matches!(self.0, State::No)
    }

    /// The last turn is being closed, which has a time-out of its own.
    pub fn is_closing(&self) -> bool {
        !matches!(self.0, State::No | State::Begun)
    }

    /// The last turn is closed, and what is owed is waited for.
    pub fn is_waiting(&self) -> bool {
        matches!(self.0, State::Waiting { .. })
    }

    /// The element committed the last turn, although the server's VAD detects the turns.
    pub fn committed_by_element(&self) -> bool {
        matches!(self.0, State::Waiting { by_element: true })
    }

    /// The event behind the silence, while its answer is waited for.
    pub fn fence(&self) -> Option<&str> {
        match &self.0 {
            State::Fenced(event_id) => Some(event_id),
            _ => None,
        }
    }

    /// The last turn is closed.
    pub fn turn_closed(&mut self, by_element: bool) {
        self.0 = State::Waiting { by_element };
    }

    /// The server's VAD got its silence, and this event after it.
    pub fn await_fence(&mut self, event_id: String) {
        self.0 = State::Fenced(event_id);
    }

    /// The server's VAD got its silence.
    pub fn await_vad(&mut self, now: Instant) {
        self.0 = State::AwaitsVad(now + VAD_TIMEOUT);
    }

    /// When the next step is due. `owed_until`: when what is owed is overdue, if anything is.
    pub fn deadline(&self, owed_until: Instant, owes_anything: bool) -> Option<Instant> {
        match &self.0 {
            State::No | State::Begun => None,
            State::AwaitsVad(until) => Some(*until),
            State::Waiting { .. } if !owes_anything => None,
            State::Fenced(_) | State::Waiting { .. } => Some(owed_until),
        }
    }

    /// Goes on as far as possible without anybody else.
    pub fn next(&mut self, situation: &DrainSituation, now: Instant) -> DrainStep {
        loop {
            match &self.0 {
                State::No => return DrainStep::Wait,
                State::Begun if situation.holds_input => return DrainStep::Wait,
                State::Begun => return DrainStep::CloseTurn,
                State::Fenced(_) if !situation.is_fence_unanswered => self.await_vad(now),
                State::Fenced(_) if situation.is_late => return DrainStep::Finish { late: true },
                State::Fenced(_) => return DrainStep::Wait,
                State::AwaitsVad(_) if situation.is_response_pending => self.turn_closed(false),
                State::AwaitsVad(until) if now < *until => return DrainStep::Wait,
                State::AwaitsVad(_) if situation.is_speaking => return DrainStep::CommitTurn,
                State::AwaitsVad(_) => self.turn_closed(false),
                State::Waiting { .. } if situation.owes_anything && situation.is_late => {
                    return DrainStep::Finish { late: true };
                }
                State::Waiting { .. } if situation.owes_anything || situation.awaits_playback => {
                    return DrainStep::Wait;
                }
                // The server's VAD has found another turn behind the last one.
                State::Waiting { .. } if situation.is_speaking => self.await_vad(now),
                State::Waiting { .. } => return DrainStep::Finish { late: false },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: DrainSituation = DrainSituation {
        holds_input: false,
        is_fence_unanswered: false,
        is_late: false,
        is_response_pending: false,
        is_speaking: false,
        owes_anything: false,
        awaits_playback: false,
    };

    #[test]
    fn the_last_turn_is_closed_once_input_is_not_held_any_more() {
        let (mut drain, now) = (Drain::default(), Instant::now());
        assert_eq!(drain.next(&IDLE, now), DrainStep::Wait, "it has not begun");
        drain.begin();
        assert_eq!(drain.next(&DrainSituation { holds_input: true, ..IDLE }, now), DrainStep::Wait);
        assert_eq!(drain.next(&IDLE, now), DrainStep::CloseTurn);
        drain.turn_closed(false);
        assert_eq!(drain.next(&DrainSituation { owes_anything: true, ..IDLE }, now), DrainStep::Wait);
        assert_eq!(drain.next(&DrainSituation { awaits_playback: true, ..IDLE }, now), DrainStep::Wait);
        assert_eq!(drain.next(&IDLE, now), DrainStep::Finish { late: false });
    }

    #[test]
    fn speech_that_the_servers_vad_does_not_end_is_committed() {
        let (mut drain, now) = (Drain::default(), Instant::now());
        drain.begin();
        drain.await_fence("e1".into());
        let speaking = DrainSituation { is_speaking: true, is_fence_unanswered: true, ..IDLE };
        assert_eq!((drain.next(&speaking, now), drain.fence()), (DrainStep::Wait, Some("e1")));
        let answered = DrainSituation { is_fence_unanswered: false, ..speaking };
        assert_eq!(drain.next(&answered, now), DrainStep::Wait);
        assert_eq!(drain.deadline(now, true), Some(now + VAD_TIMEOUT));
        assert_eq!(drain.next(&answered, now + VAD_TIMEOUT), DrainStep::CommitTurn);
        drain.turn_closed(true);
        assert!(drain.committed_by_element());
    }

    #[test]
    fn what_is_overdue_is_not_waited_for() {
        let (mut drain, now) = (Drain::default(), Instant::now());
        drain.begin();
        drain.end_at_once();
        let late = DrainSituation { owes_anything: true, is_late: true, ..IDLE };
        assert_eq!(drain.next(&late, now), DrainStep::Finish { late: true });
        drain.reset();
        assert!(!drain.has_begun() && drain.deadline(now, true).is_none());
    }
}
