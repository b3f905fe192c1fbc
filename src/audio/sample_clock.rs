// SPDX-License-Identifier: MPL-2.0

//! Sample clock: maps a count of samples to running time.
//!
//! A server's `audio_start_ms` and `audio_end_ms` count appended audio, not wall-clock time. Audio that was dropped,
//! held back or filled in makes the two differ, so every stretch of audio is remembered with the running time at which
//! it began.

use std::collections::VecDeque;
use std::time::Duration;

/// Maximum number of stretches; times before them are extrapolated from the oldest.
const STRETCHES: usize = 1024;

/// Difference of timestamps that begins a new stretch.
const JITTER: Duration = Duration::from_millis(2);

/// Maps positions in a stream of samples to running time.
#[derive(Debug)]
pub struct SampleClock {
    rate: u32,
    samples: u64,
    stretches: VecDeque<(u64, Duration)>,
}

impl SampleClock {
    /// A clock for this sample rate.
    pub fn new(rate: u32) -> Self {
        Self { rate, samples: 0, stretches: VecDeque::new() }
    }

    /// Samples so far.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Duration of this many samples.
    pub fn duration(&self, samples: u64) -> Duration {
        samples_to_time(samples, self.rate)
    }

    /// Changes the sample rate; earlier positions keep their running time.
    pub fn change_rate(&mut self, rate: u32) {
        let convert = |samples| time_to_samples(samples_to_time(samples, self.rate), rate);
        self.stretches.iter_mut().for_each(|(start, _)| *start = convert(*start));
        self.samples = convert(self.samples);
        self.rate = rate;
    }

    /// Counts samples; without a time they follow the ones before.
    pub fn advance(&mut self, samples: u64, at: Option<Duration>) {
        if let Some(at) = at
            && self.time_of(self.samples).is_none_or(|expected| expected.abs_diff(at) > JITTER)
        {
            if self.stretches.len() == STRETCHES {
                self.stretches.pop_front();
            }
            self.stretches.push_back((self.samples, at));
        }
        self.samples += samples;
    }

    /// Running time of a sample.
    pub fn time_of(&self, sample: u64) -> Option<Duration> {
        let after = self.stretches.partition_point(|(start, _)| *start <= sample);
        let (start, at) = *self.stretches.get(after.saturating_sub(1))?;
        Some(
            (at + self.duration(sample.saturating_sub(start)))
                .saturating_sub(self.duration(start.saturating_sub(sample))),
        )
    }

    /// Sample at a position in milliseconds, at most the last one.
    pub fn sample_at_ms(&self, milliseconds: u64) -> u64 {
        (milliseconds.saturating_mul(u64::from(self.rate)) / 1000).min(self.samples)
    }

    /// Running time of a position in milliseconds.
    pub fn time_of_ms(&self, milliseconds: u64) -> Option<Duration> {
        self.time_of(self.sample_at_ms(milliseconds))
    }

    /// Running time of the next sample.
    pub fn end(&self) -> Option<Duration> {
        self.time_of(self.samples)
    }
}

/// Duration of this many samples.
pub fn samples_to_time(samples: u64, rate: u32) -> Duration {
    let rate = u64::from(rate);
    Duration::from_secs(samples / rate) + Duration::from_nanos(samples % rate * 1_000_000_000 / rate)
}

/// Number of samples in a duration, rounded.
pub fn time_to_samples(time: Duration, rate: u32) -> u64 {
    let samples = (time.as_nanos() * u128::from(rate) + 500_000_000) / 1_000_000_000;
    u64::try_from(samples).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn server_time_is_running_time_of_what_was_sent() {
        let mut clock = SampleClock::new(24_000);
        clock.advance(24_000, Some(ms(500)));
        assert_eq!(clock.time_of_ms(250), Some(ms(750)));
        // A second was lost on the way; the server does not know.
        clock.advance(24_000, Some(ms(2500)));
        assert_eq!(clock.time_of_ms(999), Some(ms(1499)));
        assert_eq!(clock.time_of_ms(1000), Some(ms(2500)));
        assert_eq!(clock.time_of_ms(1500), Some(ms(3000)));
    }

    #[test]
    fn what_lies_in_the_future_is_the_end() {
        let mut clock = SampleClock::new(24_000);
        clock.advance(24_000, Some(ms(500)));
        assert_eq!(clock.time_of_ms(u64::MAX), Some(ms(1500)));
    }

    #[test]
    fn another_rate_goes_on_where_the_last_one_ended() {
        let mut clock = SampleClock::new(24_000);
        clock.advance(24_000, Some(ms(500)));
        clock.change_rate(8_000);
        clock.advance(8_000, Some(ms(1500)));
        assert_eq!((clock.time_of_ms(250), clock.time_of_ms(1250)), (Some(ms(750)), Some(ms(1750))));
    }

    #[test]
    fn small_jitter_is_no_new_stretch() {
        let mut clock = SampleClock::new(24_000);
        for n in 0..100 {
            clock.advance(480, Some(ms(20 * n) + Duration::from_micros(n % 3 * 400)));
        }
        assert_eq!(clock.stretches.len(), 1);
        assert_eq!(clock.time_of_ms(1990), Some(ms(1990)));
    }

    #[test]
    fn memory_is_bounded_and_the_near_past_exact() {
        let mut clock = SampleClock::new(8_000);
        for n in 0..10_000 {
            clock.advance(8, Some(ms(n * 10)));
        }
        assert_eq!(clock.stretches.len(), STRETCHES);
        assert_eq!(clock.time_of_ms(9_999), Some(ms(99_990)));
    }

    #[test]
    fn nothing_is_known_before_the_first_timestamp() {
        let mut clock = SampleClock::new(24_000);
        clock.advance(480, None);
        assert_eq!(clock.time_of_ms(0), None);
    }

    #[test]
    fn samples_and_time_are_inverse() {
        for samples in [0, 1, 7, 480, 23_999, 24_000, 86_400 * 24_000 + 13] {
            assert_eq!(time_to_samples(samples_to_time(samples, 24_000), 24_000), samples);
        }
    }
}
