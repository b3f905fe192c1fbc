// SPDX-License-Identifier: MPL-2.0

//! Limits: what the responses cost together, and how much and how many may be asked for.

use crate::pricing::{RequestRate, cost};
use crate::realtime::conversation::{Conversation, Event};
use openai_protocol::Usage;

/// Use of `max-cost` and `requests-per-minute`.
#[derive(Debug, Default)]
pub(crate) struct UsageLimits {
    total: f64,
    /// `max-cost` is reached.
    is_spent: bool,
    /// A warning was posted that the cost is not known.
    warned: bool,
    /// Requests of the last minute.
    pub rate: RequestRate,
}

impl Conversation {
    /// Counts the usage of a response. When `max-cost` is reached, no more are requested, and the stream ends in order.
    pub(crate) fn record_usage(&mut self, usage: Usage) {
        let cost = cost(&self.config.model, &usage);
        self.limits.total += cost.unwrap_or_default();
        let total_cost = cost.map(|_| self.limits.total);
        self.notify(Event::Usage { usage, cost, total_cost });
        let limit = self.config.max_cost;
        if limit > 0.0 && cost.is_none() && !std::mem::replace(&mut self.limits.warned, true) {
            let message = "what an answer costs is not known (an unknown model, or tokens of unknown kinds), so \
                           max-cost cannot be kept; requests-per-minute can";
            self.warn("cost-unknown", message);
        }
        if limit > 0.0 && self.limits.total >= limit && !self.limits.is_spent {
            self.limits.is_spent = true;
            self.scheduler.drop_request();
            let message = format!(
                "the session has cost {:.4} US dollars, and max-cost is {limit}: no further answer is asked for",
                self.limits.total
            );
            self.warn("max-cost", message);
            self.drain.end_at_once();
        }
    }

    /// Whether responses may be requested.
    pub(crate) fn may_respond(&self) -> bool {
        !self.limits.is_spent && !self.config.is_transcription_only()
    }
}
