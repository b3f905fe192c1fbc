// SPDX-License-Identifier: MPL-2.0

//! `realtime-trace tail`: a recorded conversation with a barge-in, a function call and two pictures, as the element's messages
//! and as a trace of its events, and the program between two pipes.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

const TRACES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/traces");

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-trace"));
    command.env_remove("OPENAI_API_KEY").arg("tail");
    command
}

fn piped() -> Child {
    let pipes = || (Stdio::piped(), Stdio::piped());
    let (stdin, stdout) = pipes();
    program().stdin(stdin).stdout(stdout).stderr(Stdio::piped()).spawn().expect("the program starts")
}

fn shown(file: &str) -> String {
    let output = program().arg(format!("{TRACES}/{file}")).output().expect("the program runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// A message of the element as `gst-launch-1.0 -m` prints it.
fn ready(model: &str) -> String {
    format!(
        "Got message #1 from element \"ai\" (element): openairealtime/session, state=(string)ready, model=(string){model};\n"
    )
}

#[test]
fn messages_of_the_element_are_a_conversation() {
    let expected = r#"         (session ready: gpt-realtime-2.1)
 0:00.2  You:   Go forward ten meters.
         (latency 268 ms: committed 8 + response 1 + first audio 191 + pushed 28 + heard 40)
 0:02.6  Model: This is the offline voice. I heard you
 0:05.2  (interrupted after 2.5 s)
 0:03.0  (a picture of 4 kB)
 0:03.0  (a picture of 3 kB)
 0:04.8  You:   Go forward ten meters.
         (latency 1052 ms: committed -119 + response 34 + first audio 1076 + pushed 23 + heard 39)
         (calls count_processors {})
 0:08.0  Model: I heard you say: Go forward ten meters. In the picture: It may be a bell cote; I am only 31 percent sure.
 0:14.9  Model: The result is 2.
"#;
    assert_eq!(shown("conversation.messages"), expected);
}

#[test]
fn events_of_a_trace_are_a_conversation() {
    let expected = r#" 0:00.0  (session ready: gpt-realtime-2.1)
 0:02.4  You:   Go forward ten meters.
 0:02.6  (latency 192 ms: committed 0 + response 1 + first audio 191)
 0:02.7  Model: This is the offline voice. I heard you say: Go forward ten meters.
 0:05.2  (interrupted after 2.5 s: "This is the offline voice. I heard you —")
 0:06.8  (a picture of 4 kB)
 0:06.8  (a picture of 3 kB)
 0:07.0  You:   Go forward ten meters.
 0:07.9  (latency 1110 ms: committed 0 + response 34 + first audio 1076)
 0:08.4  You:   How many processors does this computer have?
 0:08.4  Model: I heard you say: Go forward ten meters. In the picture: It may be a bell cote; I am only 31 percent sure.
 0:08.4  (calls count_processors {})
 0:08.6  (count_processors returned 2)
 0:08.7  (latency 367 ms: first audio 367)
 0:08.7  Model: The result is 2.
"#;
    assert_eq!(shown("conversation.jsonl"), expected);
}

#[test]
fn an_interrupt_is_left_to_the_pipeline_and_what_it_says_then_is_shown() {
    let mut child = piped();
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    for model in ["before", "after"] {
        // In two pieces, as a pipe may give it.
        let message = ready(model);
        let (begin, end) = message.split_at(20);
        stdin.write_all(begin.as_bytes()).and_then(|()| stdin.flush()).expect("the program reads");
        stdin.write_all(end.as_bytes()).and_then(|()| stdin.flush()).expect("the program reads");
        line.clear();
        stdout.read_line(&mut line).expect("text");
        assert!(line.contains(model), "{line}");
        let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(interrupt.expect("kill").success());
    }
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_reader_that_goes_away_is_a_quiet_end() {
    let mut child = piped();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(ready("m").as_bytes()).expect("the program reads");
    drop(stdin);
    let mut errors = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut errors).expect("text");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(errors, "");
}

#[test]
fn lines_that_cannot_be_read_are_in_the_exit_status() {
    let mut child = piped();
    child.stdin.take().expect("a pipe").write_all(b"{\"trace\":\"t\"}\n{\"dir\":\n").expect("the program reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("line 2: not a line of a trace"), "{output:?}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = program().arg("no-such-file").output().expect("the program runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("realtime-trace: no-such-file: "), "{output:?}");
}

#[test]
fn answers_of_openaichat_become_lines_of_json() {
    let mut child = program()
        .args(["--json", "a.png"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let message = "Got message #9 from element \"chat\" (element): openaichat/response, state=(string)completed, \
                   text=(string)\"A\\ bell\", running-time=(guint64)0;\n";
    child.stdin.take().expect("a pipe").write_all(message.as_bytes()).expect("the program reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"file\":\"a.png\",\"answer\":\"A bell\"}\n");
}
