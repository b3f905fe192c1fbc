// SPDX-License-Identifier: MPL-2.0

//! What `/metrics` tells, in the text format of Prometheus.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;

/// A counter's reason, transport or code.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Label {
    /// One of few texts that this program itself makes.
    kind: &'static str,
}

/// Counters of the whole program.
pub struct Metrics {
    registry: Registry,
    /// Visitors now.
    pub visitors: Gauge,
    /// Visitors so far, by transport.
    connected: Family<Label, Counter>,
    /// Ended visits, by reason.
    ended: Family<Label, Counter>,
    /// Requests that were refused, by reason.
    refused: Family<Label, Counter>,
    /// Responses that ended, by state.
    responses: Family<Label, Counter>,
    /// Responses that a visitor spoke over.
    pub interruptions: Counter,
    /// Frames that the model got.
    pub frames: Counter,
    /// US dollars by published prices.
    pub cost: Counter<f64, AtomicU64>,
    /// From an offer to its answer.
    pub connect_seconds: Histogram,
    /// From the end of a turn to the first audio of its answer.
    pub first_audio_seconds: Histogram,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("voice_chat");
        let histogram = || Histogram::new([0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0]);
        let metrics = Self {
            visitors: Gauge::default(),
            connected: Family::default(),
            ended: Family::default(),
            refused: Family::default(),
            responses: Family::default(),
            interruptions: Counter::default(),
            frames: Counter::default(),
            cost: Counter::default(),
            connect_seconds: histogram(),
            first_audio_seconds: histogram(),
            registry: Registry::default(),
        };
        registry.register("visitors", "Visitors connected now", metrics.visitors.clone());
        registry.register("connections", "Visitors so far, by transport", metrics.connected.clone());
        registry.register("ended", "Visits that have ended, by reason", metrics.ended.clone());
        registry.register("refused", "Requests that were refused, by reason", metrics.refused.clone());
        registry.register("responses", "Responses of the model that have ended, by state", metrics.responses.clone());
        registry.register("interruptions", "Responses that a visitor spoke over", metrics.interruptions.clone());
        registry.register("frames", "Camera frames that the model got", metrics.frames.clone());
        registry.register("cost_usd", "Cost of the responses in US dollars, by published prices", metrics.cost.clone());
        registry.register("connect_seconds", "Time from an offer to its answer", metrics.connect_seconds.clone());
        let first_audio = metrics.first_audio_seconds.clone();
        registry.register(
            "first_audio_seconds",
            "Time from the end of a turn to the first audio of its answer",
            first_audio,
        );
        Self { registry, ..metrics }
    }

    /// A visitor is connected, by `webrtc` or `websocket`.
    pub fn connected(&self, transport: &'static str) {
        self.connected.get_or_create(&Label { kind: transport }).inc();
    }

    /// A visit has ended.
    pub fn ended(&self, reason: &'static str) {
        self.ended.get_or_create(&Label { kind: reason }).inc();
    }

    /// A request was refused.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Label { kind: reason }).inc();
    }

    /// A response has ended.
    pub fn response(&self, state: &str) {
        let known = ["completed", "cancelled", "incomplete", "failed"];
        if let Some(kind) = known.into_iter().find(|known| *known == state) {
            self.responses.get_or_create(&Label { kind }).inc();
        }
    }

    /// All of it as text.
    pub fn to_text(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_counted_by_its_kind() {
        let metrics = Metrics::new();
        metrics.visitors.inc();
        metrics.connected("webrtc");
        metrics.response("completed");
        metrics.response("strange");
        metrics.first_audio_seconds.observe(0.3);
        metrics.cost.inc_by(0.25);
        let text = metrics.to_text().expect("text");
        for line in [
            "voice_chat_visitors 1",
            r#"voice_chat_connections_total{kind="webrtc"} 1"#,
            r#"voice_chat_responses_total{kind="completed"} 1"#,
            "voice_chat_first_audio_seconds_count 1",
            "voice_chat_cost_usd_total 0.25",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("strange"));
    }
}
