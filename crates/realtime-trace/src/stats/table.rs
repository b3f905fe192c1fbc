// SPDX-License-Identifier: MPL-2.0

//! Numbers as a table for people.

use super::Stats;
use std::fmt;

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |seconds: f64| format!("{seconds:.1} s");
        let tokens = &self.tokens;
        let rows = [
            ("traces", self.files.to_string()),
            ("length", seconds(self.seconds)),
            ("sessions", format!("{} ({} reconnects)", self.sessions, self.reconnects)),
            ("turns", format!("{} ({} answered)", self.turns, self.answered)),
            ("responses", format!("{} ({} failed)", self.responses, self.failed)),
            ("barge-ins", self.barge_ins.to_string()),
            ("function calls", self.calls.to_string()),
            ("pictures", self.pictures.to_string()),
            ("errors and closes", self.problems.to_string()),
            ("audio in", seconds(self.input_seconds)),
            ("audio out", seconds(self.output_seconds)),
            (
                "tokens in",
                format!(
                    "{} text, {} audio, {} image ({} cached)",
                    tokens.input_text, tokens.input_audio, tokens.input_image, tokens.cached
                ),
            ),
            ("tokens out", format!("{} text, {} audio", tokens.output_text, tokens.output_audio)),
            ("cost by list price", self.cost.map_or("unknown".into(), |cost| format!("{cost:.4} US dollars"))),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<19} {value}")?;
        }
        if !self.latency.is_empty() {
            writeln!(f, "\n{:<19} {:>7} {:>9} {:>9} {:>9}", "latency in ms", "count", "p50", "p90", "max")?;
        }
        for stage in &self.latency {
            let (p50, p90, max) = (stage.p50, stage.p90, stage.max);
            writeln!(f, "{:<19} {:>7} {p50:>9.1} {p90:>9.1} {max:>9.1}", stage.stage, stage.count)?;
        }
        Ok(())
    }
}
