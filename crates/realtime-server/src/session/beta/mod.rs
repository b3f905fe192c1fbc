// SPDX-License-Identifier: MPL-2.0

//! The beta generation of the protocol: a session that speaks it is one of GA whose events are spelt differently.
//!
//! `shapes` holds what a beta client may say, `read` makes events of GA of it, and what the session says goes through
//! [`Beta::tell`]. Nothing else in the server knows that there are two generations. The temperature, which GA has not,
//! is kept and told here, and has no effect.

mod read;
mod shapes;

use openai_protocol::ServerEvent;
use openai_protocol::dialect::{beta_event_name, beta_format_name, item_to_beta};
use serde_json::{Map, Value, json};

/// What a session has where nothing was said about it.
const TEMPERATURE: f64 = 0.8;
/// What is only known in the beta of a session.
#[derive(Debug)]
pub struct Beta {
    temperature: f64,
    /// What the event in hand asks for.
    asked: Option<f64>,
    /// Answers with a temperature of their own.
    answers: Vec<(String, f64)>,
}

impl Default for Beta {
    fn default() -> Self {
        Self { temperature: TEMPERATURE, asked: None, answers: Vec::new() }
    }
}

impl Beta {
    /// The temperature of an answer that the event in hand asks for.
    pub fn temperature(&self) -> f64 {
        self.asked.unwrap_or(self.temperature)
    }

    /// An event of the server as the beta has it; `None` where the beta has none.
    pub fn tell(&mut self, event: &ServerEvent) -> Option<Value> {
        let mut value = serde_json::to_value(event).ok()?;
        let name = value["type"].as_str().unwrap_or_default().to_string();
        match name.as_str() {
            // The beta announces an item once.
            "conversation.item.done" => return None,
            "conversation.item.added" => value["type"] = "conversation.item.created".into(),
            "session.created" | "session.updated" => self.tell_session(&name, &mut value),
            "response.created" | "response.done" => self.tell_response(&name, &mut value["response"]),
            "response.function_call_arguments.done" => drop_fields(&mut value, &["name"]),
            name => value["type"] = beta_event_name(name).into(),
        }
        value.get_mut("item").into_iter().for_each(item_to_beta);
        Some(value)
    }

    fn tell_session(&mut self, name: &str, event: &mut Value) {
        self.temperature = self.asked.take().unwrap_or(self.temperature);
        let session = &event["session"];
        let transcribes = session["type"] == "transcription";
        let flat = if transcribes { transcription_session(session) } else { session_of(session, self.temperature) };
        if transcribes {
            event["type"] = format!("transcription_{name}").into();
        }
        event["session"] = flat;
    }

    fn tell_response(&mut self, name: &str, response: &mut Value) {
        let id = response["id"].as_str().unwrap_or_default().to_string();
        if let Some(asked) = self.asked.take() {
            self.answers.push((id.clone(), asked));
        }
        let own = self.answers.iter().position(|(answer, _)| *answer == id);
        let temperature = own.map_or(self.temperature, |index| self.answers[index].1);
        if let Some(index) = own.filter(|_| name == "response.done") {
            self.answers.swap_remove(index);
        }
        let output = response["audio"]["output"].take();
        drop_fields(response, &["audio"]);
        response["modalities"] = modalities(&response["output_modalities"]);
        drop_fields(response, &["output_modalities"]);
        response["voice"] = output["voice"].clone();
        response["output_audio_format"] = format(&output["format"]);
        response["temperature"] = temperature.into();
        response["output"].as_array_mut().into_iter().flatten().for_each(item_to_beta);
        if let Some(details) = response.pointer_mut("/usage/input_token_details") {
            drop_fields(details, &["image_tokens", "cached_tokens_details"]);
        }
    }
}

/// A session of answers, flat.
fn session_of(session: &Value, temperature: f64) -> Value {
    let output = &session["audio"]["output"];
    let mut flat = input_of(session);
    let more = json!({
        "id": session["id"], "object": session["object"], "model": session["model"], "expires_at": session["expires_at"],
        "modalities": modalities(&session["output_modalities"]), "instructions": session["instructions"],
        "voice": output["voice"], "speed": output["speed"], "output_audio_format": format(&output["format"]),
        "tools": session["tools"], "tool_choice": session["tool_choice"], "temperature": temperature,
        "max_response_output_tokens": session["max_output_tokens"], "tracing": session["tracing"],
    });
    flat.extend(more.as_object().cloned().unwrap_or_default());
    flat.into()
}

/// A session that only writes down, flat.
fn transcription_session(session: &Value) -> Value {
    let mut flat = input_of(session);
    for name in ["id", "object", "expires_at", "include"] {
        flat.insert(name.into(), session[name].clone());
    }
    // The beta tells of a secret here, which was made elsewhere.
    flat.insert("client_secret".into(), Value::Null);
    flat.into()
}

/// What both kinds have.
fn input_of(session: &Value) -> Map<String, Value> {
    let input = &session["audio"]["input"];
    let mut turns = input["turn_detection"].clone();
    drop_fields(&mut turns, &["idle_timeout_ms"]);
    let flat = json!({
        "input_audio_format": format(&input["format"]), "input_audio_transcription": input["transcription"],
        "input_audio_noise_reduction": input["noise_reduction"], "turn_detection": turns,
    });
    flat.as_object().cloned().unwrap_or_default()
}

/// The beta says both of a spoken answer.
fn modalities(ga: &Value) -> Value {
    let spoken = ga.as_array().is_none_or(|words| words.iter().any(|word| word == "audio"));
    if spoken { json!(["text", "audio"]) } else { json!(["text"]) }
}

fn format(ga: &Value) -> Value {
    beta_format_name(ga["type"].as_str().unwrap_or("audio/pcm")).into()
}

fn drop_fields(value: &mut Value, names: &[&str]) {
    if let Some(map) = value.as_object_mut() {
        names.iter().for_each(|name| {
            map.remove(*name);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(event: Value) -> Option<Value> {
        let event = ServerEvent::from_json(&event.to_string()).expect("an event");
        Beta::default().tell(&event)
    }

    #[test]
    fn items_are_announced_once_and_their_parts_have_the_old_names() {
        let item =
            json!({"type": "message", "role": "assistant", "content": [{"type": "output_audio", "transcript": "hi"}]});
        let added = told(json!({"type": "conversation.item.added", "item": item})).expect("an event");
        assert_eq!(
            (&added["type"], &added["item"]["content"][0]["type"]),
            (&json!("conversation.item.created"), &json!("audio"))
        );
        assert_eq!(told(json!({"type": "conversation.item.done", "item": item})), None);
    }

    #[test]
    fn a_function_call_has_no_content() {
        let call =
            json!({"type": "function_call", "id": "item_1", "call_id": "call_1", "name": "f", "arguments": "{}"});
        let added = told(json!({"type": "conversation.item.added", "item": call})).expect("an event");
        assert_eq!(added["item"], call);
        let done = told(json!({"type": "response.done", "response": {"id": "resp_1", "output": [call]}}));
        assert_eq!(done.expect("an event")["response"]["output"], json!([call]));
    }

    #[test]
    fn events_have_the_old_names() {
        for (ga, beta) in [
            ("response.output_audio.done", "response.audio.done"),
            ("response.output_audio_transcript.done", "response.audio_transcript.done"),
            ("response.output_text.done", "response.text.done"),
            ("response.output_item.done", "response.output_item.done"),
        ] {
            assert_eq!(told(json!({"type": ga})).expect("an event")["type"], beta);
        }
    }
}
