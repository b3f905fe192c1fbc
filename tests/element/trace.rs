// SPDX-License-Identifier: MPL-2.0

//! "What went over the wire?": a trace of a session, without secrets, that plays again.

use crate::support::pipeline::{Pipeline, recording};
use crate::support::server::Server;
use serde_json::Value;

fn session(server: &Server, trace: &str) -> Vec<u8> {
    let mut pipeline = Pipeline::new(&format!(
        "{} ! openairealtime name=o timing=offline api-key=sk-very-secret \
         tools=\"[{{\\\"type\\\":\\\"mcp\\\",\\\"server_label\\\":\\\"s\\\",\\\"server_url\\\":\\\"http://localhost\\\",\\\"authorization\\\":\\\"hush-hush\\\"}}]\" \
         uri={} ! fakesink {trace}",
        recording("goforward.wav"),
        server.base()
    ));
    let sound = pipeline.tap("o");
    pipeline.run_to_end().stop();
    sound.sound()
}

#[test]
fn a_trace_holds_both_sides_no_secret_and_plays_again() {
    let path = std::env::temp_dir().join(format!("openairealtime-{}.jsonl", std::process::id()));
    let location = path.to_str().expect("a readable path");
    let first = {
        let server = Server::start(&["--engine", "echo"]);
        session(&server, &format!("o.event_src ! filesink location={location}"))
    };
    let text = std::fs::read_to_string(&path).expect("a trace");
    assert!(!text.contains("secret") && !text.contains("hush-hush"), "{}", &text[..2000.min(text.len())]);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let count = |dir: &str, kind: &str| {
        lines.iter().filter(|line| line["dir"] == dir && line["ev"]["type"] == kind && line["t"].is_number()).count()
    };
    assert_eq!((count("c", "session.update"), count("s", "session.updated")), (1, 1));
    assert!(count("c", "input_audio_buffer.append") > 0 && count("s", "response.output_audio.delta") > 0);
    // The trace in the place of the server gives the same sound, and once more.
    for _ in 0..2 {
        let server = Server::start(&["--engine", "replay", location]);
        assert_eq!(session(&server, ""), first);
    }
    std::fs::remove_file(&path).expect("removed");
}
