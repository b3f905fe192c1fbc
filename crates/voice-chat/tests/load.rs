// SPDX-License-Identifier: MPL-2.0

//! Many visitors, for long or in a row. Commands, because they take minutes:
//!
//! ```sh
//! export MALLOC_ARENA_MAX=1 VISITORS=10 MINUTES=5 ROUNDS=1 CONNECTS=1000
//! cargo test --release -p voice-chat --test load -- --ignored --nocapture
//! ```
//!
//! With one arena, because glibc otherwise keeps a heap for each of many threads, which looks like a leak at first.

mod support;

use std::time::{Duration, Instant};
use support::Gateway;
use support::client::{Client, Media, within};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn count(path: &str) -> usize {
    std::fs::read_dir(path).expect("procfs").count()
}

/// Resident memory in MB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

/// Waits until files and threads are what they were, but for what comes and goes.
async fn until_back(before: (usize, usize)) {
    let now = || (count("/proc/self/fd"), count("/proc/self/task"));
    let back = async {
        while now().0 > before.0 + 5 || now().1 > before.1 + 5 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let back = tokio::time::timeout(Duration::from_secs(30), back).await;
    assert!(back.is_ok(), "files and threads were {before:?} and are {:?}", now());
}

/// What one visitor has met.
#[derive(Debug)]
struct Visit {
    answers: u32,
    samples: u64,
    warnings: Vec<String>,
}

/// Talks until the time is over. The recording comes over and over, and each is answered with itself.
async fn visit(gateway: &Gateway, time: Duration) -> Visit {
    let mut client = Client::connect(gateway, Media { speaks_for: Some(time), ..Media::default() }).await;
    client.expect("session.created").await;
    let (mut answers, mut warnings) = (0, Vec::new());
    let end = tokio::time::Instant::now() + time;
    while let Ok(event) = tokio::time::timeout_at(end, client.next()).await {
        match event["type"].as_str() {
            Some("output_audio_buffer.stopped") => answers += 1,
            Some("voice_chat.warning" | "error") => warnings.push(event.to_string()),
            _ => {}
        }
    }
    let samples = client.heard.load(std::sync::atomic::Ordering::Relaxed);
    client.close_channel();
    client.vanish().await;
    Visit { answers, samples, warnings }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes, and all of the machine"]
async fn visitors_talk_at_once() {
    let (visitors, time) = (number("VISITORS", 10), Duration::from_secs(60 * number("MINUTES", 5)));
    let gateway = Gateway::start(&["--engine", "echo"], &[]).await;
    let round = async |time| {
        let visits = (0..visitors).map(|_| visit(&gateway, time));
        let visits = futures_util::future::join_all(visits).await;
        gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
        visits
    };
    // What the first visitors leave (plugins, threads of pools, the heap's size at its most) is kept for the next.
    round(time).await;
    let (before, memory_before) = ((count("/proc/self/fd"), count("/proc/self/task")), memory());
    let mut visits = Vec::new();
    for number in 0..number("ROUNDS", 1) {
        visits.extend(round(time).await);
        until_back(before).await;
        eprintln!("round {number}: {memory_before} MB before, {} MB after", memory());
    }
    for visit in &visits {
        eprintln!("{visit:?}");
    }
    let turns = time.as_secs() as u32 / support::client::PERIOD.as_secs() as u32;
    let each = |visit: &Visit| visit.samples / u64::from(visit.answers.max(1));
    let most = visits.iter().map(each).max().expect("visits");
    for visit in &visits {
        assert!(visit.answers + 2 >= turns, "{visit:?} of {turns} turns");
        assert!(each(visit) * 10 >= most * 9, "{visit:?}: an answer is shorter than those of others ({most})");
        assert!(!visit.warnings.iter().any(|text| text.contains("dropped")), "{visit:?}");
    }
    assert!(memory() <= memory_before * 12 / 10, "{memory_before} MB have become {} MB", memory());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn connections_in_a_row_leave_nothing() {
    let connects = number("CONNECTS", 1000);
    let gateway = Gateway::start(&["--engine", "echo"], &[]).await;
    let client = Client::new(Media::default()).await;
    let mut begin = Instant::now();
    let (mut before, mut memory_before) = ((0, 0), 0);
    for number in 0..connects + 50 {
        if number == 50 {
            gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
            (before, memory_before, begin) =
                ((count("/proc/self/fd"), count("/proc/self/task")), memory(), Instant::now());
        }
        // Garbage, and a connection that says nothing, beside each call.
        let mut socket = TcpStream::connect(&gateway.address).await.expect("a connection");
        if number % 2 == 0 {
            // The server may have closed it by then.
            let _ = socket.write_all(b"\x16\x03\x01 no request\r\n\r\n").await;
        }
        let answer = gateway.post("/v1/realtime/calls", "application/sdp", &client.offer).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let location = answer.header("Location").expect("a location").to_owned();
        assert_eq!(gateway.post(&format!("{location}/hangup"), "text/plain", "").await.status, 200);
        drop(socket);
    }
    gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
    eprintln!("{connects} calls in {:?}; memory: {memory_before} MB before, {} MB after", begin.elapsed(), memory());
    until_back(before).await;
    assert!(memory() <= memory_before * 12 / 10, "{memory_before} MB have become {} MB", memory());
    client.vanish().await;
    within("the end", async { drop(gateway) }).await;
}
