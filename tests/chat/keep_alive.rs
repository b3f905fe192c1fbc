// SPDX-License-Identifier: MPL-2.0

//! Connections are kept for the next request, and one that the server has closed meanwhile is no failure.

use crate::raw_server::{RawServer, event, http_chunk};
use crate::{text_tap, texts, typed};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const KEPT_STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

fn stream_of(text: &str) -> Vec<u8> {
    let events = event(json!({"role": "assistant", "content": text}), None) + &event(json!({}), Some("stop"));
    // The end of the stream comes behind what says that the answer is whole.
    [KEPT_STREAM, &http_chunk(events.as_bytes()), &http_chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n"].concat()
}

fn whole(text: &str) -> Vec<u8> {
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
    let body =
        json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}).to_string();
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// Sends messages one after the other, and gives how many connections that took.
fn connections(messages: &str, answer: impl Fn(usize, usize) -> Option<Vec<u8>> + Send + Sync + 'static) -> usize {
    let most = Arc::new(AtomicUsize::new(0));
    let count = most.clone();
    let server = RawServer::keeping(move |connection, number| {
        count.fetch_max(connection + 1, Ordering::Relaxed);
        answer(connection, number)
    });
    let mut pipeline = typed(messages, &server.base(), "max-requests=1");
    let tap = text_tap(&pipeline);
    pipeline.run_to_end();
    assert_eq!(tap.outs().len(), messages.lines().count(), "each message is answered once");
    let states = texts(&pipeline, "request", "state");
    assert!(states.iter().all(|state| state == "sent"), "{states:?}");
    assert_eq!(pipeline.warnings(), [""; 0]);
    most.load(Ordering::Relaxed)
}

#[test]
fn requests_follow_each_other_over_one_connection() {
    assert_eq!(connections("one\ntwo\nthree\nfour", |_, _| Some(stream_of("Yes."))), 1);
    assert_eq!(connections("one\ntwo\nthree\nfour", |_, _| Some(whole("Yes."))), 1);
}

#[test]
fn a_connection_that_is_closed_when_it_is_used_again_is_no_failure() {
    // Each connection answers one request, and ends at the second one without a word.
    let answer = |_, number| (number == 0).then(|| stream_of("Yes."));
    assert_eq!(connections("one\ntwo\nthree", answer), 3);
}
