// SPDX-License-Identifier: MPL-2.0

//! Function calls as a client sees them.

use crate::engine::Call;
use crate::engine::{ResponsePart, SpeechChunk};
use crate::session::Work;
use crate::session::tests::dialogue::{Dialogue, realtime, squeezed};
use serde_json::{Value, json};

/// The second piece of work of a dialogue: two calls after some words.
fn say_and_call(dialogue: &mut Dialogue) {
    let id = dialogue.answers[0].0.clone();
    let words = ResponsePart::Speech(SpeechChunk { text: "One moment.".into(), sound: None });
    let call = |name: &str| {
        ResponsePart::Call(Call { name: name.into(), arguments: r#"{"city":"Paris","unit":"celsius"}"#.into() })
    };
    for said in [words, call("get_weather"), call("get_time")] {
        dialogue.session.work(Work::ResponsePart(id.clone(), said), dialogue.now);
    }
    dialogue.session.work(Work::Answered(id, Ok(())), dialogue.now);
    dialogue.drain();
}

const TOOLS: &str = r#"[{"type": "function", "name": "get_weather"}, {"type": "function", "name": "get_time"}]"#;

#[test]
fn calls_are_told_in_the_order_of_the_protocol() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "response.create", "response": {"output_modalities": ["text"]}}));
    dialogue.events();
    say_and_call(&mut dialogue);
    let events = dialogue.events();
    let names = squeezed(events.iter().map(|event| event["type"].as_str().unwrap_or_default().to_string()).collect());
    let call = [
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
    ];
    let message = [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
    ];
    let end = ["response.done", "rate_limits.updated"];
    assert_eq!(names, [&message[..], &call[..], &call[..], &end[..]].concat());
    let of = |name: &str| events.iter().filter(|event| event["type"] == name).collect::<Vec<_>>();
    let done = of("response.output_item.done");
    assert_eq!(
        done.iter().map(|event| event["output_index"].as_u64()).collect::<Vec<_>>(),
        [Some(0), Some(1), Some(2)]
    );
    let output = of("response.done")[0]["response"]["output"].clone();
    assert_eq!(output, json!(done.iter().map(|event| event["item"].clone()).collect::<Vec<_>>()));
    assert_eq!((&output[1]["name"], &output[2]["name"]), (&json!("get_weather"), &json!("get_time")));
    let first =
        |name: &str| of(name).into_iter().filter(|event| event["call_id"] == output[1]["call_id"]).collect::<Vec<_>>();
    let pieces: String =
        first("response.function_call_arguments.delta").iter().filter_map(|event| event["delta"].as_str()).collect();
    let whole = first("response.function_call_arguments.done");
    assert_eq!((json!(pieces), &whole[0]["item_id"]), (whole[0]["arguments"].clone(), &output[1]["id"]));
    // The call is known from now on, another one is not.
    let give = |call_id: &Value| {
        json!({"type": "conversation.item.create", "event_id": "e",
        "item": {"type": "function_call_output", "call_id": call_id, "output": "21"}})
    };
    dialogue.say(give(&output[1]["call_id"]));
    assert_eq!(dialogue.names(), ["conversation.item.added", "conversation.item.done"]);
    dialogue.say(give(&json!("call_of_nobody")));
    assert_eq!(dialogue.errors(), [("invalid_tool_call_id".into(), Some("e".into()))]);
}

#[test]
fn calls_beside_the_conversation_leave_no_item_in_it() {
    let mut dialogue = realtime();
    dialogue
        .say(json!({"type": "response.create", "response": {"conversation": "none", "output_modalities": ["text"]}}));
    dialogue.events();
    say_and_call(&mut dialogue);
    assert!(!dialogue.names().iter().any(|name| name.starts_with("conversation.")));
    assert!(dialogue.session.conversation.entries().is_empty());
}

#[test]
fn a_function_that_is_chosen_by_name_must_be_there() {
    let mut dialogue = realtime();
    let tools: Value = serde_json::from_str(TOOLS).expect("JSON");
    dialogue.say(json!({"type": "session.update", "session": {"type": "realtime", "tools": tools}}));
    dialogue.events();
    let choose = |name: &str| {
        json!({"type": "response.create", "event_id": "e",
        "response": {"tool_choice": {"type": "function", "name": name}}})
    };
    dialogue.say(choose("get_lost"));
    assert_eq!(dialogue.errors(), [("invalid_value".into(), Some("e".into()))]);
    dialogue.say(choose("get_time"));
    assert_eq!(dialogue.names(), ["response.created"]);
}

#[test]
fn tools_of_other_servers_cannot_be_listed() {
    let mut dialogue = realtime();
    let tools = json!([{"type": "mcp", "server_label": "there", "server_url": "https://example.com/mcp"}]);
    dialogue.say(json!({"type": "session.update", "session": {"type": "realtime", "tools": tools}}));
    let events = dialogue.events();
    assert_eq!(
        (&events[1]["type"], &events[2]["type"]),
        (&json!("mcp_list_tools.in_progress"), &json!("mcp_list_tools.failed"))
    );
    assert_eq!(events[1]["item_id"], events[2]["item_id"]);
}
