// SPDX-License-Identifier: MPL-2.0

//! A plain WebSocket client for tests of the server.

#![allow(dead_code, reason = "shared by tests that need different parts")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A bound for anything that the server may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A client.
pub struct Client(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    /// Connects.
    pub async fn connect(url: &str) -> Self {
        Self::connect_with(url, &[]).await.expect("a connection")
    }

    /// Connects with more headers.
    pub async fn connect_with(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let mut request = url.into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        Ok(Self(timeout(PATIENCE, connect_async(request)).await.expect("an answer in time")?.0))
    }

    /// Connects and waits for the session.
    pub async fn session(url: &str) -> Self {
        let mut client = Self::connect(url).await;
        assert_eq!(client.event().await["type"], "session.created");
        client
    }

    /// Sends an event.
    pub async fn send(&mut self, event: Value) {
        self.0.send(Message::text(event.to_string())).await.expect("the server takes it");
    }

    /// Appends samples.
    pub async fn append(&mut self, samples: &[i16]) {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.send(json!({"type": "input_audio_buffer.append", "audio": STANDARD.encode(bytes)})).await;
    }

    /// The next message that is not a ping.
    pub async fn message(&mut self) -> Result<Message, Error> {
        let message = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(message) => return message,
                    None => return Err(Error::ConnectionClosed),
                }
            }
        };
        timeout(PATIENCE, message).await.expect("a message in time")
    }

    /// Sends a ping and waits for its pong. An event that comes before it fails the test.
    pub async fn ping(&mut self) {
        self.0.send(Message::Ping(Default::default())).await.expect("sent");
        match timeout(PATIENCE, self.0.next()).await.expect("a pong in time") {
            Some(Ok(Message::Pong(_))) => {}
            other => panic!("expected a pong, got {other:?}"),
        }
    }

    /// The next event.
    #[track_caller]
    pub fn event(&mut self) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            match self.message().await {
                Ok(Message::Text(text)) => serde_json::from_str(&text).expect("JSON"),
                other => panic!("expected an event at {caller}, got {other:?}"),
            }
        }
    }

    /// The events up to one of this type, which is the last.
    pub async fn until(&mut self, name: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.event().await;
            let last = event["type"] == name;
            events.push(event);
            if last {
                return events;
            }
        }
    }

    /// The close that comes next.
    pub async fn close(&mut self) -> (u16, String) {
        match self.message().await {
            Ok(Message::Close(Some(frame))) => (frame.code.into(), frame.reason.to_string()),
            other => panic!("expected a close, got {other:?}"),
        }
    }
}

/// The types of events, equal ones in a row once.
pub fn names(events: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    names.dedup();
    names
}

/// The sound of all audio deltas.
pub fn sound(events: &[Value]) -> Vec<i16> {
    let deltas = events.iter().filter(|event| event["type"] == "response.output_audio.delta");
    let bytes: Vec<u8> =
        deltas.flat_map(|event| STANDARD.decode(event["delta"].as_str().expect("text")).expect("base64")).collect();
    bytes.as_chunks::<2>().0.iter().map(|&pair| i16::from_le_bytes(pair)).collect()
}

/// A recording of 16 kHz as the wire's 24 kHz, and some silence.
pub fn recording(name: &str) -> Vec<i16> {
    let path = format!("{}/../../tests/media/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).expect("a recording");
    let samples: Vec<i16> = bytes[44..].as_chunks::<2>().0.iter().map(|&pair| i16::from_le_bytes(pair)).collect();
    let between = |index: usize| {
        let (at, third) = (index * 2 / 3, index * 2 % 3);
        let (a, b) = (i32::from(samples[at]), i32::from(*samples.get(at + 1).unwrap_or(&0)));
        (a + (b - a) * third as i32 / 3) as i16
    };
    (0..samples.len() * 3 / 2).map(between).chain(std::iter::repeat_n(0, 48_000)).collect()
}
