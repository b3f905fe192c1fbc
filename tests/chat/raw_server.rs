// SPDX-License-Identifier: MPL-2.0

//! An HTTP server that does to the byte what a test says, right or wrong.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Request {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A running server. It ends with the test's process.
pub struct RawServer {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl RawServer {
    /// Starts one. `answer` gets the number of the request, from 0, and writes whatever it likes; then the connection
    /// is closed.
    pub fn start(answer: impl Fn(usize, &Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (answer, seen) = (Arc::new(answer), requests.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let (answer, seen) = (answer.clone(), seen.clone());
                thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    let number = {
                        let mut seen = seen.lock().expect("no panic");
                        seen.push(request.clone());
                        seen.len() - 1
                    };
                    answer(number, &request, &mut stream);
                });
            }
        });
        Self { port, requests }
    }

    /// A server that keeps connections. `answer` gets the number of the connection and of the request in it, from 0; the
    /// connection is closed where it gives none.
    pub fn keeping(answer: impl Fn(usize, usize) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        // The first request of each connection is the one that it is started with.
        Self::start(move |connection, _, stream| {
            for number in 0.. {
                if number > 0 && read(stream).is_none() {
                    return;
                }
                let Some(answer) = answer(connection, number) else { return };
                stream.write_all(&answer).expect("the element reads");
            }
        })
    }

    /// A server that gives each request this answer.
    pub fn answering(answer: Vec<u8>) -> Self {
        // Whoever has gone reads no more.
        Self::start(move |_, _, stream| drop(stream.write_all(&answer)))
    }

    /// What the element's `uri` takes.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { path, headers, body: serde_json::from_slice(&body).ok()? })
}

/// A whole answer with these headers, a line each.
pub fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut all =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n").into_bytes();
    all.extend_from_slice(body);
    all
}

/// A refusal in OpenAI's form.
pub fn refusal(status: &str, headers: &str, message: &str, code: &str) -> Vec<u8> {
    let error = json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}});
    response(status, &format!("Content-Type: application/json\r\n{headers}"), error.to_string().as_bytes())
}

/// The head of a stream in chunks of HTTP.
pub const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";

/// One chunk of HTTP.
pub fn http_chunk(data: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// A chunk of an answer, as a server-sent event.
pub fn event(delta: Value, reason: Option<&str>) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
    let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [choice]});
    format!("data: {chunk}\n\n")
}

/// A whole stream that says this.
pub fn stream_of(text: &str) -> Vec<u8> {
    let events = event(json!({"role": "assistant", "content": text}), None) + &event(json!({}), Some("stop"));
    stream_with(events.as_bytes(), "data: [DONE]\n\n")
}

/// A whole stream of these bytes.
pub fn stream_with(events: &[u8], end: &str) -> Vec<u8> {
    [STREAM, &http_chunk(&[events, end.as_bytes()].concat()), b"0\r\n\r\n"].concat()
}
