// SPDX-License-Identifier: MPL-2.0

//! What `/metrics` tells, in the text format of Prometheus.

use openai_protocol::session::SessionKind;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde::Deserialize;
use std::borrow::Cow;
use std::time::Instant;

/// A counter's kind, one of few texts that this program itself makes.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Label {
    kind: Cow<'static, str>,
}

/// A request: where it went, and what came of it.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabel {
    path: &'static str,
    status: u16,
}

/// Counters of the whole server.
pub struct Metrics {
    registry: Registry,
    active: Gauge,
    sessions: Family<Label, Counter>,
    turns: Counter,
    responses: Family<Label, Counter>,
    errors: Family<Label, Counter>,
    audio_bytes: Family<Label, Counter>,
    requests: Family<RequestLabel, Counter>,
    first_audio_seconds: Histogram,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("realtime_server");
        let metrics = Self {
            active: Gauge::default(),
            sessions: Family::default(),
            turns: Counter::default(),
            responses: Family::default(),
            errors: Family::default(),
            audio_bytes: Family::default(),
            requests: Family::default(),
            first_audio_seconds: Histogram::new([0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0]),
            registry: Registry::default(),
        };
        registry.register("active_sessions", "Sessions connected now", metrics.active.clone());
        registry.register("sessions", "Sessions so far, by type", metrics.sessions.clone());
        registry.register("turns", "Turns of users that were committed", metrics.turns.clone());
        registry.register("responses", "Responses that have ended, by state", metrics.responses.clone());
        registry.register("errors", "Errors that sessions were told of, by code", metrics.errors.clone());
        let audio = metrics.audio_bytes.clone();
        registry.register("audio_bytes", "Bytes of audio in sessions, received and sent, in their formats", audio);
        registry.register("requests", "HTTP requests, by path and status", metrics.requests.clone());
        let first_audio = metrics.first_audio_seconds.clone();
        registry.register(
            "first_audio_seconds",
            "Time from the end of a turn to the first audio of its answer",
            first_audio,
        );
        Self { registry, ..metrics }
    }

    /// A request was answered.
    pub fn request(&self, path: &'static str, status: u16) {
        self.requests.get_or_create(&RequestLabel { path, status }).inc();
    }

    /// All of it as text.
    pub fn to_text(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }

    fn count(family: &Family<Label, Counter>, kind: impl Into<Cow<'static, str>>, by: u64) {
        family.get_or_create(&Label { kind: kind.into() }).inc_by(by);
    }
}

/// The fields of an event that are counted.
#[derive(Default, Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    delta: Option<Cow<'a, str>>,
    #[serde(borrow)]
    audio: Option<Cow<'a, str>>,
    response: Option<Response>,
    error: Option<Error>,
}

#[derive(Deserialize)]
struct Response {
    status: Option<String>,
}

#[derive(Deserialize)]
struct Error {
    code: Option<String>,
}

/// Counts the events of one session.
pub struct SessionMeter<'a> {
    metrics: &'a Metrics,
    /// The end of the turn whose answer has no audio yet.
    turn: Option<Instant>,
}

impl<'a> SessionMeter<'a> {
    /// A session that begins.
    pub fn new(metrics: &'a Metrics, kind: &SessionKind) -> Self {
        metrics.active.inc();
        let kind = match kind {
            SessionKind::Transcription => "transcription",
            SessionKind::Translation => "translation",
            _ => "realtime",
        };
        Metrics::count(&metrics.sessions, kind, 1);
        Self { metrics, turn: None }
    }

    /// An event of the client.
    pub fn received(&self, text: &str) {
        // What is no event is refused elsewhere.
        let event: Event<'_> = serde_json::from_str(text).unwrap_or_default();
        if matches!(event.kind.as_ref(), "input_audio_buffer.append" | "session.input_audio_buffer.append") {
            Metrics::count(&self.metrics.audio_bytes, "received", decoded(event.audio));
        }
    }

    /// An event of the server.
    pub fn sent(&mut self, text: &str, now: Instant) {
        let event: Event<'_> = serde_json::from_str(text).unwrap_or_default();
        match event.kind.as_ref() {
            "input_audio_buffer.committed" => {
                self.metrics.turns.inc();
                self.turn = Some(now);
            }
            // The second is its name in the beta.
            "response.output_audio.delta" | "response.audio.delta" => {
                Metrics::count(&self.metrics.audio_bytes, "sent", decoded(event.delta));
                if let Some(turn) = self.turn.take() {
                    self.metrics.first_audio_seconds.observe((now - turn).as_secs_f64());
                }
            }
            "session.output_audio.delta" => Metrics::count(&self.metrics.audio_bytes, "sent", decoded(event.delta)),
            "response.done" => {
                self.turn = None;
                let status = event.response.and_then(|response| response.status);
                Metrics::count(&self.metrics.responses, status.unwrap_or_default(), 1);
            }
            "error" => {
                let code = event.error.and_then(|error| error.code);
                Metrics::count(&self.metrics.errors, code.unwrap_or_else(|| "none".into()), 1);
            }
            _ => {}
        }
    }
}

impl Drop for SessionMeter<'_> {
    fn drop(&mut self) {
        self.metrics.active.dec();
    }
}

/// The number of bytes in base64.
fn decoded(base64: Option<Cow<'_, str>>) -> u64 {
    base64.map_or(0, |text| text.trim_end_matches('=').len() as u64 * 3 / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_happens_in_a_session_is_counted() {
        let metrics = Metrics::new();
        let start = Instant::now();
        let mut meter = SessionMeter::new(&metrics, &SessionKind::Realtime);
        meter.received(r#"{"type": "input_audio_buffer.append", "audio": "AAAAAA=="}"#);
        meter.received("no event");
        meter.sent(r#"{"type": "input_audio_buffer.committed"}"#, start);
        let delta = r#"{"type": "response.output_audio.delta", "delta": "AAAA"}"#;
        meter.sent(delta, start + Duration::from_millis(300));
        meter.sent(delta, start + Duration::from_millis(900));
        meter.sent(r#"{"type": "response.done", "response": {"status": "completed"}}"#, start);
        meter.sent(r#"{"type": "error", "error": {"code": "invalid_value"}}"#, start);
        metrics.request("/audio/speech", 400);
        let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let text = lines(metrics.to_text().expect("text"));
        for line in [
            "realtime_server_active_sessions 1",
            r#"realtime_server_sessions_total{kind="realtime"} 1"#,
            "realtime_server_turns_total 1",
            r#"realtime_server_responses_total{kind="completed"} 1"#,
            r#"realtime_server_errors_total{kind="invalid_value"} 1"#,
            r#"realtime_server_audio_bytes_total{kind="received"} 4"#,
            r#"realtime_server_audio_bytes_total{kind="sent"} 6"#,
            r#"realtime_server_requests_total{path="/audio/speech",status="400"} 1"#,
            "realtime_server_first_audio_seconds_count 1",
            r#"realtime_server_first_audio_seconds_bucket{le="0.2"} 0"#,
            r#"realtime_server_first_audio_seconds_bucket{le="0.4"} 1"#,
        ] {
            assert!(text.iter().any(|other| other == line), "{line} is not in\n{text:#?}");
        }
        drop(meter);
        assert!(lines(metrics.to_text().expect("text")).contains(&"realtime_server_active_sessions 0".to_owned()));
    }
}
