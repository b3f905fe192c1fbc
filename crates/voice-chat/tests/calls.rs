// SPDX-License-Identifier: MPL-2.0

//! Calls by WebRTC, from the offer to the end, against the local server.

mod support;

use serde_json::json;
use support::client::{Client, Media, within};
use support::{Gateway, Response};

const ECHO: &[&str] = &["--engine", "echo"];
const SPEECH: Media = Media { speaks: true, speaks_for: None, camera: false };
const SILENCE: Media = Media { speaks: false, speaks_for: None, camera: false };

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_heard_back_and_events_tell_of_it() {
    let gateway = Gateway::start(ECHO, &[]).await;
    let mut client = Client::connect(&gateway, SPEECH).await;
    assert!(client.location.starts_with("/v1/realtime/calls/rtc_"), "{}", client.location);
    client.expect("session.created").await;
    client.expect("input_audio_buffer.speech_started").await;
    client.expect("input_audio_buffer.committed").await;
    let started = client.expect("output_audio_buffer.started").await;
    let stopped = client.expect("output_audio_buffer.stopped").await;
    assert_eq!(started["response_id"], stopped["response_id"]);
    client.expect_speech(4_000).await;
    assert_eq!(gateway.metric("voice_chat_visitors").await, 1.0);
    client.hang_up(&gateway).await;
    gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
    assert!(gateway.metric("voice_chat_first_audio_seconds_count").await >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_events_reach_the_session_and_its_errors_come_back() {
    let gateway = Gateway::start(ECHO, &[]).await;
    let mut client = Client::connect(&gateway, SILENCE).await;
    client.expect("session.created").await;
    client.send(
        &json!({"type": "session.update", "session": {"type": "realtime", "model": "m", "instructions": "Sing."}}),
    );
    assert_eq!(client.expect("session.updated").await["session"]["instructions"], "Sing.");
    // The same once more changes nothing, and is answered all the same.
    client.send(&json!({"type": "session.update", "session": {"type": "realtime", "instructions": "Sing."}}));
    assert_eq!(client.expect("session.updated").await["session"]["instructions"], "Sing.");
    client.send(&json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "hello"}]}}));
    client.expect("conversation.item.done").await;
    client.send(&json!({"type": "input_audio_buffer.append", "audio": "", "event_id": "mine"}));
    assert_eq!(client.expect("error").await["error"]["event_id"], "mine");
    client.send_text("garbage");
    assert_eq!(client.expect("error").await["error"]["code"], "invalid_json");
    client.send(&json!({"type": "conversation.item.delete", "item_id": "nowhere"}));
    client.expect("error").await;
    client.hang_up(&gateway).await;
    gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_hung_up_by_its_location() {
    let gateway = Gateway::start(ECHO, &[]).await;
    let mut client = Client::connect(&gateway, SILENCE).await;
    client.expect("session.created").await;
    let path = format!("{}/hangup", client.location);
    assert_eq!(gateway.post(&path, "text/plain", "").await.status, 200);
    client.expect_closed().await;
    gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
    let again = gateway.post(&path, "text/plain", "").await;
    assert_eq!((again.status, again.code().as_str()), (404, "call_not_found"));
    client.vanish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_is_shown_to_the_model_with_a_turn() {
    let gateway = Gateway::start(ECHO, &[]).await;
    let mut client = Client::connect(&gateway, Media { speaks: true, speaks_for: None, camera: true }).await;
    let frame = client.expect("voice_chat.frame").await;
    assert_eq!(frame["state"], "sent", "{frame}");
    client.hang_up(&gateway).await;
    gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_is_cleaned_up() {
    let gateway = Gateway::start(ECHO, &[]).await;
    let mut client = Client::connect(&gateway, SILENCE).await;
    client.expect("session.created").await;
    client.vanish().await;
    gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_an_offer_or_of_a_secret_is_the_calls() {
    let gateway = Gateway::start(ECHO, &[]).await;
    let session = r#"{"type": "realtime", "model": "a-model", "instructions": "Whisper."}"#;
    let mut client = Client::new(SILENCE).await;
    let part =
        |name: &str, body: &str| format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{body}\r\n");
    let body = format!("{}{}--x--\r\n", part("sdp", &client.offer), part("session", session));
    let answer = gateway.post("/v1/realtime/calls", "multipart/form-data; boundary=x", &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_call_has(&mut client, &answer).await;
    client.hang_up(&gateway).await;

    let wish = format!(r#"{{"session": {session}, "expires_after": {{"anchor": "created_at", "seconds": 60}}}}"#);
    let secret = gateway.post("/v1/realtime/client_secrets", "application/json", &wish).await.json();
    assert_eq!(secret["session"]["instructions"], "Whisper.");
    let token = format!("Bearer {}", secret["value"].as_str().expect("a secret"));
    let mut client = Client::new(SILENCE).await;
    let headers = [("Content-Type", "application/sdp"), ("Authorization", token.as_str())];
    let answer = gateway.request("POST", "/v1/realtime/calls", &headers, &client.offer).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_call_has(&mut client, &answer).await;
    client.hang_up(&gateway).await;
}

/// The call has the session that was asked for.
async fn assert_call_has(client: &mut Client, answer: &Response) {
    client.take_answer(&answer.body).await;
    assert_eq!(client.expect("session.created").await["session"]["model"], "a-model");
    client.send(&json!({"type": "session.update", "session": {"type": "realtime"}}));
    assert_eq!(client.expect("session.updated").await["session"]["instructions"], "Whisper.");
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_that_lead_to_nothing_are_refused_with_the_reason() {
    let gateway = Gateway::start(ECHO, &["--max-visitors", "1"]).await;
    for (kind, body, status, code) in [
        ("application/sdp", "hello", 400, "invalid_offer"),
        ("application/sdp", "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", 400, "invalid_offer"),
        ("application/json", "{}", 415, "unsupported_content_type"),
        ("multipart/form-data; boundary=x", "--x--\r\n", 400, "invalid_offer"),
        ("multipart/form-data", "--x--\r\n", 400, "invalid_body"),
    ] {
        let answer = gateway.post("/v1/realtime/calls", kind, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
    }
    let mut client = Client::connect(&gateway, SILENCE).await;
    client.expect("session.created").await;
    let second = Client::new(SILENCE).await;
    let answer = gateway.post("/v1/realtime/calls", "application/sdp", &second.offer).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "too_many_visitors"));
    assert!(answer.header("Retry-After").is_some());
    client.hang_up(&gateway).await;
    gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
    second.vanish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_upstream_the_offer_is_refused_and_says_why() {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let uri = format!("ws://{}/v1", listener.local_addr().expect("an address"));
    drop(listener);
    let gateway = Gateway::with_upstream(&uri, &[]).await;
    let client = Client::new(SILENCE).await;
    let answer = gateway.post("/v1/realtime/calls", "application/sdp", &client.offer).await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "upstream_unreachable"), "{answer:?}");
    gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
    client.vanish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_program_is_told_to_visitors() {
    let mut gateway = Gateway::start(ECHO, &[]).await;
    let mut client = Client::connect(&gateway, SILENCE).await;
    client.expect("session.created").await;
    within("the end", gateway.stop()).await;
    client.expect_end("shutdown").await;
    client.vanish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_lasts_no_longer_than_allowed() {
    // Long enough that the data channel is open before, on a busy machine as well.
    let gateway = Gateway::start(ECHO, &["--max-duration", "12s"]).await;
    let mut client = Client::connect(&gateway, SILENCE).await;
    client.expect_end("session_expired").await;
    client.vanish().await;
}
