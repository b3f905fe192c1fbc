// SPDX-License-Identifier: MPL-2.0

//! What is worth another try, when, and how often.

use crate::error::ErrorKind;
use crate::realtime::session::Secret;
use crate::realtime::session::tests::peer::*;
use crate::types::AudioChunk;
use serde_json::json;
use std::io::Write;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A fault: its name, and what a server does.
type Fault = (&'static str, fn(Peer));

/// Faults that another try may mend, told by their name, at a server that has just upgraded the connection.
const FAULTS: [Fault; 9] = [
    ("end of the stream", drop),
    ("half a frame", |mut peer| peer.0.get_mut().write_all(&[0x81, 100, b'{']).expect("it is taken")),
    ("no frame", |mut peer| peer.0.get_mut().write_all(&[0xff; 64]).expect("it is taken")),
    ("1001", |peer| peer.close(1001)),
    ("1006", |peer| peer.close(1006)),
    ("1011", |peer| peer.close(1011)),
    ("1012", |peer| peer.close(1012)),
    ("1013", |peer| peer.close(1013)),
    ("expired", |mut peer| {
        peer.send(json!({"type": "error", "error": {"type": "x", "code": "session_expired", "message": "Too old."}}));
        peer.close(1000);
    }),
];

#[test]
fn what_may_be_better_in_a_moment_is_tried_again_in_the_first_session_and_in_every_later_one() {
    for (name, fault) in FAULTS {
        let server = Server::new();
        let mut bench = Bench::new(&connection(server.uri()), 2);
        assert_eq!(bench.expect_try(1), Duration::ZERO, "{name}");
        let mut peer = server.accept();
        peer.expect("session.update");
        fault(peer);
        let delay = bench.expect_try(2);
        assert!((SECOND * 3 / 4..=SECOND).contains(&delay), "{name}: {delay:?}");
        let peer = server.ready();
        bench.expect_ready(false);
        fault(peer);
        bench.expect_loss();
        assert!(bench.expect_try(1) > SECOND, "{name}: the row goes on, for nothing was answered");
        let _peer = server.ready();
        bench.expect_ready(true);
    }
}

#[test]
fn what_another_try_cannot_mend_is_an_error_at_once() {
    for code in [1000, 1002, 1003, 1008, 1009, 3000, 4000] {
        let server = Server::new();
        let mut bench = Bench::new(&connection(server.uri()), 5);
        bench.expect_try(1);
        server.accept().close(code);
        let failure = bench.failure();
        let kind = match code {
            3000 => failure.kind() == ErrorKind::NotAuthorized,
            4000 => failure.kind() == ErrorKind::Settings,
            _ => failure.kind() == ErrorKind::Connect,
        };
        assert!(kind && failure.to_string().contains(&code.to_string()), "{failure:?}");
    }
}

#[test]
fn a_name_that_is_not_resolved_is_looked_for_again_whatever_the_systems_words_are() {
    // No resolver takes a label of this length, so nobody is asked.
    let uri = format!("wss://{}.invalid/v1", "a".repeat(64));
    let mut connection = connection(uri);
    connection.api_key = Secret::new("sk-1");
    let mut bench = Bench::new(&connection, 2);
    for number in 1..=3 {
        bench.expect_try(number);
    }
    assert!(bench.failure().says(ErrorKind::Connect, "cannot be resolved"));
}

#[test]
fn the_tries_end_and_the_last_reason_is_told() {
    let server = Server::new();
    let mut bench = Bench::new(&connection(server.uri()), 2);
    bench.expect_try(1);
    for number in 2..=3 {
        server.accept().close(1013);
        bench.expect_try(number);
    }
    server.accept().close(1013);
    assert!(bench.failure().says(ErrorKind::Connect, "1013"));
}

#[test]
fn a_server_that_does_not_answer_any_more_is_told_as_that() {
    let server = Server::new();
    let mut bench = Bench::new(&connection(server.uri()), 1);
    bench.expect_try(1);
    drop(server.ready());
    bench.expect_ready(false);
    bench.expect_loss();
    bench.expect_try(1);
    let _silent = server.stream();
    bench.clock.advance(Duration::from_secs(10));
    let failure = bench.failure();
    assert!(failure.says(ErrorKind::Lost, "did not answer within 10.0s"), "{failure}");
}

#[test]
fn retry_after_is_waited_for_at_least_and_not_without_end() {
    let server = Server::new();
    let mut bench = Bench::new(&connection(server.uri()), 5);
    bench.expect_try(1);
    drop(server.ready());
    bench.expect_ready(false);
    bench.expect_loss();
    bench.expect_try(1);
    server.refuse("503 Busy", "Retry-After: 29\r\n");
    assert_eq!(bench.expect_try(2), Duration::from_secs(29));
    server.refuse("429 Slowly", "Retry-After: 0\r\n");
    assert!(bench.expect_try(3) >= 3 * SECOND, "the third delay of our own");
    let date = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_secs(20));
    server.refuse("503 Busy", &format!("Retry-After: {date}\r\n"));
    assert!(bench.expect_try(4) > Duration::from_secs(10));
    server.refuse("503 Busy", "Retry-After: 100000\r\n");
    let failure = bench.failure();
    assert!(failure.says(ErrorKind::Lost, "100000 s") && failure.says(ErrorKind::Lost, "503"), "{failure}");
}

#[test]
fn a_session_that_answered_or_lasted_makes_the_row_begin_anew() {
    let server = Server::new();
    let mut bench = Bench::new(&connection(server.uri()), 1);
    bench.expect_try(1);
    for number in 0..6 {
        let mut peer = server.ready();
        bench.expect_ready(number > 0);
        if number % 2 == 0 {
            bench.ask("Hello.");
            peer.expect("response.create");
            peer.respond(&format!("r{number}"));
            while !bench
                .next_within(Duration::from_secs(20))
                .is_some_and(|post| format!("{post:?}").contains("completed"))
            {}
        } else {
            bench.clock.advance(Duration::from_secs(5));
        }
        drop(peer);
        bench.expect_loss();
        assert!(bench.expect_try(1) <= SECOND);
    }
    drop(server.ready());
    bench.expect_ready(true);
    bench.expect_loss();
    assert!(bench.failure().kind() == ErrorKind::Lost, "this one had done nothing");
}

#[test]
fn a_server_that_owes_something_and_gives_no_sign_of_life_is_left_within_twelve_seconds() {
    let server = Server::new();
    let mut bench = Bench::new(&connection(server.uri()), 5);
    bench.expect_try(1);
    let mut peer = server.ready();
    bench.expect_ready(false);
    bench.ask("Hello.");
    peer.expect("response.create");
    let mut waited = Duration::ZERO;
    let reason = loop {
        match bench.next_within(Duration::from_millis(30)) {
            Some(post) if format!("{post:?}").contains("Reconnecting") => break format!("{post:?}"),
            Some(_) => {}
            None => {
                bench.clock.advance(SECOND);
                waited += SECOND;
            }
        }
        assert!(waited <= Duration::from_secs(12), "it is still waited for");
    };
    assert!(waited >= Duration::from_secs(10), "{waited:?}");
    assert!(reason.contains("does not answer a ping"), "{reason}");
    // The question is asked again.
    bench.expect_try(1);
    let mut peer = server.ready();
    assert_eq!(peer.expect("conversation.item.create")["item"]["content"][0]["text"], "Hello.");
    peer.expect("response.create");
}

#[test]
fn a_server_that_answers_pings_is_waited_for() {
    let server = Server::new();
    let mut bench = Bench::new(&connection(server.uri()), 5);
    bench.expect_try(1);
    let mut peer = server.ready();
    bench.expect_ready(false);
    bench.ask("Hello.");
    peer.expect("response.create");
    for _ in 0..5 {
        bench.clock.advance(Duration::from_secs(5));
        peer.pong();
        // What comes behind it is told, so it was heard.
        peer.send(json!({"type": "rate_limits.updated", "rate_limits": [{"name": "heard"}]}));
        while !format!("{:?}", bench.next()).contains("RateLimit") {}
    }
    peer.respond("r1");
    while !format!("{:?}", bench.next()).contains("completed") {}
}

#[test]
fn another_server_takes_over_after_the_last_try() {
    let (first, second) = (Server::new(), Server::new());
    let mut connection = connection(first.uri());
    connection.fallback_uris = vec![second.uri()];
    let mut bench = Bench::new(&connection, 1);
    bench.expect_try(1);
    first.refuse("503 Busy", "");
    bench.expect_try(2);
    first.refuse("503 Busy", "");
    let (attempt, _, uri) = bench.try_again();
    assert_eq!((attempt, uri), (1, format!("{}/realtime", second.uri())));
    drop(second.ready());
    bench.expect_ready(false);
    bench.expect_loss();
    bench.expect_try(1);
    second.refuse("503 Busy", "");
    let failure = bench.failure();
    assert!(failure.says(ErrorKind::Lost, &second.uri()), "{failure}");
}

#[test]
fn another_server_takes_over_where_the_first_one_will_not() {
    let (first, second) = (Server::new(), Server::new());
    let mut connection = connection(first.uri());
    connection.fallback_uris = vec![second.uri()];
    let mut bench = Bench::new(&connection, 5);
    bench.expect_try(1);
    let mut peer = first.ready();
    bench.expect_ready(false);
    peer.send(json!({"type": "error", "error": {"type": "insufficient_quota", "message": "No money."}}));
    assert_eq!(bench.expect_loss(), "No money. (insufficient_quota)");
    assert_eq!(bench.try_again().2, format!("{}/realtime", second.uri()));
    let _peer = second.ready();
    bench.expect_ready(true);
}

#[test]
fn one_warning_of_a_kind_and_the_number_of_the_others() {
    let server = Server::new();
    let mut bench = Bench::new(&connection(server.uri()), 5);
    bench.expect_try(1);
    let mut peer = server.ready();
    bench.expect_ready(false);
    for number in 0..1_000 {
        let error = json!({"type": "x", "code": "odd", "message": format!("odd thing {number}")});
        peer.send(json!({"type": "error", "error": error}));
    }
    bench.ask("Hello.");
    peer.expect("response.create");
    peer.respond("r1");
    while !format!("{:?}", bench.next()).contains("completed") {}
    bench.clock.advance(Duration::from_secs(10));
    while !format!("{:?}", bench.next()).contains("the last of 999 like it") {}
    assert_eq!(bench.said.iter().filter(|post| post.starts_with("Event(Warning")).count(), 2);
}

/// Live sound of so many seconds, each of which is one byte again and again.
fn speak(bench: &Bench, seconds: std::ops::Range<u8>) {
    for second in seconds {
        let at = Some(Duration::from_secs(second.into()));
        let sound = AudioChunk { data: vec![second; 48_000].into(), at };
        bench.input_queue.push_audio(sound).expect("it is taken");
    }
}

#[test]
fn after_an_outage_of_a_minute_the_newest_sound_is_heard_and_what_is_left_out_is_told() {
    let server = Server::new();
    let mut bench = Bench::new(&connection(server.uri()), 20);
    bench.expect_try(1);
    drop(server.ready());
    bench.expect_ready(false);
    bench.expect_loss();
    let mut outage = bench.expect_try(1);
    let mut number = 1;
    // Nobody is there for a minute, and the user speaks on.
    while outage < Duration::from_secs(60) {
        server.refuse("503 Busy", "");
        number += 1;
        outage += bench.expect_try(number);
    }
    speak(&bench, 0..60);
    let mut peer = server.ready();
    bench.expect_ready(true);
    let mut heard = Vec::new();
    while heard.last() != Some(&59) {
        heard.extend(peer.expect_append().chunks(4_800).map(|piece| piece[0]));
    }
    heard.dedup();
    assert_eq!(heard, (30..60).collect::<Vec<u8>>(), "reconnect-buffer is 30 s");
    let is_told =
        |post: &String| post.contains("audio-dropped") && post.contains("reconnect-buffer: 30.0s of the oldest");
    while !bench.said.iter().any(is_told) {
        bench.next();
    }
}
