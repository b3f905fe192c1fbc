//! Counts: the tokens of a response, of a transcription, and the account's limits.

use super::Extra;
use serde::{Deserialize, Serialize};

/// The tokens of one response. The cached ones are part of the input's counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct Usage {
    pub total_tokens: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    #[serde(deserialize_with = "super::fields::null_is_default")]
    pub input_token_details: InputTokens,
    #[serde(deserialize_with = "super::fields::null_is_default")]
    pub output_token_details: OutputTokens,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Input tokens by kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct InputTokens {
    pub text_tokens: u64,
    pub audio_tokens: u64,
    pub image_tokens: u64,
    pub cached_tokens: u64,
    #[serde(deserialize_with = "super::fields::null_is_default")]
    pub cached_tokens_details: CachedTokens,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Input tokens that were cached, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct CachedTokens {
    pub text_tokens: u64,
    pub audio_tokens: u64,
    pub image_tokens: u64,
}

/// Output tokens by kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct OutputTokens {
    pub text_tokens: u64,
    pub audio_tokens: u64,
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a transcription cost: tokens or seconds, by the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the API's own words")]
pub enum TranscriptionUsage {
    Tokens {
        total_tokens: u64,
        input_tokens: u64,
        output_tokens: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input_token_details: Option<TranscriptionInput>,
    },
    Duration {
        seconds: f64,
    },
    /// Not told, or told in a way that this version does not know.
    #[serde(untagged)]
    Other(serde_json::Value),
}

impl Default for TranscriptionUsage {
    fn default() -> Self {
        Self::Other(serde_json::Value::Null)
    }
}

/// Input tokens of a transcription by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct TranscriptionInput {
    pub text_tokens: u64,
    pub audio_tokens: u64,
}

/// One limit of the account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RateLimit {
    /// `requests` or `tokens`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// What is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    /// Seconds until it is whole again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset_seconds: Option<f64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The probability of one token of a transcript.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct LogProb {
    pub token: String,
    pub logprob: f64,
    pub bytes: Vec<u8>,
}
