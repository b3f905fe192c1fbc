// SPDX-License-Identifier: MPL-2.0

//! Limits: what the responses cost together, and how much and how many may be requested.

use crate::pricing::{RequestRate, cost};
use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::event::Event;
use openai_protocol::Usage;
use std::time::Instant;

/// Use of `max-cost` and `requests-per-minute`.
#[derive(Debug, Default)]
pub(crate) struct UsageLimits {
    total: f64,
    /// `max-cost` is reached.
    is_spent: bool,
    /// A warning was posted that the cost is not known.
    warned: bool,
    /// Requests of the last minute.
    rate: RequestRate,
}

impl UsageLimits {
    /// Counts the usage of a response. Returns whether `max-cost` is reached now: no more responses are requested then,
    /// and the stream ends in order.
    pub fn record_usage(&mut self, usage: Usage, ctx: &mut Ctx) -> bool {
        let cost = cost(&ctx.config.model, &usage);
        self.total += cost.unwrap_or_default();
        let total_cost = cost.map(|_| self.total);
        ctx.notify(Event::Usage { usage, cost, total_cost });
        let limit = ctx.config.max_cost;
        if limit > 0.0 && cost.is_none() && !std::mem::replace(&mut self.warned, true) {
            let message = "what an answer costs is not known (an unknown model, or tokens of unknown kinds), so \
                           max-cost cannot be kept; requests-per-minute can";
            ctx.warn("cost-unknown", message);
        }
        if limit <= 0.0 || self.total < limit || self.is_spent {
            return false;
        }
        self.is_spent = true;
        let total = self.total;
        let message = format!(
            "the session has cost {total:.4} US dollars, and max-cost is {limit}: no further answer is asked for"
        );
        ctx.warn("max-cost", message);
        true
    }

    /// Whether responses may be requested.
    pub fn may_respond(&self, config: &Config) -> bool {
        !self.is_spent && !config.is_transcription_only()
    }

    /// A `response.create` was sent.
    pub fn request_sent(&mut self, now: Instant) {
        self.rate.request_sent(now);
    }

    /// Until when `requests-per-minute` holds the next request back; `None` if it may be sent now.
    pub fn waits_until(&self, config: &Config, now: Instant) -> Option<Instant> {
        self.rate.waits_until(config.requests_per_minute, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;
    use crate::types::Timing;
    use serde_json::json;
    use std::time::Duration;

    /// A million tokens of text, which cost some dollars.
    fn usage() -> Usage {
        let usage = json!({"output_tokens": 1_000_000, "output_token_details": {"text_tokens": 1_000_000}});
        serde_json::from_value(usage).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn max_cost_is_reached_once() {
        let (mut limits, mut fixture) = (UsageLimits::default(), Fixture::new(Timing::Live));
        fixture.config.max_cost = cost(&fixture.config.model, &usage()).unwrap_or_default() * 1.5;
        assert!(!limits.record_usage(usage(), &mut fixture.ctx()));
        assert!(limits.may_respond(&fixture.config));
        assert!(limits.record_usage(usage(), &mut fixture.ctx()));
        assert!(!limits.may_respond(&fixture.config));
        assert!(!limits.record_usage(usage(), &mut fixture.ctx()));
        assert_eq!(fixture.warnings(), ["max-cost"]);
    }

    #[test]
    fn an_unknown_cost_is_reported_once_and_stops_nothing() {
        let (mut limits, mut fixture) = (UsageLimits::default(), Fixture::new(Timing::Live));
        (fixture.config.max_cost, fixture.config.model) = (0.01, "of-my-own".into());
        assert!(!limits.record_usage(usage(), &mut fixture.ctx()));
        assert!(!limits.record_usage(usage(), &mut fixture.ctx()));
        assert_eq!(fixture.warnings(), ["cost-unknown"]);
        assert!(limits.may_respond(&fixture.config));
    }

    #[test]
    fn requests_per_minute_hold_a_request_back_for_the_rest_of_the_minute() {
        let (mut limits, mut fixture) = (UsageLimits::default(), Fixture::new(Timing::Live));
        fixture.config.requests_per_minute = 1;
        assert_eq!(limits.waits_until(&fixture.config, fixture.now), None);
        limits.request_sent(fixture.now);
        let free = fixture.now + Duration::from_secs(60);
        assert_eq!(limits.waits_until(&fixture.config, fixture.now), Some(free));
        assert_eq!(limits.waits_until(&fixture.config, free), None);
    }
}
