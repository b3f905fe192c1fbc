// SPDX-License-Identifier: MPL-2.0

//! A trace without what was said, heard and seen in it, to be shown to strangers. Kinds of events, times, numbers and lengths
//! of sound stay; names become other names, the same one for the same name everywhere. A text stays only where its field is
//! known to hold a word of the API, so what this version does not know is taken out.

mod names;

use crate::audio::Formats;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use names::Names;
use openai_protocol::session::AudioFormat;
use serde_json::{Map, Value};

/// In place of text.
const REDACTED: &str = "[redacted]";
/// In place of a picture: one transparent pixel.
const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=";

/// Fields that hold words of the API.
const WORDS: [&str; 22] = [
    "code",
    "detail",
    "dir",
    "eagerness",
    "effort",
    "format",
    "input_audio_format",
    "input_modalities",
    "kind",
    "modalities",
    "model",
    "object",
    "output_audio_format",
    "output_modalities",
    "param",
    "reason",
    "role",
    "status",
    "tool_choice",
    "truncation",
    "type",
    "voice",
];
/// Objects of which even the names of the fields are the application's own.
const OWN_OBJECTS: [&str; 5] = ["headers", "logprobs", "metadata", "parameters", "tracing"];

/// Redacts the lines of one trace.
#[derive(Debug, Default)]
pub struct Redactor {
    names: Names,
    formats: Formats,
}

impl Redactor {
    /// A line of a trace without what is private in it; `None` for what is no object of JSON.
    pub fn line(&mut self, text: &str) -> Option<String> {
        let mut line: Map<String, Value> = serde_json::from_str(text).ok()?;
        if let Some(session) = line.get("ev").and_then(|event| event.get("session")) {
            self.formats.set(&serde_json::from_value(session.clone()).unwrap_or_default());
        }
        let name = line.get("ev").and_then(|event| event["type"].as_str()).unwrap_or_default().to_owned();
        self.object(&name, &mut line);
        // In the usual order, by which people and programs find their way.
        if let (Some(dir), Some(time), Some(Value::Object(event))) = (line.get("dir"), line.get("t"), line.get("ev")) {
            return Some(format!(r#"{{"dir":{dir},"t":{time},"ev":{}}}"#, write(event, &["type", "event_id"])));
        }
        Some(write(&line, &["dir", "t"]))
    }

    fn object(&mut self, event: &str, object: &mut Map<String, Value>) {
        for (key, value) in object.iter_mut() {
            match value {
                Value::String(text) => *text = self.text(event, key, text),
                Value::Object(_) if OWN_OBJECTS.contains(&&**key) => *value = Value::Object(Map::new()),
                Value::Object(inner) => self.object(event, inner),
                Value::Array(_) if OWN_OBJECTS.contains(&&**key) => *value = Value::Array(Vec::new()),
                Value::Array(values) => self.array(event, key, values),
                _ => {}
            }
        }
    }

    fn array(&mut self, event: &str, key: &str, values: &mut [Value]) {
        for value in values {
            match value {
                Value::String(text) => *text = self.text(event, key, text),
                Value::Object(object) => self.object(event, object),
                Value::Array(values) => self.array(event, key, values),
                _ => {}
            }
        }
    }

    /// What stands in a field in place of its text.
    fn text(&mut self, event: &str, key: &str, text: &str) -> String {
        let is_word = |text: &str| {
            text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte))
        };
        match key {
            // "requests" or "tokens".
            "name" if event == "rate_limits.updated" && is_word(text) => text.to_owned(),
            "id" | "name" | "server_label" => self.names.of(key, text),
            // "root" is the front of the conversation.
            "previous_item_id" if text == "root" => text.to_owned(),
            key if key.ends_with("_id") => self.names.of(key, text),
            "audio" => silence(&self.formats.input, text),
            "delta" if event.ends_with("audio.delta") => silence(&self.formats.output, text),
            "image_url" => PIXEL.to_owned(),
            "arguments" => "{}".to_owned(),
            "max_output_tokens" | "max_response_output_tokens" if text == "inf" => text.to_owned(),
            key if WORDS.contains(&key) && is_word(text) => text.to_owned(),
            _ => REDACTED.to_owned(),
        }
    }
}

/// Writes an object, some fields first.
fn write(object: &Map<String, Value>, first: &[&str]) -> String {
    let is_first = |key: &str| first.contains(&key);
    let begin = first.iter().filter_map(|key| object.get_key_value(*key));
    let fields: Vec<_> = begin
        .chain(object.iter().filter(|(key, _)| !is_first(key)))
        .map(|(key, value)| format!("{}:{value}", Value::from(key.as_str())))
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// Silence as long as the sound.
fn silence(format: &AudioFormat, base64: &str) -> String {
    let bytes = STANDARD.decode(base64).map_or(0, |sound| sound.len());
    let zero = match format {
        AudioFormat::Pcmu => 0xff,
        AudioFormat::Pcma => 0xd5,
        _ => 0,
    };
    STANDARD.encode(vec![zero; bytes])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn redacted(event: Value) -> Value {
        let line = json!({"dir": "c", "t": 1.5, "ev": event}).to_string();
        let text = Redactor::default().line(&line).expect("a line");
        assert!(!text.contains("hush"), "{text}");
        serde_json::from_str::<Value>(&text).expect("JSON")["ev"].take()
    }

    #[test]
    fn words_pictures_and_instructions_are_taken_out() {
        let content =
            json!([{"type": "input_text", "text": "hush"}, {"type": "input_image", "image_url": "data:hush"}]);
        let event = redacted(json!({"type": "conversation.item.create", "item": {"role": "user", "content": content}}));
        assert_eq!(event["item"]["content"][0], json!({"type": "input_text", "text": REDACTED}));
        assert_eq!((&event["type"], &event["item"]["role"]), (&json!("conversation.item.create"), &json!("user")));
        redacted(json!({"type": "session.update", "session": {"instructions": "hush", "metadata": {"hush": 1},
            "tools": [{"type": "function", "name": "hush_lamp", "description": "hush", "parameters": {"properties": {"hush": {}}}},
                {"type": "mcp", "authorization": "hush", "headers": {"X-hush": "hush"}}]}}));
        redacted(
            json!({"type": "error", "error": {"message": "hush is no value", "code": "a hush b"}, "new_field": ["hush"]}),
        );
        redacted(json!({"type": "response.function_call_arguments.delta", "delta": "{\"hush\":1}"}));
    }

    #[test]
    fn sound_becomes_silence_of_the_same_length() {
        let event = redacted(json!({"type": "input_audio_buffer.append", "audio": "//8BAAIA"}));
        assert_eq!(event["audio"], "AAAAAAAA");
        let event = redacted(json!({"type": "response.output_audio.delta", "delta": "//8BAA=="}));
        assert_eq!(event["delta"], "AAAAAA==");
    }

    #[test]
    fn names_are_the_same_wherever_they_stand() {
        let mut redactor = Redactor::default();
        let mut read = |text: &str| serde_json::from_str::<Value>(&redactor.line(text).expect("a line")).expect("JSON");
        let added = read(
            r#"{"dir":"s","ev":{"type":"a","event_id":"event_x","item":{"id":"item_hush"},"previous_item_id":"root"}}"#,
        );
        let deleted = read(r#"{"dir":"c","ev":{"type":"b","item_id":"item_hush"}}"#);
        assert_eq!(added["ev"]["item"]["id"], "item_1");
        assert_eq!(deleted["ev"]["item_id"], "item_1");
        assert_eq!((&added["ev"]["event_id"], &added["ev"]["previous_item_id"]), (&json!("event_1"), &json!("root")));
    }

    #[test]
    fn titles_and_messages_that_are_no_json_are_taken_out() {
        for text in [
            r#"{"trace":"hush"}"#,
            r#"{"dir":"s","raw":"hush"}"#,
            r#"{"dir":"s","close":{"code":1001,"reason":"say hush"}}"#,
        ] {
            assert!(!Redactor::default().line(text).expect("a line").contains("hush"));
        }
        assert_eq!(Redactor::default().line("hush"), None);
    }
}
