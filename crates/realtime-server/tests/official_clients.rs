// SPDX-License-Identifier: MPL-2.0

//! The official OpenAI clients, unchanged, against the local server: what works with OpenAI's service works here.
//!
//! Each client runs as a program of its own (`tests/clients`) and checks what it gets; the server records the session,
//! and afterwards every event of both sides is held against the published shapes.

#[path = "../../../tests/support/schema.rs"]
mod schema;
#[path = "support/server.rs"]
mod server;

use openai_protocol::{ClientEvent, ServerEvent};
use serde_json::Value;
use server::Server;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// What all of a client's turns may take. The clients give up a little earlier, and say at what.
const LIMIT: Duration = Duration::from_secs(120);
const INSTALL: &str = "run tests/run.sh, or tests/clients/install.sh";

/// A path of the environment, or where `install.sh` puts it.
fn installed(variable: &str, default: &str) -> PathBuf {
    let default = || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients").join(default);
    let path = std::env::var_os(variable).filter(|path| !path.is_empty()).map_or_else(default, PathBuf::from);
    assert!(path.exists(), "{} is missing: {INSTALL}", path.display());
    path
}

fn python() -> Command {
    Command::new(installed("OPENAI_PYTHON", "python/bin/python"))
}

fn node() -> Command {
    let modules = installed("OPENAI_NODE_DIR", "node");
    assert!(modules.join("node_modules/openai").exists(), "{} is empty: {INSTALL}", modules.display());
    let mut command = Command::new("node");
    command.env("OPENAI_NODE_DIR", modules);
    command
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Runs a program to its end; gives what it printed. One that fails or takes too long fails the test.
#[track_caller]
fn run(mut command: Command) -> String {
    let name = command.get_program().to_owned();
    for variable in ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"] {
        command.env_remove(variable);
    }
    command.env("NO_PROXY", "127.0.0.1,localhost").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{name:?} cannot be run ({error}): {INSTALL}"));
    let said = read_all(child.stdout.take().expect("a pipe"));
    let complaints = read_all(child.stderr.take().expect("a pipe"));
    let Ok(said) = said.recv_timeout(LIMIT) else {
        child.kill().expect("a child can be ended");
        child.wait().expect("a child that was ended");
        panic!("{name:?} was not done after {LIMIT:?}");
    };
    let status = child.wait().expect("a child");
    let complaints = complaints.recv_timeout(LIMIT).expect("its end closes the pipe");
    assert!(status.success(), "{name:?} ended with {status}:\n{complaints}{said}");
    said
}

/// Reads a stream to its end, beside everything else.
fn read_all(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, text) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = BufReader::new(stream).read_to_end(&mut bytes);
        // Whoever waited may have given up.
        let _ =
            sender.send(read.map_or_else(|error| error.to_string(), |_| String::from_utf8_lossy(&bytes).into_owned()));
    });
    text
}

/// A folder for the files of one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Lets a client have its turns with an engine, and checks the whole session. Gives the client's summary.
#[track_caller]
fn talk(mut client: Command, engine: &str, tls: bool, recording: &str, words: &str) -> Value {
    let folder = folder(&format!("{}-{engine}", if tls { "node" } else { "python" }));
    let path = |name: &str| folder.join(name).to_str().expect("a readable path").to_owned();
    let (trace, certificate, key) = (path("trace.jsonl"), path("certificate.pem"), path("key.pem"));
    let mut options = vec!["--engine", engine, "--record", &trace];
    if tls {
        let names = ["127.0.0.1".into(), "localhost".into()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        std::fs::write(&certificate, made.cert.pem()).expect("written");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
        options.extend(["--tls-cert", &certificate, "--tls-key", &key]);
        client.env("NODE_EXTRA_CA_CERTS", &certificate);
    }
    let mut server = Server::start(&options);
    let base = server.base().replacen("ws", "http", 1);
    let limit = (LIMIT - Duration::from_secs(10)).as_secs().to_string();
    client.arg(base).arg(project("tests/media").join(recording));
    client.args(["--heard", words, "--said", words, "--limit", &limit]);
    if engine == "local" {
        client.arg("--thinks");
    }
    let said = run(client);
    let summary: Value = serde_json::from_str(said.trim()).unwrap_or_else(|error| panic!("{error} in {said:?}"));
    let (status, complaints) = server.terminate();
    assert!(status.success() && complaints.is_empty(), "the server ended with {status}: {complaints}");
    let events = check_trace(Path::new(&trace));
    assert_eq!(summary["events"], events, "the client has seen all events");
    summary
}

/// Holds all of a recorded session against the published shapes; gives the number of the server's events.
#[track_caller]
fn check_trace(path: &Path) -> usize {
    let text = std::fs::read_to_string(path).expect("a trace");
    let mut events = 0;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let Some(event) = line.get("ev") else { continue };
        let text = event.to_string();
        if line["dir"] == "s" {
            events += 1;
            schema::server().check(event);
            assert!(!matches!(ServerEvent::from_json(&text), Ok(ServerEvent::Unknown(_)) | Err(_)), "{text}");
        } else {
            schema::client().check(event);
            assert!(!matches!(ClientEvent::from_json(&text), Ok(ClientEvent::Unknown(_)) | Err(_)), "{text}");
        }
    }
    events
}

/// What a client must have got of the engine that really listens and speaks.
#[track_caller]
fn assert_understood(summary: &Value, words: &str) {
    let lower = |name: &str| summary[name].as_str().expect("text").to_lowercase();
    assert!(lower("heard").contains(words), "{summary}");
    assert!(lower("said").contains(words), "{summary}");
    assert!(summary["audio_ms"].as_u64() > Some(1_000), "{summary}");
    assert_eq!(summary["text"], "3 plus 4 is 7.");
    assert_eq!(summary["told"], "Get weather for Paris: temperature is 21. Get weather for London: temperature is 12.");
    assert_eq!(summary["interrupted"], "turn_detected");
    assert_eq!(summary["error"], "item_truncate_invalid_item_id");
}

/// What a client must have got of the engine that says back what it hears: 3 s of recording, with some silence around.
#[track_caller]
fn assert_echoed(summary: &Value) {
    assert_eq!(summary["heard"], "");
    assert!(summary["said"].as_str().expect("text").starts_with("You spoke for "), "{summary}");
    assert!((2_000..6_000).contains(&summary["audio_ms"].as_u64().expect("a number")), "{summary}");
    assert_eq!(summary["text"], "You wrote: How much is three plus four?");
    assert_eq!(summary["error"], "item_truncate_invalid_item_id");
}

fn python_talks(engine: &str, words: &str) -> Value {
    let mut client = python();
    client.arg(project("tests/clients/python/turns.py"));
    talk(client, engine, false, "goforward.wav", words)
}

/// The Node client connects by TLS only.
fn node_talks(engine: &str, words: &str) -> Value {
    let mut client = node();
    client.arg(project("tests/clients/node/turns.mjs"));
    talk(client, engine, true, "lv0880.wav", words)
}

#[test]
fn the_python_client_is_heard_and_answered() {
    let summary = python_talks("local", "forward");
    assert_eq!(summary["client"], "openai 3.52.0 for Python");
    assert_understood(&summary, "forward");
}

#[test]
fn the_python_client_hears_itself() {
    assert_echoed(&python_talks("echo", ""));
}

#[test]
fn the_node_client_is_heard_and_answered() {
    let summary = node_talks("local", "young man");
    assert_eq!(summary["client"], "openai 7.55.0 for Node");
    assert_understood(&summary, "young man");
}

#[test]
fn the_node_client_hears_itself() {
    assert_echoed(&node_talks("echo", ""));
}

/// Lets a client ask for chat completions; gives its summary.
#[track_caller]
fn complete(mut client: Command, script: &str, more: &[&str]) -> Value {
    let mut server = Server::start(&[]);
    client.arg(project(script)).arg(server.base().replacen("ws", "http", 1));
    client.arg(project("tests/media/goforward.wav")).arg(project("tests/media/flower.jpg")).args(more);
    let said = run(client);
    let (status, complaints) = server.terminate();
    assert!(status.success() && complaints.is_empty(), "the server ended with {status}: {complaints}");
    serde_json::from_str(said.trim()).unwrap_or_else(|error| panic!("{error} in {said:?}"))
}

#[test]
fn the_python_client_gets_chat_completions() {
    let summary = complete(python(), "tests/clients/python/chat.py", &["--said", "forward", "--seen", "daisy"]);
    assert_eq!(summary["client"], "openai 3.52.0 for Python");
    let errors = serde_json::json!({"model": [404, "model_not_found", null],
        "format": [400, "unsupported_value", "audio.format"],
        "url": [400, "invalid_value", "messages[0].content[0].image_url.url"]});
    assert_eq!(summary["errors"], errors);
}

#[test]
fn the_node_client_gets_chat_completions() {
    let summary = complete(node(), "tests/clients/node/chat.mjs", &[]);
    let text = |name: &str| summary[name].as_str().expect("text").to_lowercase();
    assert!(text("said").contains("forward") && text("seen").contains("daisy"), "{summary}");
    assert!(text("told").contains("21") && summary["bytes"].as_u64() > Some(24_000), "{summary}");
    assert_eq!(summary["error"], serde_json::json!([404, "model_not_found"]));
}

/// What a client must have got of speech and transcription.
#[track_caller]
fn assert_spoken_and_written(mut client: Command, script: &str) {
    let mut server = Server::start(&[]);
    client.arg(project(script)).arg(server.base().replacen("ws", "http", 1)).arg(project("tests/media/goforward.wav"));
    let said = run(client);
    let (status, complaints) = server.terminate();
    assert!(status.success() && complaints.is_empty(), "the server ended with {status}: {complaints}");
    let summary: Value = serde_json::from_str(said.trim()).unwrap_or_else(|error| panic!("{error} in {said:?}"));
    let lower = |name: &str| summary[name].as_str().expect("text").to_lowercase();
    for name in ["text", "streamed", "srt"] {
        assert!(lower(name).contains("forward"), "{name} in {summary}");
    }
    assert!(lower("heard_back").contains("weather is nice"), "{summary}");
    assert!(summary["bytes"].as_u64() > Some(24_000) && summary["segments"].as_u64() >= Some(1), "{summary}");
    let errors = serde_json::json!({"format": [400, "unsupported_value", "response_format"],
        "language": [400, "unsupported_value", "language"]});
    assert_eq!(summary["errors"], errors);
}

#[test]
fn the_python_client_speaks_and_transcribes() {
    assert_spoken_and_written(python(), "tests/clients/python/audio.py");
}

#[test]
fn the_node_client_speaks_and_transcribes() {
    assert_spoken_and_written(node(), "tests/clients/node/audio.mjs");
}

#[test]
fn the_schemas_are_those_of_the_official_types() {
    let mut generate = python();
    generate.arg(project("tests/schemas/generate.py")).arg("--check");
    let said = run(generate);
    assert!(said.contains("ga-client.json: 11 events") && said.contains("ga-server.json: 46 events"), "{said}");
    assert!(said.contains("chat.json: 3 events"), "{said}");
    assert!(said.contains("beta-client.json: 12 events") && said.contains("beta-server.json: 34 events"), "{said}");
}
