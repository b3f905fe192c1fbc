// SPDX-License-Identifier: MPL-2.0

//! Puts requests together: the parts of a segment, the history, and the settings.

use crate::chat::conversation::config::Config;
use crate::chat::conversation::segmenter::Segment;
use bytes::Bytes;
use openai_protocol::Base64;
use openai_protocol::chat::{AudioOutput, ImageUrl, InputAudio, Part, Request, RequestMessage, StreamOptions};
use serde_json::{Map, Value, json};

const SPOKEN: &[&str] = &["text", "audio"];
const WRITTEN: &[&str] = &["text"];
/// What a model that takes no pictures gets in their place.
const DESCRIPTION: &str = "What can be seen in the pictures that go with this: ";
/// What the model that describes pictures is asked where there is no prompt.
const DESCRIBE: &str = "Describe these pictures in detail.";

/// A text part.
pub fn text_part(text: impl Into<String>) -> Part {
    Part::Text { text: text.into() }
}

/// The pictures of a segment, each with its own text in front.
pub fn picture_parts(config: &Config, segment: &Segment) -> Vec<Part> {
    let parts = segment.frames.iter().flat_map(|frame| {
        let mut url = format!("data:{};base64,", frame.media_type);
        Base64::encode_into(&frame.file, &mut url);
        let detail = frame.detail.unwrap_or(config.detail).name();
        let prompt = frame.prompt.as_deref().filter(|text| !text.trim().is_empty()).map(text_part);
        prompt.into_iter().chain([Part::ImageUrl { image_url: ImageUrl { url, detail } }])
    });
    parts.collect()
}

/// What the user says with a segment; `pictures` stand for its frames.
pub fn user_message(config: &Config, segment: &mut Segment, pictures: Vec<Part>) -> RequestMessage {
    let prompt = config.prompt.as_deref().filter(|text| !text.trim().is_empty()).map(text_part);
    let audio = segment
        .audio
        .take()
        .map(|(file, format)| Part::InputAudio { input_audio: InputAudio { data: file.into(), format } });
    let text = segment.text.take().map(text_part);
    RequestMessage::User { content: prompt.into_iter().chain(pictures).chain(audio).chain(text).collect() }
}

/// What the model that describes pictures is asked.
pub fn describing_message(pictures: Vec<Part>) -> RequestMessage {
    RequestMessage::User { content: [text_part(DESCRIBE)].into_iter().chain(pictures).collect() }
}

/// A description in place of pictures.
pub fn description_part(description: &str) -> Part {
    text_part(format!("{DESCRIPTION}{description}"))
}

/// The body of a request for an answer.
pub fn body(config: &Config, messages: Vec<RequestMessage>, streams: bool) -> Result<Bytes, String> {
    let request = Request {
        model: config.model.clone(),
        messages: with_instructions(config, messages),
        modalities: Some(if config.speak { SPOKEN } else { WRITTEN }),
        audio: config.speak.then(|| AudioOutput {
            voice: config.voice.clone(),
            // A stream comes in raw samples alone; other answers are files.
            format: if streams { "pcm16" } else { "wav" },
        }),
        stream: streams,
        stream_options: streams.then_some(StreamOptions { include_usage: true }),
        tools: config.tools.clone(),
        tool_choice: config.tool_choice.clone(),
        max_completion_tokens: Some(config.max_tokens).filter(|tokens| *tokens > 0),
        temperature: config.temperature,
        response_format: config.response_format.clone(),
    };
    finish(&request, &config.extra)
}

/// The body of a request for a description of pictures.
pub fn describing_body(model: &str, pictures: Vec<Part>) -> Result<Bytes, String> {
    let request =
        Request { model: model.to_owned(), messages: vec![describing_message(pictures)], ..Request::default() };
    finish(&request, &Map::new())
}

fn with_instructions(config: &Config, messages: Vec<RequestMessage>) -> Vec<RequestMessage> {
    let instructions = config.instructions.clone().filter(|text| !text.trim().is_empty());
    let system = instructions.map(|content| RequestMessage::System { content });
    system.into_iter().chain(messages).collect()
}

fn finish(request: &Request, extra: &Map<String, Value>) -> Result<Bytes, String> {
    let mut value = serde_json::to_value(request).map_err(|error| error.to_string())?;
    merge(&mut value, extra);
    Ok(value.to_string().into())
}

/// Merges an object over another one as RFC 7396 has it: `null` removes a field.
fn merge(under: &mut Value, over: &Map<String, Value>) {
    if !under.is_object() {
        *under = json!({});
    }
    let Value::Object(fields) = under else { return };
    for (name, value) in over {
        match value {
            Value::Null => drop(fields.remove(name)),
            Value::Object(inner) => merge(fields.entry(name).or_insert(Value::Null), inner),
            value => drop(fields.insert(name.clone(), value.clone())),
        }
    }
}

/// The functions as Chat Completions has them. Those of the Realtime API, without an object of their own, are put into
/// one, so that the same `tools` do for both elements.
pub fn tools(value: Value) -> Result<Value, String> {
    let Value::Array(tools) = value else { return Err("expected an array of functions".into()) };
    let nested = tools.into_iter().enumerate().map(|(index, tool)| {
        let Value::Object(mut fields) = tool else { return Err(format!("[{index}]: expected an object")) };
        let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        if kind != "function" {
            return Err(format!("[{index}]: Chat Completions has functions alone, no tools of type '{kind}'"));
        }
        if !fields.contains_key("function") {
            fields.remove("type");
            fields = Map::from_iter([("type".to_owned(), json!("function")), ("function".to_owned(), fields.into())]);
        }
        match fields["function"]["name"].as_str() {
            Some(name) if !name.is_empty() => Ok(Value::Object(fields)),
            _ => Err(format!("[{index}]: a function needs a name")),
        }
    });
    nested.collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// The choice of functions as Chat Completions has it: a word, the name of a function, or JSON.
pub fn tool_choice(text: &str) -> Result<Option<Value>, String> {
    match text.trim() {
        "" | "auto" => Ok(None),
        word @ ("none" | "required") => Ok(Some(json!(word))),
        json if json.starts_with('{') => {
            let mut choice: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
            if choice["type"] == "function" && choice["function"].is_null() {
                choice = json!({"type": "function", "function": {"name": choice["name"]}});
            }
            Ok(Some(choice))
        }
        name => Ok(Some(json!({"type": "function", "function": {"name": name}}))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_is_merged_over_the_request() {
        let extra = json!({"stream_options": {"include_obfuscation": false}, "modalities": null, "seed": 7});
        let Value::Object(extra) = extra else { panic!("an object") };
        let config = Config { model: "m".into(), extra, ..Config::default() };
        let body: Value = serde_json::from_slice(&body(&config, vec![], true).expect("JSON")).expect("JSON");
        let expected = json!({"model": "m", "messages": [], "stream": true, "seed": 7,
            "stream_options": {"include_usage": true, "include_obfuscation": false}});
        assert_eq!(body, expected);
    }

    #[test]
    fn functions_of_both_apis_do() {
        let nested = json!([{"type": "function", "function": {"name": "now", "parameters": {}}}]);
        assert_eq!(tools(nested.clone()).as_ref(), Ok(&nested));
        assert_eq!(tools(json!([{"type": "function", "name": "now", "parameters": {}}])), Ok(nested));
        for (wrong, place) in [
            (json!({}), "array"),
            (json!([{"type": "mcp"}]), "'mcp'"),
            (json!([{"type": "function"}]), "[0]"),
            (json!([3]), "[0]"),
        ] {
            assert!(tools(wrong.clone()).is_err_and(|why| why.contains(place)), "{wrong}");
        }
        let named = Ok(Some(json!({"type": "function", "function": {"name": "now"}})));
        assert_eq!(tool_choice("now"), named);
        assert_eq!(tool_choice(r#"{"type": "function", "name": "now"}"#), named);
        assert_eq!((tool_choice("auto"), tool_choice("none")), (Ok(None), Ok(Some(json!("none")))));
    }
}
