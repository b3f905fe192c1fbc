// SPDX-License-Identifier: MPL-2.0

//! What things cost: tokens counted as OpenAI counts them, as far as that is known, and the account's limits.
//!
//! Sound and pictures follow the published rules (a token for 100 ms of the user, for 50 ms of the assistant, and
//! tiles for pictures); text is estimated at four characters a token. Every answer pays for the whole conversation
//! before it, of which a long unchanged beginning counts as cached.

use crate::picture::Picture;
use crate::session::item::Entry;
use openai_protocol::Extra;
use openai_protocol::items::{PartKind, Role};
use openai_protocol::server::RateLimitsUpdated;
use openai_protocol::usage::{
    CachedTokens, InputTokens, OutputTokens, RateLimit, TranscriptionInput, TranscriptionUsage, Usage,
};
use std::time::{Duration, Instant};

/// What the wire adds to a message.
pub const MESSAGE: u64 = 4;
/// From how many tokens on a beginning is cached, and in which steps.
const CACHE_MIN: u64 = 1024;
const CACHE_STEP: u64 = 128;
/// The account's limit of tokens in a minute.
const LIMIT: f64 = 250_000.0;

/// Tokens by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Written.
    pub text: u64,
    /// Spoken.
    pub audio: u64,
    /// Seen.
    pub image: u64,
}

impl Counts {
    fn total(self) -> u64 {
        self.text + self.audio + self.image
    }

    /// The tokens of an item in the input of an answer.
    pub fn of(entry: &Entry) -> Self {
        let item = &entry.item;
        let written: u64 = item.content.iter().flatten().filter_map(|part| part.text.as_deref()).map(text).sum();
        let called = item.arguments.as_deref().map_or(0, text) + item.name.as_deref().map_or(0, text);
        let given = item.output.as_ref().and_then(|output| output.as_str()).map_or(0, text);
        let sound = entry.whole_sound();
        let audio = sound.map_or(0, |sound| match item.role {
            Some(Role::Assistant) => assistant_audio(sound.ms()),
            _ => user_audio(sound.ms()),
        });
        // Words without sound (of an item that was truncated, or whose sound was forgotten) are read.
        let is_read = |kind: &PartKind| sound.is_none() && (kind.is_speech() || *kind == PartKind::InputAudio);
        let read = item.content.iter().flatten().filter(|part| is_read(&part.kind));
        let read: u64 = read.filter_map(|part| part.transcript.as_deref().or(entry.heard_words())).map(text).sum();
        let image = entry.pictures.iter().map(|picture| picture_tokens(picture)).sum();
        Self { text: MESSAGE + written + called + given + read, audio, image }
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, next| Self {
            text: sum.text + next.text,
            audio: sum.audio + next.audio,
            image: sum.image + next.image,
        })
    }
}

/// Tokens of text, estimated.
pub fn text(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(4)
}

/// Tokens of what a user says.
pub fn user_audio(ms: u64) -> u64 {
    ms.div_ceil(100)
}

/// Tokens of what the model says.
pub fn assistant_audio(ms: u64) -> u64 {
    ms.div_ceil(50)
}

/// Tokens of a picture by the older vision rule: scaled into 2048 x 2048, the short side to 768, then tiles of 512.
pub fn picture_tokens(picture: &Picture) -> u64 {
    if picture.low_detail {
        return 85;
    }
    let (width, height) = (f64::from(picture.view.width.max(1)), f64::from(picture.view.height.max(1)));
    let fit = (2048.0 / width.max(height)).min(1.0);
    let fit = fit * (768.0 / (width.min(height) * fit)).min(1.0);
    let tiles = |side: f64| (side * fit / 512.0).ceil().max(1.0) as u64;
    85 + 170 * tiles(width) * tiles(height)
}

/// What a transcription costs: the whisper models are paid by the second, all others by the token.
pub fn transcription(model: &str, ms: u64, transcript: &str) -> TranscriptionUsage {
    if model.contains("whisper") || model.contains("live-transcribe") {
        return TranscriptionUsage::Duration { seconds: ms as f64 / 1000.0, extra: Extra::new() };
    }
    let (audio, output) = (user_audio(ms), text(transcript));
    TranscriptionUsage::Tokens {
        total_tokens: audio + output,
        input_tokens: audio,
        output_tokens: output,
        input_token_details: Some(TranscriptionInput { audio_tokens: audio, ..Default::default() }),
        extra: Extra::new(),
    }
}

/// Remembers what was paid for.
#[derive(Debug, Default)]
pub struct Meter {
    /// The input of the last answer, which is the beginning of the next one's.
    prefix: Counts,
    /// Tokens that count against the limit, and when that was.
    used: f64,
    at: Option<Instant>,
}

impl Meter {
    /// Something old was changed: nothing is cached any more.
    pub fn forget_prefix(&mut self) {
        self.prefix = Counts::default();
    }

    /// The bill of one answer.
    pub fn usage(&mut self, input: Counts, output: Counts) -> Usage {
        let cached = self.cached(input);
        self.prefix = input;
        Usage {
            total_tokens: input.total() + output.total(),
            input_tokens: input.total(),
            output_tokens: output.total(),
            input_token_details: InputTokens {
                text_tokens: input.text,
                audio_tokens: input.audio,
                image_tokens: input.image,
                cached_tokens: cached.total(),
                cached_tokens_details: CachedTokens {
                    text_tokens: cached.text,
                    audio_tokens: cached.audio,
                    image_tokens: cached.image,
                    ..Default::default()
                },
                ..Default::default()
            },
            output_token_details: OutputTokens {
                text_tokens: output.text,
                audio_tokens: output.audio,
                ..Default::default()
            },
            ..Default::default()
        }
    }

    /// What of the input was paid for before, in whole steps.
    fn cached(&self, input: Counts) -> Counts {
        let prefix = self.prefix;
        if prefix.total() < CACHE_MIN {
            return Counts::default();
        }
        let mut left = prefix.total() / CACHE_STEP * CACHE_STEP;
        let mut part = |before: u64, now: u64| {
            let taken = before.min(now).min(left);
            left -= taken;
            taken
        };
        Counts {
            text: part(prefix.text, input.text),
            audio: part(prefix.audio, input.audio),
            image: part(prefix.image, input.image),
        }
    }

    /// What is left of the limits after an answer; they fill up again within a minute.
    pub fn limits(&mut self, tokens: u64, now: Instant) -> RateLimitsUpdated {
        let passed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.used = (self.used - passed.as_secs_f64() * LIMIT / 60.0).max(0.0) + tokens as f64;
        self.at = Some(now);
        let limit = RateLimit {
            name: Some("tokens".into()),
            limit: Some(LIMIT as u64),
            remaining: Some((LIMIT - self.used).max(0.0) as u64),
            reset_seconds: Some((self.used * 60_000.0 / LIMIT).round() / 1000.0),
            ..Default::default()
        };
        RateLimitsUpdated { rate_limits: vec![limit], ..Default::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::View;

    fn picture(width: u32, height: u32, low_detail: bool) -> Picture {
        Picture { low_detail, view: View { width, height, ..Default::default() }, ..Default::default() }
    }

    #[test]
    fn pictures_are_counted_in_tiles() {
        assert_eq!(picture_tokens(&picture(1024, 1024, false)), 765);
        assert_eq!(picture_tokens(&picture(1024, 1024, true)), 85);
        assert_eq!(picture_tokens(&picture(4096, 2048, false)), 85 + 170 * 6);
        assert_eq!(picture_tokens(&picture(320, 240, false)), 255);
    }

    #[test]
    fn a_long_beginning_is_cached_until_something_old_changes() {
        let mut meter = Meter::default();
        let input = |audio| Counts { text: 200, audio, image: 0 };
        assert_eq!(meter.usage(input(900), Counts::default()).input_token_details.cached_tokens, 0);
        let details = meter.usage(input(1_000), Counts::default()).input_token_details;
        assert_eq!((details.cached_tokens, details.cached_tokens_details.text_tokens), (1_024, 200));
        meter.forget_prefix();
        assert_eq!(meter.usage(input(1_100), Counts::default()).input_token_details.cached_tokens, 0);
    }

    #[test]
    fn limits_fill_up_again() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        let remaining = |update: RateLimitsUpdated| update.rate_limits[0].remaining;
        assert_eq!(remaining(meter.limits(1_000, start)), Some(249_000));
        assert_eq!(remaining(meter.limits(0, start + Duration::from_secs(60))), Some(250_000));
    }
}
