// SPDX-License-Identifier: MPL-2.0

//! The beta of the protocol, for who asks for it: by header, by subprotocol, or by Azure's preview URL. Every event is
//! held against the shapes of the official beta types.

#[path = "support/client.rs"]
mod client;
#[path = "../../../tests/support/schema.rs"]
mod schema;
#[path = "support/server.rs"]
mod server;

use client::Client;
use serde_json::{Value, json};
use server::Server;

fn check(events: &[Value]) {
    events.iter().for_each(|event| schema::beta_server().check(event));
}

fn names(events: &[Value]) -> Vec<&str> {
    client::names(events)
}

#[tokio::test]
async fn every_way_to_ask_for_it() {
    let server = Server::start(&["--engine", "echo"]);
    let azure =
        format!("ws://127.0.0.1:{}/openai/realtime?api-version=2025-04-01-preview&deployment=mine", server.port());
    let protocols = ("sec-websocket-protocol", "realtime, openai-beta.realtime-v1");
    let ways = [
        (server.realtime(), vec![("openai-beta", "realtime=v1")], "gpt-realtime"),
        (server.realtime(), vec![protocols], "gpt-realtime"),
        (azure, vec![("api-key", "x")], "mine"),
    ];
    for (url, headers, model) in ways {
        let mut client = Client::connect_with(&url, &headers).await.expect("a connection");
        let created = client.event().await;
        assert_eq!(created["session"]["model"], model);
        assert_eq!(
            (&created["session"]["input_audio_format"], &created["session"]["temperature"]),
            (&json!("pcm16"), &json!(0.8))
        );
        check(&[created]);
    }
    let url = format!("{}?intent=transcription", server.url());
    let mut client = Client::connect_with(&url, &[("openai-beta", "realtime=v1")]).await.expect("a connection");
    assert_eq!(client.event().await["type"], "transcription_session.created");
}

/// Says something that the beta has.
async fn say(client: &mut Client, event: Value) {
    schema::beta_client().check(&event);
    client.send(event).await;
}

#[tokio::test]
async fn turns_are_had_in_the_old_words_and_the_new_ones_are_refused() {
    let server = Server::start(&["--engine", "echo"]);
    let mut client =
        Client::connect_with(&server.realtime(), &[("openai-beta", "realtime=v1")]).await.expect("a connection");
    check(&[client.event().await]);
    let update = json!({"modalities": ["text", "audio"], "voice": "ash", "temperature": 0.9, "input_audio_format": "pcm16",
        "input_audio_transcription": {"model": "whisper-1"}, "max_response_output_tokens": "inf",
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 300}});
    say(&mut client, json!({"type": "session.update", "session": update})).await;
    let updated = client.event().await;
    assert_eq!((&updated["type"], &updated["session"]["temperature"]), (&json!("session.updated"), &json!(0.9)));
    check(&[updated]);
    client.append(&[vec![0; 12_000], vec![8_000; 24_000], vec![0; 24_000]].concat()).await;
    let spoken = client.until("rate_limits.updated").await;
    check(&spoken);
    let expected = [
        "conversation.item.created",
        "response.created",
        "response.audio.delta",
        "response.audio_transcript.done",
        "response.done",
    ];
    assert!(expected.iter().all(|name| names(&spoken).contains(name)), "{:?}", names(&spoken));
    assert!(!names(&spoken).iter().any(|name| name.contains("output_audio.") || *name == "conversation.item.done"));
    let content = json!([{"type": "input_text", "text": "hello"}]);
    let item = json!({"type": "message", "role": "user", "content": content});
    say(&mut client, json!({"type": "conversation.item.create", "item": item})).await;
    say(&mut client, json!({"type": "response.create", "response": {"modalities": ["text"]}})).await;
    let written = client.until("rate_limits.updated").await;
    check(&written);
    let done = written.iter().find(|event| event["type"] == "response.done").expect("an end");
    assert_eq!(done["response"]["output"][0]["content"][0], json!({"type": "text", "text": "You wrote: hello"}));
    assert_eq!(done["response"]["modalities"], json!(["text"]));
    for (session, param) in [
        (json!({"type": "realtime"}), "session.type"),
        (json!({"output_modalities": ["text"]}), "session.output_modalities"),
    ] {
        client.send(json!({"type": "session.update", "event_id": "mine", "session": session})).await;
        // What was said may be transcribed only now.
        let events = client.until("error").await;
        let error = &events.last().expect("an error")["error"];
        assert_eq!(
            (&error["code"], &error["param"], &error["event_id"]),
            (&json!("unknown_parameter"), &json!(param), &json!("mine"))
        );
    }
}
