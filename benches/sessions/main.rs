// SPDX-License-Identifier: MPL-2.0

//! Cost of sessions: N live pipelines in one process, and the speed of an offline one.
//!
//!     cargo bench --bench sessions -- live 20 1 8 32 128    # seconds, then how many sessions at once
//!     cargo bench --bench sessions -- offline 600           # seconds of media
//!     cargo bench --bench sessions -- peers 20 1 8          # beside others that do the same, with OPENAI_NODE_DIR (where
//!                                                           # tests/clients/install.sh puts it) and AIOHTTP_PYTHON
//!
//! `PROPERTIES` in the environment are more properties of the live elements, such as `append-interval=100000000`.
//!
//! The server is `realtime-server --engine echo` in a process of its own, which is this program again and not counted.

#![allow(clippy::print_stdout, reason = "what was measured is of interest")]

mod bare;
mod peers;
mod process;
#[path = "../../tests/support/server_process.rs"]
mod server_process;

use bytes::Bytes;
use gst::prelude::*;
use process::{Sample, memory_kib, sample};
use server_process::ServerProcess;
use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

const CAPS: &str = "audio/x-raw,format=S16LE,rate=24000,channels=1,layout=interleaved";
/// Audio of a buffer.
const CHUNK: Duration = Duration::from_millis(20);
/// Of every ten seconds somebody speaks for three, which the server says back.
const TURN_CHUNKS: u64 = 500;
const SPEECH_CHUNKS: std::ops::Range<u64> = 50..200;

/// A chunk of 20 ms: a tone for speech, or silence. Made once, because the making is not to be measured.
fn chunk(index: u64) -> Bytes {
    static TONE: LazyLock<Bytes> = LazyLock::new(|| {
        let sample = |n: u32| (f64::from(n) / 24_000.0 * 440.0 * TAU).sin() * 8_000.0;
        (0..480).flat_map(|n| (sample(n) as i16).to_le_bytes()).collect()
    });
    match SPEECH_CHUNKS.contains(&(index % TURN_CHUNKS)) {
        true => TONE.clone(),
        false => Bytes::from_static(&[0; 960]),
    }
}

/// A pipeline with one session. Elements have the same names in all of them, and so do their threads.
fn pipeline(description: &str) -> (gst::Pipeline, gst_app::AppSrc) {
    let pipeline = gst::parse::launch(description).expect("a pipeline").downcast::<gst::Pipeline>().expect("it is one");
    let source = pipeline.by_name("in").and_downcast().expect("a source");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    (pipeline, source)
}

/// Stops pipelines and says whether one of them has failed.
fn stop(pipelines: &[(gst::Pipeline, gst_app::AppSrc)]) {
    for (pipeline, _) in pipelines {
        let error = pipeline.bus().expect("a bus").pop_filtered(&[gst::MessageType::Error]);
        assert!(error.is_none(), "a session has failed: {error:?}");
        pipeline.set_state(gst::State::Null).expect("it stops");
    }
}

/// Time of a chunk of one of several sessions, whose chunks are spread evenly over the time of a chunk.
fn due(chunk: u32, session: u32, sessions: u32) -> Duration {
    CHUNK * chunk + CHUNK * session / sessions
}

/// Feeds all pipelines for so long in real time.
fn feed(pipelines: &[(gst::Pipeline, gst_app::AppSrc)], chunks: std::ops::Range<u64>, start: Instant) {
    for index in chunks {
        let chunk = chunk(index);
        for (number, (_, source)) in (0u32..).zip(pipelines) {
            let due = start + due(index as u32, number, pipelines.len() as u32);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            source.push_buffer(gst::Buffer::from_slice(chunk.clone())).expect("it takes sound");
        }
    }
}

/// Pipelines with a live session each.
fn pipelines(base: &str, sessions: usize) -> Vec<(gst::Pipeline, gst_app::AppSrc)> {
    let properties = std::env::var("PROPERTIES").unwrap_or_default();
    let description = format!(
        "appsrc name=in is-live=true do-timestamp=true format=time caps={CAPS} \
         ! openairealtime name=ai uri={base} api-key=none turn-detection=server-vad {properties} \
         ! appsink name=out drop=true max-buffers=1 sync=false"
    );
    (0..sessions).map(|_| pipeline(&description)).collect()
}

/// Sessions in real time.
fn live(base: &str, sessions: usize, seconds: u64) {
    let before = memory_kib();
    let pipelines = pipelines(base, sessions);
    // Connecting is not counted.
    let (begin, end) = (100, 100 + seconds * 50);
    let start = Instant::now();
    feed(&pipelines, 0..begin, start);
    let (first, since) = (sample(), Instant::now());
    feed(&pipelines, begin..end, start);
    let (last, length) = (sample(), since.elapsed().as_secs_f64());
    let memory = memory_kib().saturating_sub(before);
    report(&first, &last, sessions, length, memory);
    stop(&pipelines);
}

fn report(first: &Sample, last: &Sample, sessions: usize, length: f64, memory: u64) {
    let per_session = |value: f64| value / sessions as f64;
    let mut kinds = BTreeMap::<String, (f64, u64, usize)>::new();
    for thread in last.since(first) {
        let kind = kinds.entry(thread.name).or_default();
        kind.0 += thread.running.as_secs_f64();
        kind.1 += thread.switches;
        kind.2 += 1;
    }
    // What feeds the pipelines is the application's, which is this program's first thread.
    let own: Vec<_> = kinds.iter().filter(|(name, _)| **name != process::main_thread_name()).collect();
    let running: f64 = own.iter().map(|(_, kind)| kind.0).sum();
    let switches: u64 = own.iter().map(|(_, kind)| kind.1).sum();
    let threads: usize = own.iter().map(|(_, kind)| kind.2).sum();
    println!(
        "{sessions:4} sessions: {:.3} s of CPU a session-minute, {:.0} context switches a second, {:.2} threads, \
         {:.0} KiB a session",
        per_session(running) * 60.0 / length,
        per_session(switches as f64) / length,
        per_session(threads as f64),
        per_session(memory as f64)
    );
    for (name, (running, switches, threads)) in kinds {
        println!(
            "     {name:16} {threads:4} threads, {:.3} s of CPU a session-minute, {:.0} context switches a second",
            per_session(running) * 60.0 / length,
            per_session(switches as f64) / length
        );
    }
}

/// Media as fast as it goes, with turns found by the element.
fn offline(base: &str, seconds: u64) {
    let (pipeline, source) = pipeline(&format!(
        "appsrc name=in format=time block=true max-time=1000000000 caps={CAPS} ! openairealtime name=ai uri={base} \
         api-key=none timing=offline ! fakesink sync=false"
    ));
    let (first, since) = (process::cpu_time(), Instant::now());
    for index in 0..seconds * 50 {
        let mut buffer = gst::Buffer::from_slice(chunk(index));
        let at = gst::ClockTime::from_mseconds(20 * index);
        buffer.get_mut().expect("nobody else has it").set_pts(at);
        source.push_buffer(buffer).expect("it takes sound");
    }
    source.end_of_stream().expect("it takes the end");
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let ended = pipeline.bus().expect("a bus").timed_pop_filtered(gst::ClockTime::from_seconds(3_600), &kinds);
    assert_eq!(ended.map(|message| message.type_()), Some(gst::MessageType::Eos), "the session has failed");
    let (length, running) = (since.elapsed().as_secs_f64(), process::cpu_time() - first);
    println!(
        "{seconds} s offline: {:.0} times real time, {:.2} s of CPU, {} KiB at most",
        seconds as f64 / length,
        running.as_secs_f64(),
        process::peak_memory_kib()
    );
    pipeline.set_state(gst::State::Null).expect("it stops");
}

fn init() {
    gst::init().expect("GStreamer");
    gstopenairealtime::plugin_register_static().expect("the plugin");
}

fn main() {
    if server_process::serve() || peers::run() {
        return;
    }
    init();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let numbers: Vec<u64> = arguments.iter().skip(1).map(|number| number.parse().expect("a number")).collect();
    let server = ServerProcess::start(&["--engine", "echo"]);
    match (arguments.first().map(String::as_str), numbers.as_slice()) {
        (None, _) => {
            live(server.base(), 8, 20);
            offline(server.base(), 600);
        }
        (Some("live"), [seconds, sessions @ ..]) => {
            sessions.iter().for_each(|sessions| live(server.base(), *sessions as usize, *seconds));
        }
        (Some("offline"), [seconds]) => offline(server.base(), *seconds),
        (Some("peers"), [seconds, sessions @ ..]) => {
            sessions.iter().for_each(|sessions| peers::measure(server.base(), *seconds, *sessions as usize));
        }
        _ => panic!("live SECONDS SESSIONS…, offline SECONDS or peers SECONDS SESSIONS…"),
    }
}
