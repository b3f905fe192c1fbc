//! "It lost the connection": it comes back, and remembers.

mod support;

use gst::prelude::*;
use support::pipeline::Pipeline;
use support::server::Server;

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
        "audiotestsrc is-live=true wave=silence ! audioconvert ! audioresample ! openairealtime name=o \
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
