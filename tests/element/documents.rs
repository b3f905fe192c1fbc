// SPDX-License-Identifier: MPL-2.0

//! "I copy it from the page": every `gst-launch-1.0` line of the documents is run, against the local server. Where it wants a
//! microphone, a camera or a loudspeaker, which no test machine has, a test source or a fake sink takes its place.

use crate::gst_launch::run;
use crate::support::documents::{Line, lines_of_code, shell_words};
use crate::support::folder::Folder;
use crate::support::pipeline::media;
use crate::support::server::Server;
use std::path::Path;

/// What stands in for hardware: it plays for a second.
const STAND_INS: [(&str, &str); 3] = [
    ("autoaudiosrc", "audiotestsrc is-live=true wave=silence num-buffers=44"),
    ("autoaudiosink", "fakesink sync=true"),
    ("autovideosrc", "videotestsrc is-live=true num-buffers=30"),
];

/// Sources that never come to an end: what has them is built, and not run.
const ENDLESS: [&str; 2] = ["udpsrc", "audiotestsrc is-live=true !"];

/// All pipelines that can be run, without `gst-launch-1.0` and without what reads their output. What has an ellipsis is the
/// outline of one.
fn lines() -> Vec<Line> {
    let pipelines = lines_of_code(Path::new(env!("CARGO_MANIFEST_DIR"))).into_iter().filter_map(|line| {
        let pipeline = line.text.strip_prefix("    gst-launch-1.0 ")?;
        let pipeline = pipeline.split_once(" | ").map_or(pipeline, |(pipeline, _)| pipeline);
        (!pipeline.contains('…')).then(|| Line { text: pipeline.to_owned(), place: line.place })
    });
    pipelines.collect()
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
        let (status, printed, complained) = run(program);
        assert!(status.success(), "{place}: {text}\n{printed}\n{complained}");
        for file in values(text, "filesink location=") {
            let written = std::fs::metadata(folder.join(file)).map_or(0, |file| file.len());
            assert!(written > 0, "{place}: {file} is empty: {text}\n{printed}\n{complained}");
        }
    }
}
