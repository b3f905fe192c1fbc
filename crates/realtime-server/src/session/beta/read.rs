// SPDX-License-Identifier: MPL-2.0

//! From what a beta client says to an event of GA.

use crate::api_error::ApiError;
use crate::session::beta::Beta;
use crate::session::beta::shapes;
use crate::session::read::{Bad, read};
use crate::session::schema::check_fields;
use openai_protocol::ClientEvent;
use openai_protocol::dialect::{ga_format_name, item_to_ga};
use serde_json::{Map, Value, json};

impl Beta {
    /// Reads and checks one message.
    pub fn read(&mut self, text: &str) -> Result<ClientEvent, Bad> {
        self.asked = None;
        let Ok(Value::Object(mut event)) = serde_json::from_str(text) else { return read(text) };
        let name = event.get("type").and_then(Value::as_str).unwrap_or_default().to_string();
        let Some((_, fields)) = shapes::EVENTS.iter().find(|(known, _)| *known == name) else { return read(text) };
        let event_id = event.get("event_id").and_then(Value::as_str).map(str::to_owned);
        let bad = |refusal| Bad { refusal, event_id: event_id.clone() };
        check_fields(&event, fields, &["type", "event_id"], "").map_err(bad)?;
        match name.as_str() {
            "session.update" => change(&mut event, "session", |session| self.session(session)).map_err(bad)?,
            "transcription_session.update" => {
                event.insert("type".into(), "session.update".into());
                change(&mut event, "session", transcription_session).map_err(bad)?;
            }
            "response.create" => change(&mut event, "response", |response| self.response(response)).map_err(bad)?,
            _ => event.get_mut("item").into_iter().for_each(item_to_ga),
        }
        read(&Value::Object(event).to_string())
    }

    fn session(&mut self, mut flat: Map<String, Value>) -> Result<Value, ApiError> {
        self.asked = flat.remove("temperature").as_ref().and_then(Value::as_f64);
        flat.remove("client_secret");
        let input = input(&mut flat);
        let output = output(&mut flat, "session")?;
        let mut session = Map::from_iter([("type".to_string(), "realtime".into())]);
        let mut audio = Map::new();
        put(&mut audio, "input", input);
        put(&mut audio, "output", output);
        put(&mut session, "audio", audio);
        session.extend(flat);
        Ok(session.into())
    }

    fn response(&mut self, mut flat: Map<String, Value>) -> Result<Value, ApiError> {
        self.asked = flat.remove("temperature").as_ref().and_then(Value::as_f64);
        let output = output(&mut flat, "response")?;
        let mut audio = Map::new();
        put(&mut audio, "output", output);
        put(&mut flat, "audio", audio);
        flat.get_mut("input").and_then(Value::as_array_mut).into_iter().flatten().for_each(item_to_ga);
        Ok(flat.into())
    }
}

/// Puts another object in the place of one; a `null` stays.
fn change(
    event: &mut Map<String, Value>,
    name: &str,
    how: impl FnOnce(Map<String, Value>) -> Result<Value, ApiError>,
) -> Result<(), ApiError> {
    match event.remove(name) {
        Some(Value::Object(old)) => event.insert(name.into(), how(old)?),
        Some(other) => event.insert(name.into(), other),
        None => None,
    };
    Ok(())
}

fn transcription_session(mut flat: Map<String, Value>) -> Result<Value, ApiError> {
    let input = input(&mut flat);
    let mut session = json!({"type": "transcription", "audio": {"input": input}});
    if let Some(include) = flat.remove("include") {
        session["include"] = include;
    }
    Ok(session)
}

/// What stands under `audio.input`.
fn input(flat: &mut Map<String, Value>) -> Map<String, Value> {
    let mut input = Map::new();
    for (beta, ga) in [
        ("input_audio_transcription", "transcription"),
        ("input_audio_noise_reduction", "noise_reduction"),
        ("turn_detection", "turn_detection"),
    ] {
        input.extend(flat.remove(beta).map(|value| (ga.to_string(), value)));
    }
    input.extend(flat.remove("input_audio_format").map(|name| ("format".to_string(), format(&name))));
    input
}

/// What stands under `audio.output`; and what is only called differently.
fn output(flat: &mut Map<String, Value>, place: &str) -> Result<Map<String, Value>, ApiError> {
    let mut output = Map::new();
    for name in ["voice", "speed"] {
        output.extend(flat.remove(name).map(|value| (name.to_string(), value)));
    }
    output.extend(flat.remove("output_audio_format").map(|name| ("format".to_string(), format(&name))));
    if let Some(limit) = flat.remove("max_response_output_tokens") {
        flat.insert("max_output_tokens".into(), limit);
    }
    if let Some(words) = flat.remove("modalities") {
        flat.insert("output_modalities".into(), modalities(&words, place)?);
    }
    if let Some(name) = flat.get("tool_choice").and_then(|choice| choice.pointer("/function/name")).cloned() {
        flat.insert("tool_choice".into(), json!({"type": "function", "name": name}));
    }
    Ok(output)
}

fn modalities(words: &Value, place: &str) -> Result<Value, ApiError> {
    let has = |name: &str| words.as_array().is_some_and(|words| words.iter().any(|word| word == name));
    match (has("text"), has("audio")) {
        (true, audio) => Ok(json!([if audio { "audio" } else { "text" }])),
        _ => {
            let message =
                format!("Invalid modalities: {words}. Supported combinations are: ['text'] and ['audio', 'text'].");
            Err(ApiError::new("invalid_value", message).at(format!("{place}.modalities")))
        }
    }
}

fn format(name: &Value) -> Value {
    json!({"type": ga_format_name(name.as_str().unwrap_or("pcm16"))})
}

fn put(map: &mut Map<String, Value>, name: &str, inner: Map<String, Value>) {
    if !inner.is_empty() {
        map.insert(name.into(), inner.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(event: Value) -> Result<Value, String> {
        match Beta::default().read(&event.to_string()) {
            Ok(event) => Ok(serde_json::from_str(&event.to_json()).expect("JSON")),
            Err(bad) => Err(format!("{:?}", bad.refusal)),
        }
    }

    #[test]
    fn a_flat_session_becomes_a_nested_one() {
        let session = json!({"modalities": ["audio", "text"], "voice": "ash", "input_audio_format": "g711_ulaw",
            "turn_detection": null, "input_audio_transcription": {"model": "whisper-1"}, "temperature": 0.7,
            "max_response_output_tokens": 100, "tool_choice": {"type": "function", "function": {"name": "f"}}});
        let read = read(json!({"type": "session.update", "session": session})).expect("an event");
        let expected = json!({"type": "realtime", "output_modalities": ["audio"], "max_output_tokens": 100,
            "tool_choice": {"type": "function", "name": "f"}, "audio": {"output": {"voice": "ash"},
            "input": {"format": {"type": "audio/pcmu"}, "turn_detection": null, "transcription": {"model": "whisper-1"}}}});
        assert_eq!(read["session"], expected);
    }

    #[test]
    fn what_only_ga_has_is_refused() {
        for session in [
            json!({"type": "realtime"}),
            json!({"output_modalities": ["audio"]}),
            json!({"audio": {}}),
            json!({"max_output_tokens": 5}),
            json!({"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}),
        ] {
            let refused = read(json!({"type": "session.update", "session": session})).expect_err("a refusal");
            assert!(refused.contains("unknown_parameter"), "{refused}");
        }
        for (session, code) in [
            (json!({"temperature": 1.3}), "decimal_above_max_value"),
            (json!({"temperature": 0.5}), "decimal_below_min_value"),
            (json!({"modalities": ["audio"]}), "invalid_value"),
        ] {
            let refused = read(json!({"type": "session.update", "session": session})).expect_err("a refusal");
            assert!(refused.contains(code), "{refused}");
        }
    }

    #[test]
    fn an_assistants_text_has_its_new_name() {
        let event = json!({"type": "conversation.item.create", "item": {"type": "message", "role": "assistant",
            "content": [{"type": "text", "text": "hi"}]}});
        assert_eq!(read(event).expect("an event")["item"]["content"][0]["type"], "output_text");
    }
}
