// SPDX-License-Identifier: MPL-2.0

//! Counts: the tokens of a response, of a transcription, and the account's limits.

use super::Extra;
use super::fields::null_is_default;
use serde::{Deserialize, Serialize};

/// The tokens of one response. The cached ones are part of the input's counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct Usage {
    #[serde(deserialize_with = "null_is_default")]
    pub total_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub input_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub output_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub input_token_details: InputTokens,
    #[serde(deserialize_with = "null_is_default")]
    pub output_token_details: OutputTokens,
    #[serde(flatten)]
    pub extra: Extra,
}

impl Usage {
    /// Whether the server told of which kinds the input's tokens are.
    pub fn tells_input(&self) -> bool {
        let InputTokens { text_tokens, audio_tokens, image_tokens, .. } = self.input_token_details;
        self.input_tokens == 0 || text_tokens + audio_tokens + image_tokens > 0
    }

    /// Whether the server told of which kinds the output's tokens are.
    pub fn tells_output(&self) -> bool {
        let OutputTokens { text_tokens, audio_tokens, .. } = self.output_token_details;
        self.output_tokens == 0 || text_tokens + audio_tokens > 0
    }
}

/// Input tokens by kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct InputTokens {
    #[serde(deserialize_with = "null_is_default")]
    pub text_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub audio_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub image_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub cached_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub cached_tokens_details: CachedTokens,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Input tokens that were cached, by kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct CachedTokens {
    #[serde(deserialize_with = "null_is_default")]
    pub text_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub audio_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub image_tokens: u64,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Output tokens by kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct OutputTokens {
    #[serde(deserialize_with = "null_is_default")]
    pub text_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
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
        #[serde(flatten)]
        extra: Extra,
    },
    Duration {
        seconds: f64,
        #[serde(flatten)]
        extra: Extra,
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct TranscriptionInput {
    #[serde(deserialize_with = "null_is_default")]
    pub text_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub audio_tokens: u64,
    #[serde(flatten)]
    pub extra: Extra,
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
    #[serde(flatten)]
    pub extra: Extra,
}
