// SPDX-License-Identifier: MPL-2.0

//! What responses cost by the published prices of the models, and how many may be requested in a minute.

use openai_protocol::Usage;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

/// US dollars per million tokens: input, cached input, output.
struct Prices {
    text: (f64, f64, f64),
    audio: (f64, f64, f64),
    image: (f64, f64),
}

const LARGE: Prices = Prices { text: (4.0, 0.4, 24.0), audio: (32.0, 0.4, 64.0), image: (5.0, 0.5) };
const MEDIUM: Prices = Prices { text: (4.0, 0.4, 16.0), audio: (32.0, 0.4, 64.0), image: (5.0, 0.5) };
const MINI: Prices = Prices { text: (0.6, 0.06, 2.4), audio: (10.0, 0.3, 20.0), image: (0.8, 0.08) };

const AUDIO: Prices = Prices { text: (2.5, 2.5, 10.0), audio: (32.0, 32.0, 64.0), image: (0.0, 0.0) };
const AUDIO_MINI: Prices = Prices { text: (0.6, 0.6, 2.4), audio: (10.0, 10.0, 20.0), image: (0.0, 0.0) };

/// By the longest name that a model's begins with; dated names cost what the undated one costs. Source: OpenAI's
/// model pages, November 2026.
const MODELS: &[(&str, Prices)] = &[
    ("gpt-realtime-2.1-mini", MINI),
    ("gpt-realtime-2.1", LARGE),
    ("gpt-realtime-2", LARGE),
    ("gpt-realtime-1.5", MEDIUM),
    ("gpt-realtime-mini", MINI),
    ("gpt-realtime", MEDIUM),
    ("gpt-audio-mini", AUDIO_MINI),
    ("gpt-audio-1.5", AUDIO),
    ("gpt-audio", AUDIO),
];

/// US dollars of one response; `None` for a model whose prices are not known, and for tokens of unknown kinds.
pub fn cost(model: &str, usage: &Usage) -> Option<f64> {
    let is = |name: &str| model.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("-20"));
    let (_, prices) =
        MODELS.iter().find(|(name, _)| is(name)).filter(|_| usage.tells_input() && usage.tells_output())?;
    let (input, output) = (&usage.input_token_details, &usage.output_token_details);
    let cached = &input.cached_tokens_details;
    let of = |all: u64, cached: u64, price: f64, cached_price: f64| {
        all.saturating_sub(cached) as f64 * price + cached as f64 * cached_price
    };
    let sum = of(input.text_tokens, cached.text_tokens, prices.text.0, prices.text.1)
        + of(input.audio_tokens, cached.audio_tokens, prices.audio.0, prices.audio.1)
        + of(input.image_tokens, cached.image_tokens, prices.image.0, prices.image.1)
        + output.text_tokens as f64 * prices.text.2
        + output.audio_tokens as f64 * prices.audio.2;
    Some(sum / 1e6)
}

/// The requests of the last minute.
#[derive(Debug, Default)]
pub struct RequestRate {
    sent: VecDeque<Instant>,
}

impl RequestRate {
    /// When the next request may be sent; `None` = now.
    pub fn waits_until(&self, per_minute: u32, now: Instant) -> Option<Instant> {
        let limit = usize::try_from(per_minute).unwrap_or(usize::MAX);
        if limit == 0 {
            return None;
        }
        let first = self.sent.len().checked_sub(limit)?;
        self.sent.get(first).map(|sent| *sent + MINUTE).filter(|until| *until > now)
    }

    /// Counts a request.
    pub fn request_sent(&mut self, now: Instant) {
        while self.sent.front().is_some_and(|sent| *sent + MINUTE <= now) {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_of_each_side_costs_what_the_price_list_says() {
        let mut usage = Usage::default();
        usage.input_token_details.audio_tokens = 600;
        assert!((cost("gpt-realtime-2.1", &usage).unwrap_or_default() - 0.0192).abs() < 1e-9);
        usage.input_token_details.audio_tokens = 0;
        usage.output_token_details.audio_tokens = 1200;
        assert!((cost("gpt-realtime-2.1", &usage).unwrap_or_default() - 0.0768).abs() < 1e-9);
    }

    #[test]
    fn cached_tokens_are_part_of_the_input() {
        let mut usage = Usage::default();
        usage.input_token_details.text_tokens = 1000;
        usage.input_token_details.cached_tokens_details.text_tokens = 1000;
        assert!((cost("gpt-realtime-mini-2025-12-15", &usage).unwrap_or_default() - 0.00006).abs() < 1e-12);
    }

    #[test]
    fn tokens_of_unknown_kinds_have_no_price() {
        let usage = Usage { input_tokens: 1_000, output_tokens: 2_000, ..Usage::default() };
        assert_eq!(cost("gpt-realtime-2.1", &usage), None);
    }

    #[test]
    fn unknown_models_have_no_price() {
        assert_eq!(cost("gpt-realtime-9", &Usage::default()), None);
        assert_eq!(cost("qwen3-omni", &Usage::default()), None);
    }
}
