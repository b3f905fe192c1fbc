// SPDX-License-Identifier: MPL-2.0

//! Periods in PLAYING, which map moments of the past to running time: it stands still in between.

use gst::prelude::*;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Number of the newest periods that are kept.
const MAX_PERIODS: usize = 64;
/// Number of times that clock and wall-clock time are read together. The pair that took the least time is taken: the thread may have
/// to wait for the processor between the two.
const READINGS: usize = 4;

/// Time from PAUSED → PLAYING to PLAYING → PAUSED.
#[derive(Clone, Copy, Debug)]
struct Period {
    begin: Instant,
    /// Clock time of running time 0.
    base: Duration,
    /// `None` while it lasts.
    end: Option<Instant>,
}

#[derive(Debug, Default)]
struct State {
    clock: Option<gst::Clock>,
    periods: VecDeque<Period>,
}

/// The periods of a run.
#[derive(Debug, Default)]
pub struct PlayingPeriods(Mutex<State>);

impl PlayingPeriods {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// PLAYING: running time 0 is at `base`.
    pub fn play(&self, clock: gst::Clock, base: gst::ClockTime) {
        let mut state = self.state();
        if state.periods.len() == MAX_PERIODS {
            state.periods.pop_front();
        }
        state.clock = Some(clock);
        state.periods.push_back(Period { begin: Instant::now(), base: base.into(), end: None });
    }

    /// PAUSED.
    pub fn pause(&self) {
        if let Some(period) = self.state().periods.back_mut() {
            period.end.get_or_insert_with(Instant::now);
        }
    }

    /// Reads the clock, and gives the map from moments to running time.
    pub fn running_time(&self) -> RunningTime {
        let (clock, periods) = {
            let state = self.state();
            (state.clock.clone(), Vec::from_iter(state.periods.iter().copied()))
        };
        let reading = clock.and_then(|clock| {
            let readings = (0..READINGS).map(|_| {
                let before = Instant::now();
                let time = clock.time();
                let taken = before.elapsed();
                (taken, (time.into(), before + taken / 2))
            });
            readings.min_by_key(|(taken, _)| *taken).map(|(_, reading)| reading)
        });
        RunningTime { reading, periods }
    }
}

/// Maps moments to running time.
#[derive(Debug, Default)]
pub struct RunningTime {
    /// Clock time at a moment.
    reading: Option<(Duration, Instant)>,
    periods: Vec<Period>,
}

impl RunningTime {
    /// Running time of a moment; `None` before the first PLAYING. In PAUSED it is that at which the pause began.
    pub fn at(&self, moment: Instant) -> Option<Duration> {
        let index = self.periods.partition_point(|period| period.begin <= moment).saturating_sub(1);
        let period = self.periods.get(index)?;
        let time = self.in_period(period, period.end.map_or(moment, |end| moment.min(end)))?;
        // The pipeline has stopped the running time before it told its elements.
        let next = self.periods.get(index + 1).and_then(|next| self.in_period(next, next.begin));
        Some(next.map_or(time, |next| time.min(next)))
    }

    fn in_period(&self, period: &Period, moment: Instant) -> Option<Duration> {
        let (clock_time, now) = self.reading?;
        let time = match moment.checked_duration_since(now) {
            Some(later) => clock_time + later,
            None => clock_time.checked_sub(now - moment)?,
        };
        time.checked_sub(period.base)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// One period in which the running time is known at a moment.
    pub(crate) fn known_at(running_time: Duration, moment: Instant) -> RunningTime {
        let period = Period { begin: moment - Duration::from_secs(3600), base: Duration::ZERO, end: None };
        RunningTime { reading: Some((running_time, moment)), periods: vec![period] }
    }

    #[test]
    fn a_pause_does_not_move_what_was_before_it() {
        let now = Instant::now();
        // It played from 10 s to 4 s before now, and again since 1 s: for 3 s the running time stood at 6 s.
        let periods = vec![
            Period { begin: now - 10_000 * MS, base: 90_000 * MS, end: Some(now - 3_990 * MS) },
            Period { begin: now - 1_000 * MS, base: 93_000 * MS, end: None },
        ];
        let running_time = RunningTime { reading: Some((100_000 * MS, now)), periods };
        let at = |ago: u32| running_time.at(now - ago * MS);
        assert_eq!(at(8_000), Some(2_000 * MS));
        assert_eq!(at(4_000), Some(6_000 * MS));
        assert_eq!([at(3_995), at(3_980), at(2_000)], [Some(6_000 * MS); 3]);
        assert_eq!(at(500), Some(6_500 * MS));
        assert_eq!(running_time.at(now + 500 * MS), Some(7_500 * MS));
    }

    #[test]
    fn periods_follow_the_states() {
        gst::init().expect("GStreamer");
        let (periods, clock) = (PlayingPeriods::default(), gst::SystemClock::obtain());
        assert_eq!(periods.running_time().at(Instant::now()), None);
        let base = Duration::from(clock.time());
        let before = |length: Duration| gst::ClockTime::try_from(base.saturating_sub(length)).expect("a time");
        periods.play(clock.clone(), before(base / 4));
        let played = Instant::now();
        periods.pause();
        let paused = Instant::now();
        periods.play(clock, before(base / 2));
        let (running_time, now) = (periods.running_time(), Instant::now());
        let is_near = |moment: Instant, expected: Duration| {
            let time = running_time.at(moment).expect("it has played");
            time >= expected && time - expected < base / 8
        };
        assert!(is_near(played, base / 4) && is_near(paused, base / 4) && is_near(now, base / 2), "{running_time:?}");
    }

    #[test]
    fn only_so_many_periods_are_kept() {
        gst::init().expect("GStreamer");
        let (periods, clock) = (PlayingPeriods::default(), gst::SystemClock::obtain());
        let base = clock.time();
        for _ in 0..2 * MAX_PERIODS {
            periods.play(clock.clone(), base);
            periods.pause();
        }
        assert_eq!(periods.state().periods.len(), MAX_PERIODS);
    }
}
