//! Money: what a response cost, by the published prices of the models.

use crate::protocol::Usage;

/// US dollars per million tokens: input, cached input, output.
struct Prices {
    text: (f64, f64, f64),
    audio: (f64, f64, f64),
    image: (f64, f64),
}

const LARGE: Prices = Prices { text: (4.0, 0.4, 24.0), audio: (32.0, 0.4, 64.0), image: (5.0, 0.5) };
const MEDIUM: Prices = Prices { text: (4.0, 0.4, 16.0), audio: (32.0, 0.4, 64.0), image: (5.0, 0.5) };
const MINI: Prices = Prices { text: (0.6, 0.06, 2.4), audio: (10.0, 0.3, 20.0), image: (0.8, 0.08) };

/// By the longest name that a model's begins with; dated names cost what the undated one costs. Source: OpenAI's
/// model pages, November 2026.
const MODELS: &[(&str, Prices)] = &[
    ("gpt-realtime-2.1-mini", MINI),
    ("gpt-realtime-2.1", LARGE),
    ("gpt-realtime-2", LARGE),
    ("gpt-realtime-1.5", MEDIUM),
    ("gpt-realtime-mini", MINI),
    ("gpt-realtime", MEDIUM),
];

/// US dollars of one response; `None` for a model whose prices are not known.
pub fn cost(model: &str, usage: &Usage) -> Option<f64> {
    let is = |name: &str| model.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("-20"));
    let (_, prices) = MODELS.iter().find(|(name, _)| is(name))?;
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
    fn unknown_models_have_no_price() {
        assert_eq!(cost("gpt-realtime-9", &Usage::default()), None);
        assert_eq!(cost("qwen3-omni", &Usage::default()), None);
    }
}
