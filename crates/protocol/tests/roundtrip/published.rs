// SPDX-License-Identifier: MPL-2.0

//! Every published event is read and written without loss, and what nobody has published yet survives. What may differ
//! between what was read and what is written stands in the tables here.

use super::{Words, all_examples, read, schema, written};
use openai_protocol::{ClientEvent, ServerEvent};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Members of server events that are written though they were absent or `null`: as `null`, or as nothing where
/// something is counted or said. A reader takes the one for the other.
const FILLED_IN: &[&str] = &[
    "previous_item_id",
    "error/code",
    "error/param",
    "error/type",
    "error/message",
    "response/status_details",
    "response/conversation_id",
    "response/usage",
    "response/metadata",
    "response/output",
    // Of a piece of transcript.
    "content_index",
    "delta",
    // Of usage.
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "text_tokens",
    "audio_tokens",
    "image_tokens",
    "cached_tokens",
    "input_token_details",
    "cached_tokens_details",
    "output_token_details",
];

/// Members of a client's items that may be `null` for what is not there, and are then left out.
const LEFT_OUT: &[&str] = &["item/approval_request_id", "item/output", "input/0/approval_request_id", "input/0/output"];

fn lost(before: &Value, after: &Value, path: &str, from_server: bool, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names {
                let path = format!("{path}/{name}");
                match (before.get(name), after.get(name)) {
                    // The server's models take null and absent for the same; for a client null is an order.
                    (Some(Value::Null), None) if from_server => {}
                    (None | Some(Value::Null), Some(after)) if from_server && filled_in(&path, after) => {}
                    (Some(Value::Null), None) if LEFT_OUT.iter().any(|end| path.ends_with(end)) => {}
                    // One rate is all that PCM has.
                    (None | Some(Value::Null), Some(rate)) if path.ends_with("/format/rate") && rate == 24_000 => {}
                    (Some(before), Some(after)) => lost(before, after, &path, from_server, found),
                    (before, after) => found.push(format!("{path}: {before:?} became {after:?}")),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                lost(before, after, &format!("{path}/{index}"), from_server, found);
            }
        }
        (Value::Number(before), Value::Number(after)) if before.as_f64() == after.as_f64() => {}
        (before, after) if before == after => {}
        (before, after) => found.push(format!("{path}: {before} became {after}")),
    }
}

fn filled_in(path: &str, value: &Value) -> bool {
    FILLED_IN.iter().any(|end| path.ends_with(&format!("/{end}"))) && is_nothing(value)
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.values().all(is_nothing),
        value => value.is_null() || value == 0 || value == "" || *value == json!([]),
    }
}

/// Reads and writes an event; what is wrong with the outcome, one line each.
fn read_and_write<E: Words>(before: &Value) -> (Option<Value>, Vec<String>) {
    let event = match E::read(&before.to_string()) {
        Ok(event) => event,
        Err(error) => return (None, vec![format!("{error} of {before}")]),
    };
    let mut found = Vec::new();
    if event.is_unknown() || event.name() != before["type"] {
        found.push(format!("read as {event:?}"));
    }
    let after = written(&event);
    lost(before, &after, "", E::FROM_SERVER, &mut found);
    if !matches!(E::read(&after.to_string()), Ok(again) if again == event) {
        found.push(format!("read again, {after} is another event"));
    }
    (Some(after), found)
}

/// Fails with every kind of loss once, rather than with the first of them alone.
#[track_caller]
fn assert_all_kept<E: Words>(examples: &[Value], mut more: impl FnMut(&Value) -> Vec<String>) {
    let mut complaints = BTreeSet::new();
    for before in examples {
        let (after, mut found) = read_and_write::<E>(before);
        found.extend(after.iter().flat_map(&mut more));
        complaints.extend(found.into_iter().map(|line| format!("{}: {line}", before["type"])));
    }
    let lines: Vec<String> = complaints.into_iter().collect();
    assert!(lines.is_empty(), "lost between reading and writing:\n  {}", lines.join("\n  "));
}

pub(super) fn names_are_the_published_ones<E: Words>() {
    let ours: BTreeSet<&str> = E::NAMES.iter().copied().collect();
    let theirs: BTreeSet<&str> = E::schema().names().collect();
    assert_eq!(ours.len(), E::NAMES.len(), "a name stands twice");
    assert_eq!(ours, theirs);
}

#[test]
fn the_client_events_are_the_published_ones() {
    names_are_the_published_ones::<ClientEvent>();
}

#[test]
fn the_server_events_are_the_published_ones() {
    names_are_the_published_ones::<ServerEvent>();
}

pub(super) fn every_event_is_read_and_written<E: Words>(at_least: usize) {
    let examples = all_examples::<E>();
    assert!(examples.len() >= at_least, "only {} examples", examples.len());
    assert_all_kept::<E>(&examples, |after| E::schema().errors(after));
}

#[test]
fn every_client_event_is_read_and_written_without_loss() {
    every_event_is_read_and_written::<ClientEvent>(150);
}

#[test]
fn every_server_event_is_read_and_written_without_loss() {
    every_event_is_read_and_written::<ServerEvent>(500);
}

pub(super) fn unknown_fields_survive<E: Words>() {
    fn add(value: &mut Value, path: &str) {
        match value {
            Value::Object(object) => {
                object.iter_mut().for_each(|(name, value)| add(value, &format!("{path}/{name}")));
                // A format is one of three values and no record; metadata is a table of texts.
                if !path.ends_with("/format") && !path.ends_with("/metadata") {
                    object.insert("of the future".into(), json!({"with": ["more", 1, null]}));
                }
            }
            Value::Array(array) => {
                array.iter_mut().enumerate().for_each(|(index, value)| add(value, &format!("{path}/{index}")))
            }
            _ => {}
        }
    }
    let mut examples = all_examples::<E>();
    examples.iter_mut().for_each(|event| add(event, ""));
    assert_all_kept::<E>(&examples, |_| Vec::new());
}

#[test]
fn unknown_fields_of_client_events_survive() {
    unknown_fields_survive::<ClientEvent>();
}

#[test]
fn unknown_fields_of_server_events_survive() {
    unknown_fields_survive::<ServerEvent>();
}

pub(super) fn unknown_events_survive<E: Words>() {
    let before = json!({"type": "response.hologram.delta", "event_id": "event_1", "delta": {"x": [1.5, null]}});
    let event: E = read(&before);
    assert!(event.is_unknown());
    assert_eq!(event.name(), "response.hologram.delta");
    assert_eq!(written(&event), before);
}

#[test]
fn unknown_events_survive_in_both_directions() {
    unknown_events_survive::<ClientEvent>();
    unknown_events_survive::<ServerEvent>();
}

#[test]
fn an_event_id_can_be_put_on_every_event() {
    for name in ClientEvent::NAMES.iter().copied().chain(["response.hologram"]) {
        let mut event: ClientEvent = read(&json!({"type": name, "session": {}, "item": {}}));
        event.set_event_id("event_7".into());
        assert_eq!(event.event_id(), Some("event_7"), "{name}");
        assert_eq!(written(&event)["event_id"], "event_7", "{name}");
    }
}

#[test]
fn sound_is_appended_as_the_typed_event_writes_it() {
    let sound: Vec<u8> = (0..=255).collect();
    for id in [None, Some("event_1")] {
        let text = openai_protocol::client::append_json(id, &sound);
        let event: ClientEvent = ClientEvent::from_json(&text).expect("an event");
        let ClientEvent::InputAudioBufferAppend(append) = &event else { panic!("{text}") };
        assert_eq!((&append.audio.0[..], append.event_id.as_deref()), (&sound[..], id));
        schema::client().check(&written(&event));
    }
}

#[test]
fn a_picture_is_written_as_the_typed_event_writes_it() {
    use openai_protocol::client::{Detail, PictureMessage, PicturePart};
    for text in [None, Some("a \"quoted\" \u{1f440}\n line")] {
        let message = PictureMessage {
            event_id: "event_1".into(),
            item_id: "frame_1".into(),
            pictures: ["image/png", "image/jpeg"]
                .map(|media_type| PicturePart {
                    media_type,
                    file: (0..=255).collect::<Vec<u8>>().into(),
                    detail: Detail::Low,
                    text: text.map(str::to_owned),
                })
                .into(),
            words: text.map(str::to_owned),
        };
        let before: Value = serde_json::from_str(&message.to_json()).expect("JSON");
        schema::client().check(&before);
        let parts = before["item"]["content"].as_array().expect("parts");
        let image = |part: &Value| part["image_url"].as_str().map(|url| url.chars().take(16).collect::<String>());
        let told = parts.iter().map(|part| part["text"].as_str().map(str::to_owned).or_else(|| image(part)));
        let told: Vec<String> = told.map(|told| told.expect("a text or a picture")).collect();
        let (png, jpeg) = ("data:image/png;b", "data:image/jpeg;");
        match text {
            Some(text) => assert_eq!(told, [text, png, text, jpeg, text]),
            None => assert_eq!(told, [png, jpeg]),
        }
        let (_, lost) = read_and_write::<ClientEvent>(&before);
        assert!(lost.is_empty(), "{lost:?}");
    }
}

#[test]
fn what_is_off_is_named_with_its_event_and_place() {
    for (schema, event, words) in [
        (schema::client(), json!({"type": "response.dream"}), "response.dream: no such event"),
        (schema::client(), json!({"type": "response.cancel", "response": "r"}), "response.cancel at /: "),
        (schema::client(), json!({"type": "input_audio_buffer.append"}), r#""audio" is a required property"#),
        (
            schema::client(),
            json!({"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"speed": 2}}}}),
            "session.update at /session/audio/output/speed: ",
        ),
        (
            schema::client(),
            json!({"type": "session.update", "session": {"type": "realtime", "instructions": null}}),
            "session.update at /session/instructions: ",
        ),
        (
            schema::client(),
            json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": 5}]}}),
            "conversation.item.create at /item/content/0/text: ",
        ),
        (
            schema::server(),
            json!({"type": "response.done", "event_id": "e", "response": {"usage": {"input_token_details":
                {"text": 1}}}}),
            "response.done at /response/usage/input_token_details: ",
        ),
    ] {
        let errors = schema.errors(&event);
        assert!(errors.len() == 1 && errors[0].contains(words), "'{words}' expected, not {errors:#?}");
    }
}
