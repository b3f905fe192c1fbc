// SPDX-License-Identifier: MPL-2.0

//! "Does it speak the protocol?": everything that the element sends, and everything that it is sent, against the
//! published shapes.

use crate::support::folder::Folder;
use crate::support::pipeline::{Pipeline, recording};
use crate::support::server::Server;
use serde_json::Value;

/// What the server wrote down of one session.
fn trace(path: &std::path::Path) -> Vec<(String, Value)> {
    let text = std::fs::read_to_string(path).expect("a trace");
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|entry| entry.get("ev").is_some())
        .map(|entry| (entry["dir"].as_str().expect("a direction").to_owned(), entry["ev"].clone()))
        .collect()
}

#[test]
fn every_event_of_every_kind_of_session_has_its_published_shape() {
    let folder = Folder::new();
    let raw = recording("goforward.wav");
    let phone = format!("{raw} ! audio/x-raw,rate=8000,channels=1 ! alawenc");
    let cases = [
        (&raw, "timing=offline", "fakesink"),
        (&raw, "timing=live", "fakesink sync=true"),
        (&raw, "timing=live turn-detection=local", "fakesink sync=true"),
        (
            &raw,
            "timing=live turn-detection=semantic-vad vad-eagerness=high interrupt-response=false",
            "fakesink sync=true",
        ),
        (&raw, "turn-detection=none output-modalities=text max-output-tokens=200", "fakesink"),
        (
            &raw,
            "turn-detection=server-vad max-speed=50 vad-idle-timeout=6000000000 noise-reduction=far-field",
            "fakesink",
        ),
        (&raw, "transcription-model=\"\" speed=1.2 voice=marin instructions=\"Be brief.\"", "fakesink"),
        (&raw, "transcription-language=en transcription-prompt=metres", "fakesink"),
        (
            &raw,
            "tools=\"[{\\\"type\\\":\\\"function\\\",\\\"name\\\":\\\"go_forward\\\",\\\"description\\\":\\\"Go forward so many meters\\\",\
             \\\"parameters\\\":{\\\"type\\\":\\\"object\\\",\\\"properties\\\":{\\\"meters\\\":{\\\"type\\\":\\\"number\\\"}},\
             \\\"required\\\":[\\\"meters\\\"]}}]\" tool-choice=required tool-command=\"sh -c cat\" reasoning-effort=low",
            "fakesink",
        ),
        (&raw, "session-type=transcription", "fakesink"),
        (
            &phone,
            "session=\"{\\\"truncation\\\": \\\"disabled\\\", \\\"include\\\": [\\\"item.input_audio_transcription.logprobs\\\"]}\"",
            "audio/x-alaw ! fakesink",
        ),
    ];
    for (index, (source, properties, sink)) in cases.into_iter().enumerate() {
        let record = folder.join(format!("{index}.jsonl"));
        let mut server = Server::start(&["--record", record.to_str().expect("a readable path")]);
        let mut pipeline =
            Pipeline::new(&format!("{source} ! openairealtime {properties} uri={} ! {sink}", server.base()));
        pipeline.run_to_end().stop();
        // On a busy machine the server may fall behind a file that comes 50 times as fast as it sounds, which is told.
        let warnings: Vec<String> =
            pipeline.warnings().into_iter().filter(|warning| !warning.contains("the input has stopped")).collect();
        assert_eq!(warnings, Vec::<String>::new(), "{properties}");
        let answers = !properties.contains("transcription ") && !properties.ends_with("=transcription");
        assert_eq!(!pipeline.all("response").is_empty(), answers, "{properties}: an answer");
        server.terminate();
        let events = trace(&record);
        if properties.contains("tools=") {
            assert!(
                events.iter().any(|(_, event)| event["item"]["type"] == "function_call_output"),
                "a call was answered"
            );
        }
        let count = |direction| events.iter().filter(|(dir, _)| dir == direction).count();
        assert!(count("c") > 2 && count("s") > 5, "{properties}: {} events", events.len());
        assert_eq!(events.iter().find(|(dir, _)| dir == "c").expect("one").1["type"], "session.update", "{properties}");
        for (direction, event) in &events {
            let shapes = if direction == "c" { crate::schema::client() } else { crate::schema::server() };
            let errors = shapes.errors(event);
            assert!(errors.is_empty(), "{properties}: {errors:?}\n{event}");
        }
    }
}

#[test]
fn the_beta_is_spoken_where_it_is_asked_for() {
    let folder = Folder::new();
    let raw = recording("goforward.wav");
    for (index, (path, properties)) in [
        ("", "dialect=beta"),
        ("", "dialect=beta turn-detection=none output-modalities=text"),
        ("/openai/realtime?api-version=2025-04-01-preview&deployment=voice", "provider=azure api-key=k"),
    ]
    .into_iter()
    .enumerate()
    {
        let record = folder.join(format!("{index}.jsonl"));
        let mut server = Server::start(&["--record", record.to_str().expect("a readable path")]);
        let base = if path.is_empty() { server.base() } else { server.base().trim_end_matches("/v1") };
        let mut pipeline =
            Pipeline::new(&format!("{raw} ! openairealtime {properties} uri=\"{base}{path}\" ! fakesink"));
        pipeline.run_to_end().stop();
        assert_eq!(pipeline.warnings(), Vec::<String>::new(), "{properties}");
        assert!(pipeline.words("user").to_lowercase().contains("forward"), "{properties}");
        assert!(!pipeline.words("assistant").is_empty(), "{properties}");
        server.terminate();
        let events = trace(&record);
        assert!(events.len() > 10, "{properties}: {} events", events.len());
        for (direction, event) in &events {
            let shapes = if direction == "c" { crate::schema::beta_client() } else { crate::schema::beta_server() };
            let mut event = event.clone();
            // The published type has no word for push to talk, but the beta's reference has this one.
            if let Some(session) = event.get_mut("session").and_then(Value::as_object_mut) {
                session.retain(|name, value| name != "turn_detection" || !value.is_null());
            }
            let errors = shapes.errors(&event);
            assert!(errors.is_empty(), "{properties}: {errors:?}\n{event}");
        }
    }
}
