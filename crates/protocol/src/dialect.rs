// SPDX-License-Identifier: MPL-2.0

//! GA and beta spellings: the only place that knows that there are two.
//!
//! Reading accepts both always. Names that differ are in the tables here; names that are alike need no entry.

use serde_json::{Map, Value, json};

/// A generation of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Since August 2025; the only one that OpenAI itself speaks.
    #[default]
    Ga,
    /// Before that: Azure's preview API, Azure Voice Live, and older compatible servers.
    Beta,
}

/// Events of an answer: the beta's name, the GA's name.
const RESPONSES: &[(&str, &str)] = &[
    ("response.text.delta", "response.output_text.delta"),
    ("response.text.done", "response.output_text.done"),
    ("response.audio.delta", "response.output_audio.delta"),
    ("response.audio.done", "response.output_audio.done"),
    ("response.audio_transcript.delta", "response.output_audio_transcript.delta"),
    ("response.audio_transcript.done", "response.output_audio_transcript.done"),
];

/// Events of a session that only writes down, the same way. They are for reading alone: GA has one name for both kinds
/// of sessions.
const SESSIONS: &[(&str, &str)] =
    &[("transcription_session.created", "session.created"), ("transcription_session.updated", "session.updated")];

/// Formats of sound: the beta's name, the GA's name.
const FORMATS: &[(&str, &str)] = &[("pcm16", "audio/pcm"), ("g711_ulaw", "audio/pcmu"), ("g711_alaw", "audio/pcma")];

/// What the model says in an item: the beta's name of the part, the GA's name.
const PARTS: &[(&str, &str)] = &[("text", "output_text"), ("audio", "output_audio")];

type Names = [(&'static str, &'static str)];

fn ga_name(table: &Names, name: &str) -> Option<&'static str> {
    table.iter().find(|(beta, _)| *beta == name).map(|(_, ga)| *ga)
}

fn beta_name(table: &Names, name: &str) -> Option<&'static str> {
    table.iter().find(|(_, ga)| *ga == name).map(|(beta, _)| *beta)
}

/// The GA name of an event in either spelling.
pub fn ga_event_name(name: &str) -> &str {
    ga_name(RESPONSES, name).or_else(|| ga_name(SESSIONS, name)).unwrap_or(name)
}

/// The beta name of an event of an answer; every other name stays.
pub fn beta_event_name(name: &str) -> &str {
    beta_name(RESPONSES, name).unwrap_or(name)
}

/// The GA name of a format in either spelling.
pub fn ga_format_name(name: &str) -> &str {
    ga_name(FORMATS, name).unwrap_or(name)
}

/// The beta name of a format.
pub fn beta_format_name(name: &str) -> &str {
    beta_name(FORMATS, name).unwrap_or(name)
}

/// Gives the parts of an item their beta names.
pub fn item_to_beta(item: &mut Value) {
    rename_parts(item, |name| beta_name(PARTS, name));
}

/// Gives the parts of an item their GA names.
pub fn item_to_ga(item: &mut Value) {
    rename_parts(item, |name| ga_name(PARTS, name));
}

fn rename_parts(item: &mut Value, translate: impl Fn(&str) -> Option<&'static str>) {
    for part in item.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(name) = part["type"].as_str().and_then(&translate) {
            part["type"] = name.into();
        }
    }
}

/// Puts a client's event of the GA protocol into beta words. Gives back the names of fields that beta has no word for,
/// which are left out.
pub fn to_beta(event: &mut Value) -> Vec<String> {
    let mut lost = Vec::new();
    match event["type"].as_str() {
        Some("session.update") => session_to_beta(event, &mut lost),
        Some("response.create") => {
            if let Some(response) = event.get_mut("response").and_then(Value::as_object_mut) {
                flatten(response, &mut lost);
                if let Some(input) = response.get_mut("input").and_then(Value::as_array_mut) {
                    input.iter_mut().for_each(item_to_beta);
                }
            }
        }
        Some("conversation.item.create") => event.get_mut("item").into_iter().for_each(item_to_beta),
        _ => {}
    }
    lost
}

fn session_to_beta(event: &mut Value, lost: &mut Vec<String>) {
    let Some(session) = event.get_mut("session").and_then(Value::as_object_mut) else { return };
    let transcribes = session.remove("type").is_some_and(|kind| kind == "transcription");
    flatten(session, lost);
    if transcribes {
        event["type"] = json!("transcription_session.update");
    }
}

/// What is nested in a GA session or response stands at the top in beta.
fn flatten(fields: &mut Map<String, Value>, lost: &mut Vec<String>) {
    const BOTH: &[(&[&str], &str)] = &[
        (&["input", "format"], "input_audio_format"),
        (&["input", "transcription"], "input_audio_transcription"),
        (&["input", "noise_reduction"], "input_audio_noise_reduction"),
        (&["input", "turn_detection"], "turn_detection"),
        (&["output", "format"], "output_audio_format"),
        (&["output", "voice"], "voice"),
        (&["output", "speed"], "speed"),
    ];
    let mut audio = fields.remove("audio").unwrap_or_default();
    for (path, name) in BOTH {
        let inner = audio.get_mut(path[0]).and_then(Value::as_object_mut);
        if let Some(mut value) = inner.and_then(|inner| inner.remove(path[1])) {
            if path[1] == "format" {
                let ga = value["type"].as_str().unwrap_or_default();
                value = json!(beta_format_name(ga));
            }
            fields.insert((*name).into(), value);
        }
    }
    for (direction, inner) in audio.as_object().into_iter().flatten() {
        lost.extend(inner.as_object().into_iter().flatten().map(|(name, _)| format!("audio.{direction}.{name}")));
    }
    if let Some(modalities) = fields.remove("output_modalities") {
        let speaks = modalities.as_array().is_some_and(|list| list.iter().any(|one| one == "audio"));
        fields.insert("modalities".into(), if speaks { json!(["text", "audio"]) } else { json!(["text"]) });
    }
    if let Some(limit) = fields.remove("max_output_tokens") {
        fields.insert("max_response_output_tokens".into(), limit);
    }
    if let Some(name) = fields.get("tool_choice").and_then(|choice| choice.get("name")).cloned() {
        fields.insert("tool_choice".into(), json!({"type": "function", "function": {"name": name}}));
    }
    for name in ["truncation", "prompt", "reasoning", "parallel_tool_calls"] {
        if fields.remove(name).is_some() {
            lost.push(name.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_flat_in_beta() {
        let mut event = json!({"type": "session.update", "session": {
            "type": "realtime", "instructions": "Be brief.", "output_modalities": ["audio"], "max_output_tokens": "inf",
            "truncation": "auto", "tool_choice": {"type": "function", "name": "f"},
            "audio": {
                "input": {"format": {"type": "audio/pcmu"}, "transcription": null, "turn_detection": {"type": "server_vad"},
                    "mystery": 1},
                "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "ash", "speed": 1.1}}}});
        assert_eq!(to_beta(&mut event), ["audio.input.mystery", "truncation"]);
        assert_eq!(
            event,
            json!({"type": "session.update", "session": {
                "instructions": "Be brief.", "modalities": ["text", "audio"], "max_response_output_tokens": "inf",
                "tool_choice": {"type": "function", "function": {"name": "f"}},
                "input_audio_format": "g711_ulaw", "input_audio_transcription": null,
                "turn_detection": {"type": "server_vad"},
                "output_audio_format": "pcm16", "voice": "ash", "speed": 1.1}})
        );
    }

    #[test]
    fn a_session_that_only_writes_down_has_its_own_event() {
        let mut event = json!({"type": "session.update", "session": {
            "type": "transcription", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}}}});
        assert!(to_beta(&mut event).is_empty());
        assert_eq!(event, json!({"type": "transcription_session.update", "session": {"input_audio_format": "pcm16"}}));
    }

    #[test]
    fn answers_and_items_have_beta_words() {
        let mut event = json!({"type": "response.create", "response": {
            "output_modalities": ["text"], "audio": {"output": {"voice": "ash"}},
            "input": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}]}});
        assert!(to_beta(&mut event).is_empty());
        assert_eq!(
            event["response"],
            json!({"modalities": ["text"], "voice": "ash",
                "input": [{"type": "message", "role": "assistant", "content": [{"type": "text", "text": "a"}]}]})
        );
        let mut plain = json!({"type": "input_audio_buffer.commit"});
        to_beta(&mut plain);
        assert_eq!(plain, json!({"type": "input_audio_buffer.commit"}));
    }

    #[test]
    fn names_go_both_ways_and_what_has_one_name_stays() {
        for (beta, ga) in RESPONSES {
            assert_eq!((ga_event_name(beta), beta_event_name(ga)), (*ga, *beta));
        }
        for (beta, ga) in FORMATS {
            assert_eq!((ga_format_name(beta), beta_format_name(ga)), (*ga, *beta));
        }
        assert_eq!(ga_event_name("transcription_session.created"), "session.created");
        assert_eq!(beta_event_name("session.created"), "session.created");
        assert_eq!(beta_event_name("response.output_item.done"), "response.output_item.done");
    }

    #[test]
    fn parts_go_both_ways_and_an_item_without_parts_stays() {
        let ga = json!({"type": "message", "content": [{"type": "output_text"}, {"type": "output_audio"}, {}]});
        let mut item = ga.clone();
        item_to_beta(&mut item);
        assert_eq!(item["content"], json!([{"type": "text"}, {"type": "audio"}, {}]));
        item_to_ga(&mut item);
        assert_eq!(item, ga);
        let call = json!({"type": "function_call", "name": "f", "arguments": "{}"});
        let mut item = call.clone();
        item_to_beta(&mut item);
        item_to_ga(&mut item);
        assert_eq!(item, call);
    }
}
