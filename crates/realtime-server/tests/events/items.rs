// SPDX-License-Identifier: MPL-2.0

//! Items of every kind, what was not heard of them, and answers that are stopped on their way. An answer takes its time
//! only with the engine that really speaks.

use super::client::{names, recording};
use super::server::Server;
use super::{Talk, one, speech, talk_to_echo};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

#[tokio::test]
async fn items_of_every_kind() {
    let (_server, mut talk) = talk_to_echo().await;
    // The smallest picture that is one: a black pixel.
    let png = "data:image/png;base64,\
        iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";
    let items = [
        json!({"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be kind."}]}),
        json!({"type": "message", "role": "user", "content": [
            {"type": "input_audio", "audio": STANDARD.encode([0; 4_800]), "transcript": "hm"},
            {"type": "input_image", "image_url": png, "detail": "low"},
            {"type": "input_text", "text": "What is it?"}]}),
        json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A pixel."}]}),
        json!({"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}),
        json!({"type": "function_call_output", "call_id": "call_1", "output": "black"}),
        json!({"type": "mcp_list_tools", "server_label": "docs", "tools": [{"name": "find", "input_schema": {}}]}),
        json!({"type": "mcp_call", "id": "mcp_1", "server_label": "docs", "name": "find", "arguments": "{}",
            "output": "x"}),
        json!({"type": "mcp_approval_request", "id": "mcp_2", "server_label": "docs", "name": "find",
            "arguments": "{}"}),
        json!({"type": "mcp_approval_response", "id": "mcp_3", "approval_request_id": "mcp_2", "approve": true}),
    ];
    let mut previous = Value::Null;
    for item in items {
        talk.say(json!({"type": "conversation.item.create", "item": item})).await;
        let events = talk.until("conversation.item.done").await;
        let done = &events[1];
        assert_eq!((&done["item"]["type"], &done["previous_item_id"]), (&item["type"], &previous));
        previous = done["item"]["id"].clone();
        talk.say(json!({"type": "conversation.item.retrieve", "item_id": previous})).await;
        talk.until("conversation.item.retrieved").await;
    }
    let front =
        json!({"type": "message", "id": "front", "role": "user", "content": [{"type": "input_text", "text": "1"}]});
    talk.say(json!({"type": "conversation.item.create", "previous_item_id": "root", "item": front})).await;
    let events = talk.until("conversation.item.done").await;
    assert_eq!(events[1]["previous_item_id"], Value::Null);
    talk.say(json!({"type": "conversation.item.delete", "item_id": "front"})).await;
    let events = talk.until("conversation.item.deleted").await;
    assert_eq!(events[0]["item_id"], "front");
}

fn truncate(item_id: &Value, ms: u64) -> Value {
    json!({"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": ms})
}

#[tokio::test]
async fn what_was_not_heard_is_taken_back() {
    let (_server, mut talk) = talk_to_echo().await;
    talk.append(&speech(300, 500, 500)).await;
    let events = talk.until("response.done").await;
    let answer = one(&events, "response.done")["response"]["output"][0]["id"].clone();
    let user = one(&events, "input_audio_buffer.committed")["item_id"].clone();
    talk.say(truncate(&answer, 250)).await;
    let truncated = talk.until("conversation.item.truncated").await.pop().expect("the event");
    assert_eq!(truncated["audio_end_ms"], 250);
    talk.say(json!({"type": "conversation.item.retrieve", "item_id": answer})).await;
    let item = talk.until("conversation.item.retrieved").await.pop().expect("the event")["item"].clone();
    assert_eq!(item["content"][0]["transcript"], Value::Null);
    let audio = STANDARD.decode(item["content"][0]["audio"].as_str().expect("sound")).expect("base64");
    assert_eq!(audio.len(), 250 * 48);
    talk.refused(truncate(&answer, 251), Some("invalid_value"), Some("audio_end_ms")).await;
    talk.refused(truncate(&user, 0), None, None).await;
}

/// A talk in which the model is speaking, and will be for a long time.
async fn talk_over_an_answer(server: &Server) -> (Talk, String) {
    let mut talk = Talk::with(&server.realtime()).await;
    let call = json!({"type": "function_call", "call_id": "call_1", "name": "read", "arguments": "{}"});
    let text = "This is a sentence of a very long story. ".repeat(100);
    let output = json!({"type": "function_call_output", "call_id": "call_1", "output": text});
    for item in [call, output] {
        talk.say(json!({"type": "conversation.item.create", "item": item})).await;
        talk.until("conversation.item.done").await;
    }
    talk.say(json!({"type": "response.create"})).await;
    let events = talk.until("response.output_audio.delta").await;
    let id = one(&events, "response.created")["response"]["id"].as_str().expect("a name").to_owned();
    (talk, id)
}

#[track_caller]
fn assert_cancelled(events: &[Value], reason: &str) {
    let response = &one(events, "response.done")["response"];
    assert_eq!((&response["status"], &response["status_details"]["reason"]), (&json!("cancelled"), &json!(reason)));
    assert_eq!(response["output"][0]["status"], "incomplete");
    for name in ["response.output_audio.done", "response.content_part.done", "response.output_item.done"] {
        one(events, name);
    }
}

#[tokio::test]
async fn an_answer_that_the_client_stops() {
    let server = Server::start(&[]);
    let (mut talk, id) = talk_over_an_answer(&server).await;
    let busy = Some("conversation_already_has_active_response");
    talk.refused(json!({"type": "response.create"}), busy, None).await;
    let voice = json!({"type": "realtime", "audio": {"output": {"voice": "cedar"}}});
    talk.refused(json!({"type": "session.update", "session": voice}), Some("cannot_update_voice"), None).await;
    talk.say(json!({"type": "response.cancel", "response_id": id})).await;
    let events = talk.until("response.done").await;
    assert_cancelled(&events, "client_cancelled");
    talk.refused(json!({"type": "response.cancel"}), Some("response_cancel_not_active"), None).await;
}

#[tokio::test]
async fn an_answer_that_the_user_interrupts() {
    let server = Server::start(&[]);
    let (mut talk, _) = talk_over_an_answer(&server).await;
    talk.append(&recording("goforward.wav")).await;
    let events = talk.until("response.done").await;
    assert!(names(&events).contains(&"input_audio_buffer.speech_started"), "{:?}", names(&events));
    assert_cancelled(&events, "turn_detected");
    let events = talk.until("response.done").await;
    assert_eq!(one(&events, "response.done")["response"]["status"], "completed");
}
