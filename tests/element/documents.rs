// SPDX-License-Identifier: MPL-2.0

//! "I copy it from the page": every `gst-launch-1.0` line of the documents is run, against the local server. Where it wants a
//! microphone, a camera or a loudspeaker, which no test machine has, a test source or a fake sink takes its place.

use crate::gst_launch::{Ran, run, try_run};
use crate::support::folder::Folder;
use crate::support::pipeline::media;
use crate::support::server::Server;
use std::path::{Path, PathBuf};

/// What stands in for hardware: it plays for a second.
const STAND_INS: [(&str, &str); 3] = [
    ("autoaudiosrc", "audiotestsrc is-live=true wave=silence num-buffers=44"),
    ("autoaudiosink", "fakesink sync=true"),
    ("autovideosrc", "videotestsrc is-live=true num-buffers=30"),
];

/// Sources that never come to an end: what has them is built, and not run.
const ENDLESS: [&str; 2] = ["udpsrc", "audiotestsrc is-live=true !"];

/// A line of a document.
struct Line {
    place: String,
    text: String,
}

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).expect("documents").map(|entry| entry.expect("a file").path());
    let mut documents: Vec<_> = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    documents.push(root.join("README.md"));
    documents.sort();
    documents
}

/// All lines that can be run. What has an ellipsis is the outline of one.
fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for document in documents() {
        let text = std::fs::read_to_string(&document).expect("text");
        let mut rest = text.lines().enumerate();
        while let Some((number, first)) = rest.next() {
            let Some(mut line) = first.strip_prefix("    gst-launch-1.0 ").map(str::to_owned) else { continue };
            while let Some(begin) = line.strip_suffix('\\') {
                let (_, next) = rest.next().expect("the line goes on");
                line = format!("{begin}{}", next.trim_start());
            }
            let (pipeline, _) = line.split_once(" | ").unwrap_or((&line, ""));
            if !pipeline.contains('…') {
                let name = document.file_name().expect("a name").display();
                lines.push(Line { place: format!("{name}:{}", number + 1), text: pipeline.to_owned() });
            }
        }
    }
    lines
}

/// The files that the lines read, by the names that they have there.
fn make_files(folder: &Folder) {
    for name in ["question.wav", "talk.wav", "meeting.mp3"] {
        std::fs::copy(media("goforward.wav"), folder.join(name)).expect("a copy");
    }
    let (status, _, complained) = run({
        let mut film = folder.program("gst-launch-1.0");
        let pipeline = "videotestsrc num-buffers=30 ! video/x-raw,width=160,height=120,framerate=10/1 ! jpegenc \
                        ! matroskamux ! filesink location=film.mp4";
        film.args(pipeline.split_whitespace()).current_dir(folder.join(""));
        film
    });
    assert!(status.success(), "{complained}");
}

/// The values of a property in a line.
fn values<'a>(line: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    line.split(before).skip(1).map(|rest| rest.split_whitespace().next().unwrap_or(rest))
}

#[test]
fn every_pipeline_of_the_documents_can_be_built() {
    crate::support::pipeline::init();
    let lines = lines();
    assert!(lines.len() >= 12, "only {} lines are found", lines.len());
    for Line { place, text } in &lines {
        let words = shell_words(text);
        let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
        gst::parse::launchv(&words).unwrap_or_else(|error| panic!("{place}: {error}: {text}"));
    }
}

/// The words of a line as a shell takes them.
fn shell_words(line: &str) -> Vec<String> {
    let printed =
        std::process::Command::new("sh").args(["-c", &format!("printf '%s\\n' {line}")]).output().expect("sh");
    assert!(printed.status.success(), "{line}");
    String::from_utf8(printed.stdout).expect("text").lines().map(str::to_owned).collect()
}

/// Runs a line. Where processors are short, `gst-launch-1.0` may not hear of the end: in GStreamer 1.22 the thread that posts
/// that the pipeline is PAUSED marks it as not PLAYING afterwards (`posted_playing` in gstbin.c), and if it is held up for as long
/// as the way to PLAYING takes, EOS is not passed on. A line that hangs like this is run again, others are not.
fn run_again_if_deaf(mut program: std::process::Command) -> Ran {
    for _ in 0..2 {
        match try_run(&mut program) {
            Ok(ran) => return ran,
            Err(said) if said.contains("PREROLLED") && !said.contains("ERROR") => {}
            Err(said) => panic!("it did not end: {program:?}\n{said}"),
        }
    }
    run(program)
}

#[test]
fn every_pipeline_of_the_documents_runs() {
    let server = Server::start(&[]);
    // Without a language model, the local engine has nobody who translates.
    let interpreter = Server::start(&["--engine", "echo"]);
    for Line { place, text } in lines().iter().filter(|line| !ENDLESS.iter().any(|name| line.text.contains(name))) {
        let folder = Folder::new();
        make_files(&folder);
        let with_stand_ins = STAND_INS.iter().fold(text.clone(), |line, (name, other)| line.replace(name, other));
        let mut program = folder.program("sh");
        program.args(["-c", &format!("exec gst-launch-1.0 {with_stand_ins}")]).current_dir(folder.join(""));
        let server = if text.contains("session-type=translation") { &interpreter } else { &server };
        program.env("OPENAI_BASE_URL", server.base());
        let (status, printed, complained) = run_again_if_deaf(program);
        assert!(status.success(), "{place}: {text}\n{printed}\n{complained}");
        for file in values(text, "filesink location=") {
            let written = std::fs::metadata(folder.join(file)).map_or(0, |file| file.len());
            assert!(written > 0, "{place}: {file} is empty: {text}\n{printed}\n{complained}");
        }
    }
}
