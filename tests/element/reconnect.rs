// SPDX-License-Identifier: MPL-2.0

//! "It lost the connection": it comes back, and remembers.

use crate::support::pipeline::{Pipeline, SILENCE};
use crate::support::server::Server;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use gst::prelude::*;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::SystemTime;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{Message, accept_hdr, http};

const READY: &str = r#"
hello
expect session.update {"session": {"instructions": "Be kind."}}
send session.updated {"session": {"type": "realtime", "id": "$id", "model": "m"}}
"#;

fn is_ready(session: &gst::StructureRef) -> bool {
    session.get::<&str>("state") == Ok("ready")
}

fn ready(id: &str) -> String {
    READY.replace("$id", id)
}

fn pipeline(server: &Server, properties: &str) -> Pipeline {
    Pipeline::new(&format!(
        "{SILENCE} ! openairealtime name=o \
         instructions=\"Be kind.\" reconnect-delay=1000000 {properties} uri={} ! fakesink sync=true",
        server.base()
    ))
}

#[test]
fn the_conversation_goes_on_in_another_session() {
    let mut server = Server::script(&format!(
        r#"{}
expect conversation.item.create
expect response.create
respond "I am well." <tone:440:100>
await conversation.item.create
expect response.create
reset
connection 2
refuse 503
connection 3
{}
expect conversation.item.create {{"item": {{"role": "user", "content": [{{"type": "input_text", "text": "How are you?"}}]}}}}
expect conversation.item.create {{"item": {{"role": "assistant", "content": [{{"type": "output_text", "text": "I am well."}}]}}}}
expect conversation.item.create {{"item": {{"role": "user", "content": [{{"type": "input_text", "text": "And now?"}}]}}}}
expect response.create
respond "Even better." <tone:440:100>
wait audio 200ms
send rate_limits.updated {{"rate_limits": [{{"name": "heard"}}]}}
"#,
        ready("sess_1"),
        ready("sess_2")
    ));
    let mut pipeline = pipeline(&server, "");
    let element = pipeline.element("o");
    pipeline.play();
    let first = pipeline.until_told("session", is_ready);
    assert_eq!(first.get::<bool>("resumed"), Ok(false));
    assert!(element.emit_by_name::<bool>("send-text", &[&"How are you?", &true]));
    pipeline.until_told("transcript", |words| words.get::<bool>("final") == Ok(true));
    assert!(element.emit_by_name::<bool>("send-text", &[&"And now?", &true]));
    let lost = pipeline.until_told("session", |session| session.get::<&str>("state") == Ok("reconnecting"));
    assert!(lost.get::<&str>("reason").is_ok());
    let second = pipeline.until_told("session", is_ready);
    assert_eq!((second.get::<bool>("resumed"), second.get::<&str>("session-id")), (Ok(true), Ok("sess_2")));
    pipeline.until_told("transcript", |words| words.get::<&str>("text") == Ok("Even better."));
    // Sound flows again.
    pipeline.until_told("rate-limits", |limits| limits.get::<&str>("name") == Ok("heard"));
    assert_eq!(element.property::<gst::Structure>("stats").get::<u64>("reconnects"), Ok(1));
    pipeline.stop();
    let (status, said) = server.terminate();
    assert!(status.success(), "{said}");
}

#[test]
fn the_hours_end_is_no_end() {
    let server = Server::script(&format!(
        r#"{}
send error {{"error": {{"type": "invalid_request_error", "code": "session_expired", "message": "Your session hit the maximum duration of 60 minutes."}}}}
close 1001 Your session hit the maximum duration of 60 minutes.
connection 2
{}
"#,
        ready("sess_1"),
        ready("sess_2")
    ));
    let mut pipeline = pipeline(&server, "");
    pipeline.play();
    pipeline.until_told("session", |session| session.get::<&str>("session-id") == Ok("sess_2"));
}

#[test]
fn a_session_that_is_not_to_be_had_back_is_an_error() {
    let server = Server::script(&format!("{}\nreset\nconnection *\nrefuse 503\n", ready("sess_1")));
    let mut pipeline = pipeline(&server, "max-reconnects=3");
    let error = pipeline.run_to_error();
    assert!(error.matches(gst::ResourceError::Read), "{error}");
    assert!(error.message().contains("503"), "{error}");
    let tries = pipeline.all("session").iter().filter(|session| session.has_field("attempt")).count();
    assert_eq!(tries, 1 + 3);
    let server = Server::script(&format!("{}\nreset\nconnection 2\nrefuse 401\n", ready("sess_1")));
    let error = self::pipeline(&server, "").run_to_error();
    assert!(error.matches(gst::ResourceError::NotAuthorized), "{error}");
}

const OLD_KEY: &str = "eyJ-the-token-of-this-hour";
const NEW_KEY: &str = "eyJ-the-token-of-the-next-hour";

/// A server whose client is to renew its key in the meantime, which is done here. The first session is lost or is
/// about to end. The second one warns with both keys. Gives its base.
#[allow(clippy::result_large_err, reason = "what a handshake wants")]
fn server_that_wants_another_key(file: std::path::PathBuf, is_lost: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("ws://{}/v1", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
        let mut before = None;
        for (id, key) in [("sess_1", OLD_KEY), ("sess_2", NEW_KEY)] {
            let (stream, _) = listener.accept().expect("a client");
            let admit = |request: &Request, response: Response| {
                let is_right = request.headers().get("authorization").is_some_and(|k| *k == format!("Bearer {key}"));
                let refused = http::Response::builder().status(401).body(None);
                if is_right { Ok(response) } else { Err(refused.expect("a response")) }
            };
            let Ok(mut socket) = accept_hdr(stream, admit) else { return };
            while !socket.read().expect("a message").to_text().is_ok_and(|text| text.contains("session.update")) {}
            std::fs::write(&file, NEW_KEY).expect("a file");
            let ends = if is_lost { now + 3600 } else { now + 8 };
            let session = json!({"type": "realtime", "id": id, "expires_at": ends});
            let warning = json!({"type": "x", "code": "x", "message": format!("not {OLD_KEY}, {NEW_KEY}")});
            let events =
                [json!({"type": "session.updated", "session": session}), json!({"type": "error", "error": warning})];
            for event in events.iter().take(if key == OLD_KEY { 1 } else { 2 }) {
                socket.send(Message::text(event.to_string())).expect("it is taken");
            }
            before = Some(socket).filter(|_| !is_lost || key == NEW_KEY);
        }
        // The client ends it.
        while before.as_mut().is_some_and(|socket| socket.read().is_ok()) {}
    });
    base
}

#[test]
fn a_key_that_was_renewed_in_its_file_is_used() {
    for is_lost in [true, false] {
        let file = crate::support::server::file(OLD_KEY);
        let base = server_that_wants_another_key(file.clone(), is_lost);
        let mut pipeline = Pipeline::new(&format!(
            "audiotestsrc is-live=true wave=silence ! audioconvert ! audioresample ! openairealtime uri={base} \
             api-key-file={} reconnect-delay=1000000 ! fakesink sync=true",
            file.display()
        ));
        pipeline.play();
        pipeline.until_told("session", |session| session.get::<&str>("session-id") == Ok("sess_2"));
        pipeline.until("a warning", |message| message.type_() == gst::MessageType::Warning);
        assert_eq!(pipeline.warnings(), ["not [redacted], [redacted]"], "neither of them is shown");
        pipeline.stop();
        std::fs::remove_file(file).expect("it was there");
    }
}

#[test]
fn a_key_file_that_is_gone_is_looked_for_again() {
    let file = crate::support::server::file(OLD_KEY);
    let server = Server::script(&format!("{}\nexpect conversation.item.create\nreset\n", ready("sess_1")));
    let mut pipeline = pipeline(&server, &format!("api-key-file={} max-reconnects=3", file.display()));
    pipeline.play();
    pipeline.until_told("session", is_ready);
    std::fs::remove_file(&file).expect("it was there");
    assert!(pipeline.element("o").emit_by_name::<bool>("send-text", &[&"Now.", &false]));
    let error = pipeline.until("an error", |message| message.type_() == gst::MessageType::Error);
    let gst::MessageView::Error(error) = error.view() else { unreachable!() };
    let error = error.error();
    assert!(error.matches(gst::ResourceError::Read), "{error}");
    assert!(error.message().contains(file.to_str().expect("a path")), "{error}");
    let tries = pipeline.all("session").iter().filter(|session| session.has_field("attempt")).count();
    assert_eq!(tries, 1 + 3);
}

#[test]
fn a_stop_does_not_wait_for_a_connection() {
    let server = Server::script(&format!("{}\nreset\nconnection *\nhang\n", ready("sess_1")));
    let mut pipeline = pipeline(&server, "");
    pipeline.play();
    pipeline.until_told("session", |session| session.get::<&str>("state") == Ok("reconnecting"));
    let began = std::time::Instant::now();
    pipeline.stop();
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "a time-out is 10 s");
}

#[test]
fn before_the_hours_end_another_session_is_ready_and_not_a_sample_is_lost() {
    // The first session ends in eight seconds, and nobody says anything in it.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let mut server = Server::script(&format!(
        r#"{}
send rate_limits.updated {{"rate_limits": [{{"name": "first"}}]}}
expect close 1000 within 60s
connection 2
{}
wait audio 4s
send rate_limits.updated {{"rate_limits": [{{"name": "second"}}]}}
"#,
        READY.replace(r#""id": "$id""#, &format!(r#""id": "sess_1", "expires_at": {}"#, now + 8)),
        ready("sess_2")
    ));
    let mut pipeline = Pipeline::new(&format!(
        "audiotestsrc is-live=true wave=white-noise volume=0.01 ! audioconvert ! audioresample ! openairealtime name=o \
         instructions=\"Be kind.\" raw-events=true uri={} ! fakesink sync=true",
        server.base()
    ));
    pipeline.play();
    let first = pipeline.until_told("session", is_ready);
    assert_eq!(first.get::<u64>("expires-at"), Ok(now + 8));
    let moved = pipeline.until_told("session", |session| session.get::<&str>("state") == Ok("reconnecting"));
    assert!(moved.get::<&str>("reason").is_ok_and(|why| why.contains("about to end")), "{moved}");
    let second = pipeline.until_told("session", |session| session.get::<&str>("state") != Ok("reconnecting"));
    assert_eq!(second.get::<&str>("session-id"), Ok("sess_2"), "it was connected before: {second}");
    pipeline.until_told("rate-limits", |limits| limits.get::<&str>("name") == Ok("second"));
    // The second server hears on without a break: it begins with what the first one heard last.
    let (mut heard, mut session) = ([Vec::new(), Vec::new()], 0);
    for event in pipeline.all("event") {
        let json: Value = serde_json::from_str(event.get("json").expect("JSON")).expect("JSON");
        match event.get::<&str>("type").expect("a type") {
            "session.updated" => session = usize::from(json["session"]["id"] == "sess_2"),
            "input_audio_buffer.append" => {
                heard[session].extend(STANDARD.decode(json["audio"].as_str().expect("sound")).expect("base64"))
            }
            _ => {}
        }
    }
    let overlap = heard[0].windows(48_000).rposition(|second| *second == heard[1][..48_000]).expect("the same noise");
    let again = &heard[0][overlap..];
    // Two seconds, and what was sent since the server's last sign of life; after 5 s of silence it is asked for one.
    assert!((96_000..=350_000).contains(&again.len()), "two to seven seconds, not {} bytes", again.len());
    assert_eq!(*again, heard[1][..again.len()]);
    let warnings = pipeline.warnings();
    assert!(warnings.is_empty(), "{warnings:?}");
    pipeline.stop();
    let (status, said) = server.terminate();
    assert!(status.success(), "{said}");
}

#[test]
fn another_server_takes_over() {
    let dead = TcpListener::bind("127.0.0.1:0").expect("a port");
    let gone = format!("ws://{}/v1", dead.local_addr().expect("an address"));
    drop(dead);
    let server = Server::script(&ready("sess_2"));
    let base = server.base();
    let mut pipeline = Pipeline::new(&format!(
        "{SILENCE} ! openairealtime name=o instructions=\"Be kind.\" reconnect-delay=1000000 max-reconnects=2 uri={gone} \
         fallback-uris=\"<\\\"{gone}\\\",\\\"{base}\\\">\" ! fakesink sync=true"
    ));
    pipeline.play();
    pipeline.until_told("session", |session| session.get::<&str>("session-id") == Ok("sess_2"));
    let uris = pipeline.all("session");
    let uris: Vec<_> = uris.iter().filter_map(|session| session.get::<&str>("uri").ok()).collect();
    let (gone, base) = (format!("{gone}/realtime"), format!("{base}/realtime"));
    assert_eq!(uris, [&*gone, &*gone, &*gone, &*gone, &*gone, &*gone, &*base]);
    let array = pipeline.element("o").property::<gst::Array>("fallback-uris");
    assert_eq!(array.as_slice().len(), 2);
}

#[test]
fn an_application_gives_the_key() {
    let server = Server::script("refuse 401\n");
    let mut pipeline = pipeline(&server, "");
    pipeline.element("o").connect("get-credentials", false, |_| Some("sk-from-the-application".to_value()));
    let error = pipeline.run_to_error();
    assert!(error.matches(gst::ResourceError::NotAuthorized), "{error}");
    assert!(error.message().contains("get-credentials"), "{error}");
}

#[test]
fn a_wait_that_the_server_asks_for_is_told() {
    let server = Server::script(&format!("refuse 503\n  Retry-After: 1\nconnection 2\n{}", ready("sess_1")));
    let mut pipeline = pipeline(&server, "");
    pipeline.play();
    let again = pipeline.until_told("session", |session| session.get::<u32>("attempt") == Ok(2));
    assert_eq!(again.get::<u64>("delay"), Ok(1_000_000_000), "{again}");
    assert!(again.get::<&str>("reason").is_ok_and(|reason| reason.contains("503")), "{again}");
    pipeline.until_told("session", is_ready);
}
