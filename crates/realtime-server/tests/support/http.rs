// SPDX-License-Identifier: MPL-2.0

//! Plain HTTP requests of tests, byte by byte, so that wrong ones can be sent, too.

#![allow(dead_code, reason = "shared by tests that need different parts")]

use crate::server::Server;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    head: String,
    /// Its body, without the lengths of chunks.
    pub body: Vec<u8>,
}

/// Sends a request, such as `GET /v1/models`, and reads its answer to the end.
pub fn request(server: &Server, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head =
        format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).expect("a request");
    // A server that refuses need not read the body.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    // One that closes before all of the body came resets the connection, behind its answer.
    let read = stream.read_to_end(&mut answer);
    Answer::parse(&answer).unwrap_or_else(|| panic!("{line}: no answer: {read:?}, {answer:?}"))
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut answer = Self { status, head, body: bytes[end + 4..].to_vec() };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = join(&answer.body);
        }
        Some(answer)
    }

    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    /// The body of a success as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Fails unless this is an error of OpenAI's shape.
    #[track_caller]
    pub fn assert_refused(&self, status: u16, code: Option<&str>, param: Option<&str>, said: &str) {
        let text = self.text();
        let error = &serde_json::from_str::<Value>(&text).unwrap_or_else(|_| panic!("{self:?}"))["error"];
        assert_eq!((self.status, error["code"].as_str(), error["param"].as_str()), (status, code, param), "{text}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(said)), "{text}");
        assert_eq!(error["type"], "invalid_request_error", "{text}");
    }
}

/// The body of chunks that were sent so far.
fn join(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let length =
            usize::from_str_radix(std::str::from_utf8(&bytes[..end]).expect("a length"), 16).expect("a length");
        if length == 0 {
            break;
        }
        body.extend_from_slice(&bytes[end + 2..end + 2 + length]);
        bytes = &bytes[end + 4 + length..];
    }
    body
}

/// A form of `multipart/form-data`.
#[derive(Default)]
pub struct Form(Vec<u8>);

const BOUNDARY: &str = "----a-boundary";

impl Form {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a field of text.
    pub fn field(self, name: &str, value: &str) -> Self {
        self.part(&format!("name=\"{name}\""), value.as_bytes())
    }

    /// With a file.
    pub fn file(self, name: &str, file: &[u8]) -> Self {
        self.part(&format!("name=\"file\"; filename=\"{name}\""), file)
    }

    fn part(mut self, about: &str, value: &[u8]) -> Self {
        self.0.extend(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {about}\r\n\r\n").bytes());
        self.0.extend(value);
        self.0.extend(b"\r\n");
        self
    }

    /// The header.
    pub fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={BOUNDARY}")
    }

    /// The body.
    pub fn body(&self) -> Vec<u8> {
        [&self.0[..], format!("--{BOUNDARY}--\r\n").as_bytes()].concat()
    }
}
