// SPDX-License-Identifier: MPL-2.0

//! Translation sessions of the real program, every event of which is held against the published schemas.

#[path = "support/client.rs"]
mod client;
#[path = "support/endpoint.rs"]
mod endpoint;
#[path = "support/http.rs"]
mod http;
#[path = "../../../tests/support/schema.rs"]
mod schema;
#[path = "support/server.rs"]
mod server;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::{Client, recording};
use endpoint::Endpoint;
use serde_json::{Value, json};
use server::Server;

const APPEND: &str = "session.input_audio_buffer.append";
const AUDIO: &str = "session.output_audio.delta";

fn url(server: &Server) -> String {
    format!("{}/translations?model=gpt-realtime-translate", server.url())
}

async fn say(client: &mut Client, event: Value) {
    schema::translation_client().check(&event);
    client.send(event).await;
}

async fn append(client: &mut Client, samples: &[i16]) {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    say(client, json!({"type": APPEND, "audio": STANDARD.encode(bytes)})).await;
}

/// The events up to one of this type, all of the published shape.
async fn until(client: &mut Client, name: &str) -> Vec<Value> {
    let events = client.until(name).await;
    events.iter().for_each(|event| schema::translation_server().check(event));
    events
}

/// A session with these settings.
async fn session(server: &Server, audio: Value) -> Client {
    let mut client = Client::connect(&url(server)).await;
    until(&mut client, "session.created").await;
    say(&mut client, json!({"type": "session.update", "session": {"audio": audio}})).await;
    until(&mut client, "session.updated").await;
    client
}

/// The voice in events.
fn voice(events: &[Value]) -> Vec<i16> {
    let deltas = events.iter().filter(|event| event["type"] == AUDIO);
    let bytes: Vec<u8> =
        deltas.flat_map(|event| STANDARD.decode(event["delta"].as_str().expect("text")).expect("base64")).collect();
    bytes.as_chunks::<2>().0.iter().map(|&pair| i16::from_le_bytes(pair)).collect()
}

/// The text of all events of this type.
fn text(events: &[Value], name: &str) -> String {
    events.iter().filter(|event| event["type"] == name).filter_map(|event| event["delta"].as_str()).collect()
}

#[tokio::test]
async fn the_echo_gives_back_the_sound_and_says_its_bytes() {
    let server = Server::start(&["--engine", "echo"]);
    let mut client = session(&server, json!({"input": {"transcription": {"model": "gpt-realtime-whisper"}}})).await;
    let sound: Vec<i16> = (0..30_000).map(|i| i as i16).collect();
    for chunk in sound.chunks(7_001) {
        append(&mut client, chunk).await;
    }
    say(&mut client, json!({"type": "session.close"})).await;
    let events = until(&mut client, "session.closed").await;
    assert_eq!(voice(&events), sound);
    let places: Vec<u64> =
        events.iter().filter(|event| event["type"] == AUDIO).filter_map(|event| event["elapsed_ms"].as_u64()).collect();
    assert_eq!(places, [0, 200, 400, 600, 800, 1_000, 1_200]);
    let said = "9600 bytes. ".repeat(6) + "2400 bytes. ";
    assert_eq!(text(&events, "session.output_transcript.delta"), said);
    assert_eq!(text(&events, "session.input_transcript.delta"), said);
    assert_eq!(client.close().await.0, 1000);
}

#[tokio::test]
async fn without_a_language_model_there_is_no_translation_and_the_reason_is_told() {
    let server = Server::start(&["--engine", "local"]);
    let mut client = Client::connect(&url(&server)).await;
    let error = until(&mut client, "error").await.remove(0)["error"].take();
    assert!(error["message"].as_str().is_some_and(|message| message.contains("start it with --llm URL")), "{error}");
    assert_eq!(client.close().await.0, 4000);
}

#[tokio::test]
async fn speech_is_written_down_translated_and_spoken() {
    let endpoint = Endpoint::listen().await;
    let server = Server::start(&["--llm", endpoint.url()]);
    let mut client = session(&server, json!({"input": {"transcription": {"model": "gpt-realtime-whisper"}}})).await;
    append(&mut client, &recording("goforward.wav")).await;
    let exchange = endpoint.request().await;
    let messages = exchange.messages();
    assert!(messages[0].starts_with("system: You are an interpreter."), "{messages:?}");
    assert!(messages[1].to_lowercase().starts_with("user: go forward"), "{messages:?}");
    say(&mut client, json!({"type": "session.close"})).await;
    exchange.answer("Advance. Ten meters.").await;
    let events = until(&mut client, "session.closed").await;
    assert!(text(&events, "session.input_transcript.delta").to_lowercase().starts_with("go forward"), "{events:?}");
    assert_eq!(text(&events, "session.output_transcript.delta"), "Advance. Ten meters.");
    assert!(voice(&events).len() > 12_000, "there is a voice");
    // The translation comes behind what it translates.
    let first = events.iter().find(|event| event["type"] == AUDIO).expect("a voice");
    assert!(first["elapsed_ms"].as_u64().is_some_and(|place| place >= 1_000), "{first}");
    assert_eq!(client.close().await.0, 1000);
}

#[tokio::test]
async fn a_fault_of_the_model_is_told_and_the_session_lives() {
    let endpoint = Endpoint::listen().await;
    let server = Server::start(&["--llm", endpoint.url()]);
    let mut client = session(&server, json!({})).await;
    append(&mut client, &recording("goforward.wav")).await;
    endpoint.request().await.refuse("429 Too Many Requests", "Busy.").await;
    let error = until(&mut client, "error").await.pop().expect("an error")["error"].take();
    assert!(
        error["message"].as_str().is_some_and(|message| message.contains("429 Too Many Requests: Busy.")),
        "{error}"
    );
    append(&mut client, &recording("goforward.wav")).await;
    endpoint.request().await.answer("Advance.").await;
    until(&mut client, "session.output_audio.delta").await;
}

#[tokio::test]
async fn a_language_that_the_voice_does_not_speak_is_refused() {
    let endpoint = Endpoint::listen().await;
    let german = json!({"type": "session.update", "session": {"audio": {"output": {"language": "de"}}}});
    let server = Server::start(&["--llm", endpoint.url()]);
    let mut client = session(&server, json!({})).await;
    say(&mut client, german.clone()).await;
    let error = until(&mut client, "error").await.pop().expect("an error")["error"].take();
    assert_eq!(error["param"], "session.audio.output.language");
    let server = Server::start(&["--llm", endpoint.url(), "--tts-url", endpoint.url()]);
    let mut client = session(&server, json!({})).await;
    say(&mut client, german).await;
    let updated = until(&mut client, "session.updated").await.pop().expect("an answer");
    assert_eq!(updated["session"]["audio"]["output"]["language"], "de");
}

#[tokio::test]
async fn secrets_for_translations_open_nothing_else() {
    let server = Server::start(&["--engine", "echo", "--api-key", "k"]);
    let key = [("Authorization", "Bearer k"), ("Content-Type", "application/json")];
    let path = "POST /v1/realtime/translations/client_secrets";
    let body = json!({"session": {"model": "gpt-realtime-translate", "audio": {"output": {"language": "fr"}}}});
    schema::translation_secrets().check_as("request", &body);
    assert_eq!(http::request(&server, path, &[], body.to_string().as_bytes()).status, 401);
    for bad in ["", "{}", r#"{"session": {"audio": {}}}"#, r#"{"session": {"model": "m", "voice": "x"}}"#] {
        assert_eq!(http::request(&server, path, &key, bad.as_bytes()).status, 400, "{bad}");
    }
    let answer = http::request(&server, path, &key, body.to_string().as_bytes()).json();
    schema::translation_secrets().check_as("response", &answer);
    let bearer = format!("Bearer {}", answer["value"].as_str().expect("a secret"));
    let plain = format!("{}/translations", server.url());
    let mut client = Client::connect_with(&plain, &[("authorization", &bearer)]).await.expect("a connection");
    let created = until(&mut client, "session.created").await.remove(0)["session"].take();
    assert_eq!(
        (&created["model"], &created["audio"]["output"]["language"]),
        (&json!("gpt-realtime-translate"), &json!("fr"))
    );
    let mut client =
        Client::connect_with(&server.realtime(), &[("authorization", &bearer)]).await.expect("a connection");
    let error = client.event().await["error"].take();
    assert!(
        error["message"].as_str().is_some_and(|message| message.contains("connect to /realtime/translations")),
        "{error}"
    );
}

#[tokio::test]
async fn a_script_plays_a_translation() {
    let server = Server::script(concat!(
        "hello\n",
        "expect session.update {\"session\": {\"audio\": {\"output\": {\"language\": \"de\"}}}}\n",
        "wait audio 400ms\n",
        "send session.output_audio.delta {\"delta\": \"<tone:440:200>\", \"elapsed_ms\": 200}\n",
        "expect session.close\n",
        "send session.closed\n",
        "close 1000\n",
    ));
    let mut client = Client::connect(&url(&server)).await;
    let created = until(&mut client, "session.created").await.remove(0);
    assert_eq!(created["session"]["type"], "translation");
    say(&mut client, json!({"type": "session.update", "session": {"audio": {"output": {"language": "de"}}}})).await;
    append(&mut client, &[0; 9_600]).await;
    let events = until(&mut client, AUDIO).await;
    assert_eq!(voice(&events).len(), 4_800);
    say(&mut client, json!({"type": "session.close"})).await;
    until(&mut client, "session.closed").await;
    assert_eq!(client.close().await.0, 1000);
}
