// SPDX-License-Identifier: MPL-2.0

//! The server as a program: what its command line says to mistakes, and how it ends.

#[path = "support/client.rs"]
mod client;
#[path = "../../../tests/support/folder.rs"]
mod folder;
#[path = "support/server.rs"]
mod server;

use client::Client;
use folder::Folder;
use serde_json::json;
use server::Server;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server"));
    command.args(args).env_remove("REALTIME_SERVER_API_KEY").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// What it says on standard error to a mistake, and its exit status.
#[track_caller]
fn mistake(args: &[&str]) -> (Option<i32>, String) {
    let output = program(args).output().expect("it can be started");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{args:?}");
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill can be run");
    assert!(sent.success(), "the server has ended before");
}

#[test]
fn a_mistake_is_told_in_one_line_before_anything_starts() {
    let server = Server::start(&["--engine", "echo"]);
    let taken = format!("127.0.0.1:{}", server.port());
    for (args, code, said) in [
        (&["--engine", "echo", "--listen", &taken][..], 1, format!("cannot listen on {taken}: ")),
        (&["--engine", "echo", "--listen", "8080"], 2, "expected an address and a port".into()),
        (&["--engine", "echo", "notes.txt"], 2, "FILE goes with --engine script or --engine replay".into()),
        (&["--engine", "echo", "--record", "/no such folder/a.jsonl"], 1, "cannot record to /no such folder".into()),
        (&["--engine", "echo", "--max-session", "9000h"], 2, "is longer than a year".into()),
        (&["--engine", "echo", "--api-key", ""], 2, "the key is empty".into()),
        (&["--engine", "replay", "/dev/null"], 1, "/dev/null: there is no line of a trace in it".into()),
    ] {
        let (status, stderr) = mistake(args);
        assert_eq!(status, Some(code), "{args:?}: {stderr}");
        assert!(stderr.contains(&said), "{args:?}: {stderr}");
        assert!(code == 2 || stderr.lines().count() == 1, "{args:?}: {stderr}");
    }
}

#[test]
fn the_help_is_a_manual() {
    let output = program(&["--help"]).output().expect("it can be started");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    for part in
        ["--listen <ADDRESS>", "REALTIME_SERVER_LLM", "/v1/audio/speech", "SSL_CERT_FILE", "Exit status:", "Examples:"]
    {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
    assert!(output.status.success());
}

#[test]
fn a_signal_right_after_the_line_ends_it_well() {
    for name in ["-INT", "-TERM"] {
        // The moment between the line and the first wait is short.
        for _ in 0..20 {
            let mut child = program(&["--engine", "echo"]).stdout(Stdio::piped()).spawn().expect("it can be started");
            let mut line = String::new();
            BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
            signal(&child, name);
            assert_eq!(child.wait().expect("a child").code(), Some(0), "{name}");
        }
    }
}

#[test]
fn nobody_who_reads_the_line_is_an_error_and_no_panic() {
    let (nobody, stdout) = std::io::pipe().expect("a pipe");
    drop(nobody);
    let output = program(&["--engine", "echo"]).stdout(stdout).output();
    let output = output.expect("it can be started");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("realtime-server: cannot write to standard output: "), "{stderr}");
}

#[test]
fn what_was_recorded_stays_until_a_session_begins() {
    let folder = Folder::new();
    let path = folder.join("trace.jsonl");
    std::fs::write(&path, "precious").expect("written");
    let location = path.to_str().expect("a readable path");
    let mut server = Server::start(&["--engine", "echo", "--listen", "localhost:0", "--record", location]);
    assert!(server.terminate().0.success());
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), "precious");
}

#[tokio::test]
async fn a_record_that_cannot_be_written_is_told_once() {
    let mut server = Server::start(&["--engine", "echo", "--record", "/dev/full"]);
    let mut client = Client::session(&server.realtime()).await;
    for _ in 0..5 {
        client.send(json!({"type": "input_audio_buffer.clear"})).await;
        client.until("input_audio_buffer.cleared").await;
    }
    let (status, stderr) = server.terminate();
    assert!(status.success(), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("/dev/full ends here"), "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "colours are for terminals: {stderr}");
}

#[test]
fn the_server_ends_at_once_and_well_when_it_is_told_to() {
    let mut server = Server::start(&["--engine", "echo"]);
    let (status, stderr) = server.terminate();
    assert!(status.success() && stderr.is_empty(), "{status} {stderr}");
}

#[test]
fn missing_models_are_one_clear_line() {
    let (status, stderr) = mistake(&["--models", "/nonexistent"]);
    assert_eq!(status, Some(1));
    assert!(stderr.lines().count() == 1 && stderr.contains("/nonexistent"), "{stderr}");
}
