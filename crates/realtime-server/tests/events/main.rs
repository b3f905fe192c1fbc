// SPDX-License-Identifier: MPL-2.0

//! Everything that the server says is of its published shape, and everything that the published shapes allow a client
//! to say is understood: dialogues with the real program, every event of which is held against the schemas.

#[path = "../support/client.rs"]
mod client;
#[path = "../../../../tests/support/examples.rs"]
mod examples;
mod items;
mod published;
mod refusals;
#[path = "../../../../tests/support/schema.rs"]
mod schema;
#[path = "../support/server.rs"]
mod server;
mod turns;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::{Client, names};
use openai_protocol::ServerEvent;
use serde_json::{Value, json};
use server::Server;

/// A client that checks the shape of everything that it says and hears.
struct Talk(Client);

impl Talk {
    async fn with(url: &str) -> Self {
        let mut talk = Self(Client::connect(url).await);
        assert_eq!(talk.event().await["type"], "session.created");
        talk
    }

    /// Says something of the published shape.
    async fn say(&mut self, event: Value) {
        schema::client().check(&event);
        self.0.send(event).await;
    }

    /// Changes the session; gives what it is then.
    async fn update(&mut self, mut session: Value) -> Value {
        session["type"] = "realtime".into();
        self.say(json!({"type": "session.update", "session": session})).await;
        let updated = self.until("session.updated").await.pop().expect("the event");
        updated["session"].clone()
    }

    async fn append(&mut self, samples: &[i16]) {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.say(json!({"type": "input_audio_buffer.append", "audio": STANDARD.encode(bytes)})).await;
    }

    async fn event(&mut self) -> Value {
        let event = self.0.event().await;
        heard(&event);
        event
    }

    /// The events up to one of this type. An error is none of them unless it is what is waited for.
    async fn until(&mut self, name: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.event().await;
            assert!(name == "error" || event["type"] != "error", "waiting for {name}: {event:#}");
            events.push(event);
            if events.last().is_some_and(|event| event["type"] == name) {
                return events;
            }
        }
    }

    /// Says something that must be refused, with this code and this field.
    async fn refused(&mut self, mut event: Value, code: Option<&str>, param: Option<&str>) {
        event["event_id"] = "the-one-at-fault".into();
        self.0.send(event.clone()).await;
        let error = self.until("error").await.pop().expect("the error")["error"].clone();
        let found = (error["code"].as_str(), error["param"].as_str(), error["event_id"].as_str());
        assert_eq!(found, (code, param, Some("the-one-at-fault")), "{event}: {error}");
        assert_eq!(error["type"], "invalid_request_error", "{event}");
    }
}

/// Holds an event of the server against its shape and its type.
#[track_caller]
fn heard(event: &Value) {
    schema::server().check(event);
    let typed = ServerEvent::from_json(&event.to_string()).expect("the words know it");
    assert!(!matches!(typed, ServerEvent::Unknown(_)));
}

fn echo() -> Server {
    Server::start(&["--engine", "echo"])
}

async fn talk_to_echo() -> (Server, Talk) {
    let server = echo();
    let talk = Talk::with(&server.realtime()).await;
    (server, talk)
}

/// Milliseconds of silence, speech and silence, for the echo's level meter.
fn speech(before: usize, speech: usize, after: usize) -> Vec<i16> {
    [vec![0; before * 24], vec![8_000; speech * 24], vec![0; after * 24]].concat()
}

#[track_caller]
fn one<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let mut found = events.iter().filter(|event| event["type"] == name);
    match (found.next(), found.next()) {
        (Some(event), None) => event,
        _ => panic!("not one {name} in {:?}", names(events)),
    }
}

/// A question in writing; its answer is asked for apart.
fn question(id: &str, text: &str) -> Value {
    json!({"type": "conversation.item.create", "item":
        {"type": "message", "id": id, "role": "user", "content": [{"type": "input_text", "text": text}]}})
}
