// SPDX-License-Identifier: MPL-2.0

//! An hour of talk in one session, as fast as the server takes it: its memory after a quarter of an hour is its memory
//! after an hour. What bounds it is tested by itself (`session/conversation.rs`); here is what the whole program takes.
//!
//!     cargo test -p realtime-server --test soak -- --ignored --nocapture

#[path = "support/client.rs"]
mod client;
#[path = "support/server.rs"]
mod server;

use client::{Client, recording};
use serde_json::json;
use server::Server;
use std::time::{Duration, Instant};

/// The talk of both sides in the session.
const TALK: Duration = Duration::from_secs(3600);
/// The most that the program may grow by after the first quarter, in MB: what the allocator holds goes up and down by 20.
const MAX_GROWTH: f64 = 48.0;

/// What the program takes of memory, in MB.
fn resident(server: &Server) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

/// Says the same again and again until both sides have talked for an hour.
async fn talk(engine: &str) {
    let server = Server::start(&["--engine", engine]);
    let mut client = Client::session(&server.realtime()).await;
    let turns = json!({"type": "server_vad", "silence_duration_ms": 700});
    let session = json!({"type": "realtime", "audio": {"input": {"turn_detection": turns}}});
    client.send(json!({"type": "session.update", "session": session})).await;
    client.until("session.updated").await;
    let turn = recording("jfk.wav");
    let (begin, mut talked, mut quarter) = (Instant::now(), Duration::ZERO, None);
    while talked < TALK {
        client.append(&turn).await;
        let events = client.until("response.done").await;
        talked += Duration::from_secs((turn.len() + client::sound(&events).len()) as u64 / 24_000);
        if talked >= TALK / 4 {
            quarter.get_or_insert_with(|| resident(&server));
        }
    }
    let (quarter, end) = (quarter.expect("a quarter"), resident(&server));
    eprintln!("{engine}: {quarter:.0} MB after a quarter, {end:.0} MB after an hour of talk in {:?}", begin.elapsed());
    assert!(end < quarter + MAX_GROWTH, "{engine}: {quarter:.0} MB grew to {end:.0} MB");
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn an_hour_of_echoes_takes_no_more_than_a_quarter_of_it() {
    talk("echo").await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn an_hour_of_answers_takes_no_more_than_a_quarter_of_it() {
    talk("local").await;
}
