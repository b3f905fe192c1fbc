// SPDX-License-Identifier: MPL-2.0

//! State of the streams of the sink pads: segment, format, running time of the next picture, EOS.

use crate::chat::conversation::io::AudioCoding;
use crate::media::segment::Segment;
use std::collections::HashMap;
use std::time::Duration;

/// Minimum interval in running time between warnings about frames of one pad.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// State of one pad's stream.
#[derive(Debug, Default)]
pub struct PadState {
    pub segment: Segment,
    pub coding: Option<AudioCoding>,
    /// Running time of the next picture, if it has no timestamp.
    pub next: Duration,
    /// Running time of the last frame that a warning was posted about.
    warned: Option<Duration>,
    /// Number of skipped frames that no warning has mentioned.
    unreported: u64,
    pub ended: bool,
}

impl PadState {
    /// FLUSH_STOP: the stream starts over.
    pub fn flush(&mut self) {
        (self.segment, self.next, self.ended) = (Segment::None, Duration::ZERO, false);
    }

    /// A frame is skipped. If a warning is due, the number of frames before it that none has mentioned.
    pub fn skip_frame(&mut self, at: Duration) -> Option<u64> {
        let is_soon = self.warned.is_some_and(|warned| at >= warned && at < warned + WARNING_INTERVAL);
        self.unreported += u64::from(is_soon);
        (!is_soon).then(|| {
            self.warned = Some(at);
            std::mem::take(&mut self.unreported)
        })
    }
}

/// State of all pads' streams.
#[derive(Debug, Default)]
pub struct InputPads(HashMap<String, PadState>);

impl InputPads {
    /// That of one pad.
    pub fn pad(&mut self, name: &str) -> &mut PadState {
        self.0.entry(name.to_owned()).or_default()
    }

    /// The running time of a timestamp, if the pad's segment is in format TIME.
    pub fn running_time(&self, pad: &str, stamp: Option<gst::ClockTime>) -> Option<Duration> {
        let Segment::Time(segment) = &self.0.get(pad)?.segment else { return None };
        segment.to_running_time(stamp?).map(Duration::from)
    }

    /// Forgets a pad that was released.
    pub fn remove(&mut self, pad: &str) {
        self.0.remove(pad);
    }

    /// Whether any pad is at EOS.
    pub fn any_ended(&self) -> bool {
        self.0.values().any(|pad| pad.ended)
    }

    /// Whether a pad is at EOS.
    pub fn has_ended(&self, pad: &str) -> bool {
        self.0.get(pad).is_some_and(|pad| pad.ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_frames_are_counted_until_the_next_warning() {
        let (mut pad, second) = (PadState::default(), Duration::from_secs(1));
        assert_eq!([0, 1, 9, 10, 11].map(|at| pad.skip_frame(at * second)), [Some(0), None, None, Some(2), None]);
        assert_eq!(pad.skip_frame(Duration::ZERO), Some(1), "the stream has started over");
    }
}
