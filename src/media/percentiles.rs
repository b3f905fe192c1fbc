// SPDX-License-Identifier: MPL-2.0

//! Percentiles of the newest measurements of a time, for the properties `stats`.

use std::collections::VecDeque;
use std::time::Duration;

/// Number of the newest measurements that count.
const MAX_TIMES: usize = 1024;
/// The percentiles that `stats` has.
const PERCENTS: [usize; 3] = [50, 90, 99];

/// The newest measurements of a time.
#[derive(Clone, Debug, Default)]
pub struct Percentiles(VecDeque<Duration>);

impl Percentiles {
    /// Adds a measurement, if there is one.
    pub fn add(&mut self, time: impl Into<Option<Duration>>) {
        self.0.extend(time.into());
        if self.0.len() > MAX_TIMES {
            self.0.pop_front();
        }
    }

    /// Sets `NAME-p50`, `NAME-p90` and `NAME-p99` in nanoseconds; 0 without any measurement.
    pub fn write(&self, name: &str, structure: &mut gst::Structure) {
        let mut sorted = Vec::from_iter(&self.0);
        sorted.sort_unstable();
        for percent in PERCENTS {
            let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            structure.set(format!("{name}-p{percent}"), sorted.get(index).map_or(0, |time| time.as_nanos() as u64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(times: impl IntoIterator<Item = u64>) -> [u64; 3] {
        let mut percentiles = Percentiles::default();
        times.into_iter().for_each(|time| percentiles.add(Duration::from_nanos(time)));
        let mut structure = gst::Structure::new_empty("stats");
        percentiles.write("time", &mut structure);
        ["time-p50", "time-p90", "time-p99"].map(|name| structure.get(name).expect("a time"))
    }

    #[test]
    fn percentiles_are_of_the_newest_times_in_order() {
        gst::init().expect("GStreamer");
        assert_eq!(written((1..=100).rev()), [50, 90, 99]);
        assert_eq!(written([7]), [7; 3]);
        assert_eq!(written([]), [0; 3]);
        assert_eq!(written([1; MAX_TIMES].into_iter().chain([2; MAX_TIMES])), [2; 3]);
    }
}
