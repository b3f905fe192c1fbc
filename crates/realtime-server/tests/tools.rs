// SPDX-License-Identifier: MPL-2.0

//! Function calls of the engine with models: typed and spoken wishes, results, and what is asked for. Every event is
//! held against its published shape.

#[path = "support/client.rs"]
mod client;
#[path = "../../../tests/support/schema.rs"]
mod schema;
#[path = "support/server.rs"]
mod server;

use client::{Client, names, recording};
use serde_json::{Value, json};
use server::Server;

fn tools() -> Value {
    let function = |name: &str, description: &str, properties: Value, required: Value| {
        json!({"type": "function", "name": name, "description": description,
            "parameters": {"type": "object", "properties": properties, "required": required}})
    };
    json!([
        function("get_weather", "Get the weather of a city", json!({"city": {"type": "string"}}), json!(["city"])),
        function("get_time", "Get the time in a city", json!({"city": {"type": "string"}}), json!([])),
        function("go_forward", "Move forward", json!({"meters": {"type": "integer"}}), json!(["meters"])),
    ])
}

async fn session(server: &Server, more: Value) -> Client {
    let mut client = Client::session(&server.realtime()).await;
    let mut session = json!({"type": "realtime", "tools": tools(), "output_modalities": ["text"]});
    session.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    client.send(json!({"type": "session.update", "session": session})).await;
    assert_eq!(client.event().await["type"], "session.updated");
    client
}

/// Types something, asks for a response, and gives its events.
async fn ask(client: &mut Client, text: &str, response: Value) -> Vec<Value> {
    client
        .send(json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": text}]}}))
        .await;
    client.until("conversation.item.done").await;
    respond(client, response).await
}

async fn respond(client: &mut Client, response: Value) -> Vec<Value> {
    client.send(json!({"type": "response.create", "response": response})).await;
    let events = client.until("response.done").await;
    events.iter().for_each(|event| schema::server().check(event));
    assert_eq!(client.event().await["type"], "rate_limits.updated");
    events
}

/// What the response put out: words, or calls as `name arguments`.
fn output(events: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let told = |item: &Value| match item["type"].as_str() {
        Some("function_call") => format!("{} {}", text(&item["name"]), text(&item["arguments"])),
        _ => text(&item["content"][0]["text"]),
    };
    let done = events.last().expect("an end");
    done["response"]["output"].as_array().expect("output").iter().map(told).collect()
}

async fn give(client: &mut Client, events: &[Value], outputs: &[&str]) {
    let items = events.last().expect("an end")["response"]["output"].as_array().expect("output").clone();
    for (item, output) in items.iter().zip(outputs) {
        client
            .send(json!({"type": "conversation.item.create", "item":
            {"type": "function_call_output", "call_id": item["call_id"], "output": output}}))
            .await;
        assert_eq!(client.until("conversation.item.done").await.len(), 2);
    }
}

#[tokio::test]
async fn a_wish_becomes_a_call_and_its_result_a_sentence() {
    let server = Server::start(&["--engine", "local"]);
    let mut client = session(&server, json!({})).await;
    let events = ask(&mut client, "What's the weather in Paris?", json!({})).await;
    assert_eq!(output(&events), [r#"get_weather {"city":"Paris"}"#]);
    assert_eq!(
        names(&events),
        [
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done"
        ]
    );
    give(&mut client, &events, &[r#"{"temperature": 21, "condition": "sunny"}"#]).await;
    assert_eq!(output(&respond(&mut client, json!({})).await), ["Temperature is 21, condition is sunny."]);

    let events = ask(&mut client, "And the weather and the time in Oslo?", json!({})).await;
    assert_eq!(output(&events), [r#"get_weather {"city":"Oslo"}"#, r#"get_time {"city":"Oslo"}"#]);
    give(&mut client, &events, &[r#"{"error": "no data"}"#, "12:30"]).await;
    let told = output(&respond(&mut client, json!({})).await);
    assert_eq!(told, ["Get weather did not work: no data. Get time: 12:30."]);

    let events = ask(&mut client, "How is the weather?", json!({})).await;
    assert_eq!(output(&events), ["To get weather I need to know the city."]);
    assert_eq!(output(&ask(&mut client, "In Rome.", json!({})).await), [r#"get_weather {"city":"Rome"}"#]);
}

#[tokio::test]
async fn the_choice_holds_for_the_session_and_for_one_response() {
    let server = Server::start(&["--engine", "local"]);
    let mut client = session(&server, json!({"tool_choice": "none"})).await;
    let answered = output(&ask(&mut client, "What's the weather in Paris?", json!({})).await);
    assert!(answered[0].contains("I cannot answer that"), "{answered:?}");
    let named = json!({"tool_choice": {"type": "function", "name": "get_time"}});
    assert_eq!(output(&ask(&mut client, "What about Paris?", named).await), [r#"get_time {"city":"Paris"}"#]);
    let auto =
        ask(&mut client, "What's the weather in Paris?", json!({"tool_choice": "auto", "conversation": "none"})).await;
    assert_eq!(output(&auto), [r#"get_weather {"city":"Paris"}"#]);
    assert!(!names(&auto).iter().any(|name| name.starts_with("conversation.")));
    let required = json!({"tool_choice": "required", "tools": [tools()[1]]});
    assert_eq!(output(&ask(&mut client, "Hello.", required).await), ["get_time {}"]);
    let unknown = json!({"type": "response.create", "event_id": "mine",
        "response": {"tool_choice": {"type": "function", "name": "get_lost"}}});
    client.send(unknown).await;
    assert_eq!(client.event().await["error"]["event_id"], "mine");
}

#[tokio::test]
async fn a_spoken_wish_is_a_wish() {
    let server = Server::start(&["--engine", "local"]);
    let mut client = session(&server, json!({"audio": {"input": {"turn_detection": null}}})).await;
    client.append(&recording("goforward.wav")).await;
    client.send(json!({"type": "input_audio_buffer.commit"})).await;
    client.until("conversation.item.done").await;
    // "Go forward ten meters."
    assert_eq!(output(&respond(&mut client, json!({})).await), [r#"go_forward {"meters":10}"#]);
}
