// SPDX-License-Identifier: MPL-2.0

//! Limits over all requests of a run: how many are made in a minute, and what they cost together.
//!
//! What a request costs is known when it is answered. So that requests in flight at once do not go over the limit
//! together, the first one goes alone, and after that each that is in flight counts as much as the dearest so far.

use crate::chat::conversation::Conversation;
use crate::chat::conversation::io::Event;
use crate::pricing::{RequestRate, cost};
use openai_protocol::Usage;
use std::time::Instant;

/// What was spent.
#[derive(Debug)]
pub struct Limits {
    per_minute: u32,
    max_cost: f64,
    rate: RequestRate,
    total: f64,
    dearest: Option<f64>,
    /// The limit was told to be reached.
    is_spent: bool,
    /// It was told that costs are not known.
    warned: bool,
    is_unknown: bool,
}

impl Limits {
    /// Nothing is spent.
    pub fn new(per_minute: u32, max_cost: f64) -> Self {
        let rate = RequestRate::default();
        Self {
            per_minute,
            max_cost,
            rate,
            total: 0.0,
            dearest: None,
            is_spent: false,
            warned: false,
            is_unknown: false,
        }
    }

    /// The limits are other ones now.
    pub fn set(&mut self, per_minute: u32, max_cost: f64) {
        (self.per_minute, self.max_cost) = (per_minute, max_cost);
    }

    /// Until when the next request has to wait for the rate.
    pub fn waits_until(&self, now: Instant) -> Option<Instant> {
        self.rate.waits_until(self.per_minute, now)
    }

    /// Whether a request may be sent beside so many that are in flight.
    pub fn may_send(&self, active: usize, now: Instant) -> bool {
        self.waits_until(now).is_none() && !self.is_spent() && self.fits(active)
    }

    /// Nothing more may be spent.
    pub fn is_spent(&self) -> bool {
        self.max_cost > 0.0 && self.total >= self.max_cost
    }

    fn fits(&self, active: usize) -> bool {
        if self.max_cost <= 0.0 || active == 0 || self.is_unknown {
            return true;
        }
        self.dearest.is_some_and(|dearest| self.total + dearest * (active as f64) < self.max_cost)
    }

    /// One is sent.
    pub fn request_sent(&mut self, now: Instant) {
        self.rate.request_sent(now);
    }

    /// What an answer cost is not told.
    pub fn cost_unknown(&mut self) {
        self.is_unknown = true;
    }
}

impl Conversation {
    /// An answer has its price.
    pub(super) fn record_usage(&mut self, request_id: String, model: &str, usage: Usage) {
        let cost = cost(model, &usage);
        match cost {
            Some(cost) => {
                self.limits.total += cost;
                self.limits.dearest = Some(self.limits.dearest.unwrap_or_default().max(cost));
            }
            None => self.limits.is_unknown = true,
        }
        let total_cost = cost.map(|_| self.limits.total);
        self.event(Event::Usage { request_id, usage, cost, total_cost });
    }

    /// Tells once that the limit is reached, or that nobody knows; what waits is dropped then.
    pub(super) fn check_limits(&mut self) {
        if self.limits.max_cost <= 0.0 {
            return;
        }
        if self.limits.is_unknown && !std::mem::replace(&mut self.limits.warned, true) {
            let message = "what an answer costs is not known (an unknown model, or tokens that are not told), so \
                           max-cost cannot be kept; requests-per-minute can";
            self.warn("cost-unknown", message);
        }
        if self.limits.is_spent() && !std::mem::replace(&mut self.limits.is_spent, true) {
            let message = format!(
                "the run has cost {:.4} US dollars, and max-cost is {}: no further request is made",
                self.limits.total, self.limits.max_cost
            );
            self.warn("max-cost", message);
        }
    }
}
