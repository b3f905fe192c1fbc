// SPDX-License-Identifier: MPL-2.0

//! Keys: asked for at each connection, and in nothing that is told.

use crate::net::credentials::CredentialsProvider;
use crate::realtime::session::Secret;
use crate::realtime::session::tests::peer::*;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const KEY: &str = "sk-Proj/0123456789";

#[test]
fn a_server_that_gives_the_key_back_in_every_text_gives_it_to_nobody() {
    let server = Server::new();
    let mut connection = connection(server.uri());
    connection.api_key = Secret::new(KEY);
    let mut bench = Bench::new(&connection, 5);
    bench.expect_try(1);
    server
        .answer(&format!("HTTP/1.1 503 {KEY}\r\nContent-Length: 40\r\n\r\n{{\"error\": {{\"message\": \"{KEY}\"}}}}"));
    bench.expect_try(2);
    let mut peer = server.accept();
    peer.expect("session.update");
    peer.send(json!({"type": "session.updated", "session": {"id": KEY, "model": KEY}}));
    bench.expect_ready(false);
    bench.ask("Hello.");
    peer.expect("response.create");
    let error = json!({"type": KEY, "code": KEY, "param": KEY, "message": KEY});
    let response = json!({"id": KEY, "conversation_id": KEY, "metadata": {KEY: KEY}, "status": "failed",
        "status_details": {"type": KEY, "reason": KEY, "error": error}});
    for event in [
        json!({"type": "error", "error": error}),
        json!({"type": KEY}),
        json!({"type": "rate_limits.updated", "rate_limits": [{"name": KEY}]}),
        json!({"type": "input_audio_buffer.speech_started", "item_id": KEY, "audio_start_ms": 0}),
        json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": KEY, "transcript": KEY}),
        json!({"type": "response.created", "response": response}),
        json!({"type": "response.output_text.delta", "response_id": KEY, "item_id": KEY, "delta": KEY}),
        json!({"type": "response.done", "response": response}),
    ] {
        peer.send(event);
    }
    peer.0.send(format!("{{\"type\": \"{}\"}}", KEY.replace('/', "\\/")).into()).expect("it is taken");
    peer.0.send(format!("no JSON: {KEY}").into()).expect("it is taken");
    let code = tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode::Error;
    let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame { code, reason: KEY.into() };
    peer.0.close(Some(frame)).expect("it is taken");
    let reason = bench.expect_loss();
    assert!(reason.contains("[redacted]"), "{reason}");
    let said = bench.said.join("\n");
    assert!(said.matches("[redacted]").count() > 20, "{said}");
    for part in [KEY, "Proj", "0123456789"] {
        assert!(!said.contains(part), "{said}");
    }
}

#[test]
fn an_application_is_asked_for_the_key_of_each_connection() {
    let server = Server::new();
    let mut connection = connection(server.uri());
    let asked = Arc::new(AtomicU32::new(0));
    let counter = asked.clone();
    connection.credentials =
        Some(CredentialsProvider::new(move || Some(format!("token-{}", counter.fetch_add(1, Ordering::Relaxed)))));
    let mut bench = Bench::new(&connection, 5);
    bench.expect_try(1);
    let request = server.refuse("503 Busy", "");
    assert!(request.contains("authorization: Bearer token-0\r\n"), "{request}");
    bench.expect_try(2);
    let request = server.refuse("401 No", "");
    assert!(request.contains("authorization: Bearer token-1\r\n"), "{request}");
    let failure = bench.failure().to_string();
    assert!(failure.contains("get-credentials"), "{failure}");
}

#[test]
fn an_application_that_does_not_answer_is_not_waited_for_without_end() {
    let server = Server::new();
    let mut connection = connection(server.uri());
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    connection.credentials = Some(CredentialsProvider::new(move || {
        let _ = held.lock().expect("no panic").recv();
        None
    }));
    let mut bench = Bench::new(&connection, 0);
    bench.expect_try(1);
    while bench.clock.next().is_none() {
        std::thread::yield_now();
    }
    bench.clock.advance(std::time::Duration::from_secs(10));
    let failure = bench.failure().to_string();
    assert!(failure.contains("did not answer") || failure.contains("get-credentials"), "{failure}");
    drop(release);
}
