//! The server as a program: how it ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server"));
    command.args(args).env_remove("REALTIME_SERVER_API_KEY").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill can be run");
    assert!(sent.success(), "the server has ended before");
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
