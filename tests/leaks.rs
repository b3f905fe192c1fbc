// SPDX-License-Identifier: MPL-2.0

//! "Start, stop, start again": nothing is left behind, and every run is like the first.

mod support;

use gst::prelude::*;
use std::time::{Duration, Instant};
use support::leftovers::{assert_nothing_left, left};
use support::pipeline::{Pipeline, SILENCE, init};
use support::server::file;
use support::server_process::ServerProcess;

/// One after the other: they count what is left in the process.
#[test]
fn start_and_stop() {
    init();
    let (_, before) = left();
    nothing_is_left_after_null(before);
    a_second_run_is_like_the_first(before);
    stopping_never_waits_for_the_network(before);
    a_thousand_runs_leak_nothing(before);
}

fn nothing_is_left_after_null(before: usize) {
    let server = ServerProcess::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!("{SILENCE} ! openairealtime uri={} ! fakesink sync=true", server.base()));
    pipeline.play();
    pipeline.until_told("session", |s| s.get::<&str>("state") == Ok("ready"));
    assert!(!left().0.is_empty());
    pipeline.stop();
    assert_nothing_left(before);
}

fn a_second_run_is_like_the_first(before: usize) {
    let server = ServerProcess::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "{} ! openairealtime name=ai uri={} timing=offline ! fakesink",
        support::pipeline::recording("goforward.wav"),
        server.base()
    ));
    let mut lengths = Vec::new();
    for _ in 0..3 {
        let tap = pipeline.tap("ai");
        pipeline.run_to_end().stop();
        lengths.push((tap.sound().len(), pipeline.all("response").len()));
        pipeline.messages.clear();
    }
    assert!(lengths[0].0 > 100_000);
    // A tap that was put on before sees the later runs as well, so only the newest is looked at.
    assert!(lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
    assert_nothing_left(before);
}

fn stopping_never_waits_for_the_network(before: usize) {
    for script in ["hang\n", "hello\n", "hello\nstop-reading\n"] {
        let script_file = file(script);
        let path = script_file.to_str().expect("a readable path");
        let server = ServerProcess::start(&["--engine", "script", path]);
        let mut pipeline = Pipeline::new(&format!("{SILENCE} ! openairealtime uri={} ! fakesink", server.base()));
        pipeline.play();
        pipeline.until_told("session", |s| s.get::<&str>("state") == Ok("connecting"));
        let began = Instant::now();
        pipeline.stop();
        assert!(began.elapsed() < Duration::from_secs(2), "{script:?}: {:?}", began.elapsed());
        assert_nothing_left(before);
    }
}

fn a_thousand_runs_leak_nothing(before: usize) {
    let server = ServerProcess::start(&["--engine", "echo"]);
    let element =
        gst::ElementFactory::make("openairealtime").property("uri", server.base()).build().expect("an element");
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
        status.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("pages") * 4096
    };
    let run = |times: u32| {
        for _ in 0..times {
            element.set_state(gst::State::Ready).expect("READY");
            element.set_state(gst::State::Playing).expect("PLAYING");
        }
        element.set_state(gst::State::Null).expect("NULL");
    };
    run(100);
    let warm = resident();
    run(1000);
    assert_nothing_left(before);
    let grown = resident().saturating_sub(warm);
    // A run holds more than this; a thousand that leaked a thousandth of one would be seen.
    assert!(grown < 8 << 20, "1,000 runs left {grown} bytes");
}

/// Not a test: the server of the test above, in a process of its own.
#[test]
#[ignore = "started by the other test"]
fn server_process() {
    support::server_process::serve();
}
