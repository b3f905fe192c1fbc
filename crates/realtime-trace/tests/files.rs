// SPDX-License-Identifier: MPL-2.0

//! `realtime-trace stats`, `check` and `redact` on a recorded conversation with a barge-in, a function call and two pictures.

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};

const TRACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/traces/conversation.jsonl");

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_realtime-trace")).args(arguments).output().expect("the program runs")
}

fn text(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

/// A file of its own for a test.
fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn stats(file: &str) -> Value {
    let output = run(&["stats", file, "--format", "json"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_str(text(&output)).expect("JSON")
}

#[test]
fn stats_count_what_happened() {
    let stats = stats(TRACE);
    let counts = ["turns", "answered", "responses", "barge_ins", "calls", "pictures", "reconnects", "problems"];
    assert_eq!(counts.map(|name| stats[name].as_u64().expect("a number")), [3, 3, 4, 1, 1, 2, 0, 0]);
    let seconds = stats["input_seconds"].as_f64().expect("a number");
    assert!((9.0..12.0).contains(&seconds), "{seconds}");
    let stages: Vec<_> = stats["latency"].as_array().expect("a list").iter().map(|stage| &stage["stage"]).collect();
    assert_eq!(
        stages,
        [
            "speech stopped",
            "committed",
            "response created",
            "first output",
            "total",
            "barge-in to cut",
            "function call"
        ]
    );
}

#[test]
fn stats_of_several_files_are_sums() {
    let output = run(&["stats", TRACE, TRACE]);
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output).contains("turns               6 (6 answered)\n"), "{}", text(&output));
}

#[test]
fn what_the_element_sends_and_the_server_answers_is_of_the_published_shape() {
    let output = run(&["check", TRACE]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).ends_with("lines, all as the API's schemas say\n"));
}

#[test]
fn check_names_line_event_and_field() {
    let file = temporary("wrong.jsonl");
    let wrong = "{\"trace\":\"t\"}\n{\"dir\":\"c\",\"t\":0,\"ev\":{\"type\":\"response.cancel\",\"respnse_id\":\"r\"}}\n{\"dir\"\n";
    std::fs::write(&file, wrong).expect("written");
    let output = run(&["check", &file.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<_> = text(&output).lines().collect();
    assert!(
        lines[0].contains("wrong.jsonl:2: client: response.cancel at /: ") && lines[0].contains("respnse_id"),
        "{lines:?}"
    );
    assert!(lines[1].contains("wrong.jsonl:3: not a line of a trace"), "{lines:?}");
}

#[test]
fn a_redacted_trace_has_the_same_numbers_and_no_words() {
    let file = temporary("redacted.jsonl");
    let name = file.display().to_string();
    assert!(run(&["redact", TRACE, "-o", &name]).status.success());
    assert_eq!(stats(&name), stats(TRACE));
    assert!(run(&["check", &name]).status.success(), "a redacted trace is of the published shape");
    let redacted = std::fs::read_to_string(&file).expect("text");
    for word in ["forward", "offline voice", "processors", "Answer briefly", "/9j/"] {
        let original = std::fs::read_to_string(TRACE).expect("text");
        assert!(original.contains(word) && !redacted.contains(word), "{word}");
    }
}

#[test]
fn a_trace_is_never_redacted_in_place() {
    let file = temporary("in-place.jsonl");
    std::fs::copy(TRACE, &file).expect("copied");
    let name = file.display().to_string();
    let output = run(&["redact", &name, "-o", &name]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("never redacted in place"), "{output:?}");
    assert_eq!(std::fs::read(&file).expect("read"), std::fs::read(TRACE).expect("read"));
}
