// SPDX-License-Identifier: MPL-2.0

//! The body of `POST /chat/completions`.

use serde::Serialize;
use serde_json::Value;

/// A request. What is `None` or empty is left out, and the server's default counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct Request {
    pub model: String,
    pub messages: Vec<RequestMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modalities: Option<&'static [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioOutput>,
    #[serde(skip_serializing_if = "is_false")]
    pub stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<Value>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Options of a streamed answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct StreamOptions {
    pub include_usage: bool,
}

/// Voice and format of a spoken answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct AudioOutput {
    pub voice: String,
    pub format: &'static str,
}

/// A message of the conversation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the API's own words")]
pub enum RequestMessage {
    System {
        content: String,
    },
    User {
        content: Vec<Part>,
    },
    Assistant {
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        audio: Option<AssistantAudio>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall>,
    },
    Tool {
        tool_call_id: String,
        content: String,
    },
}

/// A spoken answer that the server still has.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct AssistantAudio {
    pub id: String,
}

/// A call that the model made, as it is told back to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "function")]
#[allow(missing_docs, reason = "the API's own words")]
pub struct ToolCall {
    pub id: String,
    pub function: Function,
}

/// Which function was called, and with what.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct Function {
    pub name: String,
    pub arguments: String,
}

/// A part of the user's message.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the API's own words")]
pub enum Part {
    Text { text: String },
    InputAudio { input_audio: InputAudio },
    ImageUrl { image_url: ImageUrl },
}

/// An audio file.
#[derive(Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct InputAudio {
    pub data: crate::Base64,
    pub format: &'static str,
}

impl std::fmt::Debug for InputAudio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} bytes", self.format, self.data.0.len())
    }
}

/// A picture as a data URL.
#[derive(Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the API's own words")]
pub struct ImageUrl {
    pub url: String,
    pub detail: &'static str,
}

impl std::fmt::Debug for ImageUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a picture of {} characters, detail {}", self.url.len(), self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_says_only_what_is_set() {
        let parts = vec![
            Part::Text { text: "What is it?".into() },
            Part::InputAudio { input_audio: InputAudio { data: vec![1, 2, 3].into(), format: "wav" } },
            Part::ImageUrl { image_url: ImageUrl { url: "data:image/png;base64,AA==".into(), detail: "low" } },
        ];
        let call = ToolCall { id: "c1".into(), function: Function { name: "now".into(), arguments: "{}".into() } };
        let request = Request {
            model: "m".into(),
            messages: vec![
                RequestMessage::System { content: "Be brief.".into() },
                RequestMessage::User { content: parts },
                RequestMessage::Assistant { content: None, audio: None, tool_calls: vec![call] },
                RequestMessage::Tool { tool_call_id: "c1".into(), content: "noon".into() },
                RequestMessage::Assistant {
                    content: None,
                    audio: Some(AssistantAudio { id: "audio_1".into() }),
                    tool_calls: vec![],
                },
            ],
            ..Request::default()
        };
        let expected = json!({"model": "m", "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "input_audio", "input_audio": {"data": "AQID", "format": "wav"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}}]},
            {"role": "assistant", "tool_calls": [
                {"type": "function", "id": "c1", "function": {"name": "now", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "noon"},
            {"role": "assistant", "audio": {"id": "audio_1"}}]});
        assert_eq!(json!(request), expected);
    }
}
