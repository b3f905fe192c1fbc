// SPDX-License-Identifier: MPL-2.0

//! Where the input's sound belongs on the timeline, and how far the conversation has come in it.
//!
//! Time is counted in samples. A timestamp that differs from the count by more than the alignment threshold is believed
//! only when such differences persist for the discont wait, as in `GstAudioStreamAlign`, or at once with DISCONT: stamps
//! of a network are times of arrival, and sound comes in bursts. Smaller differences are drift, and the count follows
//! them slowly. Sound is never cut: where time goes back, the sound follows what is there.

use crate::audio::sample_clock::samples_to_time;
use crate::realtime::conversation::Conversation;
use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::config::MAX_DETECTION_DELAY;
use crate::types::{AudioChunk, Timing};
use openai_protocol::session::AudioFormat;
use std::time::{Duration, Instant};

/// The count follows this part of a difference that is within the threshold, with each piece of sound.
const DRIFT_PART: u32 = 16;

/// How long input may stop, offline, before the output goes on without it.
const STANDSTILL: Duration = Duration::from_secs(1);

/// What is taken for a break in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tolerance {
    pub threshold: Duration,
    /// How long differences have to persist.
    pub wait: Duration,
    /// The stamps are the media's own, not times of arrival: a jump ahead by more than the wait is believed at once.
    pub exact: bool,
}

/// Where a piece of sound belongs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Placed {
    pub at: Duration,
    /// Time without sound before it.
    pub hole: Duration,
    /// How far time went back, when that has just been believed.
    pub back: Duration,
}

/// The end of what was handed in.
#[derive(Debug, Default)]
pub(crate) struct AudioAligner {
    /// In running time.
    pub end: Option<Duration>,
    /// What timestamps are behind the timeline, since time went back.
    shift: Duration,
    /// The first of the timestamps in a row that are not believed.
    doubted: Option<Duration>,
    /// The next timestamp is believed.
    is_break: bool,
}

impl AudioAligner {
    /// The next timestamp is to be believed.
    pub fn expect_break(&mut self) {
        self.is_break = true;
    }

    /// Silence was put behind what is there.
    pub fn advance(&mut self, length: Duration) {
        self.end = self.end.map(|end| end.saturating_add(length));
    }

    /// Sound comes behind what was there.
    pub fn align(&mut self, sound: &AudioChunk, format: &AudioFormat, tolerance: Tolerance) -> Placed {
        let length = samples_to_time((sound.data.len() / format.sample_size()) as u64, format.rate());
        let placed = self.place(sound.at, tolerance);
        self.end = Some(placed.at.saturating_add(length));
        placed
    }

    fn place(&mut self, at: Option<Duration>, tolerance: Tolerance) -> Placed {
        let Some(end) = self.end else {
            self.is_break = false;
            return Placed { at: at.unwrap_or_default(), ..Placed::default() };
        };
        let counted = Placed { at: end, ..Placed::default() };
        let Some(raw) = at else { return counted };
        let at = raw.saturating_add(self.shift);
        let difference = at.abs_diff(end);
        if difference <= tolerance.threshold {
            (self.doubted, self.is_break) = (None, false);
            let part = difference / DRIFT_PART;
            let at = if at > end { end + part } else { end.saturating_sub(part) };
            return Placed { at, ..Placed::default() };
        }
        let since = *self.doubted.get_or_insert(raw);
        let persists = raw.abs_diff(since) >= tolerance.wait;
        let jumps = tolerance.exact && raw.checked_sub(end).is_some_and(|jump| jump > tolerance.wait);
        if !(std::mem::take(&mut self.is_break) || persists || jumps) {
            return counted;
        }
        self.doubted = None;
        let before = std::mem::replace(&mut self.shift, end.saturating_sub(raw));
        let at = raw.max(end);
        Placed { at, hole: at - end, back: self.shift.saturating_sub(before) }
    }
}

impl Conversation {
    /// Up to where on the input all is known that was said in it: no turn can begin before.
    pub(crate) fn settled(&self) -> Duration {
        let heard = self.audio_input.heard.end().unwrap_or_default();
        match self.config.detection {
            // What the server will say of the last moments is not known yet.
            Detection::Server { silence } => heard.saturating_sub(silence + MAX_DETECTION_DELAY),
            Detection::Local(_) | Detection::Manual => heard,
        }
    }

    /// Offline, when the output goes on although the server may still tell of the input: what has stopped may itself
    /// be waiting for the output, as in front of a muxer that takes both.
    pub(crate) fn standstill_deadline(&self) -> Option<Instant> {
        let may_stand = self.config.timing == Timing::Offline
            && matches!(self.config.detection, Detection::Server { .. })
            && !self.holds_input()
            && !self.owes_response()
            // Then sound waits outside.
            && !self.frames.is_behind
            && !self.drain.has_begun()
            && self.audio_input.heard.end() > Some(self.audio_input.quiet);
        self.audio_input.last_sound.filter(|_| may_stand).map(|last| last + STANDSTILL)
    }

    /// No input has come for so long that the output has to go on.
    pub(crate) fn end_standstill(&mut self) {
        if self.standstill_deadline().is_none_or(|deadline| self.now < deadline) {
            return;
        }
        self.advance_gap_until(self.audio_input.heard.end().unwrap_or_default());
        let Detection::Server { silence } = self.config.detection else { return };
        if !std::mem::replace(&mut self.audio_input.told_standstill, true) {
            let message = format!(
                "the input has stopped, so the output goes on before the server has told of all turns, and answers may \
                 begin later than they could: where both go to one muxer, queues of {} s beside this element prevent that",
                (silence + MAX_DETECTION_DELAY).as_secs() + 2
            );
            self.warn("standstill", message);
        }
    }

    /// Up to where on the input all turns are written down and answered: there another run would go on.
    pub fn done_until(&self) -> Option<Duration> {
        self.audio_input.heard.end()?;
        let unanswered = self.owes_response().then(|| self.turns.newest_from()).flatten();
        let uncommitted = matches!(self.config.detection, Detection::Manual) && self.audio_input.uncommitted() > 0;
        let uncommitted = uncommitted.then(|| self.audio_input.uncommitted_from()).flatten();
        let open = [self.turns.pending_from(), unanswered, uncommitted];
        Some(open.into_iter().flatten().fold(self.settled(), Duration::min))
    }
}
