// SPDX-License-Identifier: MPL-2.0

//! Faults over real sockets: what a server and a network can do wrong, and what comes of it.

use crate::raw_server::{RawServer, STREAM, event, http_chunk, refusal, response, stream_of, stream_with};
use crate::support::pipeline::{Pipeline, Tap};
use crate::{all, audio_tap, spoken, text_tap, texts, typed};
use gst::prelude::*;
use serde_json::json;
use std::io::Write;

fn said(tap: &Tap) -> String {
    String::from_utf8(tap.sound()).expect("text")
}

/// Runs a message against a server that does this at first, and answers `Yes.` after it.
fn after(first: Vec<u8>) -> (Pipeline, String, usize) {
    let server = RawServer::start(move |number, _, stream| {
        // Whoever has gone reads no more.
        let _ = stream.write_all(if number == 0 { &first } else { &STREAM_YES });
    });
    let mut pipeline = typed("Hi", &server.base(), "");
    let tap = text_tap(&pipeline);
    pipeline.run_to_end();
    (pipeline, said(&tap), server.requests().len())
}

static STREAM_YES: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| stream_of("Yes."));

#[test]
fn what_may_go_better_is_tried_again() {
    for status in
        ["408 Timeout", "409 Conflict", "429 Slow Down", "500 Oops", "502 Bad", "503 Busy", "504 Late", "529 Hot"]
    {
        let (pipeline, text, requests) = after(refusal(status, "", "not now", "later"));
        assert_eq!((text.as_str(), requests), ("Yes.\n", 2), "{status}");
        assert_eq!(texts(&pipeline, "request", "state"), ["sent", "retrying", "sent"], "{status}");
        assert_eq!(pipeline.warnings(), Vec::<String>::new());
    }
}

#[test]
fn retry_after_is_obeyed_in_all_forms() {
    // A date has whole seconds, so two from the answer on are more than one.
    let date = || httpdate(std::time::SystemTime::now() + std::time::Duration::from_secs(2));
    for form in ["seconds", "date", "milliseconds"] {
        let server = RawServer::start(move |number, _, stream| {
            let header = match form {
                "seconds" => "Retry-After: 1".to_owned(),
                "date" => format!("Retry-After: {}", date()),
                _ => "retry-after-ms: 300".to_owned(),
            };
            let busy = refusal("429 Slow Down", &format!("{header}\r\n"), "not now", "later");
            // Whoever has gone reads no more.
            let _ = stream.write_all(if number == 0 { &busy } else { &STREAM_YES });
        });
        let mut pipeline = typed("Hi", &server.base(), "");
        pipeline.run_to_end();
        let delay = all(&pipeline, "request")[1].get::<u64>("delay").expect("a delay");
        // Without the header it is a millisecond.
        assert!(delay >= 200_000_000, "{form}: {delay}");
    }
}

/// A date as HTTP has it.
fn httpdate(time: std::time::SystemTime) -> String {
    let time = gst::glib::DateTime::from_unix_utc(
        time.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs() as i64,
    );
    time.and_then(|time| time.format("%a, %d %b %Y %H:%M:%S GMT")).expect("a date").to_string()
}

#[test]
fn every_try_is_the_same_request() {
    let server = RawServer::start(|number, _, stream| {
        let answer = if number < 2 { refusal("503 Busy", "", "no", "busy") } else { stream_of("Yes.") };
        // Whoever has gone reads no more.
        let _ = stream.write_all(&answer);
    });
    typed("Hi", &server.base(), "").run_to_end();
    let requests = server.requests();
    let keys: Vec<_> = requests.iter().map(|request| request.header("idempotency-key")).collect();
    assert!(keys.len() == 3 && keys[0].is_some() && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!(requests.iter().all(|request| request.body == requests[0].body && request.path == "/v1/chat/completions"));
}

#[test]
fn what_will_not_go_better_is_an_error() {
    let quota = refusal("429 No", "", "You exceeded your current quota", "insufficient_quota");
    for (answer, expected, kind) in [
        (
            refusal("401 No", "", "Incorrect API key provided.", "invalid_api_key"),
            "check the key",
            gst::ResourceError::NotAuthorized,
        ),
        (refusal("403 No", "", "Country not supported", "unsupported"), "Country", gst::ResourceError::NotAuthorized),
        (refusal("404 No", "", "The model `m` does not exist", "model_not_found"), "`m`", gst::ResourceError::NotFound),
        (
            refusal("400 No", "", "This model takes no pictures", "invalid_value"),
            "no pictures",
            gst::ResourceError::Settings,
        ),
        (quota, "quota", gst::ResourceError::NoSpaceLeft),
        (refusal("501 No", "", "never", "never"), "never", gst::ResourceError::OpenReadWrite),
        (
            refusal("302 Found", "Location: http://other.example/v1\r\n", "", ""),
            "other.example",
            gst::ResourceError::OpenReadWrite,
        ),
    ] {
        let server = RawServer::answering(answer);
        let error = typed("Hi", &server.base(), "max-reconnects=1 api-key=sk-test-12345678").run_to_error();
        assert!(error.matches(kind) && error.message().contains(expected), "{error}");
        assert!(!error.message().contains("sk-test-12345678"));
    }
}

#[test]
fn a_key_goes_to_no_other_host() {
    let elsewhere = RawServer::answering(stream_of("Gotcha."));
    let location = elsewhere.base().replace("127.0.0.1", "localhost");
    let server =
        RawServer::answering(response("307 Elsewhere", &format!("Location: {location}/chat/completions\r\n"), b""));
    let error = typed("Hi", &server.base(), "api-key=sk-test-12345678").run_to_error();
    assert!(error.message().contains("redirects to"), "{error}");
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn a_redirect_within_the_host_is_followed_with_the_request() {
    let server = RawServer::start(|number, request, stream| {
        assert_eq!(request.header("authorization"), Some("Bearer sk-test-12345678"));
        let moved = response("308 Moved", "Location: /elsewhere/chat/completions\r\n", b"");
        // Whoever has gone reads no more.
        let _ = stream.write_all(if number == 0 { &moved } else { &STREAM_YES });
    });
    let mut pipeline = typed("Hi", &server.base(), "api-key=sk-test-12345678");
    pipeline.run_to_end();
    assert_eq!(server.requests()[1].path, "/elsewhere/chat/completions");
}

#[test]
fn a_stream_that_is_cut_is_asked_for_again_and_nothing_comes_twice() {
    let half = event(json!({"content": "Half of an ans"}), None);
    let pcm = event(json!({"audio": {"id": "a", "data": "AAECAwQF", "transcript": "Half"}}), None);
    for cut in [
        Vec::new(),
        b"HTTP/1.1 200 O".to_vec(),
        STREAM.to_vec(),
        // In a data line, in base64, in a chunk of HTTP, behind a whole event.
        [STREAM, &http_chunk(&half.as_bytes()[..half.len() / 2])].concat(),
        [STREAM, &http_chunk(&pcm.as_bytes()[..pcm.find("AAEC").expect("it is there") + 3])].concat(),
        [STREAM, &b"fff\r\n"[..], half.as_bytes()].concat(),
        [STREAM, &http_chunk(half.as_bytes())].concat(),
        // The end of HTTP without an end of the answer.
        stream_with(half.as_bytes(), ""),
        stream_with(&half.as_bytes()[..half.len() / 2], ""),
        // No length at all, and then a close.
        [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", half.as_bytes()].concat(),
        // A whole answer that breaks off.
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"choices\": [".to_vec(),
    ] {
        let name = String::from_utf8_lossy(&cut).into_owned();
        let (_, text, requests) = after(cut);
        assert_eq!((text.as_str(), requests), ("Yes.\n", 2), "{name}");
    }
}

#[test]
fn an_answer_that_has_said_how_it_ends_is_whole_without_an_end_of_the_stream() {
    let events = event(json!({"content": "Yes."}), Some("stop"));
    for answer in [stream_with(events.as_bytes(), ""), [STREAM, &http_chunk(events.as_bytes())].concat()] {
        let (_, text, requests) = after(answer);
        assert_eq!((text.as_str(), requests), ("Yes.\n", 1));
    }
}

#[test]
fn an_error_in_the_stream_is_told_in_the_servers_words() {
    let half = event(json!({"content": "Half"}), None);
    let error = "data: {\"error\": {\"message\": \"The wheels came off\", \"type\": \"invalid_request_error\"}}\n\n";
    let server = RawServer::answering(stream_with(half.as_bytes(), error));
    let told = typed("Hi", &server.base(), "").run_to_error();
    assert!(told.message().contains("The wheels came off"), "{told}");
}

#[test]
fn answers_that_are_cut_by_the_server_are_incomplete() {
    for reason in ["length", "content_filter"] {
        let server = RawServer::answering(stream_with(
            event(json!({"content": "Once"}), Some(reason)).as_bytes(),
            "data: [DONE]\n\n",
        ));
        let mut pipeline = typed("Hi", &server.base(), "");
        let tap = text_tap(&pipeline);
        pipeline.run_to_end();
        assert_eq!(said(&tap), "Once\n");
        let response = &all(&pipeline, "response")[0];
        assert_eq!(
            (response.get::<&str>("state"), response.get::<&str>("finish-reason")),
            (Ok("incomplete"), Ok(reason))
        );
        assert_eq!(pipeline.warnings().len(), 1);
    }
}

#[test]
fn garbage_is_an_error_and_not_taken_for_an_answer() {
    let garbage: Vec<u8> = (0..10_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for headers in ["Content-Type: text/event-stream\r\n", "Content-Type: application/json\r\n", ""] {
        let server = RawServer::answering(response("200 OK", headers, &garbage));
        let error = typed("Hi", &server.base(), "max-reconnects=1").run_to_error();
        assert!(error.matches(gst::ResourceError::Read), "{error}");
        assert!(error.message().len() < 2_000, "only its begin is shown");
    }
    let server = RawServer::answering(garbage);
    assert!(typed("Hi", &server.base(), "max-reconnects=1").run_to_error().matches(gst::ResourceError::Read));
}

#[test]
fn a_server_that_never_ends_is_given_up() {
    let server = RawServer::start(|_, _, stream| {
        let mut answer = stream.write_all(STREAM);
        let piece = http_chunk(event(json!({"content": "and "}), None).as_bytes());
        while answer.is_ok() {
            answer = stream.write_all(&piece);
        }
    });
    let error = typed("Hi", &server.base(), "request-timeout=300000000 max-reconnects=1").run_to_error();
    assert!(error.message().contains("request-timeout") && error.matches(gst::ResourceError::Read), "{error}");
    let silent = RawServer::start(|_, _, stream| drop(std::io::Read::read(stream, &mut [0])));
    let error = typed("Hi", &silent.base(), "request-timeout=300000000 max-reconnects=1").run_to_error();
    assert!(error.message().contains("request-timeout"), "{error}");
}

#[test]
fn compressed_answers_are_read() {
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    let events = event(json!({"content": "Yes."}), Some("stop")) + "data: [DONE]\n\n";
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(events.as_bytes()).and_then(|()| zlib.write_all(events.as_bytes())).expect("memory");
    for (name, body) in [("gzip", gzip.finish()), ("deflate", zlib.finish())] {
        let headers = format!("Content-Type: text/event-stream\r\nContent-Encoding: {name}\r\n");
        let (_, text, requests) = after(response("200 OK", &headers, &body.expect("memory")));
        assert_eq!((text.as_str(), requests), ("Yes.\n", 1), "{name}");
    }
    let server = RawServer::answering(response("200 OK", "Content-Encoding: br\r\n", b"xx"));
    let error = typed("Hi", &server.base(), "").run_to_error();
    assert!(error.message().contains("'br'"), "{error}");
}

#[test]
fn the_same_bytes_come_out_wherever_an_answer_is_cut_into_chunks() {
    let audio = |data: &str, transcript: &str| event(json!({"audio": {"data": data, "transcript": transcript}}), None);
    // An odd number of bytes, then the other half of the sample; a comment and CRLF in between.
    let mut events = event(json!({"role": "assistant", "content": null, "audio": {"id": "a"}}), None);
    events += &audio("AAECAwQ=", "Hello ");
    events += ": keep-alive\r\n\r\n";
    events += &audio("BQYHCAk=", "w\u{f6}rld");
    events += &event(json!({}), Some("stop"));
    events += "data: [DONE]\n\n";
    let bytes = events.into_bytes();
    for step in [1, 2, 3, 7, 64] {
        let mut answer = STREAM.to_vec();
        bytes.chunks(step).for_each(|piece| answer.extend(http_chunk(piece)));
        answer.extend(b"0\r\n\r\n");
        let server = RawServer::answering(answer);
        let mut pipeline = typed("Hi", &server.base(), "modalities=text-and-audio");
        let (text, sound) = (text_tap(&pipeline), audio_tap(&pipeline));
        pipeline.run_to_end();
        assert_eq!(said(&text), "Hello w\u{f6}rld\n");
        assert_eq!(spoken(&sound), (0..10).collect::<Vec<u8>>(), "in pieces of {step}");
    }
}

#[test]
fn a_refused_part_says_what_to_change() {
    let server = RawServer::answering(refusal("400 No", "", "Invalid content type.", "invalid_value"));
    let mut pipeline = Pipeline::new(&format!(
        "filesrc location={} ! jpegparse ! openaichat name=chat uri={} chat.text_src ! fakesink",
        crate::support::pipeline::media("flower.jpg"),
        server.base()
    ));
    let error = pipeline.run_to_error();
    assert!(error.message().contains("Invalid content type; if the model takes no pictures"), "{error}");
}

#[test]
fn a_whole_answer_on_many_lines_is_one_line_of_the_trace() {
    let body = "{\n  \"choices\": [\n    {\"message\": {\"content\": \"Yes.\"}, \"finish_reason\": \"stop\"}\n  ]\n}\n";
    let server = RawServer::answering(response("200 OK", "Content-Type: application/json\r\n", body.as_bytes()));
    let mut pipeline = typed("Hi", &server.base(), "stream=off chat.event_src ! fakesink name=trace async=false");
    let tap = Tap::of_text(&pipeline.element("trace").static_pad("sink").expect("a pad"));
    pipeline.run_to_end();
    assert_eq!(said(&tap).lines().count(), 2);
}
