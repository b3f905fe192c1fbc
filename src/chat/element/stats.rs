// SPDX-License-Identifier: MPL-2.0

//! The counts behind the property `stats`.

use crate::chat::conversation::io::Event;
use std::collections::VecDeque;
use std::time::Duration;

/// Number of the newest latencies, of which percentiles are taken.
const MAX_LATENCIES: usize = 1024;

/// Counts since the element was started.
#[derive(Debug, Default)]
pub struct Stats {
    requests: u64,
    retries: u64,
    responses: u64,
    failures: u64,
    input_tokens: u64,
    output_tokens: u64,
    frames_sent: u64,
    frames_skipped: u64,
    total_cost: f64,
    latencies: VecDeque<Duration>,
    first_outputs: VecDeque<Duration>,
}

fn remember(times: &mut VecDeque<Duration>, time: Option<Duration>) {
    times.extend(time);
    if times.len() > MAX_LATENCIES {
        times.pop_front();
    }
}

/// A percentile of the times in nanoseconds.
fn percentile(times: &VecDeque<Duration>, percent: usize) -> u64 {
    let mut sorted: Vec<_> = times.iter().collect();
    sorted.sort_unstable();
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).map_or(0, |time| time.as_nanos() as u64)
}

impl Stats {
    /// Counts an event.
    pub fn note(&mut self, event: &Event) {
        match event {
            Event::Request(request) if request.state == "sent" => self.requests += 1,
            Event::Request(request) if request.state == "retrying" => self.retries += 1,
            Event::Response(response) => {
                if response.state == "failed" {
                    self.failures += 1
                } else {
                    self.responses += 1
                }
                remember(&mut self.latencies, response.latency);
                remember(&mut self.first_outputs, response.first_output);
            }
            Event::Usage { usage, cost, .. } => {
                self.input_tokens += usage.input_tokens;
                self.output_tokens += usage.output_tokens;
                self.total_cost += cost.unwrap_or_default();
            }
            Event::Frame { sent, .. } => match sent {
                Some(_) => self.frames_sent += 1,
                None => self.frames_skipped += 1,
            },
            _ => {}
        }
    }

    /// The property `stats`.
    pub fn structure(&self, warnings: u64) -> gst::Structure {
        let mut structure = gst::Structure::builder("application/x-openaichat-stats")
            .field("requests", self.requests)
            .field("retries", self.retries)
            .field("responses", self.responses)
            .field("failures", self.failures)
            .field("input-tokens", self.input_tokens)
            .field("output-tokens", self.output_tokens)
            .field("frames-sent", self.frames_sent)
            .field("frames-skipped", self.frames_skipped)
            .field("warnings", warnings)
            .field("total-cost", self.total_cost)
            .build();
        for (name, times) in [("latency", &self.latencies), ("first-output", &self.first_outputs)] {
            for percent in [50, 90, 99] {
                structure.set(format!("{name}-p{percent}"), percentile(times, percent));
            }
        }
        structure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let times: VecDeque<_> = (1..=100).rev().map(Duration::from_nanos).collect();
        assert_eq!([50, 90, 99].map(|percent| percentile(&times, percent)), [50, 90, 99]);
        assert_eq!(percentile(&VecDeque::from([Duration::from_nanos(7)]), 50), 7);
        assert_eq!(percentile(&VecDeque::new(), 99), 0);
    }
}
