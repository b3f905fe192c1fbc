// SPDX-License-Identifier: MPL-2.0

//! The stage of the engines that take the place of a session: a socket, and what the client said on it so far.
//!
//! Events of the client wait in a bounded inbox until they are asked for. Sound is only counted, unless somebody
//! wants to see the events that carry it.

use crate::engines::audio_placeholder;
use crate::socket::{Socket, close_frame};
use crate::trace::Close;
use futures_util::{SinkExt, StreamExt};
use openai_protocol::dialect::ga_format_name;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::{Error, Message};

/// Events that may wait.
const INBOX: usize = 10_000;
/// How long the socket may take for one message.
const STALLED: Duration = Duration::from_secs(60);
/// How long a client may take to answer a close.
const GOODBYE: Duration = Duration::from_secs(5);

/// Something that a client did.
#[derive(Clone, Debug, PartialEq)]
pub enum Got {
    /// Said this. What is no JSON stands under `raw`.
    Event(Value),
    /// Answered a ping.
    Pong,
    /// Went away.
    Closed(Close),
}

/// The events of a client that carry sound, in conversations and in translations.
pub const APPENDS: [&str; 2] = ["input_audio_buffer.append", "session.input_audio_buffer.append"];

/// Whether an event of a client carries sound.
pub fn is_sound(event: &Value) -> bool {
    event["type"].as_str().is_some_and(|name| APPENDS.contains(&name))
}

/// How much sound was appended, by the events that say so.
#[derive(Clone, Debug)]
pub struct Appended {
    bytes_per_ms: usize,
    ms: f64,
}

impl Default for Appended {
    fn default() -> Self {
        Self { bytes_per_ms: 48, ms: 0.0 }
    }
}

impl Appended {
    /// In milliseconds of the session's format.
    pub fn ms(&self) -> f64 {
        self.ms
    }

    /// Takes notice of an event of the client: sound, or another format for it.
    pub fn take(&mut self, event: &Value) {
        match event["type"].as_str() {
            _ if is_sound(event) => {
                self.ms += audio_placeholder::audio_bytes(event) as f64 / self.bytes_per_ms as f64;
            }
            Some("session.update" | "transcription_session.update") => {
                let format = event.pointer("/session/audio/input/format/type");
                let format = format.or_else(|| event.pointer("/session/input_audio_format")).and_then(Value::as_str);
                match format.map(ga_format_name) {
                    Some("audio/pcmu" | "audio/pcma") => self.bytes_per_ms = 8,
                    Some(_) => self.bytes_per_ms = 48,
                    None => {}
                }
            }
            _ => {}
        }
    }
}

/// The stage.
pub struct ScriptedSocket {
    /// The client's socket.
    pub socket: Socket,
    inbox: VecDeque<Got>,
    keep_audio: bool,
    appended: Appended,
    closed: Option<Close>,
}

impl ScriptedSocket {
    /// A stage before the client has said anything.
    pub fn new(socket: Socket, keep_audio: bool) -> Self {
        Self { socket, inbox: VecDeque::new(), keep_audio, appended: Appended::default(), closed: None }
    }

    /// How much sound was appended, in milliseconds of the session's format.
    pub fn audio_ms(&self) -> usize {
        self.appended.ms() as usize
    }

    /// How much sound was appended, to the sample.
    pub fn appended(&self) -> &Appended {
        &self.appended
    }

    /// Whether an event of this type waits to be asked for.
    pub fn has(&self, name: &Value) -> bool {
        self.inbox.iter().any(|got| matches!(got, Got::Event(event) if event["type"] == *name))
    }

    /// The next thing that the client did; `None` when the time is over. Once it has gone, it stays gone.
    pub async fn next(&mut self, deadline: Instant) -> Option<Got> {
        loop {
            if let Some(got) = self.inbox.pop_front() {
                return Some(got);
            }
            if let Some(close) = &self.closed {
                return Some(Got::Closed(close.clone()));
            }
            if !self.read(deadline).await {
                return None;
            }
        }
    }

    /// Reads one message into the inbox. False: the time is over, or the client has gone.
    pub async fn read(&mut self, deadline: Instant) -> bool {
        if self.closed.is_some() {
            return false;
        }
        let Ok(message) = timeout_at(deadline, self.socket.next()).await else { return false };
        match message {
            Some(Ok(Message::Text(text))) => {
                let event = serde_json::from_str(&text).unwrap_or_else(|_| json!({"raw": text.as_str()}));
                self.take(event);
            }
            Some(Ok(Message::Pong(_))) => self.put(Got::Pong),
            Some(Ok(Message::Binary(bytes))) => self.put(Got::Event(json!({"raw": format!("{} bytes", bytes.len())}))),
            Some(Ok(Message::Close(frame))) => {
                let close = frame.map(|frame| Close { code: frame.code.into(), reason: frame.reason.to_string() });
                self.closed = Some(close.unwrap_or(Close { code: 1005, reason: String::new() }));
                // Reading on lets the socket answer the close.
                let _ = timeout(GOODBYE, async { while let Some(Ok(_)) = self.socket.next().await {} }).await;
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => self.closed = Some(Close { code: 1006, reason: String::new() }),
        }
        true
    }

    fn take(&mut self, event: Value) {
        self.appended.take(&event);
        if self.keep_audio || !is_sound(&event) {
            self.put(Got::Event(event));
        }
    }

    fn put(&mut self, got: Got) {
        if self.inbox.len() >= INBOX {
            tracing::warn!("the client says more than is asked for: the oldest event is dropped");
            self.inbox.pop_front();
        }
        self.inbox.push_back(got);
    }

    /// Sends an event, its stand-ins replaced.
    pub async fn send(&mut self, mut event: Value) -> Result<(), Error> {
        audio_placeholder::expand(&mut event);
        self.message(Message::text(event.to_string())).await
    }

    /// Sends any message.
    pub async fn message(&mut self, message: Message) -> Result<(), Error> {
        timeout(STALLED, self.socket.send(message)).await.unwrap_or(Err(Error::ConnectionClosed))
    }

    /// Closes, and waits a little for the client to agree.
    pub async fn close(mut self, code: u16, reason: &str) {
        let goodbye = async {
            self.socket.close(Some(close_frame(code, reason))).await?;
            while self.socket.next().await.transpose()?.is_some() {}
            Ok::<_, Error>(())
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }

    /// Takes no notice of the client any more, until it goes.
    pub async fn ignore(mut self) {
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}

/// An event in few words, for people: without long strings.
pub fn in_short(value: &Value) -> String {
    fn shorten(value: &mut Value) {
        match value {
            Value::String(text) if text.len() > 120 => *text = format!("<{} characters>", text.len()),
            Value::Array(list) => list.iter_mut().for_each(shorten),
            Value::Object(map) => map.values_mut().for_each(shorten),
            _ => {}
        }
    }
    let mut value = value.clone();
    shorten(&mut value);
    value.to_string()
}
