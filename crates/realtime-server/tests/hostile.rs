// SPDX-License-Identifier: MPL-2.0

//! Clients that are slow, many, gone or hostile: each harms itself alone, and is told why it must go as long as it can be
//! told anything.

#[path = "support/client.rs"]
mod client;
#[path = "support/server.rs"]
mod server;

use client::{Client, PATIENCE, sound};
use futures_util::SinkExt;
use serde_json::json;
use server::Server;
use std::io::{Read, Write};
use std::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

fn echo() -> Server {
    Server::start(&["--engine", "echo"])
}

/// Speech and silence in milliseconds, for the echo's level meter.
fn speech(before: usize, speech: usize, after: usize) -> Vec<i16> {
    [vec![0; before * 24], vec![8_000; speech * 24], vec![0; after * 24]].concat()
}

/// A connection that was upgraded, and of which only bytes are known from there on.
fn upgraded(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
    let upgrade = "GET /v1/realtime?model=local HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).expect("a request");
    stream
}

#[test]
fn frames_that_are_none_are_answered_with_a_close() {
    let server = echo();
    // A mask of zeros leaves a payload as it is.
    for (what, frame, code) in [
        ("a frame without a mask", &b"\x81\x02{}"[..], 1002),
        ("a reserved opcode", b"\x83\x80\0\0\0\0", 1002),
        ("reserved bits", b"\xf1\x80\0\0\0\0", 1002),
        ("the end of nothing", b"\x80\x80\0\0\0\0", 1002),
        ("text that is no UTF-8", b"\x81\x82\0\0\0\0\xff\xfe", 1007),
        ("a frame of an exabyte", b"\x81\xff\x10\0\0\0\0\0\0\0\0\0\0\0", 1009),
    ] {
        let mut stream = upgraded(&server);
        stream.write_all(frame).expect("sent");
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap_or_else(|error| panic!("{what}: {error}"));
        let close = all.windows(4).rfind(|frame| frame[0] == 0x88);
        assert_eq!(close.map(|frame| u16::from_be_bytes([frame[2], frame[3]])), Some(code), "{what}");
    }
}

#[tokio::test]
async fn a_message_beyond_every_bound_is_refused() {
    let server = echo();
    let mut client = Client::session(&server.realtime()).await;
    // The server hangs up before it has taken all of it, and says why all the same.
    let _ = client.0.send(Message::text("x".repeat(65 * 1024 * 1024))).await;
    assert_eq!(client.close().await, (1009, "The message is too big.".to_owned()));
    // Others are not concerned.
    Client::session(&server.realtime()).await;
}

#[tokio::test]
async fn many_clients_at_once() {
    let server = echo();
    let clients = (0..32).map(|number: usize| {
        let url = server.realtime();
        tokio::spawn(async move {
            let mut client = Client::session(&url).await;
            client.append(&speech(300, 300 + number * 20, 400)).await;
            sound(&client.until("response.done").await).len()
        })
    });
    for (number, client) in clients.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(client.await.expect("a client"), (300 + 300 + number * 20 + 200) * 24);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_only_itself() {
    let server = echo();
    let mut greedy = Client::session(&server.realtime()).await;
    // A minute of sound, echoed many times over and never read: far more than any buffer on the way holds.
    greedy
        .send(json!({"type": "session.update", "session":
        {"type": "realtime", "audio": {"input": {"turn_detection": null}}}}))
        .await;
    greedy.append(&vec![1; 24_000 * 60]).await;
    greedy.send(json!({"type": "input_audio_buffer.commit"})).await;
    let mut asked = 0;
    let ask = json!({"type": "response.create", "response": {"conversation": "none"}}).to_string();
    while asked < 200 && timeout(PATIENCE / 30, greedy.0.send(Message::text(ask.clone()))).await.is_ok() {
        asked += 1;
    }
    let mut other = Client::session(&server.realtime()).await;
    other.append(&speech(300, 300, 400)).await;
    other.until("response.done").await;
}

#[test]
fn a_client_that_has_vanished_is_given_up() {
    let server = Server::start(&["--engine", "echo", "--ping-interval", "20ms"]);
    let mut stream = upgraded(&server);
    // No pong ever goes back, so the server hangs up.
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("an end");
    assert!(all.starts_with(b"HTTP/1.1 101"));
    assert_eq!(all.windows(2).filter(|frame| *frame == [0x89, 0x00]).count(), 3);
}
