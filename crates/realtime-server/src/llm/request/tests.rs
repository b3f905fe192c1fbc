// SPDX-License-Identifier: MPL-2.0

//! Prompts and the requests that are made of them.

use super::*;
use crate::audio::Sound;
use crate::engine::Utterance;
use std::sync::Arc;

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts }
}

fn text(role: Role, text: &str) -> Turn {
    turn(role, vec![Part::Text(text.into())])
}

fn call(id: &str) -> Turn {
    let (name, arguments) = ("now".into(), "{}".into());
    turn(Role::Assistant, vec![Part::Call { call_id: id.into(), name, arguments }])
}

fn output(id: &str, text: &str) -> Turn {
    turn(Role::Assistant, vec![Part::Output { call_id: id.into(), text: text.into() }])
}

fn messages(turns: Vec<Turn>, context: u64) -> Vec<Value> {
    let body = body(&Prompt { turns, ..Prompt::default() }, None, context);
    body["messages"].as_array().expect("messages").clone()
}

#[test]
fn settings_are_what_was_asked_for() {
    let tool = json!({"type": "function", "name": "now", "parameters": {"type": "object"}});
    let prompt = Prompt {
        instructions: "Be brief.".into(),
        tools: vec![tool, json!({"type": "mcp", "server_label": "x"})],
        choice: Choice::Function("now".into()),
        max_tokens: Some(50),
        temperature: Some(0.7),
        idle: true,
        ..Prompt::default()
    };
    let expected = json!({"model": "m", "stream": true, "stream_options": {"include_usage": true},
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "system", "content": IDLE}],
        "tools": [{"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "now"}}, "parallel_tool_calls": false,
        "max_completion_tokens": 50, "temperature": 0.7});
    assert_eq!(body(&prompt, Some("m"), 8192), expected);
    let empty = body(&Prompt::default(), None, 8192);
    let names: Vec<&String> = empty.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["messages", "stream", "stream_options"]);
}

#[test]
fn what_was_said_is_written_and_pictures_are_shown() {
    let spoken = Utterance::new(Sound::new(vec![0; 240], 24_000));
    spoken.words.set("What is this?".into()).expect("nobody has listened yet");
    let picture = Picture { mime: "image/png", low_detail: true, bytes: vec![1, 2, 3].into(), ..Picture::default() };
    let parts = vec![Part::Sound(spoken), Part::Picture(Arc::new(picture))];
    let unheard = Part::Sound(Utterance::new(Sound::new(Vec::new(), 24_000)));
    let messages = messages(vec![turn(Role::User, parts), turn(Role::User, vec![unheard])], 8192);
    let url = "data:image/png;base64,AQID";
    assert_eq!(
        messages,
        [json!({"role": "user", "content": [{"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]})]
    );
}

#[test]
fn results_follow_their_calls_at_once() {
    let turns = vec![
        text(Role::User, "Now?"),
        text(Role::Assistant, "One moment."),
        call("a"),
        call("b"),
        text(Role::User, "Hurry."),
        output("a", "noon"),
        text(Role::Assistant, "It is noon."),
    ];
    let messages = messages(turns, 8192);
    let roles: Vec<&str> = messages.iter().filter_map(|message| message["role"].as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "user", "assistant"]);
    assert_eq!((&messages[1]["content"], &messages[1]["tool_calls"][1]["id"]), (&json!("One moment."), &json!("b")));
    let results = [&messages[2]["content"], &messages[3]["content"]];
    assert_eq!(results, [&json!("noon"), &json!(NO_RESULT)]);
}

#[test]
fn words_behind_a_result_are_a_message_of_their_own() {
    let turns = vec![text(Role::User, "Now?"), call("a"), output("a", "noon"), text(Role::Assistant, "It is noon.")];
    let messages = messages(turns, 8192);
    let roles: Vec<&str> = messages.iter().filter_map(|message| message["role"].as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant"]);
}

#[test]
fn the_oldest_messages_are_left_out_where_the_context_is_full() {
    let long = "word ".repeat(80);
    let turns: Vec<Turn> = (0..20)
        .flat_map(|index| {
            let user = text(Role::User, &format!("{index} {long}"));
            [user, call(&index.to_string()), output(&index.to_string(), &long), text(Role::Assistant, "Yes.")]
        })
        .chain([text(Role::User, "And now?")])
        .collect();
    let kept = messages(turns.clone(), 1024);
    // 768 tokens hold three exchanges of some 220.
    assert_eq!(kept.len(), 3 * 4 + 1);
    let first = kept[0]["content"][0]["text"].as_str().expect("text");
    assert!(kept[0]["role"] == "user" && first.starts_with("17 "), "{first}");
    assert_eq!(messages(turns, 1_000_000).len(), 20 * 4 + 1);
    let huge = messages(vec![text(Role::User, &long.repeat(50))], 256);
    assert_eq!(huge.len(), 1, "the last message counts in any case");
}
