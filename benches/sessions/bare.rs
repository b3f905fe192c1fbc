// SPDX-License-Identifier: MPL-2.0

//! Clients that do nothing but send sound and read what comes back: one with tokio and tungstenite, and one that copies bytes
//! over TCP.

use crate::{chunk, due};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::{SinkExt, StreamExt};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// An append of 20 ms, with its frame.
const APPEND_BYTES: usize = 1_400;

/// Sessions on one thread.
pub fn tungstenite(base: &str, sessions: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut senders = Vec::new();
        for _ in 0..sessions {
            let mut request = format!("{base}/realtime?model=gpt-realtime").into_client_request().expect("a URL");
            request.headers_mut().insert("Authorization", "Bearer none".parse().expect("a value"));
            let (socket, _) = tokio_tungstenite::connect_async(request).await.expect("a session");
            let (sender, receiver) = socket.split();
            senders.push(sender);
            tokio::spawn(receiver.for_each(|message| async { read(&message.expect("a message")) }));
        }
        println!("connected");
        let start = tokio::time::Instant::now();
        for index in 0_u32.. {
            let sound = BASE64_STANDARD.encode(chunk(index.into()));
            for (number, sender) in (0..).zip(&mut senders) {
                tokio::time::sleep_until(start + due(index, number, sessions)).await;
                let append = serde_json::json!({"type": "input_audio_buffer.append", "audio": sound});
                sender.send(Message::text(append.to_string())).await.expect("it is sent");
            }
        }
    });
}

fn read(message: &Message) {
    let Message::Text(text) = message else { return };
    let event: serde_json::Value = serde_json::from_str(text).expect("an event");
    if event["type"] == "response.output_audio.delta" {
        let sound = event["delta"].as_str().map(|sound| BASE64_STANDARD.decode(sound).expect("base64"));
        assert!(sound.is_some_and(|sound| !sound.is_empty()));
    }
}

/// Connections to a port that takes everything, on one thread; nothing comes back.
pub fn tcp(address: &str, sessions: u32) {
    let mut sockets: Vec<_> = (0..sessions).map(|_| TcpStream::connect(address).expect("a connection")).collect();
    println!("connected");
    let start = Instant::now();
    for index in 0_u32.. {
        for (number, socket) in (0..).zip(&mut sockets) {
            let due = start + due(index, number, sessions);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            socket.write_all(&[0; APPEND_BYTES]).expect("it is sent");
        }
    }
}

/// Starts the port for [`tcp`], and returns its address.
pub fn tcp_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.expect("a connection");
            std::thread::spawn(move || while socket.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {});
        }
    });
    address
}
