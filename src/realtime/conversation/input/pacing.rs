// SPDX-License-Identifier: MPL-2.0

//! `max-speed`: offline input goes on no faster than this multiple of real time.

use crate::realtime::conversation::config::Config;
use crate::types::Timing;
use std::time::{Duration, Instant};

/// How far late input may catch up.
const MAX_CATCH_UP: Duration = Duration::from_millis(200);
/// Longest wait of one piece of audio at a low speed.
const MAX_WAIT: Duration = Duration::from_secs(86_400);

/// When more input may come.
#[derive(Debug)]
pub(crate) struct Pacing {
    free_at: Instant,
    /// Running time up to which frames were accounted for.
    seen: Option<Duration>,
}

impl Pacing {
    pub fn new(now: Instant) -> Self {
        Self { free_at: now, seen: None }
    }

    /// The time line begins at 0 again.
    pub fn reset(&mut self) {
        self.seen = None;
    }

    /// When more input may come; `None` if it may come now.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        (self.free_at > now).then_some(self.free_at)
    }

    /// Accounts for audio that ends at this running time. What a frame has accounted for already does not count twice.
    pub fn audio(&mut self, length: Duration, end: Option<Duration>, config: &Config, now: Instant) {
        let seen = self.seen.zip(end).map(|(seen, end)| {
            let begin = end.saturating_sub(length);
            seen.min(end).saturating_sub(begin)
        });
        self.pace(length.saturating_sub(seen.unwrap_or_default()), config, now);
    }

    /// Accounts for the time between this frame and the input before it. `end`: of the audio.
    pub fn frame(&mut self, at: Duration, end: Option<Duration>, config: &Config, now: Instant) {
        let before = self.seen.max(end);
        self.seen = self.seen.max(Some(at));
        self.pace(before.map_or(Duration::ZERO, |before| at.saturating_sub(before)), config, now);
    }

    fn pace(&mut self, length: Duration, config: &Config, now: Instant) {
        if config.timing == Timing::Offline && config.max_speed.is_finite() && config.max_speed > 0.0 {
            let seconds = length.as_secs_f64() / config.max_speed;
            let wait = Duration::try_from_secs_f64(seconds).map_or(MAX_WAIT, |wait| wait.min(MAX_WAIT));
            let earliest = now.checked_sub(MAX_CATCH_UP).unwrap_or(now);
            self.free_at = self.free_at.max(earliest) + wait;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn audio_and_frames_of_the_same_second_count_once() {
        let mut fixture = Fixture::new(Timing::Offline);
        fixture.config.max_speed = 2.0;
        let mut pacing = Pacing::new(fixture.now);
        pacing.frame(Duration::ZERO, None, &fixture.config, fixture.now);
        pacing.frame(SECOND, None, &fixture.config, fixture.now);
        assert_eq!(pacing.due(fixture.now), Some(fixture.now + SECOND / 2));
        pacing.audio(SECOND, Some(SECOND), &fixture.config, fixture.now);
        assert_eq!(pacing.due(fixture.now), Some(fixture.now + SECOND / 2));
        pacing.audio(SECOND, Some(2 * SECOND), &fixture.config, fixture.now);
        assert_eq!(pacing.due(fixture.now), Some(fixture.now + SECOND));
        assert_eq!(pacing.due(fixture.now + SECOND), None);
    }

    #[test]
    fn live_or_without_a_limit_input_never_waits() {
        for (timing, max_speed) in [(Timing::Live, 1.0), (Timing::Offline, 0.0), (Timing::Offline, f64::INFINITY)] {
            let mut fixture = Fixture::new(timing);
            fixture.config.max_speed = max_speed;
            let mut pacing = Pacing::new(fixture.now);
            pacing.audio(SECOND, Some(SECOND), &fixture.config, fixture.now);
            assert_eq!(pacing.due(fixture.now), None);
        }
    }
}
