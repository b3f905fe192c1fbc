// SPDX-License-Identifier: MPL-2.0

//! Server events on their way to the data channel.
//!
//! Audio is on the track, so its events and the copies of it in items stay behind. What comes before the channel is
//! open waits, but for `session.updated`: clients take the first one for the answer to an update of their own.

use super::error_event;
use super::output_audio_buffer::OutputAudioBuffer;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::VecDeque;

/// So many events wait for the channel to open; a client has to connect within seconds.
const MAX_EARLY_EVENTS: usize = 256;
/// Names of updates that wait for the server's answer.
const MAX_UPDATES: usize = 32;

/// What is needed of every event.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default, borrow)]
    response_id: Option<Cow<'a, str>>,
    #[serde(default)]
    response: Option<Named>,
    #[serde(default, borrow)]
    delta: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Named {
    id: Option<String>,
}

/// The way from the session to the client.
pub struct ServerEvents {
    /// What is heard of the responses.
    pub output: OutputAudioBuffer,
    /// The longest message that the client takes, in bytes.
    max_message_len: usize,
    /// Events for a channel that is not open yet; `None` once it is.
    early: Option<Vec<String>>,
    /// The client's names of its updates, and the element's of what it made of them.
    updates: VecDeque<Update>,
    /// The session as the server told it last.
    session: Option<Value>,
}

struct Update {
    client_id: Option<String>,
    sent_id: Option<String>,
}

impl ServerEvents {
    /// For a client that takes messages of this many bytes.
    pub fn new(max_message_len: usize) -> Self {
        Self {
            output: OutputAudioBuffer::default(),
            max_message_len,
            early: Some(Vec::new()),
            updates: VecDeque::new(),
            session: None,
        }
    }

    /// The channel is open: what has waited for it, in order.
    pub fn open(&mut self) -> Vec<String> {
        self.early.take().unwrap_or_default()
    }

    /// An event of this server's own, which goes out in order with the others.
    pub fn own(&mut self, event: &Value) -> Vec<String> {
        self.send(event.to_string())
    }

    /// A client asked for other settings.
    pub fn update_requested(&mut self, client_id: Option<String>) {
        if self.updates.len() == MAX_UPDATES {
            self.updates.pop_front();
        }
        self.updates.push_back(Update { client_id, sent_id: None });
    }

    /// The element has sent an event; `session.update` takes the name of all that was asked for and not sent so far.
    pub fn client_event(&mut self, json: &str) {
        #[derive(Deserialize)]
        struct Sent {
            #[serde(rename = "type")]
            kind: String,
            event_id: Option<String>,
        }
        let Ok(Sent { kind, event_id: Some(event_id) }) = serde_json::from_str(json) else { return };
        if kind == "session.update" {
            for update in self.updates.iter_mut().filter(|update| update.sent_id.is_none()) {
                update.sent_id = Some(event_id.clone());
            }
        }
    }

    /// Updates that changed nothing, of which the element sends nothing: the client is answered all the same.
    pub fn unsent_updates(&mut self) -> Vec<String> {
        let unsent = self.updates.iter().filter(|update| update.sent_id.is_none()).count();
        self.updates.retain(|update| update.sent_id.is_some());
        let Some(session) = &self.session else { return Vec::new() };
        let event = serde_json::json!({
            "type": "session.updated", "event_id": crate::ids::event(), "session": session,
        });
        (0..unsent).flat_map(|_| self.send(event.to_string())).collect()
    }

    /// An event of the server: what the client gets.
    pub fn server_event(&mut self, json: &str) -> Vec<String> {
        let Ok(head) = serde_json::from_str::<Head>(json) else {
            // The element warns of what is no event.
            return Vec::new();
        };
        let response_id = head.response_id.as_deref().or(head.response.as_ref().and_then(|named| named.id.as_deref()));
        match &*head.kind {
            "response.output_audio.delta" | "response.audio.delta" => {
                if let (Some(id), Some(delta)) = (response_id, &head.delta) {
                    self.output.received(id, samples_of_base64(delta));
                }
                Vec::new()
            }
            "response.output_audio.done" | "response.audio.done" => {
                let stopped = response_id.and_then(|id| self.output.complete(id));
                let mut events = self.send(json.to_owned());
                events.extend(stopped.iter().flat_map(|event| self.own(event)));
                events
            }
            "response.done" => {
                let stopped = response_id.and_then(|id| self.output.complete(id));
                let mut events = self.rewritten(json, without_audio);
                events.extend(stopped.iter().flat_map(|event| self.own(event)));
                events
            }
            "session.created" => {
                self.session = session_of(json);
                self.send(json.to_owned())
            }
            "session.updated" => {
                self.session = session_of(json);
                self.updates.retain(|update| update.sent_id.is_none());
                if self.early.is_some() { Vec::new() } else { self.send(json.to_owned()) }
            }
            "error" => {
                let updates = std::mem::take(&mut self.updates);
                let events = self.rewritten(json, |event| with_client_id(event, &updates));
                self.updates = updates;
                events
            }
            kind if kind.starts_with("conversation.item.") || kind.starts_with("response.output_item.") => {
                self.rewritten(json, without_audio)
            }
            _ => self.send(json.to_owned()),
        }
    }

    fn rewritten(&mut self, json: &str, rewrite: impl FnOnce(&mut Value)) -> Vec<String> {
        let Ok(mut event) = serde_json::from_str::<Value>(json) else { return Vec::new() };
        rewrite(&mut event);
        self.send(event.to_string())
    }

    fn send(&mut self, event: String) -> Vec<String> {
        let event = if event.len() > self.max_message_len {
            let kind = serde_json::from_str::<Head>(&event).map(|head| head.kind.into_owned()).unwrap_or_default();
            let message = format!(
                "An event '{kind}' of {} bytes is not sent: the data channel takes {}.",
                event.len(),
                self.max_message_len
            );
            error_event("message_too_long", &message, None).to_string()
        } else {
            event
        };
        match &mut self.early {
            None => vec![event],
            Some(early) => {
                if early.len() < MAX_EARLY_EVENTS {
                    early.push(event);
                }
                Vec::new()
            }
        }
    }
}

/// Samples of 16 bits in so much base64.
fn samples_of_base64(text: &str) -> u64 {
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    ((text.len() - padding) * 3 / 4 / 2) as u64
}

fn session_of(json: &str) -> Option<Value> {
    let event: Value = serde_json::from_str(json).ok()?;
    event.get("session").cloned()
}

/// Items repeat the audio of the track as base64, which a data channel does not take.
fn without_audio(event: &mut Value) {
    let strip = |item: &mut Value| {
        let parts = item.get_mut("content").and_then(Value::as_array_mut);
        for part in parts.into_iter().flatten().filter_map(Value::as_object_mut) {
            if part.get("type").and_then(Value::as_str).is_some_and(|kind| kind.contains("audio")) {
                part.remove("audio");
            }
        }
    };
    if let Some(item) = event.get_mut("item") {
        strip(item);
    }
    let output = event.get_mut("response").and_then(|response| response.get_mut("output"));
    for item in output.and_then(Value::as_array_mut).into_iter().flatten() {
        strip(item);
    }
}

/// An error that is about an update has the name that the client gave it.
fn with_client_id(event: &mut Value, updates: &VecDeque<Update>) {
    let Some(id) = event["error"]["event_id"].as_str() else { return };
    let update = updates.iter().find(|update| update.sent_id.as_deref() == Some(id));
    if let Some(client_id) = update.and_then(|update| update.client_id.as_deref()) {
        event["error"]["event_id"] = client_id.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn open() -> ServerEvents {
        let mut events = ServerEvents::new(1000);
        assert!(events.open().is_empty());
        events
    }

    #[test]
    fn what_comes_early_waits_but_for_updates() {
        let mut events = ServerEvents::new(1000);
        let created = r#"{"type":"session.created","session":{"id":"s"}}"#;
        assert!(events.server_event(created).is_empty());
        assert!(events.server_event(r#"{"type":"session.updated","session":{}}"#).is_empty());
        assert_eq!(events.open(), [created]);
        assert_eq!(events.server_event(created), [created]);
    }

    #[test]
    fn audio_stays_behind_and_is_counted() {
        let mut events = open();
        let delta = r#"{"type":"response.output_audio.delta","response_id":"r","delta":"AAAAAAAA"}"#;
        assert!(events.server_event(delta).is_empty());
        assert_eq!(events.output.played(3)[0]["type"], "output_audio_buffer.started");
        assert!(events.output.silent().is_none());
        let done = r#"{"type":"response.done","response":{"id":"r","output":[]}}"#;
        let told = events.server_event(done);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[1].contains("output_audio_buffer.stopped"), "{told:?}");
    }

    #[test]
    fn items_come_without_their_audio() {
        let mut events = open();
        let item = json!({"type": "conversation.item.retrieved", "item": {"id": "i", "content": [
            {"type": "input_audio", "audio": "AAAA".repeat(1000), "transcript": "hello"}]}});
        let told: Value = serde_json::from_str(&events.server_event(&item.to_string())[0]).expect("JSON");
        assert_eq!(told["item"]["content"], json!([{"type": "input_audio", "transcript": "hello"}]));
    }

    #[test]
    fn what_is_too_long_for_the_channel_is_told() {
        let mut events = open();
        let told = events.server_event(&json!({"type": "x", "text": "a".repeat(1000)}).to_string());
        assert!(told.len() == 1 && told[0].contains("message_too_long") && told[0].contains("'x'"), "{told:?}");
    }

    #[test]
    fn an_error_of_an_update_has_the_clients_name() {
        let mut events = open();
        events.update_requested(Some("mine".into()));
        events.client_event(r#"{"type":"session.update","event_id":"evt_7","session":{}}"#);
        let error = r#"{"type":"error","error":{"event_id":"evt_7","message":"no"}}"#;
        assert!(events.server_event(error)[0].contains("mine"));
        assert!(events.unsent_updates().is_empty());
    }

    #[test]
    fn an_update_that_changes_nothing_is_answered() {
        let mut events = open();
        events.server_event(r#"{"type":"session.created","session":{"id":"s"}}"#);
        events.update_requested(None);
        let told = events.unsent_updates();
        assert!(told.len() == 1 && told[0].contains("session.updated") && told[0].contains(r#""id":"s""#), "{told:?}");
        assert!(events.unsent_updates().is_empty());
    }
}
