// SPDX-License-Identifier: MPL-2.0

//! Functions: called by the local server's model, answered by a handler, a program or later.

use crate::raw_server::{RawServer, event, stream_of, stream_with};
use crate::support::pipeline::Pipeline;
use crate::{all, text_tap, typed};
use gst::prelude::*;
use serde_json::{Value, json};
use std::io::Write;

const TOOLS: &str = "tools=[{\\\"type\\\":\\\"function\\\",\\\"name\\\":\\\"now\\\"}]";

/// A server whose model calls `now` until it has an output, and then says that.
fn caller() -> RawServer {
    RawServer::start(|_, request, stream| {
        let last = request.body["messages"].as_array().and_then(|messages| messages.last()).expect("messages");
        let answer = if last["role"] == "tool" {
            stream_of(&format!("It is {}.", last["content"].as_str().unwrap_or_default()))
        } else {
            let call = json!({"index": 0, "id": "call_1", "type": "function",
                "function": {"name": "now", "arguments": "{\"zone\":\"UTC\"}"}});
            let events = event(json!({ "tool_calls": [call] }), None) + &event(json!({}), Some("tool_calls"));
            stream_with(events.as_bytes(), "data: [DONE]\n\n")
        };
        // Whoever has gone reads no more.
        let _ = stream.write_all(&answer);
    })
}

fn said(pipeline: &mut Pipeline) -> String {
    let tap = text_tap(pipeline);
    pipeline.run_to_end();
    String::from_utf8(tap.sound()).expect("text")
}

#[test]
fn a_handler_answers() {
    let server = caller();
    let mut pipeline = typed("What time is it?", &server.base(), TOOLS);
    pipeline.element("chat").connect("function-call", false, |args| {
        let arguments: Value = serde_json::from_str(args[3].get::<&str>().expect("text")).expect("JSON");
        assert_eq!(args[1].get::<&str>(), Ok("now"));
        Some(Some(format!("noon {}", arguments["zone"].as_str().unwrap_or_default())).to_value())
    });
    assert_eq!(said(&mut pipeline), "It is noon UTC.\n");
    let call = &all(&pipeline, "function-call")[0];
    assert_eq!((call.get::<&str>("name"), call.get::<bool>("handled")), (Ok("now"), Ok(true)));
}

#[test]
fn a_program_answers() {
    let server = caller();
    let command = "tool-command=\"sh\\ -c\\ 'cat;\\ echo\\ \\$0'\"";
    let mut pipeline = typed("What time is it?", &server.base(), &format!("{TOOLS} {command}"));
    assert_eq!(said(&mut pipeline), "It is {\"zone\":\"UTC\"}now.\n");
}

#[test]
fn an_application_answers_later() {
    let server = caller();
    let mut pipeline = typed("What time is it?", &server.base(), TOOLS);
    let tap = text_tap(&pipeline);
    pipeline.play();
    pipeline.until("the call", |message| {
        message.structure().is_some_and(|structure| structure.name() == "openaichat/function-call")
    });
    let chat = pipeline.element("chat");
    assert!(!chat.emit_by_name::<bool>("send-function-output", &[&"other", &"x"]));
    assert!(chat.emit_by_name::<bool>("send-function-output", &[&"call_1", &"late"]));
    pipeline.until("the end", |message| message.type_() == gst::MessageType::Eos);
    assert_eq!(String::from_utf8(tap.sound()).expect("text"), "It is late.\n");
}

#[test]
fn who_takes_too_long_gives_the_model_an_error() {
    let server = caller();
    let mut pipeline = typed("What time is it?", &server.base(), &format!("{TOOLS} tool-timeout=50000000"));
    assert!(said(&mut pipeline).contains("took too long"));
    assert!(pipeline.warnings().iter().any(|warning| warning.contains("'now'")), "{:?}", pipeline.warnings());
}
