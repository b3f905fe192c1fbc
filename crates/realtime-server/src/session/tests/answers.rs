// SPDX-License-Identifier: MPL-2.0

//! Answers: beside the conversation, cut off, and those that fail.

use crate::audio::Sound;
use crate::engine::SpeechChunk;
use crate::session::tests::dialogue::{realtime, squeezed};
use crate::session::{Work, whole_answer};
use openai_protocol::ServerEvent;
use serde_json::{Value, json};

#[test]
fn an_answer_beside_the_conversation_leaves_no_trace_in_it() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "response.create"}));
    dialogue.say(json!({"type": "response.create", "response": {"conversation": "none", "output_modalities": ["text"],
        "metadata": {"topic": "x"}, "input": []}}));
    let events = dialogue.events();
    assert_eq!(events[1]["response"]["conversation_id"], Value::Null);
    assert_eq!(events[1]["response"]["metadata"]["topic"], "x");
    drop(dialogue.answers.remove(0));
    dialogue.work();
    dialogue.work();
    let names = squeezed(dialogue.names());
    assert!(names.iter().all(|name| !name.starts_with("conversation.")), "{names:?}");
    assert_eq!(names[2], "response.output_text.delta");
    assert!(dialogue.session.conversation.entries().is_empty());
}

#[test]
fn answers_beside_the_conversation_run_along_and_are_not_interrupted() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "conversation.item.create", "item": {"id": "asked", "type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "one two"}]}}));
    dialogue.say(json!({"type": "response.create"}));
    dialogue.say(json!({"type": "response.create", "event_id": "second"}));
    assert_eq!(dialogue.errors(), [("conversation_already_has_active_response".into(), Some("second".into()))]);
    let beside = |input: Value| {
        json!({"type": "response.create", "event_id": "b", "response": {"conversation": "none",
        "metadata": {"for": "me"}, "output_modalities": ["text"], "input": input}})
    };
    dialogue.say(beside(json!([{"type": "item_reference", "id": "nobody"}])));
    assert_eq!(dialogue.errors(), [("item_not_found".into(), Some("b".into()))]);
    dialogue.say(beside(json!([{"type": "item_reference", "id": "asked"}])));
    let created = dialogue.events().remove(0)["response"].clone();
    assert_eq!((&created["conversation_id"], &created["metadata"]["for"]), (&Value::Null, &json!("me")));
    // The user speaks over both.
    dialogue.speak(400, 0);
    let done: Vec<Value> = dialogue.events().into_iter().filter(|event| event["type"] == "response.done").collect();
    assert_eq!((done.len(), &done[0]["response"]["status"]), (1, &json!("cancelled")));
    drop(dialogue.answers.remove(0));
    dialogue.work();
    dialogue.work();
    let done = dialogue.events().into_iter().find(|event| event["type"] == "response.done").expect("an end");
    assert_eq!(done["response"]["output"][0]["content"][0]["text"], "You wrote: one two");
    assert_eq!(done["response"]["id"], created["id"]);
}

#[test]
fn what_the_engine_cannot_do_fails_the_answer_and_nothing_else() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "response.create"}));
    dialogue.events();
    let (id, _) = dialogue.answers.remove(0);
    dialogue.session.work(Work::Answered(id, Err("out of breath".into())), dialogue.now);
    dialogue.drain();
    let events = dialogue.events();
    assert_eq!(events[0]["response"]["status"], "failed");
    assert_eq!(events[0]["response"]["status_details"]["error"]["code"], "server_error");
    assert_eq!(events[0]["response"]["output"], json!([]));
}

#[test]
fn truncating_tells_what_was_heard() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "one two three"}]}}));
    dialogue.say(json!({"type": "response.create"}));
    dialogue.work();
    let item_id = dialogue.session.conversation.last_id().expect("an answer");
    dialogue.events();
    let truncate = |ms: u64| json!({"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": ms});
    dialogue.say(truncate(99_999));
    assert_eq!(dialogue.errors()[0].0, "invalid_value");
    dialogue.say(truncate(100));
    assert_eq!(dialogue.events()[0]["audio_end_ms"], 100);
    dialogue.work();
    let entry = dialogue.session.conversation.get(&item_id).expect("the answer");
    assert_eq!(entry.sound.as_ref().map(|utterance| utterance.sound.ms()), Some(100));
    assert_eq!(entry.item.content.as_ref().and_then(|parts| parts[0].transcript.clone()), None);
}

#[test]
fn all_events_fit_the_types_of_the_wire() {
    let piece = SpeechChunk { text: "Hello there.".into(), sound: Some(Sound::new(vec![0; 2_400], 24_000)) };
    for event in whole_answer(&piece) {
        assert_eq!(ServerEvent::from_json(&event.to_json()).expect("an event"), event);
    }
}
