// SPDX-License-Identifier: MPL-2.0

//! "What did I do wrong?": every mistake has its own error, in time, in words that help.

use crate::support::pipeline::{Pipeline, SILENCE};
use crate::support::server::{Server, file};
use gst::prelude::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const READY: &str = "hello\nexpect session.update\nsend session.updated {\"session\": {\"type\": \"realtime\"}}\n";

/// The error of a pipeline with these properties, and its text.
#[track_caller]
fn error_of(properties: &str) -> (gst::glib::Error, String) {
    let mut pipeline = Pipeline::new(&format!("{SILENCE} ! openairealtime {properties} ! fakesink"));
    let began = Instant::now();
    let error = pipeline.run_to_error();
    assert!(began.elapsed() < Duration::from_secs(15), "it took {:?}", began.elapsed());
    let text = error.message().to_owned();
    (error, text)
}

#[track_caller]
fn assert_error(properties: &str, kind: gst::ResourceError, words: &[&str]) {
    let (error, text) = error_of(properties);
    assert!(error.kind::<gst::ResourceError>() == Some(kind), "{properties}: {error:?}");
    for word in words {
        assert!(text.contains(word), "{properties}: '{text}' does not say '{word}'");
    }
}

#[test]
fn no_key() {
    assert_error(
        "uri=wss://api.example.com/v1",
        gst::ResourceError::NotAuthorized,
        &["OPENAI_API_KEY", "api-key-file"],
    );
}

#[test]
fn a_key_file_that_is_not_there() {
    let uri = "uri=wss://api.example.com/v1 api-key-file=/nowhere/key";
    assert_error(uri, gst::ResourceError::NotAuthorized, &["/nowhere/key"]);
}

#[test]
fn a_key_file_with_nothing_in_it() {
    let file = file(" \n");
    let uri = format!("uri=wss://api.example.com/v1 api-key-file={}", file.display());
    assert_error(&uri, gst::ResourceError::NotAuthorized, &[file.to_str().expect("a path"), "empty"]);
    std::fs::remove_file(file).expect("it was there");
}

#[test]
fn a_wrong_key() {
    let server = Server::start(&["--engine", "echo", "--api-key", "sk-right"]);
    let uri = format!("uri={} api-key=sk-wrong-and-secret", server.base());
    let (error, text) = error_of(&uri);
    assert!(error.kind::<gst::ResourceError>() == Some(gst::ResourceError::NotAuthorized), "{error:?}");
    assert!(!text.contains("sk-wrong-and-secret"), "{text}");
    assert!(text.ends_with("; check the key (from api-key)"), "{text}");
}

#[test]
fn whoever_is_refused_is_told_which_key_to_set_or_to_check() {
    let refusals = [
        "refuse 401\n",
        "refuse 403\n",
        "hello\nclose 3000\n",
        "hello\nsend error {\"error\": {\"type\": \"invalid_request_error\", \"code\": \"invalid_api_key\", \"message\": \"No.\"}}\n",
    ];
    let file = file("sk-in-a-file");
    let in_file = format!("api-key-file={}", file.display());
    let from_file = format!("check the key (from api-key-file {})", file.display());
    let cases = [
        ("", "set the environment variable OPENAI_API_KEY, or"),
        ("provider=azure", "set the environment variable AZURE_OPENAI_API_KEY, or"),
        ("headers=\"extra,Authorization=(string)a-token-of-mine\"", "check the key (from headers)"),
        (&in_file, &from_file),
    ];
    for refusal in refusals {
        for (properties, advice) in cases {
            let server = Server::script(refusal);
            let uri = format!("uri={} {properties}", server.base());
            assert_error(&uri, gst::ResourceError::NotAuthorized, &[advice]);
        }
    }
    std::fs::remove_file(file).expect("it was there");
}

#[test]
fn a_close_without_a_reason_is_told_by_its_code() {
    for (code, kind) in [
        (3000, gst::ResourceError::NotAuthorized),
        (4000, gst::ResourceError::Settings),
        (4004, gst::ResourceError::NotFound),
        (1008, gst::ResourceError::OpenReadWrite),
    ] {
        let server = Server::script(&format!("hello\nclose {code}\n"));
        let words = format!("the server closed the connection with code {code}");
        assert_error(&format!("uri={}", server.base()), kind, &[&words]);
    }
}

#[test]
fn a_quota_that_is_gone_is_not_asked_for_again() {
    for field in ["code", "type"] {
        let server = Server::script(&format!(
            "connection *\nrefuse 429\n  \
             body {{\"error\": {{\"{field}\": \"insufficient_quota\", \"message\": \"Nothing is left.\"}}}}\n"
        ));
        let mut pipeline = Pipeline::new(&format!("{SILENCE} ! openairealtime uri={} ! fakesink", server.base()));
        let error = pipeline.run_to_error();
        assert!(error.matches(gst::ResourceError::NoSpaceLeft), "{error:?}");
        assert!(error.message().contains("Nothing is left."), "{error}");
        let attempts = pipeline.all("session").iter().filter(|session| session.has_field("attempt")).count();
        assert_eq!(attempts, 1);
    }
}

#[test]
fn an_unauthorized_upgrade() {
    for (status, kind) in [
        (401, gst::ResourceError::NotAuthorized),
        (403, gst::ResourceError::NotAuthorized),
        (404, gst::ResourceError::NotFound),
        (400, gst::ResourceError::OpenReadWrite),
    ] {
        let server = Server::script(&format!(
            "refuse {status}\n  body {{\"error\": {{\"message\": \"because of {status}\"}}}}\n"
        ));
        assert_error(&format!("uri={}", server.base()), kind, &[&status.to_string(), "because of"]);
    }
}

/// A server that answers an upgrade with these pieces, one after the other, and leaves the connection open.
/// Gives its base.
fn server_in_pieces(pieces: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("ws://{}/v1", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut request = BufReader::new(&stream).lines().map_while(Result::ok);
        assert!(request.any(|line| line.is_empty()), "the whole request");
        for piece in pieces {
            stream.write_all(piece.as_bytes()).expect("it is read");
            // Nothing tells when a piece is read, and they are not to come together.
            std::thread::sleep(Duration::from_millis(100));
        }
        // The client ends it.
        let _ = stream.read(&mut [0]);
    });
    base
}

#[test]
fn an_explanation_that_comes_after_the_head_is_told() {
    let body = r#"{"error": {"code": "unsupported", "message": "There is no realtime here."}}"#;
    let (one, two) = body.split_at(40);
    let plain = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    let chunks = [format!("{:x}\r\n{one}\r\n", one.len()), format!("{:X};x=y\r\n{two}\r\n0\r\n\r\n", two.len())];
    let cases = [
        ["HTTP/1.1 400 Bad Request\r\n".into(), plain.clone(), one.into(), two.into()],
        [format!("HTTP/1.1 400 Bad Request\r\n{plain}"), body.into(), String::new(), String::new()],
        [
            "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            chunks[0].clone(),
            chunks[1].clone(),
            String::new(),
        ],
        // It never says where it ends.
        ["HTTP/1.1 400 Bad Request\r\n\r\n".into(), one.into(), two.into(), String::new()],
    ];
    for pieces in cases {
        let uri = format!("uri={}", server_in_pieces(pieces.into()));
        assert_error(&uri, gst::ResourceError::OpenReadWrite, &["400", "There is no realtime here."]);
    }
}

#[test]
fn a_wrong_model() {
    let server = Server::start(&["--engine", "echo"]);
    assert_error(
        &format!("uri={} model=no-such-model", server.base()),
        gst::ResourceError::NotFound,
        &["no-such-model"],
    );
}

#[test]
fn a_misspelt_host() {
    let uri = "uri=wss://no-such-host.invalid/v1 api-key=k";
    assert_error(uri, gst::ResourceError::OpenReadWrite, &["no-such-host.invalid", "resolved"]);
}

#[test]
fn a_refused_port() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let uri = format!("uri=ws://127.0.0.1:{free}/v1 max-reconnects=1 reconnect-delay=1000000");
    assert_error(&uri, gst::ResourceError::OpenReadWrite, &["refused"]);
}

#[test]
fn a_server_that_does_not_answer() {
    let server = Server::script("connection *\nhang\n");
    let uri = format!("uri={} connect-timeout=300000000", server.base());
    assert_error(&uri, gst::ResourceError::OpenReadWrite, &["did not answer within 300.0ms"]);
    let uri = format!("uri={} connect-timeout=10", server.base());
    assert_error(&uri, gst::ResourceError::OpenReadWrite, &["did not answer within 10.0ns"]);
    let server = Server::script("hello\n");
    let uri = format!("uri={} connect-timeout=2000000000", server.base());
    let (error, text) = error_of(&uri);
    assert!(error.matches(gst::ResourceError::OpenReadWrite), "{error:?}");
    // Connecting took some of it.
    let within = text.split("did not accept the session within ").nth(1).expect("it says so");
    assert!(within.len() <= "2.0s".len(), "{text}");
}

#[test]
fn an_unencrypted_connection_to_elsewhere() {
    assert_error("uri=ws://example.com/v1 api-key=k", gst::ResourceError::Settings, &["allow-insecure"]);
}

#[test]
fn a_certificate_that_is_no_good_is_told_in_plain_words() {
    let mut of_a_ca = rcgen::CertificateParams::new(vec!["localhost".into()]).expect("a name");
    of_a_ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let plain = rcgen::CertificateParams::new(vec!["localhost".into()]).expect("a name");
    for (parameters, is_trusted, words) in [
        (of_a_ca, true, &["CaUsedAsEndEntity", "basicConstraints=critical,CA:FALSE"]),
        (plain, false, &["UnknownIssuer", "ca-file"]),
    ] {
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = file(&parameters.self_signed(&key).expect("a certificate").pem());
        let key = file(&key.serialize_pem());
        let [shown, of_key] = [&certificate, &key].map(|path| path.to_str().expect("a path"));
        let server = Server::start(&["--engine", "echo", "--tls-cert", shown, "--tls-key", of_key]);
        let trusted = if is_trusted { format!("ca-file={shown}") } else { String::new() };
        let uri = format!("uri=wss://localhost:{}/v1 {trusted}", server.port());
        assert_error(&uri, gst::ResourceError::OpenReadWrite, words);
        for path in [certificate, key] {
            std::fs::remove_file(path).expect("it was there");
        }
    }
    // It speaks no TLS at all.
    let server = Server::start(&["--engine", "echo"]);
    let uri = format!("uri=wss://localhost:{}/v1", server.port());
    assert_error(&uri, gst::ResourceError::OpenReadWrite, &["speaks no TLS", "ws://"]);
}

#[test]
fn wrong_json_names_its_place() {
    assert_error(
        "uri=ws://127.0.0.1:1/v1 session=\"{ \\\"voice\\\": }\"",
        gst::ResourceError::Settings,
        &["session:", "line 1 column"],
    );
}

#[test]
fn settings_that_the_server_refuses() {
    let server = Server::start(&["--engine", "echo"]);
    let uri = format!("uri={} session=\"{{ \\\"tempo\\\": 0.7 }}\"", server.base());
    assert_error(&uri, gst::ResourceError::Settings, &["tempo"]);
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let server = Server::script(&format!("refuse 503\nconnection 2\n{READY}"));
    let mut pipeline =
        Pipeline::new(&format!("{SILENCE} ! openairealtime uri={} reconnect-delay=1000000 ! fakesink", server.base()));
    pipeline.play();
    pipeline.until_told("session", |s| s.get::<&str>("state") == Ok("ready"));
    let attempts: Vec<_> = pipeline.all("session").iter().filter_map(|s| s.get::<u32>("attempt").ok()).collect();
    assert_eq!(attempts, [1, 2]);
}

#[test]
fn a_connection_that_is_lost() {
    for (fault, words) in [("drop", ""), ("reset", ""), ("close 1011 overloaded", "overloaded"), ("invalid-frame", "")]
    {
        let server = Server::script(&format!("{READY}wait audio 100ms\n{fault}\n"));
        let uri = format!("uri={} max-reconnects=0", server.base());
        assert_error(&uri, gst::ResourceError::Read, &[words]);
    }
}

#[test]
fn a_harmless_error_is_a_warning_and_the_stream_goes_on() {
    let server = Server::script(&format!(
        "{READY}send error {{\"error\": {{\"type\": \"server_error\", \"code\": \"strange\", \"message\": \"a hiccup\"}}}}\n\
         send some.new.event {{\"x\": 1}}\ntext not json at all\n\
         send input_audio_buffer.speech_started {{\"audio_start_ms\": 0, \"item_id\": \"u\"}}\n"
    ));
    let mut pipeline = Pipeline::new(&format!("{SILENCE} ! openairealtime uri={} ! fakesink", server.base()));
    pipeline.play();
    pipeline.until_told("speech", |_| true);
    let warnings = pipeline.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(warnings[0], "a hiccup");
    assert!(warnings[1].contains("JSON"), "{}", warnings[1]);
}

#[test]
fn sound_that_cannot_be_right() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "appsrc name=in format=bytes caps=audio/x-raw,format=S16LE,rate=24000,channels=1,layout=interleaved \
         ! openairealtime uri={} ! fakesink",
        server.base()
    ));
    pipeline.play();
    let buffer = gst::Buffer::with_size(960).expect("memory");
    let flow = pipeline.element("in").emit_by_name::<gst::FlowReturn>("push-buffer", &[&buffer]);
    assert_eq!(flow, gst::FlowReturn::Ok);
    let message = pipeline.until("an error", |message| message.type_() == gst::MessageType::Error);
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    assert!(error.error().kind::<gst::StreamError>() == Some(gst::StreamError::Format), "{error:?}");
}

#[test]
fn what_is_owed_is_not_waited_for_for_ever() {
    let server = Server::script(&format!(
        "{READY}send input_audio_buffer.speech_started {{\"audio_start_ms\": 0, \"item_id\": \"u\"}}\n\
         send input_audio_buffer.speech_stopped {{\"audio_end_ms\": 1, \"item_id\": \"u\"}}\n\
         send input_audio_buffer.committed {{\"item_id\": \"u\"}}\n"
    ));
    let mut pipeline = Pipeline::new(&format!(
        "audiotestsrc num-buffers=10 ! audioconvert ! audioresample \
         ! openairealtime uri={} timing=live drain-timeout=300000000 ! fakesink",
        server.base()
    ));
    pipeline.run_to_end();
    assert!(!pipeline.warnings().is_empty(), "it says that something is missing");
}
