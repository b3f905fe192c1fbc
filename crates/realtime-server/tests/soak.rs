// SPDX-License-Identifier: MPL-2.0

//! An hour of talk in one session, as fast as the server takes it: its memory after a quarter of an hour is its memory
//! after an hour. What bounds it is tested by itself (`session/conversation.rs`); here is what the whole program takes.
//!
//!     cargo test -p realtime-server --test soak -- --ignored --nocapture

#[path = "support/client.rs"]
mod client;
#[path = "support/endpoint.rs"]
mod endpoint;
#[path = "support/server.rs"]
mod server;

use client::{Client, names, recording, sound};
use endpoint::Endpoint;
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

/// A session whose turns end after a longer pause than there is in what is said: one answer to each. With more the client
/// would have to read while it sends, for a server whose events nobody takes does not read either.
async fn session(server: &Server) -> Client {
    let mut client = Client::session(&server.realtime()).await;
    let turns = json!({"type": "server_vad", "silence_duration_ms": 1500});
    let session = json!({"type": "realtime", "audio": {"input": {"turn_detection": turns}}});
    client.send(json!({"type": "session.update", "session": session})).await;
    client.until("session.updated").await;
    client
}

/// Says the same again and again until both sides have talked for an hour.
async fn talk(engine: &str) {
    let server = Server::start(&["--engine", engine]);
    let mut client = session(&server).await;
    let turn = recording("jfk.wav");
    let (begin, mut talked, mut quarter) = (Instant::now(), Duration::ZERO, None);
    while talked < TALK {
        client.append(&turn).await;
        let events = client.until("response.done").await;
        assert_eq!(
            names(&events).iter().filter(|name| **name == "response.created").count(),
            1,
            "one answer to each turn"
        );
        talked += Duration::from_secs((turn.len() + sound(&events).len()) as u64 / 24_000);
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

/// The processor time that the program has used, user and system, in seconds.
fn processor_time(server: &Server) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("a running process");
    // The second field, the program's name, may hold blanks; user and system time are the 14th and 15th, in 10 ms.
    let behind = stat.rsplit_once(')').expect("a name").1;
    let fields = behind.split_whitespace().skip(11).take(2);
    fields.map(|field| field.parse::<f64>().expect("a number") / 100.0).sum()
}

/// Not a test: prints what a conversation of three turns at the pace of speech takes of a processor, with a language model
/// elsewhere. Sound is sent all the time, as from a microphone, also while the answer is heard.
/// `cargo test --release -p realtime-server --test soak cost -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn cost_of_a_conversation() {
    const FRAME: usize = 24 * 20;
    const ANSWER: &str = "That is a well known line of a speech of the year 1961. It asks the people what they can do \
        themselves. Would you like to hear how it goes on?";
    let endpoint = Endpoint::listen().await;
    let server = Server::start(&["--llm", endpoint.url()]);
    let answering = tokio::spawn(async move {
        for _ in 0..3 {
            endpoint.request().await.answer(ANSWER).await;
        }
    });
    let mut client = session(&server).await;
    let turn = recording("jfk.wav");
    let (begin, before) = (Instant::now(), processor_time(&server));
    let (mut pace, mut heard) = (tokio::time::interval(Duration::from_millis(20)), Duration::ZERO);
    for _ in 0..3 {
        let mut frames = turn.chunks(FRAME);
        let mut until = None;
        while until.is_none_or(|until| Instant::now() < until) {
            pace.tick().await;
            client.append(frames.next().unwrap_or(&[0; FRAME])).await;
            while let Ok(event) = tokio::time::timeout(Duration::from_millis(1), client.event()).await {
                let voice = Duration::from_millis(sound(std::slice::from_ref(&event)).len() as u64 / 24);
                heard += voice;
                match event["type"].as_str() {
                    Some("response.output_audio.delta") => {
                        until = Some(until.unwrap_or_else(|| Instant::now() + Duration::from_millis(500)) + voice);
                    }
                    Some("response.done") => assert_eq!(event["response"]["status"], "completed", "{event}"),
                    _ => {}
                }
            }
        }
    }
    answering.await.expect("three answers");
    let (used, took) = (processor_time(&server) - before, begin.elapsed().as_secs_f64());
    eprintln!(
        "{took:.0} s with {:.0} s of answers: {used:.1} s of a processor, {:.3} cores",
        heard.as_secs_f64(),
        used / took
    );
}
