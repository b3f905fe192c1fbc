// SPDX-License-Identifier: MPL-2.0

//! "I put it into my program": the programs of `docs/embedding.md` and `docs/metrics.md`, taken from the page, built and run as
//! it says.

use crate::gst_launch::run;
use crate::support::folder::Folder;
use crate::support::pipeline::media;
use crate::support::server::Server;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const PAGE: &str = include_str!("../../docs/embedding.md");
const METRICS_PAGE: &str = include_str!("../../docs/metrics.md");
const RUST_EXAMPLE: &str = include_str!("../../docs/examples/talk.rs");

/// The page's first block of code in a language.
fn code(language: &str) -> &'static str {
    code_of(PAGE, language)
}

/// A page's first block of code in a language.
fn code_of(page: &'static str, language: &str) -> &'static str {
    let (_, code) = page.split_once(&format!("```{language}\n")).expect("a block of code");
    code.split_once("```").expect("its end").0
}

/// Has a recording answered by a program: both sides' words are printed, and the answer is in a file.
fn talks(folder: &Folder, mut program: Command) {
    let server = Server::start(&[]);
    let reply = folder.join("reply.wav");
    program.args([media("goforward.wav").into(), reply.clone()]).env("OPENAI_BASE_URL", server.base());
    let (status, printed, complained) = run(program);
    assert!(status.success(), "{complained}");
    let lines: Vec<_> = printed.lines().collect();
    assert!(
        matches!(lines[..], [user, assistant] if user.to_lowercase().starts_with("user: go forward ten meters")
        && assistant.starts_with("assistant: ")),
        "{printed}"
    );
    let size = std::fs::metadata(reply).expect("the answer").len();
    assert!(size > 24_000 * 2, "the answer is less than a second: {size} bytes");
}

/// Without a server that can be reached: the error is told, and the exit status is not 0.
fn complains(mut program: Command) {
    program.args([media("goforward.wav").as_str(), "/dev/null"]).env("OPENAI_BASE_URL", "http://example.invalid/v1");
    let (status, _, complained) = run(program);
    assert!(!status.success() && complained.contains("allow-insecure"), "{status}: {complained}");
}

#[test]
fn the_python_program_talks() {
    let folder = Folder::new();
    let path = folder.join("talk.py");
    std::fs::write(&path, code("python")).expect("a file");
    let program = || {
        // Debian's own, which has PyGObject.
        let mut program = folder.program("/usr/bin/python3");
        program.arg(&path);
        program
    };
    talks(&folder, program());
    complains(program());
}

#[test]
fn the_c_program_talks() {
    let folder = Folder::new();
    let source = folder.join("talk.c");
    std::fs::write(&source, code("c")).expect("a file");
    let program = folder.join("talk");
    let flags = Command::new("pkg-config").args(["--cflags", "--libs", "gstreamer-1.0"]).output().expect("pkg-config");
    let flags = String::from_utf8(flags.stdout).expect("text");
    let built = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Werror"])
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .args(flags.split_whitespace())
        .output()
        .expect("a C compiler");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    talks(&folder, folder.program(&program));
    complains(folder.program(&program));
}

#[test]
fn the_rust_program_talks() {
    assert!(RUST_EXAMPLE.ends_with(code("rust")), "docs/examples/talk.rs is not what the page shows");
    // Tests are in deps/, examples in examples/ beside it. They are built together, unless only this program was asked for.
    let tests = std::env::current_exe().expect("this program");
    let profile = tests.ancestors().nth(2).expect("a folder of the build");
    let program: PathBuf = profile.join("examples/talk");
    if !program.exists() {
        let target = profile.parent().expect("the target folder");
        let release = profile.ends_with("release").then_some("--release");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--example", "talk", "--target-dir"])
            .arg(target)
            .args(release)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo");
        assert!(built.success(), "the example is not built");
    }
    let folder = Folder::new();
    talks(&folder, folder.program(&program));
    complains(folder.program(&program));
}

/// What the page of metrics says.
fn read_metrics(address: &str) -> String {
    let (host, path) = address.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an address");
    let mut stream = TcpStream::connect(host).expect("the program listens");
    write!(stream, "GET /{path} HTTP/1.0\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, text) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.0 200") && head.contains("version=0.0.4"), "{head}");
    text.to_owned()
}

/// The value of a line of metrics, if it is there.
fn metric(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap_or_else(|error| panic!("{name} {value}: {error}")))
}

#[test]
fn the_metrics_of_the_python_program_are_those_of_the_element() {
    let (server, folder) = (Server::start(&[]), Folder::new());
    let path = folder.join("metrics.py");
    std::fs::write(&path, code_of(METRICS_PAGE, "python")).expect("a file");
    let pipeline = format!(
        "filesrc location={} ! decodebin ! audioconvert ! audioresample ! audio/x-raw,rate=24000,channels=1 ! concat name=all \
         ! identity sync=true ! openairealtime name=ai timing=live turn-detection=server-vad uri={} ! fakesink sync=true \
         audiotestsrc wave=silence ! audioconvert ! audio/x-raw,rate=24000,channels=1 ! all.",
        media("goforward.wav"),
        server.base()
    );
    let mut program = folder.program("/usr/bin/python3");
    let mut program = program.arg(&path).args(["0", &pipeline]).spawn().expect("Python");
    let mut printed = BufReader::new(program.stdout.take().expect("a pipe"));
    let mut address = String::new();
    printed.read_line(&mut address).expect("a line");
    let latency = "openairealtime_turn_latency_percentile_seconds{percent=\"50\"}";
    // The turn is told when its answer was played.
    let limit = Instant::now() + Duration::from_secs(60);
    let text = loop {
        let text = read_metrics(address.trim());
        if metric(&text, latency).is_some_and(|seconds| seconds > 0.0) {
            break text;
        }
        assert!(Instant::now() < limit, "{text}");
        std::thread::yield_now();
    };
    assert!(metric(&text, latency).is_some_and(|seconds| seconds < 60.0), "{text}");
    assert!(
        metric(&text, "openairealtime_messages_total{kind=\"response\"}").is_some_and(|count| count >= 2.0),
        "{text}"
    );
    for (name, value) in [("turns", 1.0), ("responses", 1.0), ("interruptions", 0.0), ("audio_dropped_seconds", 0.0)] {
        assert_eq!(metric(&text, &format!("openairealtime_{name}")), Some(value), "{name}: {text}");
    }
    for line in text.lines() {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        let label = name.trim_start_matches(is_name);
        assert!(name.starts_with("openairealtime_") && (label.is_empty() || label.ends_with("\"}")), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    let sent = Command::new("kill").args(["-INT", &program.id().to_string()]).status().expect("kill can be run");
    assert!(sent.success());
    let status = program.wait().expect("its end");
    let mut complaints = String::new();
    program.stderr.take().expect("a pipe").read_to_string(&mut complaints).expect("text");
    assert!(status.success(), "{status}: {complaints}");
}
