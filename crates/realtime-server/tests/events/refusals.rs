// SPDX-License-Identifier: MPL-2.0

//! Every fault of a client has its error, with the code and the place that the API names; and what ends a session has
//! its error too.

use super::client::Client;
use super::server::Server;
use super::{Talk, question, schema, talk_to_echo};
use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// What a client says wrongly, the code of the error, and the place that it names.
type Fault = (Value, &'static str, &'static str);

async fn assert_refused(faults: impl IntoIterator<Item = Fault>) {
    let (_server, mut talk) = talk_to_echo().await;
    for (event, code, param) in faults {
        talk.refused(event, Some(code), Some(param)).await;
    }
    // After all that the session is what it was.
    talk.say(json!({"type": "response.create"})).await;
    talk.until("response.done").await;
}

#[tokio::test]
async fn a_session_that_cannot_be() {
    let session = |fields: Value| {
        let mut session = json!({"type": "realtime"});
        session.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        json!({"type": "session.update", "session": session})
    };
    let input = |input: Value| session(json!({"audio": {"input": input}}));
    assert_refused([
        (json!({"type": "session.update"}), "missing_required_parameter", "session"),
        (json!({"type": "session.update", "session": {}}), "missing_required_parameter", "session.type"),
        (session(json!({"temperature": 0.8})), "unknown_parameter", "session.temperature"),
        (session(json!({"voice": "ash"})), "unknown_parameter", "session.voice"),
        (session(json!({"output_modalities": ["text", "audio"]})), "invalid_value", "session.output_modalities"),
        (session(json!({"instructions": 5})), "invalid_type", "session.instructions"),
        (session(json!({"tools": {}})), "invalid_type", "session.tools"),
        (session(json!({"tool_choice": "maybe"})), "invalid_value", "session.tool_choice"),
        (session(json!({"max_output_tokens": 0})), "integer_below_min_value", "session.max_output_tokens"),
        (session(json!({"max_output_tokens": 1 << 20})), "integer_above_max_value", "session.max_output_tokens"),
        (
            session(json!({"audio": {"output": {"speed": 0.1}}})),
            "decimal_below_min_value",
            "session.audio.output.speed",
        ),
        (
            session(json!({"audio": {"output": {"speed": 9.0}}})),
            "decimal_above_max_value",
            "session.audio.output.speed",
        ),
        (session(json!({"audio": {"output": {"voice": "nobody"}}})), "invalid_value", "session.audio.output.voice"),
        (session(json!({"model": "another"})), "invalid_value", "session.model"),
        (
            input(json!({"format": {"type": "audio/pcm", "rate": 16000}})),
            "integer_below_min_value",
            "session.audio.input.format.rate",
        ),
        (
            input(json!({"turn_detection": {"type": "telepathy"}})),
            "invalid_value",
            "session.audio.input.turn_detection.type",
        ),
        (
            input(json!({"turn_detection": {"type": "server_vad", "idle_timeout_ms": 1}})),
            "integer_below_min_value",
            "session.audio.input.turn_detection.idle_timeout_ms",
        ),
    ])
    .await;
}

#[tokio::test]
async fn sound_and_items_that_cannot_be() {
    let create = |item: Value| json!({"type": "conversation.item.create", "item": item});
    let message = |content: Value| create(json!({"type": "message", "role": "user", "content": content}));
    assert_refused([
        (json!({"type": "input_audio_buffer.append"}), "missing_required_parameter", "audio"),
        (json!({"type": "input_audio_buffer.append", "audio": "*"}), "invalid_value", "audio"),
        (json!({"type": "input_audio_buffer.append", "audio": "AAAA"}), "invalid_value", "audio"),
        (json!({"type": "output_audio_buffer.clear"}), "invalid_value", "type"),
        (message(json!([{"type": "input_text"}])), "missing_required_parameter", "item.content[0].text"),
        (message(json!([{"type": "output_text", "text": "x"}])), "invalid_value", "item.content[0].type"),
        (
            message(json!([{"type": "input_text", "text": "x".repeat(256_001)}])),
            "string_above_max_length",
            "item.content[0].text",
        ),
        (
            message(json!([{"type": "input_image", "image_url": "https://example.com/a.png"}])),
            "invalid_value",
            "item.content[0].image_url",
        ),
        (
            create(json!({"type": "function_call_output", "call_id": "no", "output": ""})),
            "invalid_tool_call_id",
            "item.call_id",
        ),
        (
            json!({"type": "conversation.item.create", "previous_item_id": "no",
                "item": {"type": "message", "role": "user", "content": []}}),
            "item_create_invalid_previous_item_id",
            "previous_item_id",
        ),
        (json!({"type": "conversation.item.retrieve", "item_id": "no"}), "item_retrieve_invalid_item_id", "item_id"),
        (json!({"type": "conversation.item.delete", "item_id": "no"}), "item_delete_invalid_item_id", "item_id"),
        (
            json!({"type": "conversation.item.truncate", "item_id": "no", "content_index": 0, "audio_end_ms": 0}),
            "item_truncate_invalid_item_id",
            "item_id",
        ),
        (
            json!({"type": "conversation.item.truncate", "item_id": "no", "content_index": 0, "audio_end_ms": -1}),
            "integer_below_min_value",
            "audio_end_ms",
        ),
    ])
    .await;
}

#[tokio::test]
async fn answers_and_events_that_cannot_be() {
    let many: serde_json::Map<String, Value> = (0..17).map(|key| (format!("key{key}"), json!("value"))).collect();
    assert_refused([
        (json!({"type": "response.dream"}), "invalid_value", "type"),
        (
            json!({"type": "response.create", "response": {"conversation": "mine"}}),
            "invalid_value",
            "response.conversation",
        ),
        (
            json!({"type": "response.create", "response": {"modalities": ["text"]}}),
            "unknown_parameter",
            "response.modalities",
        ),
        (
            json!({"type": "response.create", "response": {"metadata": {"key": "v".repeat(513)}}}),
            "string_above_max_length",
            "response.metadata.key",
        ),
        (
            json!({"type": "response.create", "response": {"metadata": many}}),
            "object_above_max_properties",
            "response.metadata",
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_is_of_the_published_shape_and_out_of_place() {
    let (_server, mut talk) = talk_to_echo().await;
    for (event, code) in [
        (json!({"type": "input_audio_buffer.commit"}), "input_audio_buffer_commit_empty"),
        (json!({"type": "response.cancel"}), "response_cancel_not_active"),
        (json!({"type": "response.cancel", "response_id": "no"}), "response_cancel_not_active"),
    ] {
        schema::client().check(&event);
        talk.refused(event, Some(code), None).await;
    }
    talk.say(question("question", "again")).await;
    talk.until("conversation.item.done").await;
    talk.refused(question("question", "again"), Some("invalid_value"), Some("item.id")).await;
}

#[tokio::test]
async fn what_is_no_event_has_its_error() {
    let (_server, mut talk) = talk_to_echo().await;
    for (message, code) in [
        (Message::text("{\"type\": "), "invalid_json"),
        (Message::text("hello"), "invalid_json"),
        (Message::text("[]"), "invalid_event"),
        (Message::text("{}"), "invalid_event"),
        (Message::text("{\"type\": 5}"), "invalid_event"),
        (Message::binary(vec![0; 10]), "invalid_event"),
    ] {
        talk.0.0.send(message.clone()).await.expect("the server takes it");
        let error = talk.until("error").await.pop().expect("the error");
        assert_eq!(error["error"]["code"], code, "{message:?}");
        assert_eq!(error["error"]["event_id"], Value::Null, "{message:?}");
    }
}

#[tokio::test]
async fn what_ends_a_session_has_its_error_too() {
    let server = Server::start(&["--engine", "echo", "--api-key", "right", "--max-session", "1s", "--refuse-beta"]);
    let good = ("authorization", "Bearer right");
    let cases = [
        ("?model=gpt-realtime", vec![("authorization", "Bearer wrong")], "invalid_api_key", 3000),
        ("", vec![good], "missing_model", 4000),
        ("?model=no-such-model", vec![good], "invalid_model", 4000),
        ("?model=gpt-realtime", vec![good, ("openai-beta", "realtime=v1")], "beta_api_shape_disabled", 4000),
        ("?model=gpt-realtime", vec![good], "session_expired", 1001),
    ];
    for (query, headers, code, close) in cases {
        let url = format!("{}{query}", server.url());
        let mut talk = Talk(Client::connect_with(&url, &headers).await.expect("an upgrade"));
        let error = talk.until("error").await.pop().expect("the error");
        assert_eq!(error["error"]["code"], code);
        assert_eq!(talk.0.close().await.0, close, "{code}");
    }
}
