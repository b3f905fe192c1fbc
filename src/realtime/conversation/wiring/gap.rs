// SPDX-License-Identifier: MPL-2.0

//! Up to where everything is dealt with: GAPs on the source pads, and the end of a run that another one could continue.

use crate::realtime::conversation::config::{Detection, MAX_DETECTION_DELAY};
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::{Conversation, Phase};
use crate::types::{Speaker, Timing};
use std::time::{Duration, Instant};

/// Offline: how long input may stop before the output goes on without it.
const STANDSTILL: Duration = Duration::from_secs(1);

impl Conversation {
    /// Offline: tells up to where no response can begin any more.
    pub(crate) fn advance_gap(&mut self) {
        let settled = self.settled();
        self.advance_gap_until(settled);
    }

    /// See [`Self::advance_gap`], up to a known running time.
    pub(crate) fn advance_gap_until(&mut self, settled: Duration) {
        let is_known = self.config.timing == Timing::Offline && !self.holds_input();
        if is_known {
            self.audio_gap.advance(settled, &mut self.outbox);
        }
    }

    /// Tells up to where no text of either side begins any more, in steps of a second. Live, text of the model comes in
    /// time with its audio, and needs none.
    pub(crate) fn advance_text_gap(&mut self) {
        if !matches!(self.phase, Phase::Ready) {
            return;
        }
        let live = self.config.timing == Timing::Live;
        let heard = || self.audio_input.heard().end().unwrap_or_default().saturating_sub(MAX_DETECTION_DELAY);
        let quiet = if live { heard() } else { self.audio_gap.until() };
        let user = self.turns.pending_from().map_or(quiet, |from| from.min(quiet));
        self.text_gap.advance(Speaker::User, user, &mut self.outbox);
        if !live {
            let spoken = quiet.max(self.responses.end());
            let model = self.captions.pending_from(&self.responses).map_or(spoken, |from| from.min(spoken));
            let model = if self.scheduler.is_pending() { model.min(self.responses.next_from()) } else { model };
            self.text_gap.advance(Speaker::Assistant, model, &mut self.outbox);
        }
    }

    /// Running time up to which the turns are known: none can begin before it any more.
    pub(crate) fn settled(&self) -> Duration {
        let heard = self.audio_input.heard().end().unwrap_or_default();
        match self.config.detection {
            // The server's VAD tells of the latest input with a delay.
            Detection::Server { silence } => heard.saturating_sub(silence + MAX_DETECTION_DELAY),
            Detection::Local(_) | Detection::Manual => heard,
        }
    }

    /// Offline: when the output goes on although the server may still tell of the input. What has stopped may itself
    /// wait for the output, as a muxer does that takes both.
    pub(crate) fn standstill_deadline(&self) -> Option<Instant> {
        let may_stand = self.config.timing == Timing::Offline
            && matches!(self.config.detection, Detection::Server { .. })
            && !self.holds_input()
            && !self.owes_response()
            // Then audio waits in the input queue.
            && !self.frames.is_behind()
            && !self.drain.has_begun()
            && self.audio_input.heard().end() > Some(self.audio_gap.until());
        self.audio_input.last_audio().filter(|_| may_stand).map(|last| last + STANDSTILL)
    }

    /// Lets the output go on where no input has come for too long.
    pub(crate) fn end_standstill(&mut self) {
        if self.standstill_deadline().is_none_or(|deadline| self.now < deadline) {
            return;
        }
        self.advance_gap_until(self.audio_input.heard().end().unwrap_or_default());
        self.audio_gap.report_standstill(&mut ctx!(self));
    }

    /// Running time up to which all turns are transcribed and answered: where another run could go on.
    pub fn done_until(&self) -> Option<Duration> {
        self.audio_input.heard().end()?;
        let unanswered = self.owes_response().then(|| self.turns.newest_from()).flatten();
        let uncommitted = matches!(self.config.detection, Detection::Manual) && self.audio_input.uncommitted() > 0;
        let uncommitted = uncommitted.then(|| self.audio_input.uncommitted_from()).flatten();
        let open = [self.turns.pending_from(), unanswered, uncommitted];
        Some(open.into_iter().flatten().fold(self.settled(), Duration::min))
    }
}
