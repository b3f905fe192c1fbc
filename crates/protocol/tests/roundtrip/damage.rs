// SPDX-License-Identifier: MPL-2.0

//! What is no event is refused by name, and no damage makes reading panic: messages are cut short, changed and mixed up
//! as networks and bugs do it, the same way in every run.

use super::{Words, all_examples};
use openai_protocol::{ClientEvent, ReadError, ServerEvent};
use serde_json::{Value, json};

#[track_caller]
fn refusal<E: Words>(text: &str) -> String {
    match E::read(text) {
        Err(error) => error.to_string(),
        Ok(event) => panic!("{text} was read as {event:?}"),
    }
}

#[track_caller]
fn assert_names(refusal: &str, words: &[&str]) {
    for word in words {
        assert!(refusal.contains(word), "'{refusal}' does not name '{word}'");
    }
}

#[test]
fn bad_base64_is_refused_by_name() {
    for sound in ["not base64!", "AAA", "AA=A", "AAAA\n"] {
        let text = json!({"type": "input_audio_buffer.append", "audio": sound}).to_string();
        assert_names(&refusal::<ClientEvent>(&text), &["input_audio_buffer.append", "base64"]);
        let text = json!({"type": "response.output_audio.delta", "delta": sound}).to_string();
        assert_names(&refusal::<ServerEvent>(&text), &["response.output_audio.delta", "base64"]);
    }
}

#[test]
fn a_field_of_the_wrong_kind_is_refused_by_the_event_and_its_place() {
    for (event, found) in [
        (json!({"type": "conversation.item.truncate", "item_id": 5}), "integer `5`"),
        (json!({"type": "conversation.item.truncate", "audio_end_ms": -1}), "`-1`"),
        (json!({"type": "conversation.item.truncate", "audio_end_ms": "1"}), "string \"1\""),
        (json!({"type": "input_audio_buffer.append", "audio": null}), "null"),
        (json!({"type": "session.update", "session": []}), "sequence"),
        (json!({"type": "response.create", "response": {"input": {}}}), "map"),
        (json!({"type": "conversation.item.create", "item": {"type": 1}}), "ItemKind"),
    ] {
        let name = event["type"].as_str().expect("a name");
        let said = refusal::<ClientEvent>(&event.to_string());
        assert!(said.starts_with(&format!("{name}: ")), "{said}");
        assert_names(&said, &[found, "line 1 column "]);
    }
}

#[test]
fn an_event_without_a_type_is_refused() {
    for text in ["{}", r#"{"event_id":"event_1"}"#, r#"{"type":null}"#, r#"{"type":5}"#, r#"{"type":["error"]}"#] {
        assert_names(&refusal::<ClientEvent>(text), &["without a `type`"]);
        assert!(matches!(ServerEvent::from_json(text), Err(ReadError::NoType)), "{text}");
    }
}

#[test]
fn what_is_not_a_json_object_is_refused() {
    for text in
        ["", " ", "hello", "[]", "1", "\"error\"", "null", "{\"type\":\"error\"", "{\"type\":\"error\"}}", "{'type':1}"]
    {
        assert_names(&refusal::<ServerEvent>(text), &["not a JSON object"]);
        assert!(matches!(ClientEvent::from_json(text), Err(ReadError::NotJson(_))), "{text}");
    }
}

/// Numbers that look random and are the same in every run: xorshift64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % end.max(1)
    }
}

/// Damages a message as networks and bugs do: cut short, bytes changed, pieces dropped, doubled or swapped for others.
fn damage(text: &str, numbers: &mut Numbers) -> String {
    const PIECES: &[&str] =
        &["null", "-1", "1e400", "\"\"", "{}", "[]", "{", "}", "\"", "\\", "\\ud800", "\u{0}", "é", ",", ":"];
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=numbers.below(3) {
        let start = numbers.below(bytes.len());
        let end = (start + 1 + numbers.below(12)).min(bytes.len());
        match numbers.below(5) {
            0 => bytes.truncate(start),
            1 if start < bytes.len() => bytes[start] = u8::try_from(numbers.below(256)).expect("a byte"),
            2 => drop(bytes.drain(start..end)),
            3 => bytes.extend_from_within(start..end),
            _ => {
                let piece = PIECES[numbers.below(PIECES.len())].bytes();
                bytes.splice(start..end, piece);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn survives_damage<E: Words>(seed: u64) {
    const CASES: usize = 20_000;
    let whole: Vec<String> = all_examples::<E>().iter().map(Value::to_string).collect();
    let mut numbers = Numbers(seed);
    let mut read = 0;
    for _ in 0..CASES {
        let text = damage(&whole[numbers.below(whole.len())], &mut numbers);
        match E::read(&text) {
            Err(error) => assert!(!error.to_string().is_empty()),
            Ok(event) => {
                read += 1;
                let again = E::read(&event.write()).unwrap_or_else(|error| panic!("{error}\nof {text}"));
                assert_eq!(again, event, "{text}");
            }
        }
    }
    // Enough of both kinds, or the damage is not the kind that tests anything.
    assert!((CASES / 100..CASES * 9 / 10).contains(&read), "{read} of {CASES} could be read");
}

#[test]
fn damaged_client_events_never_panic() {
    survives_damage::<ClientEvent>(0x9e37_79b9_7f4a_7c15);
}

#[test]
fn damaged_server_events_never_panic() {
    survives_damage::<ServerEvent>(0xd1b5_4a32_d192_ed03);
}
