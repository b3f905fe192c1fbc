// SPDX-License-Identifier: MPL-2.0

//! What a translation costs: it is paid for by the length of the audio that is sent.

use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::io::Event;
use crate::realtime::conversation::outbox::Outbox;
use openai_protocol::Usage;
use std::time::Duration;

/// US dollars per minute, by model; dated names cost what the undated one costs. Source: OpenAI's model pages, November 2026.
const MODELS: &[(&str, f64)] = &[("gpt-realtime-translate", 0.034)];

const MINUTE: Duration = Duration::from_secs(60);

/// Cost so far, and what was told of it.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    sent: Duration,
    told: Duration,
    /// `max-cost` is reached.
    is_spent: bool,
    /// A warning was posted that the cost is not known.
    warned: bool,
}

impl Cost {
    /// Audio was sent. Tells the cost once a minute. Returns whether `max-cost` is reached with it.
    pub fn sent(&mut self, length: Duration, config: &Config, outbox: &mut Outbox) -> bool {
        self.sent = self.sent.saturating_add(length);
        if self.sent - self.told >= MINUTE {
            self.tell(config, outbox);
        }
        let limit = config.max_cost;
        if limit <= 0.0 || self.is_spent {
            return false;
        }
        let Some(price) = price(&config.model) else {
            if !std::mem::replace(&mut self.warned, true) {
                let message =
                    format!("what the model '{}' costs is not known, so max-cost cannot be kept", config.model);
                outbox.warn("cost-unknown", message);
            }
            return false;
        };
        let total = price * self.sent.as_secs_f64() / 60.0;
        if total < limit {
            return false;
        }
        self.is_spent = true;
        let message = format!("the session has cost {total:.4} US dollars, and max-cost is {limit}: it ends here");
        outbox.warn("max-cost", message);
        true
    }

    /// Tells the cost of what was sent since the last time.
    pub fn tell(&mut self, config: &Config, outbox: &mut Outbox) {
        let new = self.sent - std::mem::replace(&mut self.told, self.sent);
        if new.is_zero() {
            return;
        }
        let dollars = |length: Duration| price(&config.model).map(|price| price * length.as_secs_f64() / 60.0);
        let (cost, total_cost) = (dollars(new), dollars(self.sent));
        outbox.notify(Event::Usage { usage: Usage::default(), cost, total_cost });
    }
}

/// US dollars per minute; `None` for a model whose price is not known.
fn price(model: &str) -> Option<f64> {
    let is = |name: &str| model.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("-20"));
    MODELS.iter().find(|(name, _)| is(name)).map(|(_, price)| *price)
}
