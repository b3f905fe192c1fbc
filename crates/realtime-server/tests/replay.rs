// SPDX-License-Identifier: MPL-2.0

//! Traces of other programs, played again: without a header, with their own names, at any speed.

#[path = "support/client.rs"]
mod client;
#[path = "support/server.rs"]
mod server;

use client::{Client, names, sound};
use serde_json::{Value, json};
use server::Server;

/// A line of a trace.
fn line(dir: &str, t: f64, ev: Value) -> String {
    json!({"dir": dir, "t": t, "ev": ev}).to_string()
}

fn replay(lines: &[String]) -> Server {
    let path = server::file(&lines.join("\n"));
    Server::start(&["--engine", "replay", path.to_str().expect("a readable path")])
}

/// A turn that a server found: its events depend on nothing but how much sound was appended.
fn spoken_turn() -> Vec<String> {
    let mut lines = vec![
        line("s", 0.0, json!({"type": "session.created", "event_id": "e1", "session": {"type": "realtime"}})),
        line("c", 0.1, json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {}}}})),
        line("s", 0.2, json!({"type": "session.updated", "event_id": "e2", "session": {"type": "realtime"}})),
    ];
    let append = |t: f64| line("c", t, json!({"type": "input_audio_buffer.append", "audio": "<pcm:100>"}));
    lines.extend((0..10).map(|index| append(100.0 + f64::from(index))));
    lines.push(line(
        "s",
        200.0,
        json!({"type": "input_audio_buffer.speech_started", "event_id": "e3", "audio_start_ms": 700, "item_id": "i1"}),
    ));
    lines.extend((0..20).map(|index| append(300.0 + f64::from(index))));
    lines.push(line(
        "s",
        400.0,
        json!({"type": "input_audio_buffer.speech_stopped", "event_id": "e4", "audio_end_ms": 2900, "item_id": "i1"}),
    ));
    lines.push(line("s", 401.0, json!({"type": "response.created", "event_id": "e5", "response": {"id": "r1"}})));
    lines.push(line("s", 402.0, json!({"type": "response.output_audio.delta", "event_id": "e6", "response_id": "r1", "item_id": "i2", "output_index": 0, "content_index": 0, "delta": "<ramp:300>"})));
    lines.push(line(
        "s",
        500.0,
        json!({"type": "response.done", "event_id": "e7", "response": {"id": "r1", "status": "completed"}}),
    ));
    lines
}

async fn begin(server: &Server) -> Client {
    let mut client = Client::session(&server.realtime()).await;
    client.send(json!({"type": "session.update", "event_id": "mine", "session": {"type": "realtime"}})).await;
    assert_eq!(client.event().await["type"], "session.updated");
    client
}

#[tokio::test]
async fn the_answer_depends_on_the_sound_and_not_on_how_it_comes() {
    let server = replay(&spoken_turn());
    let mut answers = Vec::new();
    for chunk in [7 * 24, 20 * 24, 250 * 24, 3_000 * 24] {
        let mut client = begin(&server).await;
        for part in vec![0; 3_000 * 24].chunks(chunk) {
            client.append(part).await;
        }
        let events = client.until("response.done").await;
        assert_eq!(names(&events)[..2], ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"]);
        answers.push((sound(&events), events));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(answers[0].0, (0..300 * 24).collect::<Vec<i16>>());
}

#[tokio::test]
async fn nothing_is_said_before_its_sound_has_come() {
    let server = replay(&spoken_turn());
    let mut client = begin(&server).await;
    client.append(&vec![0; 999 * 24]).await;
    // What the server answers to a ping proves that it has read all before it and had nothing to say.
    client.ping().await;
    client.append(&[0; 24]).await;
    assert_eq!(client.event().await["type"], "input_audio_buffer.speech_started");
    client.append(&vec![0; 1_999 * 24]).await;
    client.ping().await;
    client.append(&[0; 24]).await;
    assert_eq!(client.event().await["type"], "input_audio_buffer.speech_stopped");
}

#[tokio::test]
async fn a_client_that_has_less_to_say_is_answered_when_it_has_said_it() {
    let append = json!({"type": "input_audio_buffer.append", "audio": "<pcm:2000>"});
    let server = replay(&[
        line("s", 0.0, json!({"type": "session.created", "event_id": "e1", "session": {"type": "realtime"}})),
        line(
            "c",
            1.0,
            json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}}}),
        ),
        line("s", 2.0, json!({"type": "session.updated", "event_id": "e2", "session": {"type": "realtime"}})),
        line("c", 3.0, append),
        line("c", 9.0, json!({"type": "input_audio_buffer.commit", "event_id": "then"})),
        line(
            "s",
            9.1,
            json!({"type": "input_audio_buffer.committed", "event_id": "e3", "item_id": "i1", "previous_item_id": null}),
        ),
        line("c", 9.2, json!({"type": "response.create"})),
        line(
            "s",
            9.3,
            json!({"type": "error", "event_id": "e4", "error": {"type": "x", "message": "y", "event_id": "then"}}),
        ),
    ]);
    let mut client = begin(&server).await;
    client.append(&[0; 24_000]).await;
    client.send(json!({"type": "input_audio_buffer.commit", "event_id": "now"})).await;
    assert_eq!(client.event().await["type"], "input_audio_buffer.committed");
    client.send(json!({"type": "conversation.item.retrieve", "item_id": "of no matter"})).await;
    client.send(json!({"type": "response.create"})).await;
    assert_eq!(client.event().await["error"]["event_id"], "now");
}
