// SPDX-License-Identifier: MPL-2.0

//! Conversations that lose their session after each turn: all is answered, in order, and nothing grows.

use crate::faults::stages::{ASKED, READY};
use crate::support::pipeline::Pipeline;
use crate::support::server::Server;
use gst::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

const FAULTS: [&str; 5] = ["reset", "drop", "close 1011", "close 1013", "invalid-frame"];

/// A conversation of so many turns, three seconds apart, each of which is answered by another session.
fn converse(turns: usize, first: usize) {
    let mut script = String::new();
    for turn in 1..=turns {
        let answer = format!("respond \"answer {turn}.\" <tone:440:100>\n");
        let ignored = "ignore conversation.item.create response.create session.update\n";
        // Behind the last answer the client goes.
        let end = match FAULTS[(first + turn) % FAULTS.len()] {
            _ if turn == turns => "expect close within 60s".to_owned(),
            fault => format!("ping\nexpect pong\n{fault}"),
        };
        script.push_str(&format!("connection {turn}\n{READY}{ignored}{ASKED}{answer}{end}\n"));
    }
    let mut server = Server::script(&script);
    let mut pipeline = Pipeline::new(&format!(
        "appsrc name=in format=time caps=text/x-raw,format=utf8 ! ai.text_sink openairealtime name=ai timing=offline \
         transcription-model=\"\" reconnect-delay=1000000 uri={} ! fakesink sync=false",
        server.base()
    ));
    pipeline.play();
    let source = pipeline.element("in");
    for turn in 0..turns {
        let mut question = gst::Buffer::from_slice(format!("question {turn}"));
        question.get_mut().expect("mine").set_pts(gst::ClockTime::from_seconds(3 * turn as u64));
        assert_eq!(source.emit_by_name::<gst::FlowReturn>("push-buffer", &[&question]), gst::FlowReturn::Ok);
    }
    assert_eq!(source.emit_by_name::<gst::FlowReturn>("end-of-stream", &[]), gst::FlowReturn::Ok);
    pipeline.until_end().expect("the end of the stream");
    let expected: Vec<_> = (1..=turns).map(|turn| format!("answer {turn}.")).collect();
    assert_eq!(pipeline.words("assistant"), expected.join(" "));
    pipeline.stop();
    let (verdict, failures) = server.terminate();
    assert!(verdict.success(), "{failures}");
}

#[test]
fn a_conversation_goes_on_over_a_hundred_sessions() {
    converse(100, 0);
}

/// What the process holds: threads, open files, and kilobytes of memory.
#[cfg(target_os = "linux")]
fn held() -> [usize; 3] {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let number = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("a line");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    };
    [number("Threads:"), std::fs::read_dir("/proc/self/fd").expect("files").count(), number("VmRSS:")]
}

/// `SOAK=60 cargo test --test element soak -- --ignored`: so many conversations of 600 sessions and half an hour of media
/// each, eight at a time.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "it takes minutes; a command for whoever changes how sessions are had back"]
fn soak() {
    if std::env::var_os("MALLOC_ARENA_MAX").is_none() {
        return run_again_with_one_arena();
    }
    let conversations = std::env::var("SOAK").ok().and_then(|count| count.parse().ok()).unwrap_or(60);
    let round = |from: usize, to: usize| {
        let next = AtomicUsize::new(from);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < to) {
                        converse(600, number);
                    }
                });
            }
        });
        held()
    };
    // What is made once is there after the first conversations.
    let [threads, files, memory] = round(0, 8);
    let [threads_after, files_after, memory_after] = round(8, 8 + conversations);
    eprintln!(
        "{conversations} conversations: {threads} -> {threads_after} threads, {files} -> {files_after} files, \
               {memory} -> {memory_after} kB"
    );
    assert!(threads_after <= threads + 4 && files_after <= files + 8, "something is left behind");
    assert!(memory_after < memory + 16_384, "memory grows");
}

/// glibc gives threads heaps of their own, which grow for a long time where many threads come and go although nothing
/// is left in them. With one heap for all, what grows is what was kept.
#[cfg(target_os = "linux")]
fn run_again_with_one_arena() {
    let program = std::env::current_exe().expect("a path");
    let status = std::process::Command::new(program)
        .args(["faults::soak::soak", "--exact", "--ignored", "--nocapture"])
        .env("MALLOC_ARENA_MAX", "1")
        .status()
        .expect("it starts");
    assert!(status.success(), "it fails");
}
