// SPDX-License-Identifier: MPL-2.0

//! Numbers of one or several traces: turns and their latency by stages, barge-ins, calls, tokens, cost, sound.

mod table;

use crate::timeline::{STAGES, Timeline};
use serde::Serialize;

/// Sums over traces.
#[derive(Debug, Default, Serialize)]
pub struct Stats {
    /// How many traces.
    pub files: usize,
    /// Their length in seconds.
    pub seconds: f64,
    /// Sessions that servers opened.
    pub sessions: usize,
    /// Those of them that followed a lost one.
    pub reconnects: usize,
    /// Turns of users.
    pub turns: usize,
    /// Those of them that were answered by sound or text.
    pub answered: usize,
    /// Responses, whatever became of them.
    pub responses: usize,
    /// Responses that failed.
    pub failed: usize,
    /// Responses that were cut off.
    pub barge_ins: usize,
    /// Function calls.
    pub calls: usize,
    /// Pictures that were sent.
    pub pictures: usize,
    /// Errors, and ends of connections.
    pub problems: usize,
    /// Sound of the user in seconds.
    pub input_seconds: f64,
    /// Sound of the model in seconds, heard or not.
    pub output_seconds: f64,
    /// Tokens of the responses.
    pub tokens: Tokens,
    /// US dollars by the list of prices; absent where no model's prices are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Milliseconds from the end of a turn to each stage's end, and of other waits.
    pub latency: Vec<Stage>,
    #[serde(skip)]
    samples: Vec<(&'static str, Vec<f64>)>,
}

/// Tokens by kind; the cached ones are part of the input's.
#[derive(Debug, Default, Serialize)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct Tokens {
    pub input_text: u64,
    pub input_audio: u64,
    pub input_image: u64,
    pub cached: u64,
    pub output_text: u64,
    pub output_audio: u64,
}

/// How long something took, in milliseconds.
#[derive(Debug, Serialize)]
pub struct Stage {
    /// What.
    pub stage: &'static str,
    /// How many times.
    pub count: usize,
    /// The median.
    pub p50: f64,
    /// Nine of ten took no longer.
    pub p90: f64,
    /// The longest.
    pub max: f64,
}

const TOTAL: &str = "total";
const CUT: &str = "barge-in to cut";
const CALL: &str = "function call";

impl Stats {
    /// Adds a trace.
    pub fn add(&mut self, timeline: &Timeline) {
        self.files += 1;
        self.seconds += timeline.duration;
        self.sessions += timeline.sessions.len();
        self.reconnects += timeline.sessions.len().saturating_sub(1);
        self.turns += timeline.turns.len();
        self.responses += timeline.responses.len();
        self.failed += timeline.responses.iter().filter(|response| response.status == "failed").count();
        self.barge_ins += timeline.interruptions.len();
        self.calls += timeline.calls.len();
        self.pictures += timeline.pictures.len();
        self.problems += timeline.problems.len();
        self.input_seconds += timeline.user.seconds;
        self.output_seconds += timeline.model.seconds;
        for response in &timeline.responses {
            self.cost = response.cost.map(|cost| cost + self.cost.unwrap_or(0.0)).or(self.cost);
            self.tokens.add(response.usage.as_ref());
        }
        for latency in timeline.turns.iter().filter_map(|turn| turn.times.latency()) {
            self.answered += 1;
            latency.steps().for_each(|(stage, seconds)| self.sample(stage, seconds));
            self.sample(TOTAL, latency.total().unwrap_or(0.0));
        }
        timeline.interruptions.iter().filter_map(|cut| cut.latency).for_each(|seconds| self.sample(CUT, seconds));
        timeline.calls.iter().filter_map(|call| call.seconds).for_each(|seconds| self.sample(CALL, seconds));
    }

    fn sample(&mut self, stage: &'static str, seconds: f64) {
        match self.samples.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, samples)) => samples.push(seconds),
            None => self.samples.push((stage, vec![seconds])),
        }
    }

    /// Reckons the percentiles, and rounds to milliseconds.
    pub fn finish(&mut self) {
        let order = [&STAGES[..], &[TOTAL, CUT, CALL]].concat();
        self.samples.sort_by_key(|(stage, _)| order.iter().position(|name| name == stage));
        for seconds in [&mut self.seconds, &mut self.input_seconds, &mut self.output_seconds] {
            *seconds = (*seconds * 1000.0).round() / 1000.0;
        }
        self.latency = self.samples.iter_mut().map(|(stage, samples)| Stage::of(stage, samples)).collect();
    }
}

impl Tokens {
    fn add(&mut self, usage: Option<&openai_protocol::Usage>) {
        let Some(usage) = usage else { return };
        self.input_text += usage.input_token_details.text_tokens;
        self.input_audio += usage.input_token_details.audio_tokens;
        self.input_image += usage.input_token_details.image_tokens;
        self.cached += usage.input_token_details.cached_tokens;
        self.output_text += usage.output_token_details.text_tokens;
        self.output_audio += usage.output_token_details.audio_tokens;
    }
}

impl Stage {
    /// Percentiles by the nearest rank.
    fn of(stage: &'static str, samples: &mut [f64]) -> Self {
        samples.sort_by(f64::total_cmp);
        let rank = |share: f64| (samples.len() as f64 * share).ceil() as usize;
        let at = |rank: usize| samples.get(rank.saturating_sub(1)).copied().unwrap_or(0.0);
        let milliseconds = |seconds: f64| (seconds * 10_000.0).round() / 10.0;
        let [p50, p90, max] = [rank(0.5), rank(0.9), samples.len()].map(|rank| milliseconds(at(rank)));
        Self { stage, count: samples.len(), p50, p90, max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_that_were_measured() {
        let mut samples: Vec<f64> = (1..=10).rev().map(|tenth| f64::from(tenth) / 10.0).collect();
        let stage = Stage::of("total", &mut samples);
        assert_eq!((stage.count, stage.p50, stage.p90, stage.max), (10, 500.0, 900.0, 1000.0));
        let one = Stage::of("total", &mut [0.25]);
        assert_eq!((one.p50, one.p90, one.max), (250.0, 250.0, 250.0));
    }
}
