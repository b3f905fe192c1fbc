// SPDX-License-Identifier: MPL-2.0

//! What a server answers: one object, or chunks of a stream.

use crate::fields::null_is_default;
use crate::{Base64, ReadError, tolerant};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct Completion {
    pub id: Option<String>,
    pub model: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub choices: Vec<Choice<Message>>,
    pub usage: Option<CompletionUsage>,
    pub error: Option<ErrorBody>,
}

/// A piece of a streamed answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct Chunk {
    pub id: Option<String>,
    pub model: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub choices: Vec<Choice<Delta>>,
    pub usage: Option<CompletionUsage>,
    pub error: Option<ErrorBody>,
}

/// One of the answers to a request; this project asks for one only.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, bound = "T: DeserializeOwned + Default")]
#[allow(missing_docs, reason = "the API's own words")]
pub struct Choice<T> {
    #[serde(deserialize_with = "null_is_default")]
    pub index: u32,
    #[serde(alias = "delta", deserialize_with = "null_is_default")]
    pub message: T,
    pub finish_reason: Option<String>,
}

/// A whole message of the model.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct Message {
    pub content: Option<String>,
    pub refusal: Option<String>,
    pub audio: Option<AnswerAudio>,
    #[serde(deserialize_with = "null_is_default")]
    pub tool_calls: Vec<ToolCallDelta>,
}

/// What a chunk adds to the message. The fields are those of the whole message, in pieces.
pub type Delta = Message;

/// A spoken answer, or a piece of one.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct AnswerAudio {
    pub id: Option<String>,
    pub transcript: Option<String>,
    /// Samples or a file, decoded. Each piece of a stream is base64 of its own.
    pub data: Option<Base64>,
    pub expires_at: Option<i64>,
}

/// A call, or a piece of one.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct ToolCallDelta {
    pub index: Option<u32>,
    pub id: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub function: FunctionDelta,
}

/// The function of a call, or a piece of its arguments.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct FunctionDelta {
    pub name: Option<String>,
    pub arguments: Option<String>,
}

/// The tokens of an answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct CompletionUsage {
    #[serde(deserialize_with = "null_is_default")]
    pub prompt_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub completion_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub prompt_tokens_details: PromptTokens,
    #[serde(deserialize_with = "null_is_default")]
    pub completion_tokens_details: CompletionTokens,
}

/// The request's tokens by kind.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct PromptTokens {
    #[serde(deserialize_with = "null_is_default")]
    pub audio_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub text_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub image_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub cached_tokens: u64,
}

/// The answer's tokens by kind.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct CompletionTokens {
    #[serde(deserialize_with = "null_is_default")]
    pub audio_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub text_tokens: u64,
    #[serde(deserialize_with = "null_is_default")]
    pub reasoning_tokens: u64,
}

/// Why a request is refused, or an answer broken off. Some servers send a bare text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorBody {
    /// For people.
    pub message: String,
    /// The class of the error.
    pub kind: Option<String>,
    /// The field at fault.
    pub param: Option<String>,
    /// For programs.
    pub code: Option<String>,
}

impl<'de> Deserialize<'de> for ErrorBody {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text = |value: &Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let Value::Object(fields) = &value else {
            return Ok(Self { message: text(&value).unwrap_or_default(), ..Self::default() });
        };
        let field = |name: &str| fields.get(name).and_then(text);
        let message = field("message").unwrap_or_else(|| value.to_string());
        Ok(Self { message, kind: field("type"), param: field("param"), code: field("code") })
    }
}

/// What a line of a stream says.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent {
    /// More of the answer.
    Chunk(Box<Chunk>),
    /// `[DONE]`: nothing follows.
    Done,
}

fn read<T: DeserializeOwned>(text: &str, name: &str) -> Result<(T, Vec<String>), ReadError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if !text.starts_with('{') {
        return Err(ReadError::NotJson(serde::de::Error::custom("expected an object")));
    }
    match serde_json::from_str(text) {
        Ok(whole) => Ok((whole, Vec::new())),
        Err(_) => tolerant::read(text, name),
    }
}

impl Completion {
    /// Reads a whole answer as far as it can be read, with the places of what was left out.
    pub fn read(text: &str) -> Result<(Self, Vec<String>), ReadError> {
        read(text, "chat.completion")
    }
}

impl StreamEvent {
    /// Reads the data of a server-sent event, with the places of what was left out.
    pub fn read(data: &str) -> Result<(Self, Vec<String>), ReadError> {
        if data.trim() == "[DONE]" {
            return Ok((Self::Done, Vec::new()));
        }
        let (chunk, left_out) = read(data, "chat.completion.chunk")?;
        Ok((Self::Chunk(Box::new(chunk)), left_out))
    }
}

impl CompletionUsage {
    /// The same as a response of the Realtime API counts, so that both are priced and told alike.
    pub fn to_usage(&self) -> crate::Usage {
        let (input, output) = (&self.prompt_tokens_details, &self.completion_tokens_details);
        let known = input.audio_tokens + input.image_tokens;
        let mut usage = crate::Usage {
            total_tokens: self.prompt_tokens + self.completion_tokens,
            input_tokens: self.prompt_tokens,
            output_tokens: self.completion_tokens,
            ..crate::Usage::default()
        };
        let details = &mut usage.input_token_details;
        details.audio_tokens = input.audio_tokens;
        details.image_tokens = input.image_tokens;
        details.cached_tokens = input.cached_tokens;
        // Models without audio leave out the kinds: what is no sound and no picture is text.
        details.text_tokens = match input.text_tokens {
            0 => self.prompt_tokens.saturating_sub(known),
            text => text,
        };
        // Of which kind the cached tokens are is not told; text is what comes first in a request.
        details.cached_tokens_details.text_tokens = input.cached_tokens.min(details.text_tokens);
        usage.output_token_details.audio_tokens = output.audio_tokens;
        // Reasoning is priced as text.
        usage.output_token_details.text_tokens = self.completion_tokens.saturating_sub(output.audio_tokens);
        usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_chunk_is_read_with_nulls_and_unknown_fields() {
        let text = json!({"id": "c", "obfuscation": "xx", "system_fingerprint": null, "choices": [{"index": 0,
            "delta": {"role": "assistant", "content": null, "audio": {"id": "a", "transcript": "Hi", "data": "AQI="}},
            "finish_reason": null}]})
        .to_string();
        let (StreamEvent::Chunk(chunk), left_out) = StreamEvent::read(&text).expect("it is one") else {
            panic!("a chunk expected")
        };
        let audio = chunk.choices[0].message.audio.as_ref().expect("audio");
        assert_eq!(audio.data.as_ref().expect("data").0[..], [1, 2]);
        assert_eq!((audio.transcript.as_deref(), left_out.len()), (Some("Hi"), 0));
        assert_eq!(StreamEvent::read(" [DONE] ").expect("it is one").0, StreamEvent::Done);
        assert!(StreamEvent::read("{\"choices\": [").is_err());
        assert!(StreamEvent::read("[1]").is_err());
    }

    #[test]
    fn errors_are_objects_or_texts() {
        let error = |body: Value| {
            let (completion, _) = Completion::read(&json!({ "error": body }).to_string()).expect("an answer");
            completion.error.expect("an error")
        };
        assert_eq!(error(json!("busy")).message, "busy");
        let full = error(json!({"message": "no", "type": "invalid_request_error", "param": "audio", "code": null}));
        assert_eq!((full.message.as_str(), full.param.as_deref(), full.code), ("no", Some("audio"), None));
    }

    #[test]
    fn what_is_no_sound_and_no_picture_is_text() {
        let usage = CompletionUsage { prompt_tokens: 10, completion_tokens: 4, ..CompletionUsage::default() };
        let usage = usage.to_usage();
        assert!(usage.tells_input() && usage.tells_output());
        assert_eq!((usage.input_token_details.text_tokens, usage.output_token_details.text_tokens), (10, 4));
    }
}
