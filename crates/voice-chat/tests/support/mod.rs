// SPDX-License-Identifier: MPL-2.0

//! A gateway with its upstream in the test's process, a small HTTP client, and a WebRTC client out of GStreamer.

// Every test uses a part of this.
#![allow(dead_code, reason = "shared by tests that need different parts")]

pub mod client;

use realtime_server::ServerThread;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use voice_chat::{Cli, Server};

/// A test that waits for longer than this hangs.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A gateway in front of a local server.
pub struct Gateway {
    pub address: String,
    /// What a browser opens.
    pub url: String,
    upstream: Option<ServerThread>,
    shutdown: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Starts both, with these arguments of each.
    pub async fn start(upstream: &[&str], args: &[&str]) -> Self {
        let cli = realtime_server::Cli::from_args(upstream.iter().copied()).expect("arguments of realtime-server");
        let upstream = tokio::task::spawn_blocking(move || ServerThread::start(cli).expect("the server starts"));
        let upstream = upstream.await.expect("a server");
        let uri = upstream.url().trim_end_matches("/realtime").to_owned();
        let mut gateway = Self::with_upstream(&uri, args).await;
        gateway.upstream = Some(upstream);
        gateway
    }

    /// Starts a gateway in front of whatever is at this URI.
    pub async fn with_upstream(uri: &str, args: &[&str]) -> Self {
        let limit: &[&str] =
            if args.contains(&"--requests-per-minute") { &[] } else { &["--requests-per-minute", "10000"] };
        let args = [&["--listen", "127.0.0.1:0", "--upstream", uri], limit, args].concat();
        let server = Server::bind(Cli::from_args(args).expect("arguments")).await.expect("the gateway starts");
        let url = server.url();
        let address = url.trim_end_matches('/').rsplit('/').next().expect("an address").to_owned();
        let (shutdown, over) = oneshot::channel();
        let task = tokio::spawn(server.run(async { drop(over.await) }));
        Self { address, url, upstream: None, shutdown: Some(shutdown), task: Some(task) }
    }

    /// Ends the gateway as SIGTERM does.
    pub async fn stop(&mut self) {
        drop(self.shutdown.take());
        self.task.take().expect("not stopped before").await.expect("the gateway ends");
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], "").await
    }

    pub async fn post(&self, path: &str, kind: &str, body: &str) -> Response {
        self.request("POST", path, &[("Content-Type", kind)], body).await
    }

    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut text = format!("{method} {path} HTTP/1.1\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "Host") {
            text += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(&self.address).await.expect("a connection");
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).await.expect("a request");
        let mut response = String::new();
        let read = stream.read_to_string(&mut response);
        tokio::time::timeout(LIMIT, read).await.expect("an answer in time").expect("an answer");
        Response::parse(&response)
    }

    /// The value of a line of `/metrics`.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.body;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// Waits until a line of `/metrics` has this value.
    pub async fn wait_for_metric(&self, name: &str, value: f64) {
        let reached = async {
            while self.metric(name).await != value {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LIMIT, reached).await.unwrap_or_else(|_| panic!("{name} does not become {value}"));
    }
}

/// An answer of the gateway.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The code of an error.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}
