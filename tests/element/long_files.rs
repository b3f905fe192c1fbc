// SPDX-License-Identifier: MPL-2.0

//! "A whole archive": long files, every turn answered once, in order and in its place, and always the same.

use crate::support::folder::Folder;
use crate::support::pipeline::{Pipeline, media};
use crate::support::server::Server;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

const RECORDINGS: [&str; 4] = ["jfk.wav", "lv0870.wav", "goforward.wav", "lv0880.wav"];
/// Samples of 24 kHz in a millisecond.
const MS: usize = 24;

/// A recording of 16 kHz at 24 kHz, every second sample twice.
fn voice(name: &str) -> Vec<i16> {
    let file = std::fs::read(media(name)).expect("a recording");
    let samples: Vec<i16> = file[44..].as_chunks().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect();
    samples.as_chunks::<2>().0.iter().flat_map(|[a, b]| [*a, *b, *b]).collect()
}

/// All recordings, so many times, with pauses of 2 s.
fn archive(rounds: usize) -> Vec<i16> {
    let pause = vec![0; 2_000 * MS];
    let round: Vec<i16> = RECORDINGS.iter().flat_map(|name| [voice(name), pause.clone()]).flatten().collect();
    round.repeat(rounds)
}

fn write_wav(path: &Path, samples: &[i16]) {
    let (length, rate) = (samples.len() as u32 * 2, 24_000u32);
    let mut file = Vec::from(*b"RIFF");
    file.extend((length + 36).to_le_bytes());
    file.extend(*b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(rate.to_le_bytes());
    file.extend((rate * 2).to_le_bytes());
    file.extend(*b"\x02\0\x10\0data");
    file.extend(length.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    std::fs::write(path, file).expect("written");
}

/// What must come out if each turn is echoed at its end, or behind the echo before it.
fn echoes(sound: &[i16], turns: &[(usize, usize)]) -> Vec<i16> {
    let mut all: Vec<i16> = Vec::new();
    for (begin, end) in turns {
        all.resize(all.len().max(*end), 0);
        all.extend(&sound[*begin..(*end).min(sound.len())]);
    }
    all.resize(all.len().max(sound.len()), 0);
    all
}

#[test]
fn every_turn_of_a_long_file_is_answered_once_in_its_place() {
    const ROUNDS: usize = 8;
    let folder = Folder::new();
    let (input, sound) = (folder.join("archive.wav"), archive(ROUNDS));
    write_wav(&input, &sound);
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "filesrc location={} ! wavparse ! openairealtime name=ai uri={} ! fakesink",
        input.display(),
        server.base()
    ));
    let tap = pipeline.tap("ai");
    pipeline.run_to_end();
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
    let sample = |time: u64| ((u128::from(time) * 24_000 + 500_000_000) / 1_000_000_000) as usize;
    let edges: Vec<usize> =
        pipeline.all("speech").iter().map(|s| sample(s.get::<u64>("running-time").expect("a time"))).collect();
    let turns: Vec<(usize, usize)> = edges.chunks_exact(2).map(|two| (two[0], two[1])).collect();
    // A round is like the one before it.
    let each = turns.len() / ROUNDS;
    assert!(turns.len() == each * ROUNDS && each >= RECORDINGS.len(), "{} turns", turns.len());
    let completed = pipeline.all("response").iter().filter(|s| s.get::<&str>("state") == Ok("completed")).count();
    assert_eq!(completed, turns.len());
    tap.assert_unbroken(24_000, 2);
    let heard: Vec<i16> = tap.sound().as_chunks().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect();
    let expected = echoes(&sound, &turns);
    assert_eq!(heard.len(), expected.len(), "as long as the timeline");
    let differs = heard.iter().zip(&expected).position(|(is, should)| is != should);
    assert_eq!(differs, None, "the first sample that is another one");
}

/// Threads that keep a processor busy, until it is dropped.
struct Load(&'static AtomicBool, Vec<std::thread::JoinHandle<()>>);

impl Load {
    fn new(threads: usize) -> Self {
        let on: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(true)));
        let busy = || {
            std::thread::spawn(move || {
                while on.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        Self(on, (0..threads).map(|_| busy()).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
        self.1.drain(..).for_each(|thread| thread.join().expect("no panic"));
    }
}

#[test]
fn the_same_trace_gives_the_same_output_under_any_load() {
    // For a longer look: how often.
    let runs: usize = std::env::var("RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(4);
    let folder = Folder::new();
    let (input, trace) = (folder.join("input.wav"), folder.join("trace.jsonl"));
    write_wav(&input, &archive(1));
    let run = |server: &Server, rest: &str| {
        let mut pipeline = Pipeline::new(&format!(
            "filesrc location={} ! wavparse ! openairealtime name=o timing=offline uri={} ! fakesink {rest}",
            input.display(),
            server.base()
        ));
        let tap = pipeline.tap("o");
        pipeline.run_to_end().stop();
        let mut hash = DefaultHasher::new();
        for out in tap.outs() {
            (out.pts, out.duration, out.flags.bits(), out.data).hash(&mut hash);
        }
        hash.finish()
    };
    let first = {
        let server = Server::start(&["--engine", "echo"]);
        run(&server, &format!("o.event_src ! filesink location={}", trace.display()))
    };
    for index in 0..runs {
        let server = Server::start(&["--engine", "replay", trace.to_str().expect("a readable path")]);
        let load = Load::new(index % 4);
        assert_eq!(run(&server, ""), first, "run {index}");
        drop(load);
    }
}
