// SPDX-License-Identifier: MPL-2.0

//! The server as a client sees it: a plain WebSocket against the real program, with the engine that echoes.

#[path = "support/client.rs"]
mod client;
#[path = "support/server.rs"]
mod server;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::{Client, names, sound};
use futures_util::SinkExt;
use serde_json::{Value, json};
use server::Server;
use std::io::{Read, Write};
use std::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

fn echo() -> Server {
    Server::start(&["--engine", "echo"])
}

/// Speech and silence in milliseconds, for the echo's level meter.
fn speech(before: usize, speech: usize, after: usize) -> Vec<i16> {
    [vec![0; before * 24], vec![8_000; speech * 24], vec![0; after * 24]].concat()
}

/// A request without a WebSocket; the answer's head and body.
fn http(server: &Server, request: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    let length = body.len();
    write!(stream, "{request}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[tokio::test]
async fn a_spoken_turn_comes_back_to_the_sample() {
    let server = echo();
    let mut client = Client::session(&server.realtime()).await;
    client.append(&speech(500, 1_000, 500)).await;
    let events = client.until("rate_limits.updated").await;
    assert_eq!(
        names(&events),
        [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
            "rate_limits.updated"
        ]
    );
    assert_eq!((&events[0]["audio_start_ms"], &events[1]["audio_end_ms"]), (&json!(200), &json!(1_700)));
    // 300 ms of padding, the speech, and the 200 ms of silence that ended the turn.
    assert_eq!(sound(&events), speech(300, 1_000, 200));
    assert!(events.iter().all(|event| event["event_id"].is_string()));
}

#[tokio::test]
async fn every_way_to_get_in_and_every_way_to_be_sent_away() {
    let key = "a-key-of-this-test";
    let server = Server::start_with(
        &["--engine", "echo", "--refuse-model", "gone", "--refuse-beta"],
        &[("REALTIME_SERVER_API_KEY", key)],
    );
    let bearer = format!("Bearer {key}");
    let in_protocol = format!("realtime, openai-insecure-api-key.{key}");
    for headers in
        [("authorization", bearer.as_str()), ("api-key", key), ("sec-websocket-protocol", in_protocol.as_str())]
    {
        let mut client = Client::connect_with(&server.realtime(), &[headers]).await.expect("a connection");
        assert_eq!(client.event().await["type"], "session.created", "{}", headers.0);
    }
    let url = |query: &str| format!("{}{query}", server.url());
    let good = ("authorization", bearer.as_str());
    let sent_away = [
        (url("?model=gpt-realtime"), vec![("authorization", "Bearer wrong")], "invalid_api_key", 3000),
        (url("?model=gpt-realtime"), vec![], "invalid_api_key", 3000),
        (url(""), vec![good], "missing_model", 4000),
        (url("?model=no-such-model"), vec![good], "invalid_model", 4000),
        (url("?model=gone"), vec![good], "invalid_model", 4000),
        (url("?model=gpt-realtime"), vec![good, ("openai-beta", "realtime=v1")], "beta_api_shape_disabled", 4000),
    ];
    for (url, headers, code, close) in sent_away {
        let mut client = Client::connect_with(&url, &headers).await.expect("an upgrade");
        let error = client.event().await;
        assert_eq!(error["error"]["code"], code);
        assert_eq!(client.close().await, (close, format!("invalid_request_error.{code}")));
    }
    assert!(!server.stderr().contains(key));
}

#[tokio::test]
async fn a_client_secret_opens_a_session_as_it_was_configured() {
    let server = Server::start(&["--engine", "echo", "--api-key", "k"]);
    let body = r#"{"expires_after": {"anchor": "created_at", "seconds": 60},
        "session": {"type": "realtime", "model": "gpt-realtime", "instructions": "Be brief."}}"#;
    let path = "POST /v1/realtime/client_secrets HTTP/1.1\r\nContent-Type: application/json";
    assert!(http(&server, path, body).starts_with("HTTP/1.1 401"));
    let answer = http(&server, &format!("{path}\r\nAuthorization: Bearer k"), body);
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON");
    assert_eq!(body["session"]["instructions"], "Be brief.");
    let bearer = format!("Bearer {}", body["value"].as_str().expect("a secret"));
    let mut client = Client::connect_with(server.url(), &[("authorization", &bearer)]).await.expect("a connection");
    let created = client.event().await;
    assert_eq!(
        (&created["session"]["instructions"], &created["session"]["model"]),
        (&json!("Be brief."), &json!("gpt-realtime"))
    );
}

#[test]
fn other_paths_answer_as_http() {
    let server = echo();
    let get = |path: &str| http(&server, &format!("GET {path} HTTP/1.1"), "");
    assert!(get("/healthz").starts_with("HTTP/1.1 200"));
    assert!(http(&server, "HEAD /healthz HTTP/1.1", "").starts_with("HTTP/1.1 200"));
    assert!(get("/v1/models").contains("\"object\":\"list\""));
    assert!(get("/v1/realtime").starts_with("HTTP/1.1 426"));
    let unknown = get("/v1/nothing");
    assert!(unknown.starts_with("HTTP/1.1 404") && unknown.contains("Invalid URL (GET /v1/nothing)"), "{unknown}");
}

#[tokio::test]
async fn metrics_tell_what_happened() {
    let server = echo();
    let metrics = || http(&server, "GET /metrics HTTP/1.1", "");
    assert!(metrics().contains("\nrealtime_server_active_sessions 0\n"));
    let mut client = Client::session(&server.realtime()).await;
    client.append(&speech(500, 1_000, 500)).await;
    client.until("rate_limits.updated").await;
    client.send(json!({"type": "nothing"})).await;
    client.until("error").await;
    http(&server, "POST /v1/audio/speech HTTP/1.1", "{");
    let text = metrics();
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("content-type: application/openmetrics-text"), "{text}");
    for line in [
        "realtime_server_active_sessions 1",
        "realtime_server_sessions_total{kind=\"realtime\"} 1",
        "realtime_server_turns_total 1",
        "realtime_server_responses_total{kind=\"completed\"} 1",
        "realtime_server_errors_total{kind=\"invalid_value\"} 1",
        "realtime_server_audio_bytes_total{kind=\"received\"} 96000",
        "realtime_server_requests_total{path=\"/audio/speech\",status=\"400\"} 1",
        "realtime_server_first_audio_seconds_count 1",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn any_base_leads_to_a_session() {
    let server = echo();
    for path in ["/realtime", "/openai/v1/realtime", "/a/proxy/v1/realtime"] {
        let url = format!("ws://127.0.0.1:{}{path}?model=local", server.port());
        Client::session(&url).await;
    }
    let url = format!("{}?intent=transcription", server.url());
    let mut client = Client::connect(&url).await;
    assert_eq!(client.event().await["session"]["object"], "realtime.transcription_session");
}

#[tokio::test]
async fn what_is_no_event_is_refused_and_the_session_lives() {
    let server = echo();
    let mut client = Client::session(&server.realtime()).await;
    for (message, code) in [
        (Message::binary(vec![1, 2, 3]), "invalid_event"),
        (Message::text("{"), "invalid_json"),
        (Message::text(r#"{"type":"nothing"}"#), "invalid_value"),
    ] {
        client.0.send(message).await.expect("sent");
        assert_eq!(client.event().await["error"]["code"], code);
    }
    client.send(json!({"type": "input_audio_buffer.clear"})).await;
    assert_eq!(client.event().await["type"], "input_audio_buffer.cleared");
}

#[tokio::test]
async fn a_session_that_is_too_long_is_ended() {
    let server = Server::start(&["--engine", "echo", "--max-session", "1s"]);
    let mut client = Client::session(&server.realtime()).await;
    assert_eq!(client.event().await["error"]["code"], "session_expired");
    let (code, reason) = client.close().await;
    assert_eq!(code, 1001);
    assert!(reason.starts_with("Your session hit the maximum duration"), "{reason}");
}

#[tokio::test]
async fn a_session_over_tls() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).expect("a certificate");
    let (cert, key) = (server::file(&made.cert.pem()), server::file(&made.signing_key.serialize_pem()));
    let path = |path: &std::path::PathBuf| path.to_str().expect("a path").to_string();
    let server = Server::start(&["--engine", "echo", "--tls-cert", &path(&cert), "--tls-key", &path(&key)]);
    assert!(server.url().starts_with("wss://127.0.0.1:"));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_tungstenite::Connector::Rustls(std::sync::Arc::new(config));
    let url = server.realtime().replace("127.0.0.1", "localhost");
    let connection = tokio_tungstenite::connect_async_tls_with_config(url, None, false, Some(connector)).await;
    let mut client = Client(connection.expect("a connection").0);
    assert_eq!(client.event().await["type"], "session.created");
    for file in [cert, key] {
        std::fs::remove_file(file).expect("removed");
    }
}

#[tokio::test]
async fn a_session_is_recorded_without_credentials_and_can_be_replayed() {
    let path = std::env::temp_dir().join(format!("realtime-server-{}.jsonl", std::process::id()));
    let path = path.to_str().expect("a path");
    let mut server = Server::start(&["--engine", "echo", "--record", path, "--api-key", "the-key"]);
    let bearer = [("authorization", "Bearer the-key")];
    let update = json!({"type": "session.update", "session": {"type": "realtime", "tools":
        [{"type": "mcp", "server_label": "a", "server_url": "https://a", "authorization": "the-token"}]}});
    let run = async |url: String| {
        let mut client = Client::connect_with(&url, &bearer).await.expect("a connection");
        client.event().await;
        client.send(update.clone()).await;
        client.event().await;
        client.append(&speech(300, 400, 400)).await;
        let events = client.until("rate_limits.updated").await;
        client.0.close(None).await.expect("closed");
        while client.message().await.is_ok() {}
        sound(&events)
    };
    let first = run(server.realtime()).await;
    assert!(server.terminate().0.success());
    let trace = std::fs::read_to_string(path).expect("a trace");
    assert!(!trace.contains("the-key") && !trace.contains("the-token"), "{trace}");
    let server = Server::start(&["--engine", "replay", path]);
    assert_eq!(run(server.realtime()).await, first);
    std::fs::remove_file(path).expect("removed");
}

#[tokio::test]
async fn transcription_is_honest_and_beside_the_answer() {
    let server = echo();
    let mut client = Client::session(&server.realtime()).await;
    client
        .send(json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input":
        {"transcription": {"model": "whisper-1"}, "turn_detection": null}}}}))
        .await;
    client.append(&[5; 24_000]).await;
    client.send(json!({"type": "input_audio_buffer.commit"})).await;
    let events = client.until("conversation.item.input_audio_transcription.completed").await;
    let completed = events.last().expect("an event");
    assert_eq!(
        (&completed["transcript"], &completed["usage"]),
        (&json!(""), &json!({"type": "duration", "seconds": 1.0}))
    );
}

#[tokio::test]
async fn a_long_append_is_heard_turn_by_turn() {
    let server = echo();
    let mut client = Client::session(&server.realtime()).await;
    let turn = speech(1_000, 500, 1_000);
    client.append(&turn.repeat(20)).await;
    let mut started = Vec::new();
    while started.len() < 20 {
        let event = client.event().await;
        if event["type"] == "input_audio_buffer.speech_started" {
            started.push(event["audio_start_ms"].as_u64().expect("a time"));
        }
    }
    assert_eq!(started, (0..20).map(|turn| turn * 2_500 + 700).collect::<Vec<u64>>());
}

#[tokio::test]
async fn truncated_base64_and_half_samples_are_refused() {
    let server = echo();
    let mut client = Client::session(&server.realtime()).await;
    for audio in ["AAA", "@@@@", &STANDARD.encode([1, 2, 3])] {
        client.send(json!({"type": "input_audio_buffer.append", "audio": audio, "event_id": "mine"})).await;
        let error = client.event().await;
        assert_eq!((&error["error"]["param"], &error["error"]["event_id"]), (&json!("audio"), &json!("mine")));
    }
}
