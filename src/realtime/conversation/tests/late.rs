// SPDX-License-Identifier: MPL-2.0

//! Responses that come at the wrong time: over the user, too late, without a begin or an end, or cancelled by the server.

use crate::realtime::conversation::io::Command;
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::tests::outputs::Came;
use crate::realtime::conversation::{Event, Input, Output};
use serde_json::{Value, json};

fn cancelled(response: &str) -> Value {
    let details = json!({"type": "cancelled", "reason": "turn_detected"});
    json!({"type": "response.done", "response": {"id": response, "status": "cancelled", "status_details": details}})
}

#[test]
fn an_answer_to_half_a_sentence_is_not_spoken_over_the_user() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all(turn("u1", 0));
    dialogue.server_all([
        started("u2", 500),
        created("r1"),
        delta("r1", "a1", 1_500),
        say("r1", "a1", "Half.", "delta"),
    ]);
    dialogue.after(300);
    dialogue.server(cancelled("r1"));
    let came = Came::of(&mut dialogue);
    assert_eq!((came.speech(), came.ends()), (0, vec![("cancelled", Some("turn_detected"))]));
    assert_eq!(came.sent("conversation.item.delete")[0]["item_id"], "a1");
    assert!(came.wholes().is_empty());
    dialogue.server_all([stopped("u2", 1_500), committed("u2"), created("r2"), delta("r2", "a2", 400), done("r2")]);
    let came = Came::of(&mut dialogue);
    assert_eq!((came.speech(), came.ends()), (400, vec![("completed", None)]));
}

#[test]
fn an_answer_that_nobody_cancels_is_heard_when_the_user_has_ended_or_after_a_while() {
    for ends in [true, false] {
        let mut dialogue = Dialogue::live(server_vad());
        dialogue.server_all([started("u1", 0), created("r1"), delta("r1", "a1", 500), done("r1")]);
        assert_eq!(Came::of(&mut dialogue).speech(), 0);
        if ends {
            dialogue.server(stopped("u1", 400));
        } else {
            dialogue.after(3_000);
        }
        let came = Came::of(&mut dialogue);
        assert_eq!((came.speech(), came.ends()), (500, vec![("completed", None)]));
    }
}

#[test]
fn what_the_server_cancels_by_itself_falls_silent_and_is_truncated() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all([created("r1"), delta("r1", "a1", 2_000)]);
    dialogue.skip();
    dialogue.played(400, &[("a1", 400)]);
    dialogue.server(cancelled("r1"));
    let came = Came::of(&mut dialogue);
    assert!(came.0.iter().any(|output| matches!(output, Output::FlushAudio)));
    assert_eq!(came.sent("conversation.item.truncate")[0]["audio_end_ms"], 400);
    assert!(came.events().any(|event| matches!(event, Event::Interrupted { .. })));
    assert_eq!(came.ends(), [("cancelled", Some("turn_detected"))]);
}

#[test]
fn an_answer_that_was_given_up_is_heard_if_nothing_else_is_under_way() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all(turn("u1", 0));
    dialogue.server(created("r1"));
    dialogue.after(30_001);
    let came = Came::of(&mut dialogue);
    assert_eq!((came.warnings(), came.ends()), (vec!["no-answer"], vec![("incomplete", Some("timeout"))]));
    dialogue.server_all([delta("r1", "a1", 500), audio_done("r1", "a1"), done("r1")]);
    let came = Came::of(&mut dialogue);
    assert_eq!((came.speech(), came.ends()), (500, vec![("completed", None)]));
    // Not beside another one.
    dialogue.server_all(turn("u2", 700));
    dialogue.server(created("r2"));
    dialogue.after(30_001);
    dialogue.server_all(turn("u3", 1_100));
    dialogue.server_all([created("r3"), delta("r3", "a3", 200)]);
    dialogue.skip();
    dialogue.server_all([delta("r2", "a2", 500), done("r2")]);
    assert_eq!(Came::of(&mut dialogue).speech(), 0);
}

#[test]
fn a_server_that_calls_a_tool_is_not_silent() {
    let mut dialogue = Dialogue::live(server_vad());
    let item = json!({"id": "m1", "type": "mcp_call", "status": "in_progress"});
    dialogue.server(created("r1"));
    dialogue.server(json!({"type": "response.output_item.added", "response_id": "r1", "item": item}));
    dialogue.server(json!({"type": "response.mcp_call.in_progress", "item_id": "m1"}));
    dialogue.after(60_000);
    assert!(Came::of(&mut dialogue).warnings().is_empty());
    dialogue.server(json!({"type": "response.mcp_call.completed", "item_id": "m1"}));
    dialogue.server_all([delta("r1", "a1", 500), done("r1")]);
    let came = Came::of(&mut dialogue);
    assert_eq!((came.speech(), came.ends()), (500, vec![("completed", None)]));
}

#[test]
fn an_answer_without_a_begin_frees_the_gate_and_one_without_an_end_is_told_of() {
    let mut dialogue = Dialogue::live(server_vad());
    let ask = |dialogue: &mut Dialogue| {
        dialogue.handle(Input::Command(Command::CreateResponse(None)));
        Came::of(dialogue).sent("response.create").len()
    };
    assert_eq!(ask(&mut dialogue), 1);
    dialogue.server_all([delta("r1", "a1", 400), audio_done("r1", "a1"), done("r1")]);
    dialogue.skip();
    assert_eq!(ask(&mut dialogue), 1);
    dialogue.server_all([created("r2"), delta("r2", "a2", 400), audio_done("r2", "a2")]);
    dialogue.skip();
    dialogue.server_all([created("r3"), delta("r3", "a3", 400), done("r3")]);
    let came = Came::of(&mut dialogue);
    assert_eq!((came.speech(), came.ends()), (400, vec![("incomplete", Some("superseded")), ("completed", None)]));
}

#[test]
fn the_first_sound_is_reckoned_for_each_answer_alone() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.handle(Input::Command(Command::CreateResponse(None)));
    dialogue.after(500);
    dialogue.handle(Input::Command(Command::CancelResponse));
    dialogue.after(1_500);
    dialogue.handle(Input::Command(Command::CreateResponse(None)));
    dialogue.server_all([created("r1"), delta("r1", "a1", 500), done("r1"), created("r2")]);
    dialogue.after(7);
    dialogue.server_all([delta("r2", "a2", 500), done("r2")]);
    assert_eq!(Came::of(&mut dialogue).first_audio(), [None, Some(7)]);
    // One beside the conversation takes nothing from it.
    dialogue.handle(Input::Command(Command::CreateResponse(None)));
    dialogue.server(created("r3"));
    let beside = json!({"id": "r9", "conversation_id": null, "metadata": {"what": "hold"}});
    dialogue.server_all([json!({"type": "response.created", "response": beside}), delta("r9", "a9", 300), done("r9")]);
    dialogue.after(11);
    dialogue.server_all([delta("r3", "a3", 300), done("r3")]);
    assert_eq!(Came::of(&mut dialogue).first_audio(), [None, Some(11)]);
}

#[test]
fn an_answer_beside_the_conversation_is_cancelled_and_not_truncated() {
    let mut dialogue = Dialogue::live(server_vad());
    let beside = json!({"id": "r9", "conversation_id": null, "metadata": {"what": "hold"}});
    dialogue.server_all([json!({"type": "response.created", "response": beside}), delta("r9", "a9", 2_000)]);
    dialogue.played(800, &[("a9", 800)]);
    dialogue.skip();
    dialogue.server(started("u1", 900));
    let came = Came::of(&mut dialogue);
    assert_eq!(came.sent("response.cancel")[0]["response_id"], "r9");
    assert!(came.sent("conversation.item.truncate").is_empty());
}
