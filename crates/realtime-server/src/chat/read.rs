// SPDX-License-Identifier: MPL-2.0

//! Reads a request: what an engine is asked, and how the answer is to come. What is wrong with it is refused with
//! OpenAI's codes and the place.

use crate::api_error::ApiError;
use crate::audio::Sound;
use crate::audio_file::FileFormat;
use crate::engine::Choice;
use crate::engine::{Part, Prompt, Turn, Utterance};
use crate::picture::Picture;
use crate::session::usage::{self, Counts};
use crate::spoken_answers::SpokenAnswers;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openai_protocol::items::Role;
use serde_json::{Value, json};
use std::sync::Arc;

/// The formats of spoken answers that are made here.
const FORMATS: &[&str] = &["wav", "pcm16"];
/// The formats of OpenAI.
const ALL_FORMATS: &[&str] = &["wav", "mp3", "flac", "opus", "aac", "pcm16"];

/// A request that was read.
#[derive(Debug)]
pub struct ChatRequest {
    pub model: String,
    pub prompt: Prompt,
    /// `wav` or `pcm16`, where the answer is spoken.
    pub format: Option<&'static str>,
    pub stream: bool,
    pub include_usage: bool,
    /// Most tokens of the answer.
    pub max_tokens: Option<u64>,
    /// The answer is to be a JSON object.
    pub wants_json: bool,
    /// The tokens of the messages.
    pub input: Counts,
}

fn missing(param: &str) -> ApiError {
    ApiError::new("missing_required_parameter", format!("Missing required parameter: '{param}'.")).at(param)
}

fn wrong_type(param: &str, expected: &str, value: &Value) -> ApiError {
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    ApiError::new("invalid_type", format!("Invalid type for '{param}': expected {expected}, but got {got} instead."))
        .at(param)
}

fn flag(value: &Value, param: &str) -> Result<bool, ApiError> {
    match value {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(*flag),
        other => Err(wrong_type(param, "a boolean", other)),
    }
}

impl ChatRequest {
    /// Reads a request.
    pub fn read(value: &Value, spoken: &SpokenAnswers) -> Result<Self, ApiError> {
        let model = match &value["model"] {
            Value::String(model) if !model.is_empty() => model.clone(),
            Value::Null => return Err(missing("model")),
            other => return Err(wrong_type("model", "a string", other)),
        };
        let stream = flag(&value["stream"], "stream")?;
        let include_usage = flag(&value["stream_options"]["include_usage"], "stream_options.include_usage")?;
        if !stream && !value["stream_options"].is_null() {
            let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
            return Err(ApiError::new("invalid_value", message).at("stream_options"));
        }
        let format = read_format(value, stream)?;
        let messages = match &value["messages"] {
            Value::Array(messages) if messages.is_empty() => {
                let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.";
                return Err(ApiError::new("empty_array", message).at("messages"));
            }
            Value::Array(messages) => messages,
            Value::Null => return Err(missing("messages")),
            other => return Err(wrong_type("messages", "an array of objects", other)),
        };
        let mut input = Counts::default();
        let mut prompt = Prompt {
            speak: format.is_some(),
            voice: voice(&value["audio"]["voice"]),
            tools: read_tools(&value["tools"])?,
            choice: read_choice(&value["tool_choice"]),
            parallel: value["parallel_tool_calls"] != false,
            ..Prompt::default()
        };
        prompt.temperature = value["temperature"].as_f64();
        for (index, message) in messages.iter().enumerate() {
            read_message(message, &format!("messages[{index}]"), spoken, &mut prompt, &mut input)?;
        }
        let max = [&value["max_completion_tokens"], &value["max_tokens"]].into_iter().find(|value| !value.is_null());
        let max_tokens = match max {
            None => None,
            Some(max) => Some(max.as_u64().filter(|max| *max > 0).ok_or_else(|| {
                let message = "Invalid 'max_completion_tokens': integer below minimum value. Expected a value >= 1.";
                ApiError::new("integer_below_min_value", message).at("max_completion_tokens")
            })?),
        };
        prompt.max_tokens = max_tokens;
        let wants_json = matches!(value["response_format"]["type"].as_str(), Some("json_object" | "json_schema"));
        Ok(Self { model, prompt, format, stream, include_usage, max_tokens, wants_json, input })
    }
}

/// The audio format of the answer, if it is to be spoken.
fn read_format(value: &Value, stream: bool) -> Result<Option<&'static str>, ApiError> {
    let modalities = match &value["modalities"] {
        Value::Null => return Ok(None),
        Value::Array(modalities) => modalities,
        other => return Err(wrong_type("modalities", "an array of strings", other)),
    };
    for (index, modality) in modalities.iter().enumerate() {
        if modality != "text" && modality != "audio" {
            let param = format!("modalities[{index}]");
            return Err(ApiError::unknown_word(&param, modality.as_str().unwrap_or_default(), &["text", "audio"]));
        }
    }
    if !modalities.iter().any(|modality| modality == "audio") {
        return Ok(None);
    }
    if value["audio"].is_null() {
        return Err(missing("audio"));
    }
    let (voice, wished) = (&value["audio"]["voice"], &value["audio"]["format"]);
    if voice.is_null() {
        return Err(missing("audio.voice"));
    }
    let wished = wished.as_str().ok_or_else(|| missing("audio.format"))?;
    if !ALL_FORMATS.contains(&wished) {
        return Err(ApiError::unknown_word("audio.format", wished, ALL_FORMATS));
    }
    if stream && wished != "pcm16" {
        let message = format!(
            "Unsupported value: 'audio.format' does not support '{wished}' when stream=true. Supported values are: \
             'pcm16'."
        );
        return Err(ApiError::new("unsupported_value", message).at("audio.format"));
    }
    let known = FORMATS.iter().find(|format| **format == wished);
    known.copied().map(Some).ok_or_else(|| {
        let message =
            format!("Unsupported value: this server makes no '{wished}'. Supported values are: 'wav' and 'pcm16'.");
        ApiError::new("unsupported_value", message).at("audio.format")
    })
}

/// The name of the voice, or of one's own.
fn voice(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value["id"].as_str()).map(str::to_owned)
}

/// The functions, without the object that the Realtime API does not have.
fn read_tools(value: &Value) -> Result<Vec<Value>, ApiError> {
    let tools = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(tools) => tools,
        other => return Err(wrong_type("tools", "an array of objects", other)),
    };
    let flat = tools.iter().enumerate().map(|(index, tool)| {
        let mut function = tool["function"].clone();
        if tool["type"] != "function" || function["name"].as_str().is_none_or(str::is_empty) {
            return Err(missing(&format!("tools[{index}].function.name")));
        }
        function["type"] = json!("function");
        Ok(function)
    });
    flat.collect()
}

fn read_choice(value: &Value) -> Choice {
    match value["function"]["name"].as_str() {
        Some(name) => Choice::Function(name.to_owned()),
        None => Choice::read(value),
    }
}

fn read_message(
    message: &Value,
    place: &str,
    spoken: &SpokenAnswers,
    prompt: &mut Prompt,
    input: &mut Counts,
) -> Result<(), ApiError> {
    let roles = ["system", "developer", "user", "assistant", "tool"];
    let role = message["role"].as_str().ok_or_else(|| missing(&format!("{place}.role")))?;
    let turn_role = match role {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" | "tool" => Role::Assistant,
        other => return Err(ApiError::unknown_word(&format!("{place}.role"), other, &roles)),
    };
    let mut parts = if role == "tool" {
        vec![read_result(message, place, prompt, input)?]
    } else {
        read_content(&message["content"], place, input)?
    };
    if let Some(id) = message["audio"]["id"].as_str() {
        let Some(text) = spoken.find(id) else {
            let text = format!("Audio with id '{id}' was not found or has expired.");
            return Err(ApiError::new("invalid_value", text).at(format!("{place}.audio.id")));
        };
        parts.push(Part::Text(text));
    }
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (name, arguments) = (text(&call["function"]["name"]), text(&call["function"]["arguments"]));
        parts.push(Part::Call { call_id: text(&call["id"]), name, arguments });
    }
    for part in &parts {
        if let Part::Text(text) = part {
            input.text += usage::text(text);
        }
    }
    input.text += usage::MESSAGE;
    if turn_role == Role::System {
        let texts = parts.into_iter().filter_map(|part| if let Part::Text(text) = part { Some(text) } else { None });
        for text in texts {
            if !prompt.instructions.is_empty() {
                prompt.instructions.push('\n');
            }
            prompt.instructions.push_str(&text);
        }
        return Ok(());
    }
    prompt.turns.push(Turn { role: turn_role, parts });
    Ok(())
}

/// The result of a function that was called before.
fn read_result(message: &Value, place: &str, prompt: &Prompt, input: &mut Counts) -> Result<Part, ApiError> {
    let call_id = message["tool_call_id"].as_str().ok_or_else(|| missing(&format!("{place}.tool_call_id")))?;
    let mut known = prompt.turns.iter().flat_map(|turn| &turn.parts);
    if !known.any(|part| matches!(part, Part::Call { call_id: id, .. } if id == call_id)) {
        let text =
            "Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.";
        return Err(ApiError::without_code(text).at(format!("{place}.role")));
    }
    let text = written(&message["content"]);
    input.text += usage::text(&text);
    Ok(Part::Output { call_id: call_id.to_owned(), text })
}

/// The parts of a content, which may be a string.
fn read_content(content: &Value, place: &str, input: &mut Counts) -> Result<Vec<Part>, ApiError> {
    match content {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![Part::Text(text.clone())]),
        Value::Array(parts) => {
            let place = |index| format!("{place}.content[{index}]");
            parts.iter().enumerate().map(|(index, part)| read_part(part, &place(index), input)).collect()
        }
        other => Err(wrong_type(&format!("{place}.content"), "one of a string or array of objects", other)),
    }
}

/// The text of a content that may be a string or parts.
fn written(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

fn read_part(part: &Value, place: &str, input: &mut Counts) -> Result<Part, ApiError> {
    let kinds = ["text", "image_url", "input_audio", "refusal"];
    match part["type"].as_str().ok_or_else(|| missing(&format!("{place}.type")))? {
        kind @ ("text" | "refusal") => {
            let text = part[kind].as_str().ok_or_else(|| missing(&format!("{place}.{kind}")))?;
            Ok(Part::Text(text.to_owned()))
        }
        "image_url" => {
            let place = format!("{place}.image_url.url");
            let url = part["image_url"]["url"].as_str().ok_or_else(|| missing(&place))?;
            let picture = Picture::read(url, part["image_url"]["detail"].as_str(), &place)?;
            input.image += usage::picture_tokens(&picture);
            Ok(Part::Picture(Arc::new(picture)))
        }
        "input_audio" => {
            let sound = read_audio(&part["input_audio"], &format!("{place}.input_audio"))?;
            input.audio += usage::user_audio(sound.ms());
            Ok(Part::Sound(Utterance::new(sound)))
        }
        other => Err(ApiError::unknown_word(&format!("{place}.type"), other, &kinds)),
    }
}

fn read_audio(audio: &Value, place: &str) -> Result<Sound, ApiError> {
    let bad = |message: String| {
        ApiError::new("invalid_value", format!("Invalid '{place}.data': {message}.")).at(format!("{place}.data"))
    };
    let data = audio["data"].as_str().ok_or_else(|| missing(&format!("{place}.data")))?;
    let format = match audio["format"].as_str() {
        Some("wav") => FileFormat::Wav,
        Some("mp3") => FileFormat::Mp3,
        Some(other) => return Err(ApiError::unknown_word(&format!("{place}.format"), other, &["wav", "mp3"])),
        None => return Err(missing(&format!("{place}.format"))),
    };
    let file = STANDARD.decode(data).map_err(|error| bad(error.to_string()))?;
    format.decode(&file).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use audio_dsp::wav;

    fn read(value: Value) -> Result<ChatRequest, ApiError> {
        ChatRequest::read(&value, &SpokenAnswers::default())
    }

    fn user(content: Value) -> Value {
        json!({"model": "m", "messages": [{"role": "user", "content": content}]})
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_place() {
        let mut speaks = user(json!("hi"));
        speaks["modalities"] = json!(["text", "audio"]);
        let mut streams = speaks.clone();
        streams["audio"] = json!({"voice": "alloy", "format": "wav"});
        streams["stream"] = json!(true);
        for (request, param) in [
            (json!({"messages": []}), "model"),
            (json!({"model": "m"}), "messages"),
            (json!({"model": "m", "messages": []}), "messages"),
            (json!({"model": "m", "messages": [{"role": "robot"}]}), "messages[0].role"),
            (user(json!([{"type": "video"}])), "messages[0].content[0].type"),
            (
                user(json!([{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}])),
                "messages[0].content[0].input_audio.data",
            ),
            (
                user(json!([{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}])),
                "messages[0].content[0].input_audio.data",
            ),
            (
                user(json!([{"type": "image_url", "image_url": {"url": "https://x/y.png"}}])),
                "messages[0].content[0].image_url.url",
            ),
            (
                json!({"model": "m", "messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]}),
                "messages[0].role",
            ),
            (speaks, "audio"),
            (streams, "audio.format"),
        ] {
            let error = read(request.clone()).expect_err("it is wrong");
            assert_eq!(error.body()["error"]["param"], param, "{request}");
        }
    }

    #[test]
    fn a_conversation_becomes_a_prompt() {
        let spoken = SpokenAnswers::default();
        spoken.add("audio_1".into(), "Hello.".into());
        let mut file = wav::header(16_000, 3_200).to_vec();
        file.extend([0; 3_200]);
        let request = json!({"model": "m", "tools": [{"type": "function", "function": {"name": "now"}}], "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"},
                {"type": "input_audio", "input_audio": {"data": STANDARD.encode(&file), "format": "wav"}}]},
            {"role": "assistant", "audio": {"id": "audio_1"}},
            {"role": "assistant", "content": null,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "noon"}]});
        let read = ChatRequest::read(&request, &spoken).expect("it is right");
        assert_eq!((read.prompt.instructions.as_str(), read.prompt.turns.len()), ("Be brief.", 4));
        assert_eq!(read.prompt.tools, [json!({"type": "function", "name": "now"})]);
        assert!(matches!(&read.prompt.turns[0].parts[1], Part::Sound(utterance) if utterance.sound.ms() == 100));
        assert!(matches!(&read.prompt.turns[1].parts[0], Part::Text(text) if text == "Hello."));
        assert_eq!((read.input.audio, read.format), (1, None));
    }
}
