// SPDX-License-Identifier: MPL-2.0

//! The HTTP side without media: who may come in, what browsers are told, and the WebSocket.

mod support;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use support::Gateway;
use support::client::within;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const ECHO: &[&str] = &["--engine", "echo"];
const SECRETS: &str = "/v1/realtime/client_secrets";
const CALLS: &str = "/v1/realtime/calls";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_comes_with_headers_that_protect_it() {
    let gateway = Gateway::start(ECHO, &[]).await;
    let page = gateway.get("/").await;
    assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.header("Content-Security-Policy").is_some_and(|policy| policy.contains("default-src 'none'")));
    assert_eq!(page.header("X-Content-Type-Options"), Some("nosniff"));
    // Everything that the page names is there.
    let names = page.body.split('"').filter(|name| name.starts_with('/')).map(str::to_owned).collect::<Vec<_>>();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        assert_eq!(gateway.get(&name).await.status, 200, "{name}");
    }
    assert_eq!(gateway.get("/healthz").await.body, "ok\n");
    assert_eq!(gateway.get("/nothing").await.code(), "not_found");
    assert_eq!(gateway.get("/config.json").await.json()["needs_key"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_access_key_nobody_comes_in_without() {
    let gateway = Gateway::start(ECHO, &["--access-key", "open sesame"]).await;
    let ask = async |path: &str, token: &str| {
        let token = format!("Bearer {token}");
        let headers = [("Authorization", token.as_str()), ("Content-Type", "application/sdp")];
        gateway.request("POST", path, &headers, "").await
    };
    for path in [SECRETS, CALLS, "/v1/realtime/calls/rtc_x/hangup"] {
        assert_eq!(gateway.post(path, "application/sdp", "").await.code(), "invalid_api_key", "{path}");
        assert_eq!(ask(path, "wrong").await.status, 401, "{path}");
        assert_eq!(ask(path, "ek_unknown").await.status, 401, "{path}");
    }
    let secret = ask(SECRETS, "open sesame").await;
    assert_eq!(secret.status, 200, "{secret:?}");
    let secret = secret.json()["value"].as_str().expect("a secret").to_owned();
    assert_eq!(ask(SECRETS, &secret).await.status, 401, "a secret makes no secrets");
    assert_eq!(ask(CALLS, &secret).await.code(), "invalid_offer", "it lets in, as far as the offer");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_are_refused_unless_they_are_named() {
    let gateway = Gateway::start(ECHO, &["--allow-origin", "https://good.example.com"]).await;
    let from = async |method: &str, origin: &str| gateway.request(method, SECRETS, &[("Origin", origin)], "").await;
    let evil = from("POST", "https://evil.example.com").await;
    assert_eq!((evil.status, evil.code().as_str()), (403, "origin_not_allowed"));
    assert_eq!(evil.header("Access-Control-Allow-Origin"), None);
    let good = from("POST", "https://good.example.com").await;
    assert_eq!((good.status, good.header("Access-Control-Allow-Origin")), (200, Some("https://good.example.com")));
    assert_eq!(good.header("Access-Control-Expose-Headers"), Some("Location"));
    assert_eq!(from("OPTIONS", "https://good.example.com").await.status, 204);
    let rebound = gateway.request("GET", "/", &[("Host", "evil.example.com")], "").await;
    assert_eq!(rebound.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_asks_only_so_often() {
    let gateway = Gateway::with_upstream("ws://127.0.0.1:1/v1", &["--requests-per-minute", "2"]).await;
    for _ in 0..2 {
        assert_eq!(gateway.post(SECRETS, "application/json", "{}").await.status, 200);
    }
    let refused = gateway.post(SECRETS, "application/json", "{}").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limit_exceeded"));
    assert!(refused.header("Retry-After").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn by_websocket_what_is_said_is_heard_back() {
    let gateway = Gateway::start(ECHO, &[]).await;
    let secret = gateway.post(SECRETS, "application/json", r#"{"session": {"model": "a-model"}}"#).await.json();
    let mut request = format!("ws://{}/v1/realtime/socket", gateway.address).into_client_request().expect("a URL");
    let protocols = format!("realtime, openai-insecure-api-key.{}", secret["value"].as_str().expect("a secret"));
    request.headers_mut().insert("Sec-WebSocket-Protocol", protocols.parse().expect("a header"));
    let (socket, answer) = tokio_tungstenite::connect_async(request).await.expect("a WebSocket");
    assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], "realtime");
    let (mut to, mut from) = socket.split();

    // A microphone keeps time.
    let recording = include_bytes!("../../../tests/media/goforward.wav");
    let speech = at_24_khz(&recording[44..]);
    let microphone = tokio::spawn(async move {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(40));
        let silence = vec![0; 1920];
        for piece in speech.chunks_exact(1920).chain(std::iter::repeat(&silence[..])) {
            tick.tick().await;
            let message = [&[0], piece].concat();
            if to.send(Message::Binary(message.into())).await.is_err() {
                return;
            }
        }
    });
    let mut heard = 0;
    let mut types = Vec::new();
    let talk = async {
        while let Some(message) = from.next().await {
            match message.expect("a message") {
                Message::Binary(audio) => {
                    assert_eq!(audio[0], 0, "the first byte says that it is audio");
                    heard += audio.len() / 2;
                }
                Message::Text(text) => {
                    let event: Value = serde_json::from_str(&text).expect("JSON");
                    if event["type"] == "session.created" {
                        assert_eq!(event["session"]["model"], "a-model");
                    }
                    types.push(event["type"].as_str().unwrap_or_default().to_owned());
                    if event["type"] == "output_audio_buffer.stopped" {
                        return;
                    }
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(support::LIMIT, talk).await.unwrap_or_else(|_| panic!("no end of {types:?}"));
    assert!(heard > 12_000, "{heard} samples were heard");
    let has = |kind: &str| types.iter().any(|one| one == kind);
    assert!(has("session.created") && has("output_audio_buffer.started") && !has("response.output_audio.delta"));
    microphone.abort();
    drop(from);
    within("the end", microphone).await.expect_err("it was aborted");
    gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
}

/// 16 kHz to 24 kHz, by linear interpolation.
fn at_24_khz(bytes: &[u8]) -> Vec<u8> {
    let samples: Vec<_> = bytes.chunks_exact(2).map(|two| f32::from(i16::from_le_bytes([two[0], two[1]]))).collect();
    let length = (samples.len() - 1) * 3 / 2;
    let sample = |at: usize| {
        let place = at as f32 * 2.0 / 3.0;
        let (before, part) = (place as usize, place.fract());
        (samples[before] * (1.0 - part) + samples[(before + 1).min(samples.len() - 1)] * part) as i16
    };
    (0..length).flat_map(|at| sample(at).to_le_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_message_of_a_websocket_is_told() {
    let gateway = Gateway::start(ECHO, &[]).await;
    let url = format!("ws://{}/v1/realtime/socket", gateway.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("a WebSocket");
    for message in [Message::Binary(vec![9, 9].into()), Message::Text(json!({"no": "type"}).to_string().into())] {
        socket.send(message).await.expect("it is sent");
        let refused = async {
            while let Some(Ok(message)) = socket.next().await {
                if message.to_text().is_ok_and(|text| text.contains(r#""type":"error""#)) {
                    return;
                }
            }
            panic!("the connection has ended");
        };
        within("a refusal", refused).await;
    }
    socket.close(None).await.expect("it is closed");
    gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
}
