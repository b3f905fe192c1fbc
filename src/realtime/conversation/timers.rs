// SPDX-License-Identifier: MPL-2.0

//! What a ready session does by time: one table of deadlines, and the order in which they are served.

use crate::realtime::conversation::Conversation;
use crate::realtime::conversation::context::ctx;
use std::time::Instant;

/// Something that becomes due by time, or that an input may have made possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// `session.update`: the next one may be sent, or the answer to the last one is overdue.
    SessionUpdate,
    /// A turn that was in hand when the session was lost is closed, if the new session does not go on with it.
    ResumedTurn,
    /// The response that has the floor is silent, or a held one is not cancelled in time.
    FloorControl,
    /// `tool-timeout` of a function call.
    FunctionCalls,
    /// The next video frame.
    Frames,
    /// `requests-per-minute` lets the next `response.create` out.
    Request,
    /// What the server owes is overdue.
    Response,
    /// Live input has stalled and is filled with silence.
    InputStall,
    /// Audio that waits may be sent, and the element's own VAD runs over it.
    AudioInput,
    /// What was filled in or left out of the input is reported.
    AlignmentReport,
    /// Transcripts that are due: pieces along the audio, then whole ones in order.
    Transcripts,
    /// The turn whose answer is being played is posted at its end.
    TurnLatency,
    /// The next step of the drain at EOS.
    Drain,
    /// Offline input that stands still is given up.
    Standstill,
    /// GAP events on the text pads.
    TextGap,
    /// A standby connection is asked for, or the session moves to it.
    Rollover,
}

impl Timer {
    /// All timers, in the order in which they are served.
    ///
    /// Settings go before anything that depends on them. What may ask for a response (`FunctionCalls`, `Frames`) goes before
    /// `Request`. `Drain` looks at what all of them have left over. `Standstill` follows everything that may end a wait for
    /// the server, so that its deadline is never in the past afterwards; `TextGap` follows every text that may begin.
    pub(crate) const ORDER: [Self; 16] = [
        Self::SessionUpdate,
        Self::ResumedTurn,
        Self::FloorControl,
        Self::FunctionCalls,
        Self::Frames,
        Self::Request,
        Self::Response,
        Self::InputStall,
        Self::AudioInput,
        Self::AlignmentReport,
        Self::Transcripts,
        Self::TurnLatency,
        Self::Drain,
        Self::Standstill,
        Self::TextGap,
        Self::Rollover,
    ];
}

impl Conversation {
    /// When a timer is due next.
    pub(crate) fn timer_deadline(&self, timer: Timer) -> Option<Instant> {
        match timer {
            Timer::SessionUpdate => self.updater.deadline(),
            Timer::ResumedTurn => self.resumed_turn.deadline(),
            Timer::FloorControl => self.floor.deadline(&self.config),
            Timer::FunctionCalls => self.calls_deadline(),
            Timer::Frames => self.frames_deadline(),
            Timer::Request => self.next_request_at(),
            Timer::Response => self.timeout(),
            Timer::InputStall => self.stall_deadline(),
            Timer::AudioInput => self.audio_input.due(self.now),
            Timer::AlignmentReport => self.alignment.deadline(),
            Timer::Transcripts => self.transcripts_deadline(),
            Timer::TurnLatency => self.turn_latency.next_check(),
            Timer::Drain => self.drain_deadline(),
            Timer::Standstill => self.standstill_deadline(),
            // It follows the input, which comes by itself.
            Timer::TextGap => None,
            Timer::Rollover => self.rollover_deadline(),
        }
    }

    /// Serves a timer. Each looks itself whether anything is to be done: most of it follows from an input as well.
    pub(crate) fn run_timer(&mut self, timer: Timer) {
        match timer {
            Timer::SessionUpdate => self.advance_updates(),
            Timer::ResumedTurn => {
                let input_end = self.audio_input.heard().end();
                self.resumed_turn.advance(input_end, &mut ctx!(self));
            }
            Timer::FloorControl => self.advance_floor(),
            Timer::FunctionCalls => self.advance_calls(),
            Timer::Frames => self.send_due_frames(),
            Timer::Request => self.send_due_request(),
            Timer::Response => {
                if self.timeout().is_some_and(|until| self.now >= until) {
                    self.give_up();
                }
            }
            Timer::InputStall => self.fill_stall(),
            Timer::AudioInput => self.process_audio(),
            Timer::AlignmentReport => self.alignment.post(&mut ctx!(self)),
            Timer::Transcripts => {
                self.advance_captions();
                self.flush_finals();
            }
            Timer::TurnLatency => self.advance_turn_playback(),
            Timer::Drain => self.advance_drain(),
            Timer::Standstill => self.end_standstill(),
            Timer::TextGap => self.advance_text_gap(),
            Timer::Rollover => self.advance_rollover(),
        }
    }
}
