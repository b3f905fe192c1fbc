// SPDX-License-Identifier: MPL-2.0

//! State of the stream of `audio_sink`: its segment and format, and the running time of the next audio.

use crate::media::segment::Segment;
use bytes::Bytes;
use openai_protocol::session::AudioFormat;
use std::time::Duration;

/// Input that is paced here and whose timestamps start over (a loop, a seek) by more than this is moved to the present.
const MAX_LATENESS: Duration = Duration::from_millis(200);
/// Timestamps that are further ahead of the clock are not waited for.
const MAX_AHEAD: Duration = Duration::from_secs(60);
/// Without timestamps, audio that arrives this much later than counted samples say follows a pause.
const MIN_PAUSE: Duration = Duration::from_millis(1500);

/// State of the stream.
#[derive(Debug, Default)]
pub struct AudioInput {
    pub segment: Segment,
    pub format: AudioFormat,
    /// Whether the format comes from caps.
    pub has_format: bool,
    /// Running time of the end of the last audio.
    pub end: Option<Duration>,
    /// What is added to running times since the input has started over.
    shift: Duration,
    was_flushed: bool,
    /// The warning about timestamps that are too far ahead was posted.
    has_warned: bool,
    /// Bytes of an incomplete sample, which the next buffer completes.
    incomplete: Vec<u8>,
}

impl AudioInput {
    /// Takes new caps.
    pub fn set_format(&mut self, format: AudioFormat) {
        (self.format, self.has_format) = (format, true);
        self.incomplete.clear();
    }

    /// FLUSH_STOP: the stream starts over.
    pub fn flush(&mut self) {
        (self.segment, self.end, self.shift) = (Segment::None, None, Duration::ZERO);
        self.incomplete.clear();
        self.was_flushed = true;
    }

    /// The whole samples of a buffer together with what the one before it had left over.
    pub fn whole_samples(&mut self, data: &[u8], is_discont: bool, format: &AudioFormat) -> Option<Bytes> {
        if is_discont {
            self.incomplete.clear();
        }
        let mut all = std::mem::take(&mut self.incomplete);
        all.extend_from_slice(data);
        self.incomplete = all.split_off(all.len() / format.sample_size() * format.sample_size());
        (!all.is_empty()).then(|| all.into())
    }

    /// Running time of audio without a timestamp: counted, and live with the pauses that the clock shows.
    pub fn counted_time(&self, now: Option<Duration>) -> Duration {
        let counted = self.end.or(now).unwrap_or_default();
        now.filter(|now| *now > counted + MIN_PAUSE).unwrap_or(counted)
    }

    /// Running time of audio with a timestamp, which is `at` unless the input has started over.
    pub fn shifted_time(&self, at: Duration) -> Duration {
        at.saturating_add(self.shift)
    }

    /// The same for input that is paced by the element: where it starts over, it goes on now. An error is how far its
    /// timestamps are ahead, and the running time that it gets in place of them.
    pub fn paced_time(
        &mut self,
        at: Duration,
        now: Option<Duration>,
        is_discont: bool,
    ) -> Result<Duration, TooFarAhead> {
        let now = now.or(self.end).unwrap_or_default();
        let starts_over = is_discont && self.end.is_some() || std::mem::take(&mut self.was_flushed);
        let shifted = self.shifted_time(at);
        if starts_over && shifted + MAX_LATENESS < now {
            self.shift = now - at;
        } else if shifted > now + MAX_AHEAD {
            let is_first = !std::mem::replace(&mut self.has_warned, true);
            let placed = now.max(self.end.unwrap_or_default());
            return Err(TooFarAhead { placed, ahead: shifted - now, is_first });
        }
        Ok(self.shifted_time(at))
    }
}

/// Timestamps are too far ahead of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFarAhead {
    /// Running time of the audio.
    pub placed: Duration,
    /// Distance to the clock.
    pub ahead: Duration,
    /// Whether it is the first time.
    pub is_first: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn samples_that_are_split_between_buffers_are_joined() {
        let (mut input, format) = (AudioInput::default(), AudioFormat::Pcm);
        assert_eq!(input.whole_samples(&[1, 2, 3], false, &format).as_deref(), Some(&[1, 2][..]));
        assert_eq!(input.whole_samples(&[4], false, &format).as_deref(), Some(&[3, 4][..]));
        assert_eq!(input.whole_samples(&[5], false, &format), None);
        assert_eq!(input.whole_samples(&[6, 7], true, &format).as_deref(), Some(&[6, 7][..]), "DISCONT drops the half");
    }

    #[test]
    fn paced_input_that_starts_over_goes_on_now() {
        let mut input = AudioInput { end: Some(5 * SECOND), ..AudioInput::default() };
        assert_eq!(input.paced_time(SECOND, Some(5 * SECOND), false), Ok(SECOND), "late, but no discontinuity");
        assert_eq!(input.paced_time(Duration::ZERO, Some(5 * SECOND), true), Ok(5 * SECOND));
        assert_eq!(input.paced_time(SECOND, Some(6 * SECOND), false), Ok(6 * SECOND));
        let far = input.paced_time(100 * SECOND, Some(7 * SECOND), false).expect_err("too far");
        assert_eq!((far.placed, far.ahead, far.is_first), (7 * SECOND, 98 * SECOND, true));
        assert!(!input.paced_time(100 * SECOND, Some(7 * SECOND), false).expect_err("too far").is_first);
    }

    #[test]
    fn audio_without_timestamps_is_counted_unless_there_was_a_pause() {
        let input = AudioInput { end: Some(SECOND), ..AudioInput::default() };
        assert_eq!(input.counted_time(Some(2 * SECOND)), SECOND);
        assert_eq!(input.counted_time(Some(3 * SECOND)), 3 * SECOND);
        assert_eq!(input.counted_time(None), SECOND);
    }
}
