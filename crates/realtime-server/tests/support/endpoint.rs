// SPDX-License-Identifier: MPL-2.0

//! An endpoint of OpenAI's APIs that does what a test tells it, right or wrong: every request is handed to the test, which
//! answers it piece by piece.

#![allow(dead_code, reason = "shared by tests that need different parts")]

use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A bound for anything that the server may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An endpoint on a free port of loopback.
pub struct Endpoint {
    listener: TcpListener,
    url: String,
}

impl Endpoint {
    /// Listens.
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        Self { listener, url }
    }

    /// The base URL, for `--llm`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next request.
    pub async fn request(&self) -> Exchange {
        let read = async {
            let (stream, _) = self.listener.accept().await.expect("a connection");
            Exchange::read(BufReader::new(stream)).await
        };
        timeout(PATIENCE, read).await.expect("a request in time")
    }
}

/// A request and its answer.
pub struct Exchange {
    stream: BufReader<TcpStream>,
    /// The request line and the headers.
    pub head: String,
    /// What is asked; null where it is no JSON.
    pub body: Value,
    /// The same as it came.
    pub bytes: Vec<u8>,
}

impl Exchange {
    async fn read(mut stream: BufReader<TcpStream>) -> Self {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(stream.read_line(&mut head).await.expect("a head") > 0, "the request ends within its head");
        }
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.expect("a length")];
        stream.read_exact(&mut body).await.expect("a body");
        Self { stream, head, body: serde_json::from_slice(&body).unwrap_or_default(), bytes: body }
    }

    /// The messages, as `role: text`; calls as `role: name arguments`.
    pub fn messages(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = |message: &Value| {
            let called = &message["tool_calls"][0]["function"];
            let said = match &message["content"] {
                Value::Array(parts) => parts.iter().map(|part| text(&part["text"])).collect(),
                Value::Null => format!("{} {}", text(&called["name"]), text(&called["arguments"])),
                content => text(content),
            };
            format!("{}: {said}", text(&message["role"]))
        };
        self.body["messages"].as_array().expect("messages").iter().map(told).collect()
    }

    /// Sends bytes as they are.
    pub async fn raw(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).await.expect("the server reads it");
    }

    /// Answers with a whole body.
    pub async fn reply(mut self, media_type: &str, body: &[u8]) {
        let length = body.len();
        self.raw(&format!("HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n")).await;
        self.stream.write_all(body).await.expect("the server reads it");
    }

    /// Refuses the request.
    pub async fn refuse(mut self, status: &str, body: &str) {
        self.raw(&format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
    }

    /// Begins a stream.
    pub async fn begin(mut self) -> Self {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        self.raw(head).await;
        self
    }

    /// Sends a chunk of HTTP.
    pub async fn chunk(&mut self, text: &str) {
        self.raw(&format!("{:x}\r\n{text}\r\n", text.len())).await;
    }

    async fn event(&mut self, value: Value) {
        self.chunk(&format!("data: {value}\n\n")).await;
    }

    /// Sends a piece of the answer.
    pub async fn delta(&mut self, delta: Value) {
        self.event(json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]})).await;
    }

    /// Sends words.
    pub async fn say(&mut self, text: &str) {
        self.delta(json!({ "content": text })).await;
    }

    /// Ends the stream, with 7 tokens of input and 5 of output.
    pub async fn finish(mut self, reason: &str) {
        self.event(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})).await;
        self.event(json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}))
            .await;
        self.chunk("data: [DONE]\n\n").await;
        self.raw("0\r\n\r\n").await;
    }

    /// Answers with these words.
    pub async fn answer(self, text: &str) {
        let mut exchange = self.begin().await;
        exchange.say(text).await;
        exchange.finish("stop").await;
    }

    /// Waits until the server closes the connection.
    pub async fn closed(&mut self) {
        let end = timeout(PATIENCE, self.stream.read(&mut [0])).await.expect("the server closes in time");
        assert!(matches!(end, Ok(0) | Err(_)), "the server sent more");
    }
}
