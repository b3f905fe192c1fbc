// SPDX-License-Identifier: MPL-2.0

//! Redirects and proxies.

use crate::error::ErrorKind;
use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::tests::dialogue::{config, server_vad};
use crate::realtime::session::Secret;
use crate::realtime::session::tests::peer::*;
use crate::types::Timing;
use std::io::Write;
use tokio_tungstenite::tungstenite::accept;

#[test]
fn a_redirect_to_the_same_host_is_followed() {
    let (first, second) = (Server::new(), Server::new());
    let mut bench = Bench::new(&connection(first.uri()), 0);
    bench.expect_try(1);
    first.refuse("302 Found", "Location: /v2/realtime?model=x\r\n");
    let request = first.refuse("307 Temporary Redirect", &format!("Location: http://127.0.0.1:{}/\r\n", second.port()));
    assert!(request.starts_with("GET /v2/realtime?model=x "), "{request}");
    let _peer = second.ready();
    bench.expect_ready(false);
}

#[test]
fn a_redirect_to_another_host_is_told_without_its_query() {
    let server = Server::new();
    let mut bench = Bench::new(&connection(server.uri()), 5);
    bench.expect_try(1);
    server.refuse("302 Found", "Location: https://me:hush@other.example/v1?api-key=hush#hush\r\n");
    let failure = bench.failure();
    assert_eq!(failure.kind(), ErrorKind::Connect);
    let text = failure.to_string();
    assert!(text.contains("302") && text.contains("wss://other.example/v1") && !text.contains("hush"), "{text}");
}

#[test]
fn a_circle_of_redirects_has_an_end() {
    let server = Server::new();
    let mut bench = Bench::new(&connection(server.uri()), 5);
    bench.expect_try(1);
    (0..6).for_each(|_| drop(server.refuse("301 Moved", "Location: /again\r\n")));
    assert!(bench.failure().says(ErrorKind::Connect, "redirects more than 5 times"));
}

fn through(proxy: &Server) -> Bench {
    let variable = format!("http://me:s3cret-Word@127.0.0.1:{}", proxy.port());
    let mut connection = connection("ws://server.example/v1".into());
    (connection.allow_insecure, connection.api_key) = (true, Secret::new("sk-1"));
    let config = Config { reconnects: true, ..config(Timing::Live, server_vad()) };
    Bench::with_env(&connection, 5, config, |name| (name == "ALL_PROXY").then(|| variable.clone()))
}

#[test]
fn a_connection_goes_through_the_proxy_of_the_environment() {
    let proxy = Server::new();
    let mut bench = through(&proxy);
    bench.expect_try(1);
    let mut stream = proxy.stream();
    let request = head(&mut stream);
    assert!(request.starts_with("CONNECT server.example:80 HTTP/1.1\r\nHost: server.example:80\r\n"), "{request}");
    // me:s3cret-Word
    assert!(request.contains("Proxy-Authorization: Basic bWU6czNjcmV0LVdvcmQ=\r\n"), "{request}");
    assert!(!request.contains("sk-1"), "the key is not the proxy's");
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").expect("it is taken");
    let mut peer = Peer(accept(stream).expect("a handshake"));
    peer.expect("session.update");
    peer.send(serde_json::json!({"type": "session.updated", "session": {}}));
    bench.expect_ready(false);
    assert!(!bench.said.join("\n").contains("s3cret-Word"));
}

#[test]
fn a_proxy_that_refuses_is_named() {
    let proxy = Server::new();
    let mut bench = through(&proxy);
    bench.expect_try(1);
    proxy.refuse("503 Busy", "");
    bench.expect_try(2);
    proxy.refuse("407 Who are you", "");
    let failure = bench.failure();
    assert!(failure.says(ErrorKind::Connect, "ALL_PROXY") && failure.says(ErrorKind::Connect, "407"), "{failure}");
}
