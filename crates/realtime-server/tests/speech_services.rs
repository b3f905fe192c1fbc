// SPDX-License-Identifier: MPL-2.0

//! Ears and a voice at endpoints of OpenAI's audio API, which the tests play, and which the server itself is.

#[path = "support/client.rs"]
mod client;
#[path = "support/endpoint.rs"]
mod endpoint;
#[path = "support/server.rs"]
mod server;

use audio_dsp::wav;
use client::{Client, recording, sound};
use endpoint::{Endpoint, Exchange};
use serde_json::{Value, json};
use server::Server;

const COMPLETED: &str = "conversation.item.input_audio_transcription.completed";
const FAILED: &str = "conversation.item.input_audio_transcription.failed";

/// A session in which the client ends turns, and the user's words are wanted.
async fn session(server: &Server, transcription: Value) -> Client {
    let mut client = Client::session(&server.realtime()).await;
    let input = json!({"turn_detection": null, "transcription": transcription});
    client.send(json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": input}}})).await;
    assert_eq!(client.event().await["type"], "session.updated");
    client
}

/// Says something and ends the turn.
async fn speak(client: &mut Client) {
    client.append(&recording("goforward.wav")).await;
    client.send(json!({"type": "input_audio_buffer.commit"})).await;
}

/// Asks for an answer to a text.
async fn ask(client: &mut Client, text: &str) {
    let content = json!([{"type": "input_text", "text": text}]);
    let item = json!({"type": "message", "role": "user", "content": content});
    client.send(json!({"type": "conversation.item.create", "item": item})).await;
    client.send(json!({"type": "response.create"})).await;
}

/// The value of a field of a form.
fn field(exchange: &Exchange, name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(&exchange.bytes);
    let start = text.split_once(&format!("name=\"{name}\"\r\n\r\n"))?.1;
    Some(start.split_once("\r\n")?.0.to_owned())
}

/// The WAV file in a form.
fn file(exchange: &Exchange) -> wav::Wav {
    let start = exchange.bytes.windows(4).position(|bytes| bytes == b"RIFF").expect("a WAV file");
    let length = u32::from_le_bytes(exchange.bytes[start + 4..start + 8].try_into().expect("a length")) as usize;
    wav::read(&exchange.bytes[start..start + 8 + length]).expect("a WAV file")
}

/// A tone as a WAV file.
fn tone(rate: u32, ms: u32) -> Vec<u8> {
    let count = rate * ms / 1000;
    let sample = |i: u32| (8_000.0 * (i as f32 * 440.0 / rate as f32 * std::f32::consts::TAU).sin()) as i16;
    let mut file = wav::header(rate, count * 2).to_vec();
    file.extend((0..count).flat_map(|i| sample(i).to_le_bytes()));
    file
}

#[tokio::test]
async fn words_of_another_language_come_from_the_endpoint() {
    let endpoint = Endpoint::listen().await;
    let key = server::file("sk-ears-1234\n");
    let key_file = key.to_str().expect("a path");
    let server = Server::start(&["--stt-url", endpoint.url(), "--stt-model", "large", "--stt-api-key-file", key_file]);
    let wanted = json!({"model": "whisper-1", "language": "de", "prompt": "Meter"});
    let mut client = session(&server, wanted).await;
    speak(&mut client).await;
    let exchange = endpoint.request().await;
    assert!(exchange.head.starts_with("POST /v1/audio/transcriptions HTTP/1.1\r\n"), "{}", exchange.head);
    assert!(exchange.head.contains("authorization: Bearer sk-ears-1234\r\n"), "{}", exchange.head);
    for (name, value) in [("model", "large"), ("language", "de"), ("prompt", "Meter"), ("response_format", "json")] {
        assert_eq!(field(&exchange, name).as_deref(), Some(value), "{name}");
    }
    let turn = file(&exchange);
    let ms = recording("goforward.wav").len() / 24;
    assert_eq!((turn.rate, turn.samples.len() / 16), (16_000, ms));
    exchange.reply("application/json", r#"{"text": " Zehn Meter vor. "}"#.as_bytes()).await;
    let completed = client.until(COMPLETED).await.pop().expect("words");
    assert_eq!(completed["transcript"], "Zehn Meter vor.");
    // The answer is to the same words, which are not asked for again.
    client.send(json!({"type": "response.create", "response": {"output_modalities": ["text"]}})).await;
    let events = client.until("response.done").await;
    let text = &events.last().expect("an end")["response"]["output"][0]["content"][0]["text"];
    assert!(text.as_str().is_some_and(|text| text.contains("Zehn Meter vor.")), "{text}");
    std::fs::remove_file(key).expect("the file is there");
}

#[tokio::test]
async fn faults_of_the_ears_are_told_in_their_words_and_the_session_lives() {
    let endpoint = Endpoint::listen().await;
    let server = Server::start(&["--stt-url", endpoint.url()]);
    let mut client = session(&server, json!({"model": "whisper-1"})).await;
    for (status, body, words) in [
        (
            Some("404 Not Found"),
            r#"{"error": {"message": "No model whisper-1."}}"#,
            "404 Not Found: No model whisper-1.",
        ),
        (Some("503 Service Unavailable"), "", "503 Service Unavailable: without a reason"),
        (None, r#"{"words": "?"}"#, "sent what is no transcription: {\"words\": \"?\"}"),
    ] {
        speak(&mut client).await;
        let exchange = endpoint.request().await;
        assert_eq!(field(&exchange, "model").as_deref(), Some("whisper-1"));
        match status {
            Some(status) => exchange.refuse(status, body).await,
            None => exchange.reply("application/json", body.as_bytes()).await,
        }
        let failed = client.until(FAILED).await.pop().expect("a failure");
        let message = failed["error"]["message"].as_str().expect("a message");
        let place = format!("the speech recognition at {}/audio/transcriptions", endpoint.url());
        assert!(message.contains(&place) && message.contains(words), "{message}");
    }
    speak(&mut client).await;
    endpoint.request().await.reply("application/json", br#"{"text": "Go."}"#).await;
    assert_eq!(client.until(COMPLETED).await.pop().expect("words")["transcript"], "Go.");
}

/// Commits a turn, has it refused with these bytes of HTTP, and gives the message of the failure.
async fn refusal(endpoint: &Endpoint, client: &mut Client, http: &str) -> String {
    speak(client).await;
    let mut exchange = endpoint.request().await;
    exchange.raw(http).await;
    let failed = client.until(FAILED).await.pop().expect("a failure");
    failed["error"]["message"].as_str().expect("a message").to_owned()
}

#[tokio::test]
async fn a_refusal_that_is_long_or_does_not_end_is_told_with_its_status() {
    let endpoint = Endpoint::listen().await;
    let server = Server::start(&["--stt-url", endpoint.url(), "--stt-timeout", "500ms"]);
    let mut client = session(&server, json!({"model": "whisper-1"})).await;
    let page = format!("Proxy says no. {}", "x".repeat(300_000));
    let long = format!("HTTP/1.1 502 Bad Gateway\r\ncontent-length: {}\r\n\r\n{page}", page.len());
    let endless = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 100\r\n\r\nLoading the model.";
    let moved = "HTTP/1.1 308 Permanent Redirect\r\nlocation: https://x.example/v1?key=1\r\ncontent-length: 0\r\n\r\n";
    for (http, words) in [
        (long.as_str(), "answered 502 Bad Gateway: Proxy says no. xxx"),
        (endless, "answered 503 Service Unavailable: Loading the model."),
        (moved, "answered 308 Permanent Redirect: use the URL https://x.example/v1 instead"),
    ] {
        let message = refusal(&endpoint, &mut client, http).await;
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn sentences_are_spoken_by_the_endpoint_in_its_own_rate() {
    let endpoint = Endpoint::listen().await;
    let server = Server::start(&["--tts-url", endpoint.url(), "--tts-model", "kokoro"]);
    let mut client = session(&server, Value::Null).await;
    let voice = json!({"type": "realtime", "audio": {"output": {"voice": "cedar"}}});
    client.send(json!({"type": "session.update", "session": voice})).await;
    client.until("session.updated").await;
    ask(&mut client, "Thank you.").await;
    for (sentence, rate) in [("This is the offline voice.", 16_000), ("You are welcome.", 44_100)] {
        let exchange = endpoint.request().await;
        assert!(exchange.head.starts_with("POST /v1/audio/speech HTTP/1.1\r\n"), "{}", exchange.head);
        let expected = json!({"model": "kokoro", "input": sentence, "voice": "cedar", "response_format": "wav"});
        assert_eq!(exchange.body, expected);
        exchange.reply("audio/wav", &tone(rate, 500)).await;
    }
    let events = client.until("response.done").await;
    assert_eq!(events.last().expect("an end")["response"]["status"], "completed");
    let heard = sound(&events);
    assert!(heard.len().abs_diff(24_000) < 10, "{} samples", heard.len());
    assert!(heard.iter().any(|&sample| sample > 7_000));
}

#[tokio::test]
async fn faults_of_the_voice_fail_the_response_and_nothing_else() {
    let endpoint = Endpoint::listen().await;
    let server = Server::start(&["--tts-url", endpoint.url(), "--tts-voice", "anna"]);
    let mut client = session(&server, Value::Null).await;
    for (status, body, words) in [
        (Some("400 Bad Request"), r#"{"error": {"message": "No voice anna."}}"#, "400 Bad Request: No voice anna."),
        (None, "Hello", "sent what is no speech: neither WAV nor MP3, but \"Hello\""),
    ] {
        ask(&mut client, "Thank you.").await;
        let exchange = endpoint.request().await;
        assert_eq!(exchange.body["voice"], "anna");
        match status {
            Some(status) => exchange.refuse(status, body).await,
            None => exchange.reply("audio/wav", body.as_bytes()).await,
        }
        let response = client.until("response.done").await.pop().expect("an end")["response"].take();
        assert_eq!(response["status"], "failed");
        let message = response["status_details"]["error"]["message"].as_str().expect("a message");
        let place = format!("the voice at {}/audio/speech", endpoint.url());
        assert!(message.contains(&place) && message.contains(words), "{message}");
    }
    ask(&mut client, "Thank you.").await;
    endpoint.request().await.reply("audio/wav", &tone(24_000, 100)).await;
    client.until("response.output_audio.delta").await;
}

/// What the voice sends is refused with these words.
async fn unreadable(endpoint: &Endpoint, client: &mut Client, body: &[u8]) -> String {
    ask(client, "Thank you.").await;
    endpoint.request().await.reply("audio/wav", body).await;
    let response = client.until("response.done").await.pop().expect("an end")["response"].take();
    response["status_details"]["error"]["message"].as_str().expect("a message").to_owned()
}

#[tokio::test]
async fn speech_that_cannot_be_converted_is_told_and_no_key_is_quoted() {
    let endpoint = Endpoint::listen().await;
    let key = server::file("sk-voice-5678");
    let server = Server::start(&["--tts-url", endpoint.url(), "--tts-api-key-file", key.to_str().expect("a path")]);
    let mut client = session(&server, Value::Null).await;
    let message = unreadable(&endpoint, &mut client, &tone(23_999, 100)).await;
    assert!(message.ends_with("audio cannot be resampled from 23999 Hz to 24000 Hz"), "{message}");
    let page = format!("{}sk-voice-5678", "x".repeat(195));
    let message = unreadable(&endpoint, &mut client, page.as_bytes()).await;
    assert!(!message.contains("sk-v") && message.ends_with("xx[redacted]\""), "{message}");
    std::fs::remove_file(key).expect("the file is there");
}

#[tokio::test]
async fn a_server_is_the_ears_and_the_voice_of_another_one() {
    let speaker = Server::start(&["--api-key", "between-servers"]);
    let key = server::file("between-servers");
    let (base, key_file) = (speaker.base().replace("ws://", "http://"), key.to_str().expect("a path"));
    let server = Server::start(&[
        "--stt-url",
        &base,
        "--stt-api-key-file",
        key_file,
        "--tts-url",
        &base,
        "--tts-api-key-file",
        key_file,
    ]);
    let mut client = session(&server, json!({"model": "whisper-1"})).await;
    speak(&mut client).await;
    client.send(json!({"type": "response.create"})).await;
    let events = client.until("response.done").await;
    let response = &events.last().expect("an end")["response"];
    assert_eq!(response["status"], "completed", "{response}");
    let said = response["output"][0]["content"][0]["transcript"].as_str().expect("words").to_lowercase();
    assert!(said.contains("go forward ten"), "{said}");
    let ms = sound(&events).len() / 24;
    assert!((said.len() * 30..said.len() * 200).contains(&ms), "{ms} ms for {said:?}");
    std::fs::remove_file(key).expect("the file is there");
}
