// SPDX-License-Identifier: MPL-2.0

//! "I change it while it talks": properties in the middle of a session, and what the server makes of them.

use crate::support::pipeline::{Pipeline, SILENCE};
use crate::support::server::Server;
use gst::prelude::*;
use std::sync::mpsc::{self, Receiver};

const READY: &str = r#"
hello
expect session.update
send session.updated {"session": {"type": "realtime", "id": "sess_1", "model": "m"}}
"#;

fn ready(script: &str, properties: &str) -> (Server, Pipeline) {
    let server = Server::script(&format!("{READY}{script}"));
    let mut pipeline = Pipeline::new(&format!(
        "{SILENCE} ! openairealtime name=o {properties} \
         uri={} ! fakesink sync=true",
        server.base()
    ));
    pipeline.play();
    pipeline.until_told("session", |session| session.get::<&str>("state") == Ok("ready"));
    (server, pipeline)
}

fn until_warned(pipeline: &mut Pipeline, text: &str) {
    pipeline.until("a warning", |message| match message.view() {
        gst::MessageView::Warning(warning) => warning.error().message().contains(text),
        _ => false,
    });
}

/// What a property is after each of its changes.
fn changes(element: &gst::Element, name: &'static str) -> Receiver<Option<String>> {
    let (sender, changed) = mpsc::channel();
    element.connect_notify(Some(name), move |element, _| {
        // The test may have seen enough.
        let _ = sender.send(element.property(name));
    });
    changed
}

#[test]
fn changes_made_together_are_one_update_of_what_differs() {
    let (server, mut pipeline) = ready(
        r#"
expect session.update {"session": {"type": "realtime", "instructions": "Be brief.", "max_output_tokens": 100, "output_modalities": null, "audio": {"input": {"format": null, "transcription": {"language": "en"}}, "output": null}}}
send session.updated {"session": {"type": "realtime"}}
send rate_limits.updated {"rate_limits": [{"name": "done"}]}
"#,
        "",
    );
    let element = pipeline.element("o");
    element.set_property("instructions", "Be brief.");
    element.set_property("max-output-tokens", 100u32);
    element.set_property("transcription-language", "en");
    pipeline.until_told("rate-limits", |_| true);
    pipeline.stop();
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
    drop(server);
}

#[test]
fn a_refused_change_is_told_and_the_property_tells_what_is_in_force() {
    let (_server, mut pipeline) = ready(
        r#"
expect session.update {"event_id": "$update", "session": {"instructions": "Never."}}
send error {"error": {"type": "invalid_request_error", "code": "invalid_value", "message": "not this", "param": "session.instructions", "event_id": "$update"}}
"#,
        "instructions=First.",
    );
    let element = pipeline.element("o");
    let changed = changes(&element, "instructions");
    element.set_property("instructions", "Never.");
    until_warned(&mut pipeline, "not this");
    let limit = std::time::Duration::from_secs(30);
    assert_eq!(changed.recv_timeout(limit).expect("the wish"), Some("Never.".to_owned()));
    assert_eq!(changed.recv_timeout(limit).expect("what is in force"), Some("First.".to_owned()));
}

#[test]
fn a_voice_that_has_spoken_stays() {
    let (_server, mut pipeline) = ready(
        r#"
respond "Hello." <tone:440:100>
"#,
        "voice=marin",
    );
    let element = pipeline.element("o");
    pipeline.until_told("response", |response| response.get::<&str>("state") == Ok("completed"));
    let changed = changes(&element, "voice");
    element.set_property("voice", "cedar");
    until_warned(&mut pipeline, "voice");
    let limit = std::time::Duration::from_secs(30);
    assert_eq!(changed.recv_timeout(limit).expect("the wish").as_deref(), Some("cedar"));
    assert_eq!(changed.recv_timeout(limit).expect("what is in force").as_deref(), Some("marin"));
}

#[test]
fn what_is_wrong_is_refused_at_once() {
    let (_server, mut pipeline) = ready("", "");
    let element = pipeline.element("o");
    element.set_property("tools", "[{");
    until_warned(&mut pipeline, "tools");
    assert_eq!(element.property::<Option<String>>("tools"), None);
}

#[test]
fn what_is_refused_undoes_nothing_else() {
    let (_server, mut pipeline) = ready(
        r#"
expect session.update {"event_id": "$update", "session": {"instructions": "Be brief.", "max_output_tokens": 100}}
send error {"error": {"type": "invalid_request_error", "code": "invalid_value", "message": "not this", "param": "session.max_output_tokens", "event_id": "$update"}}
expect session.update {"session": {"instructions": "Be brief.", "max_output_tokens": null}}
send session.updated {"session": {"type": "realtime"}}
"#,
        "instructions=First.",
    );
    let element = pipeline.element("o");
    let (sender, changed) = mpsc::channel();
    element.connect_notify(Some("max-output-tokens"), move |element, _| {
        // The test may have seen enough.
        let _ = sender.send(element.property::<u32>("max-output-tokens"));
    });
    element.set_property("instructions", "Be brief.");
    element.set_property("tools", "[{");
    element.set_property("max-output-tokens", 100u32);
    until_warned(&mut pipeline, "tools");
    until_warned(&mut pipeline, "not this");
    let limit = std::time::Duration::from_secs(30);
    assert_eq!(changed.recv_timeout(limit), Ok(100));
    assert_eq!(changed.recv_timeout(limit), Ok(0));
    assert_eq!(element.property::<Option<String>>("instructions").as_deref(), Some("Be brief."));
    assert_eq!(element.property::<Option<String>>("tools"), None);
    assert_eq!(element.property::<gst::Structure>("stats").get::<u64>("warnings"), Ok(2));
    pipeline.stop();
}

/// A refused part of the JSON takes the rest of it not back, neither at once nor with the next change.
#[test]
fn what_is_refused_of_the_session_leaves_the_rest_of_it() {
    let (_server, mut pipeline) = ready(
        r#"
expect session.update {"event_id": "$update", "session": {"tracing": "auto", "prompt": {"id": "p"}}}
send error {"error": {"type": "invalid_request_error", "code": "invalid_value", "message": "not this", "param": "session.prompt", "event_id": "$update"}}
expect session.update {"session": {"tracing": "auto", "prompt": null}}
send session.updated {"session": {"type": "realtime"}}
send rate_limits.updated {"rate_limits": [{"name": "tokens"}]}
expect session.update {"session": {"instructions": "Be brief.", "tracing": null, "prompt": null}}
send session.updated {"session": {"type": "realtime"}}
send rate_limits.updated {"rate_limits": [{"name": "requests"}]}
"#,
        "",
    );
    let element = pipeline.element("o");
    let (sender, changed) = mpsc::channel();
    element.connect_notify(Some("session"), move |element, _| {
        // The test may have seen enough.
        let _ = sender.send(element.property::<Option<String>>("session"));
    });
    element.set_property("session", r#"{"tracing":"auto","prompt":{"id":"p"}}"#);
    until_warned(&mut pipeline, "not this");
    let limit = std::time::Duration::from_secs(30);
    assert_eq!(changed.recv_timeout(limit), Ok(Some(r#"{"tracing":"auto","prompt":{"id":"p"}}"#.into())));
    assert_eq!(changed.recv_timeout(limit), Ok(Some(r#"{"tracing":"auto"}"#.into())));
    // A change that is made before the rest has been sent again goes out together with it.
    pipeline.until_told("rate-limits", |_| true);
    element.set_property("instructions", "Be brief.");
    pipeline.until_told("rate-limits", |_| true);
    pipeline.stop();
}

#[test]
fn messages_can_be_chosen() {
    let (_server, mut pipeline) = ready(
        r#"
send rate_limits.updated {"rate_limits": [{"name": "requests"}]}
respond "One two three." <tone:440:100>
"#,
        "messages=session+transcript+response partial-transcripts=false",
    );
    pipeline.until_told("transcript", |words| words.get("final") == Ok(true));
    let element = pipeline.element("o");
    element.set_property_from_str("messages", "session+usage");
    assert!(pipeline.all("rate-limits").is_empty());
    assert_eq!(pipeline.all("transcript").len(), 1, "no partial ones");
    pipeline.stop();
}

#[test]
fn options_that_are_no_object_are_refused_in_plain_words() {
    let (_server, mut pipeline) = ready("", "");
    let element = pipeline.element("o");
    for options in ["[1]", "1", r#"{"output_modalities": 1}"#] {
        assert!(!element.emit_by_name::<bool>("create-response", &[&Some(options)]), "{options}");
    }
    until_warned(&mut pipeline, "create-response");
    pipeline.stop();
    assert!(pipeline.warnings().iter().all(|text| !text.contains("struct")), "{:?}", pipeline.warnings());
}

#[test]
fn raw_events_can_be_switched_on_and_off() {
    let (_server, mut pipeline) = ready("", "");
    assert!(pipeline.all("event").is_empty());
    pipeline.element("o").set_property("raw-events", true);
    let event = pipeline.until_told("event", |_| true);
    assert_eq!(event.get::<&str>("direction"), Ok("client"));
    assert_eq!(event.get::<&str>("type"), Ok("input_audio_buffer.append"));
}

#[test]
fn what_a_model_does_not_take_is_left_out_with_a_warning() {
    let (_server, pipeline) = {
        let server = Server::script(
            r#"
hello
expect session.update {"session": {"reasoning": null, "temperature": null}}
send session.updated {"session": {"type": "realtime", "id": "sess_1"}}
"#,
        );
        let mut pipeline = Pipeline::new(&format!(
            "openairealtime name=o model=gpt-realtime-1.5 reasoning-effort=high session=\"{{\\\"temperature\\\": 0.7}}\" \
             uri={} ! fakesink sync=true",
            server.base()
        ));
        pipeline.play();
        pipeline.until_told("session", |session| session.get::<&str>("state") == Ok("ready"));
        (server, pipeline)
    };
    let warnings = pipeline.warnings();
    assert!(warnings.iter().any(|warning| warning.contains("reasoning")), "{warnings:?}");
    assert!(warnings.iter().any(|warning| warning.contains("temperature")), "{warnings:?}");
}
