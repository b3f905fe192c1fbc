// SPDX-License-Identifier: MPL-2.0

//! The server with its models, against real speech. Words are compared loosely, as their exact form depends on the
//! processor.

#[path = "support/client.rs"]
mod client;
#[path = "support/server.rs"]
mod server;

use client::{Client, recording, sound};
use serde_json::{Value, json};
use server::Server;
use std::time::{Duration, Instant};

fn last<'a>(events: &'a [Value], name: &str) -> &'a Value {
    events.iter().rfind(|event| event["type"] == name).unwrap_or_else(|| panic!("no {name}"))
}

async fn session(server: &Server, input: Value) -> Client {
    let mut client = Client::session(&server.realtime()).await;
    client.send(json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": input}}})).await;
    assert_eq!(client.event().await["type"], "session.updated");
    client
}

#[tokio::test]
async fn what_is_said_is_understood_and_answered_aloud() {
    let server = Server::start(&["--engine", "local"]);
    let mut client = session(
        &server,
        json!({"transcription": {"model": "gpt-4o-mini-transcribe"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 600}}),
    )
    .await;
    client.append(&recording("goforward.wav")).await;
    let events = client.until("response.done").await;
    let transcript = last(&events, "response.output_audio_transcript.done")["transcript"].as_str().expect("words");
    assert!(transcript.to_lowercase().contains("go forward ten"), "{transcript}");
    // The words of the answer are those that are spoken: some 50 to 150 ms a letter.
    let ms = sound(&events).len() / 24;
    assert!((transcript.len() * 30..transcript.len() * 200).contains(&ms), "{ms} ms for {transcript:?}");
    let status = &last(&events, "response.done")["response"]["status"];
    assert_eq!(status, "completed");
    let completed = "conversation.item.input_audio_transcription.completed";
    let heard = match events.iter().find(|event| event["type"] == completed) {
        Some(event) => event.clone(),
        None => client.until(completed).await.pop().expect("an event"),
    };
    assert!(heard["transcript"].as_str().expect("words").to_lowercase().starts_with("go forward"), "{heard}");
}

#[tokio::test]
async fn pushing_to_talk_and_typing_are_answered_as_well() {
    let server = Server::start(&["--engine", "local"]);
    let mut client = session(&server, json!({"turn_detection": null})).await;
    client.append(&recording("goforward.wav")).await;
    client.send(json!({"type": "input_audio_buffer.commit"})).await;
    let written = json!({"type": "response.create", "response": {"output_modalities": ["text"]}});
    client.send(written.clone()).await;
    let events = client.until("response.done").await;
    let text = last(&events, "response.output_text.done")["text"].as_str().expect("words").to_lowercase();
    assert!(text.contains("ten") && sound(&events).is_empty(), "{text}");
    client
        .send(json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "What is two plus two?"}]}}))
        .await;
    client.send(written).await;
    let events = client.until("response.done").await;
    let text = last(&events, "response.output_text.done")["text"].as_str().expect("words").to_lowercase();
    assert!(text.contains("four") || text.contains('4'), "{text}");
}

#[tokio::test]
async fn neither_silence_nor_a_tone_is_speech() {
    let server = Server::start(&["--engine", "local"]);
    let mut client = session(&server, json!({"turn_detection": {"type": "server_vad"}})).await;
    client.append(&vec![0; 48_000]).await;
    let tone = |i: u32| (8_000.0 * (i as f32 * 440.0 / 24_000.0 * std::f32::consts::TAU).sin()) as i16;
    client.append(&(0..72_000).map(tone).collect::<Vec<_>>()).await;
    client.send(json!({"type": "input_audio_buffer.clear"})).await;
    assert_eq!(client.event().await["type"], "input_audio_buffer.cleared");
}

/// Speaks at the pace of speech, then is silent; gives the time from the end of the turn to the first audio of its answer.
async fn time_to_audio(client: &mut Client, sound: &[i16]) -> Duration {
    const FRAME: usize = 24 * 40;
    let mut pace = tokio::time::interval(Duration::from_millis(40));
    let mut frames = sound.chunks(FRAME);
    let (mut turns, mut ended) = (0, Instant::now());
    loop {
        pace.tick().await;
        client.append(frames.next().unwrap_or(&[0; FRAME])).await;
        while let Ok(event) = tokio::time::timeout(Duration::from_millis(1), client.event()).await {
            match event["type"].as_str() {
                Some("input_audio_buffer.speech_stopped") => (turns, ended) = (turns + 1, Instant::now()),
                Some("response.output_audio.delta") => {
                    assert_eq!(turns, 1, "all of it is one turn");
                    return ended.elapsed();
                }
                _ => {}
            }
        }
    }
}

/// Not a test: prints how long after the end of a turn the first audio comes, for turns of 3, 7 and 20 seconds.
/// `cargo test --release -p realtime-server --test local first_audio -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn first_audio_after_turns_of_any_length() {
    let server = Server::start(&["--engine", "local"]);
    let turns = json!({"turn_detection": {"type": "server_vad", "silence_duration_ms": 1500}});
    let spoken = |name: &str| {
        let mut sound = recording(name);
        sound.truncate(sound.len() - 48_000);
        sound
    };
    let long = ["lv0870.wav", "lv0880.wav", "lv0870.wav", "lv0880.wav"];
    for names in [&["goforward.wav"][..], &["lv0870.wav"], &long] {
        let sound: Vec<i16> = names.iter().flat_map(|name| spoken(name)).collect();
        for _ in 0..3 {
            let mut client = session(&server, turns.clone()).await;
            let time = time_to_audio(&mut client, &sound).await;
            eprintln!("{:.1} s: first audio after {} ms", sound.len() as f64 / 24_000.0, time.as_millis());
        }
    }
}
