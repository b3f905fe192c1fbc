// SPDX-License-Identifier: MPL-2.0

//! Answers of a server: one object, or chunks of a stream.
//!
//! Read by hand, field by field: a field of another kind than it should be is taken as it is meant where that is clear,
//! and otherwise left out and named, and the rest counts.

use crate::fields::STANDARD;
use crate::{Base64, ReadError, tolerant};
use base64::Engine;
use serde_json::{Map, Value};

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct Completion {
    pub id: Option<String>,
    pub model: Option<String>,
    pub choices: Vec<Choice>,
    pub usage: Option<CompletionUsage>,
    pub error: Option<ErrorBody>,
}

/// A piece of a streamed answer. The fields are those of the whole answer, in pieces.
pub type Chunk = Completion;

/// One of the answers to a request; this project asks for one only.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct Choice {
    pub index: u32,
    pub message: Message,
    pub finish_reason: Option<String>,
}

/// A message of the model, or a piece of one.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct Message {
    pub content: Option<String>,
    pub refusal: Option<String>,
    pub audio: Option<AnswerAudio>,
    pub tool_calls: Vec<ToolCallDelta>,
}

/// A spoken answer, or a piece of one.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct AnswerAudio {
    pub id: Option<String>,
    pub transcript: Option<String>,
    /// Samples or a file, decoded. Each piece of a stream is base64 of its own.
    pub data: Option<Base64>,
    pub expires_at: Option<i64>,
}

/// A call, or a piece of one.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct ToolCallDelta {
    pub index: Option<u32>,
    pub id: Option<String>,
    pub function: FunctionDelta,
}

/// The function of a call, or a piece of its arguments.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct FunctionDelta {
    pub name: Option<String>,
    pub arguments: Option<String>,
}

/// The tokens of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct CompletionUsage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub prompt_tokens_details: PromptTokens,
    pub completion_tokens_details: CompletionTokens,
}

/// The request's tokens by kind.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct PromptTokens {
    pub audio_tokens: u64,
    pub text_tokens: u64,
    pub image_tokens: u64,
    pub cached_tokens: u64,
}

/// The answer's tokens by kind.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct CompletionTokens {
    pub audio_tokens: u64,
    pub text_tokens: u64,
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

/// A line of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent {
    /// More of the answer.
    Chunk(Box<Chunk>),
    /// `[DONE]`: nothing follows.
    Done,
}

/// Reads fields, and keeps the places of what cannot be read.
#[derive(Default)]
struct Reader {
    left_out: Vec<String>,
}

impl Reader {
    fn leave_out<T>(&mut self, place: &str) -> Option<T> {
        self.left_out.push(place.to_owned());
        None
    }

    /// Text; numbers and the like are taken for theirs.
    fn text(&mut self, fields: &Value, name: &str) -> Option<String> {
        match &fields[name] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Array(_) | Value::Object(_) => self.leave_out(name),
        }
    }

    /// A whole number, whose text and whose fraction do as well.
    fn number(&mut self, fields: &Value, name: &str) -> Option<i64> {
        let number = match &fields[name] {
            Value::Null => return None,
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|number| number as i64)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.or_else(|| self.leave_out(name))
    }

    fn count(&mut self, fields: &Value, name: &str) -> u64 {
        match self.number(fields, name).map(u64::try_from) {
            Some(Ok(count)) => count,
            Some(Err(_)) => self.leave_out(name).unwrap_or_default(),
            None => 0,
        }
    }

    /// Base64; some servers leave the padding out, some use the letters for URLs.
    fn bytes(&mut self, fields: &Value, name: &str) -> Option<Base64> {
        let Value::String(text) = &fields[name] else {
            return if fields[name].is_null() { None } else { self.leave_out(name) };
        };
        let decoded = STANDARD.decode(text).ok().or_else(|| STANDARD.decode(tolerant::padded(text)).ok());
        decoded.map(Base64::from).or_else(|| self.leave_out(name))
    }

    /// An object; `None` where there is none.
    fn object<'a>(&mut self, fields: &'a Value, name: &str) -> Option<&'a Value> {
        match &fields[name] {
            Value::Null => None,
            object @ Value::Object(_) => Some(object),
            _ => self.leave_out(name),
        }
    }

    /// The objects of a list.
    fn list<'a>(&mut self, fields: &'a Value, name: &str) -> Vec<&'a Value> {
        match &fields[name] {
            Value::Null => Vec::new(),
            Value::Array(list) => {
                let (objects, others): (Vec<_>, Vec<_>) = list.iter().partition(|entry| entry.is_object());
                self.left_out.extend(others.iter().map(|_| format!("{name}[]")));
                objects
            }
            _ => self.leave_out(name).unwrap_or_default(),
        }
    }

    fn choices(&mut self, fields: &Value, content: &str) -> Vec<Choice> {
        let choices = self.list(fields, "choices").into_iter().map(|choice| Choice {
            index: u32::try_from(self.count(choice, "index")).unwrap_or(u32::MAX),
            message: self.object(choice, content).map(|message| self.message(message)).unwrap_or_default(),
            finish_reason: self.text(choice, "finish_reason"),
        });
        choices.collect()
    }

    fn message(&mut self, message: &Value) -> Message {
        Message {
            content: self.text(message, "content"),
            refusal: self.text(message, "refusal"),
            audio: self.object(message, "audio").map(|audio| AnswerAudio {
                id: self.text(audio, "id"),
                transcript: self.text(audio, "transcript"),
                data: self.bytes(audio, "data"),
                expires_at: self.number(audio, "expires_at"),
            }),
            tool_calls: self.list(message, "tool_calls").into_iter().map(|call| self.call(call)).collect(),
        }
    }

    fn call(&mut self, call: &Value) -> ToolCallDelta {
        let function = &call["function"];
        ToolCallDelta {
            index: self.number(call, "index").and_then(|index| u32::try_from(index).ok()),
            id: self.text(call, "id"),
            function: FunctionDelta {
                name: self.text(function, "name"),
                // Some servers send them as the object that the text is to hold.
                arguments: match &function["arguments"] {
                    object @ Value::Object(_) => Some(object.to_string()),
                    _ => self.text(function, "arguments"),
                },
            },
        }
    }

    fn usage(&mut self, fields: &Value) -> Option<CompletionUsage> {
        let usage = self.object(fields, "usage")?;
        let (prompt, completion) = (&usage["prompt_tokens_details"], &usage["completion_tokens_details"]);
        Some(CompletionUsage {
            prompt_tokens: self.count(usage, "prompt_tokens"),
            completion_tokens: self.count(usage, "completion_tokens"),
            prompt_tokens_details: PromptTokens {
                audio_tokens: self.count(prompt, "audio_tokens"),
                text_tokens: self.count(prompt, "text_tokens"),
                image_tokens: self.count(prompt, "image_tokens"),
                cached_tokens: self.count(prompt, "cached_tokens"),
            },
            completion_tokens_details: CompletionTokens {
                audio_tokens: self.count(completion, "audio_tokens"),
                text_tokens: self.count(completion, "text_tokens"),
                reasoning_tokens: self.count(completion, "reasoning_tokens"),
            },
        })
    }

    fn answer(&mut self, value: &Value, content: &str) -> Completion {
        Completion {
            id: self.text(value, "id"),
            model: self.text(value, "model"),
            choices: self.choices(value, content),
            usage: self.usage(value),
            error: ErrorBody::read(&value["error"]),
        }
    }
}

impl ErrorBody {
    /// Reads the `error` of a body; `None` where there is none.
    pub fn read(value: &Value) -> Option<Self> {
        let text = |value: &Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let Value::Object(fields) = value else {
            return text(value).map(|message| Self { message, ..Self::default() });
        };
        let field = |name: &str| fields.get(name).and_then(text);
        let message = field("message").unwrap_or_else(|| value.to_string());
        Some(Self { message, kind: field("type"), param: field("param"), code: field("code") })
    }
}

fn read(text: &str, content: &str) -> Result<(Completion, Vec<String>), ReadError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let fields: Map<String, Value> = serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&tolerant::with_whole_letters(text)))
        .map_err(ReadError::NotJson)?;
    let mut reader = Reader::default();
    let answer = reader.answer(&Value::Object(fields), content);
    Ok((answer, reader.left_out))
}

impl Completion {
    /// Reads a whole answer as far as it can be read, with the places of what was left out.
    pub fn read(text: &str) -> Result<(Self, Vec<String>), ReadError> {
        read(text, "message")
    }
}

impl StreamEvent {
    /// Reads the data of a server-sent event, with the places of what was left out.
    pub fn read(data: &str) -> Result<(Self, Vec<String>), ReadError> {
        if data.trim() == "[DONE]" {
            return Ok((Self::Done, Vec::new()));
        }
        let (chunk, left_out) = read(data, "delta")?;
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
        let odd = json!({"choices": [3, {"index": "0", "delta": {"content": 5, "audio": {"data": "AQI", "expires_at": 9.5},
            "tool_calls": {}}, "finish_reason": ["stop"]}]});
        let (StreamEvent::Chunk(chunk), left_out) = StreamEvent::read(&odd.to_string()).expect("it is one") else {
            panic!("a chunk expected")
        };
        let message = &chunk.choices[0].message;
        let audio = message.audio.clone().expect("audio");
        assert_eq!((message.content.as_deref(), audio.expires_at), (Some("5"), Some(9)));
        assert_eq!(audio.data.expect("data").0[..], [1, 2]);
        assert_eq!(left_out, ["choices[]", "tool_calls", "finish_reason"]);
        let half = r#"{"choices":[{"delta":{"content":"a\ud83d"}}]}"#;
        assert!(StreamEvent::read(half).is_ok());
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
