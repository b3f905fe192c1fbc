// SPDX-License-Identifier: MPL-2.0

//! Responses: what a client asks for, and what a server tells of one; and the error that both events and responses
//! carry.

use super::items::{Item, Status};
use super::session::{AudioFormat, AudioOutput, MaxTokens, Modality, Reasoning};
use super::{Extra, Setting, Usage};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What may differ from the session for one response. A field that is left out is the session's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseParams {
    /// In place of the session's instructions, not beside them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// `["audio"]` or `["text"]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_modalities: Option<Vec<Modality>>,
    /// Format and voice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<ResponseAudio>,
    /// Function and MCP tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Value>>,
    /// Which tool is to be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<Value>,
    /// Several calls at once; reasoning models only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// Reasoning models only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
    /// The limit of this response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<MaxTokens>,
    /// `auto`, or `none` for a response beside the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// In place of the conversation so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Vec<Item>>,
    /// Comes back in `response.created` and `response.done`; at most 16 pairs.
    #[serde(skip_serializing_if = "Setting::is_keep")]
    pub metadata: Setting<BTreeMap<String, String>>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The sound of one response.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseAudio {
    /// Format and voice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<AudioOutput>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A response as the server tells of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Response {
    /// `realtime.response`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What has become of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Why it ended as it did.
    pub status_details: Option<StatusDetails>,
    /// Its items, without sound.
    #[serde(deserialize_with = "super::fields::null_is_default")]
    pub output: Vec<Item>,
    /// `null` for a response beside the conversation.
    pub conversation_id: Option<String>,
    /// `["audio"]` or `["text"]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_modalities: Option<Vec<Modality>>,
    /// The limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<MaxTokens>,
    /// Format and voice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<ResponseAudio>,
    /// What it cost; known at the end.
    pub usage: Option<Usage>,
    /// As it was asked for.
    pub metadata: Option<BTreeMap<String, String>>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Response {
    /// The response's name, empty where it has none.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// The format of its sound, where the server tells it, in either spelling.
    pub fn audio_format(&self) -> Option<AudioFormat> {
        let format = self.audio.as_ref().and_then(|audio| audio.output.as_ref()?.format.clone());
        let beta = || self.extra.get("output_audio_format").filter(|format| !format.is_null()).cloned();
        format.or_else(|| serde_json::from_value(beta()?).ok())
    }
}

/// Why a response ended as it did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusDetails {
    /// The status again.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Status>,
    /// `turn_detected`, `client_cancelled`, `max_output_tokens`, `content_filter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of failed responses.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "without_null_param")]
    pub error: Option<ServerError>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Writes the error of a response, which names no field at fault where that of an event has `null`.
fn without_null_param<S: Serializer>(error: &Option<ServerError>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut value = serde_json::to_value(error).map_err(serde::ser::Error::custom)?;
    if let Some(error) = value.as_object_mut().filter(|error| error.get("param").is_some_and(Value::is_null)) {
        error.remove("param");
    }
    value.serialize(serializer)
}

/// What went wrong, in an `error` event, a failed response or a failed transcription. Some servers give words alone, or
/// a number: that is the message then.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, remote = "Self")]
pub struct ServerError {
    /// The family, e.g. `invalid_request_error`.
    #[serde(rename = "type", deserialize_with = "super::fields::null_is_default")]
    pub kind: String,
    /// The exact kind, e.g. `invalid_value`.
    pub code: Option<String>,
    /// For people.
    #[serde(deserialize_with = "super::fields::null_is_default")]
    pub message: String,
    /// The field at fault.
    pub param: Option<String>,
    /// The client event at fault, where it had a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Serialize for ServerError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for ServerError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyForm;
        impl AnyForm {
            fn words<E>(words: impl ToString) -> Result<ServerError, E> {
                Ok(ServerError { message: words.to_string(), ..Default::default() })
            }
        }
        impl<'de> Visitor<'de> for AnyForm {
            type Value = ServerError;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an error")
            }

            fn visit_str<E>(self, words: &str) -> Result<ServerError, E> {
                Self::words(words)
            }

            fn visit_u64<E>(self, number: u64) -> Result<ServerError, E> {
                Self::words(number)
            }

            fn visit_i64<E>(self, number: i64) -> Result<ServerError, E> {
                Self::words(number)
            }

            fn visit_f64<E>(self, number: f64) -> Result<ServerError, E> {
                Self::words(number)
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<ServerError, A::Error> {
                ServerError::deserialize(MapAccessDeserializer::new(fields))
            }
        }
        deserializer.deserialize_any(AnyForm)
    }
}
