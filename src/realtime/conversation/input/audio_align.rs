// SPDX-License-Identifier: MPL-2.0

//! Aligns input audio to the time line.
//!
//! Time is counted in samples. A timestamp that differs by more than `alignment-threshold` is believed only when such
//! differences persist for `discont-wait`, as in `GstAudioStreamAlign`, or at once with DISCONT: timestamps of network
//! sources are arrival times, and audio comes in bursts. Smaller differences are drift, which the count follows
//! slowly. Audio is never cut: where time goes back, it is placed behind what is there.

use crate::audio::sample_clock::samples_to_time;
use crate::types::AudioChunk;
use openai_protocol::session::AudioFormat;
use std::time::Duration;

/// The count follows 1/16 of a difference within the threshold with each buffer.
const DRIFT_PART: u32 = 16;

/// When a difference is believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tolerance {
    pub threshold: Duration,
    /// How long it must persist.
    pub wait: Duration,
    /// A jump ahead by more than `wait` is believed at once: the timestamps are the media's own (offline), or no audio
    /// has come for as long (live).
    pub trusts_jumps: bool,
}

/// Position of a piece of audio.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Placed {
    pub at: Duration,
    /// Gap before it.
    pub hole: Duration,
    /// How far time went back, if that has just been believed.
    pub back: Duration,
}

/// Position of the end of the input so far.
#[derive(Debug, Default)]
pub(crate) struct AudioAligner {
    /// Running time.
    pub end: Option<Duration>,
    /// Offset from timestamps to the time line, since time went back.
    shift: Duration,
    /// The first of the timestamps in a row that are not believed yet.
    doubted: Option<Duration>,
    /// The next timestamp is believed.
    is_break: bool,
}

impl AudioAligner {
    /// The next timestamp is to be believed.
    pub fn expect_break(&mut self) {
        self.is_break = true;
    }

    /// Silence was appended.
    pub fn advance(&mut self, length: Duration) {
        self.end = self.end.map(|end| end.saturating_add(length));
    }

    /// Aligns the next audio.
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
        let jumps = tolerance.trusts_jumps && raw.checked_sub(end).is_some_and(|jump| jump > tolerance.wait);
        if !(std::mem::take(&mut self.is_break) || persists || jumps) {
            return counted;
        }
        self.doubted = None;
        let before = std::mem::replace(&mut self.shift, end.saturating_sub(raw));
        let at = raw.max(end);
        Placed { at, hole: at - end, back: self.shift.saturating_sub(before) }
    }
}
