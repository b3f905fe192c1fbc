// SPDX-License-Identifier: MPL-2.0

//! The counts behind the property `stats`.

use crate::chat::conversation::io::Event;
use crate::media::percentiles::Percentiles;

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
    latencies: Percentiles,
    first_outputs: Percentiles,
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
                self.latencies.add(response.latency);
                self.first_outputs.add(response.first_output);
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
            times.write(name, &mut structure);
        }
        structure
    }
}
