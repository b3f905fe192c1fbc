// SPDX-License-Identifier: MPL-2.0

//! "I put it into my program": the programs of `docs/embedding.md`, taken from the page, built and run as it says.

use crate::gst_launch::run;
use crate::support::folder::Folder;
use crate::support::pipeline::media;
use crate::support::server::Server;
use std::path::PathBuf;
use std::process::Command;

const PAGE: &str = include_str!("../../docs/embedding.md");
const RUST_EXAMPLE: &str = include_str!("../../docs/examples/talk.rs");

/// The page's first block of code in a language.
fn code(language: &str) -> &'static str {
    let (_, code) = PAGE.split_once(&format!("```{language}\n")).expect("a block of code");
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
