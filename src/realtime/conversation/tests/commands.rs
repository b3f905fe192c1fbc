// SPDX-License-Identifier: MPL-2.0

//! What an application asks for: typed messages, push to talk, tools, and other settings in the middle of it all.

use crate::realtime::conversation::Output;
use crate::realtime::conversation::config::ConfigUpdate;
use crate::realtime::conversation::config::{Config, Detection};
use crate::realtime::conversation::io::{Command, FunctionCall};
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::{Event, Input};
use crate::types::Timing;
use openai_protocol::{ResponseParams, Setting, session};
use serde_json::{Value, json};

impl Dialogue {
    fn ask(&mut self, command: Command) {
        self.handle(Input::Command(command));
    }

    fn type_text(&mut self, text: &str) {
        self.ask(Command::Text { text: text.into(), respond: true, at: None });
    }

    fn give_back(&mut self, call_id: &str, output: &str) {
        self.ask(Command::FunctionOutput { call_id: call_id.into(), output: output.into() });
    }

    fn expect_call(&mut self, call_id: &str) -> FunctionCall {
        match self.expect_notice() {
            Event::FunctionCall(call) if call.call_id == call_id => call,
            other => panic!("expected a call {call_id}, got {other:?}"),
        }
    }

    fn expect_output(&mut self, call_id: &str, output: &str) {
        let item = self.expect_sent("conversation.item.create")["item"].clone();
        assert_eq!(item, json!({"type": "function_call_output", "call_id": call_id, "output": output}));
    }

    fn expect_expired(&mut self, call_id: &str) {
        match self.expect_notice() {
            Event::CallExpired { call_id: expired } => assert_eq!(expired, call_id),
            other => panic!("expected the end of a call, got {other:?}"),
        }
    }

    /// Wishes for settings that differ from the first ones.
    fn wish(&mut self, revision: u64, change: impl FnOnce(&mut Config)) {
        let mut config = config(Timing::Live, server_vad());
        change(&mut config);
        self.handle(Input::Configure(Box::new(ConfigUpdate { revision, config })));
    }

    fn expect_settings(&mut self, expected: u64, all: bool) -> Vec<String> {
        match self.expect_notice() {
            Event::Settings { revision, without } => {
                assert_eq!((revision, without.is_empty()), (expected, all));
                without
            }
            other => panic!("expected settings, got {other:?}"),
        }
    }
}

fn call(response: &str, call_id: &str, status: &str) -> Value {
    json!({"type": "response.output_item.done", "response_id": response, "output_index": 0, "item": {
        "id": format!("item_{call_id}"), "type": "function_call", "status": status, "call_id": call_id,
        "name": "weather", "arguments": "{\"city\":\"Oslo\"}"}})
}

fn instructions(text: &str) -> impl FnOnce(&mut Config) {
    move |config| config.session.instructions = Some(text.to_owned())
}

fn voice(config: &mut Config, name: &str) {
    config.session.audio.get_or_insert_default().output.get_or_insert_default().voice = Some(json!(name));
}

fn updated() -> Value {
    json!({"type": "session.updated", "session": {}})
}

#[test]
fn a_typed_message_is_sent_and_answered() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.type_text("hello");
    let item = dialogue.expect_sent("conversation.item.create")["item"].clone();
    assert_eq!(item["content"], json!([{"type": "input_text", "text": "hello"}]));
    dialogue.expect_sent("response.create");
    dialogue.server(created("r1"));
    dialogue.expect_response("created");
    // Two messages while the model speaks are answered together, when it has ended.
    dialogue.type_text("one");
    dialogue.type_text("two");
    dialogue.expect_sent("conversation.item.create");
    dialogue.expect_sent("conversation.item.create");
    dialogue.expect_nothing();
    dialogue.server(done("r1"));
    dialogue.expect_response("completed");
    dialogue.expect_sent("response.create");
    dialogue.expect_nothing();
}

#[test]
fn what_is_asked_for_too_early_waits_for_the_session() {
    let mut dialogue = Dialogue::new(config(Timing::Live, server_vad()));
    dialogue.type_text("hello");
    dialogue.connect();
    dialogue.expect_sent("session.update");
    dialogue.expect_nothing();
    dialogue.server(updated());
    dialogue.expect_ready();
    dialogue.expect_sent("conversation.item.create");
    dialogue.expect_sent("response.create");
}

#[test]
fn push_to_talk_by_hand() {
    let mut dialogue = Dialogue::live(Detection::Manual);
    dialogue.ask(Command::Commit);
    dialogue.expect_warning("nothing-to-commit");
    dialogue.hear(500);
    dialogue.expect_appended(500);
    dialogue.ask(Command::Clear);
    dialogue.expect_sent("input_audio_buffer.clear");
    dialogue.hear(500);
    dialogue.expect_appended(500);
    dialogue.ask(Command::Commit);
    dialogue.expect_sent("input_audio_buffer.commit");
    dialogue.expect_nothing();
    let params = ResponseParams { instructions: Some("shout".into()), ..Default::default() };
    dialogue.ask(Command::CreateResponse(Some(Box::new(params))));
    assert_eq!(dialogue.expect_sent("response.create")["response"]["instructions"], "shout");
}

#[test]
fn an_answer_beside_the_conversation_waits_for_nothing() {
    let mut dialogue = Dialogue::live(Detection::Manual);
    dialogue.type_text("hello");
    dialogue.expect_sent("conversation.item.create");
    dialogue.expect_sent("response.create");
    let beside = ResponseParams { conversation: Some("none".into()), ..Default::default() };
    dialogue.ask(Command::CreateResponse(Some(Box::new(beside))));
    assert_eq!(dialogue.expect_sent("response.create")["response"]["conversation"], "none");
}

#[test]
fn an_answer_that_is_called_off_before_it_begins_is_cancelled_when_it_does() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.type_text("hello");
    dialogue.expect_sent("conversation.item.create");
    dialogue.expect_sent("response.create");
    dialogue.ask(Command::CancelResponse);
    dialogue.expect_nothing();
    dialogue.server(created("r1"));
    dialogue.expect_response("created");
    assert_eq!(dialogue.expect_sent("response.cancel")["response_id"], "r1");
    dialogue.server(delta("r1", "a1", 100));
    dialogue.expect_nothing();
}

#[test]
fn an_application_cancels_also_what_a_server_would() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all([created("r1"), delta("r1", "a1", 1_000)]);
    dialogue.expect_response("created");
    dialogue.expect_play("a1", 1_000);
    dialogue.played(5_000, &[("a1", 400)]);
    dialogue.ask(Command::CancelResponse);
    dialogue.expect_sent("response.cancel");
    dialogue.expect_cut();
    assert_eq!(dialogue.expect_sent("conversation.item.truncate")["audio_end_ms"], 400);
    dialogue.expect_interrupted("a1", 400);
}

#[test]
fn outputs_wait_for_their_answer_to_end_and_owe_one_more() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all([created("r1"), call("r1", "c1", "completed"), call("r1", "c2", "completed")]);
    dialogue.expect_response("created");
    assert_eq!(dialogue.expect_call("c1").arguments, "{\"city\":\"Oslo\"}");
    dialogue.expect_call("c2");
    dialogue.give_back("c2", "rain");
    dialogue.expect_nothing();
    dialogue.server(done("r1"));
    dialogue.expect_response("completed");
    dialogue.expect_output("c2", "rain");
    dialogue.expect_nothing();
    dialogue.give_back("c1", "sun");
    dialogue.expect_output("c1", "sun");
    dialogue.expect_sent("response.create");
    // One output a call, and none for a call that nobody made.
    dialogue.give_back("c1", "snow");
    dialogue.expect_warning("call-answered");
    dialogue.give_back("c9", "snow");
    dialogue.expect_warning("unknown-call");
    dialogue.expect_nothing();
}

#[test]
fn a_call_is_told_once_and_a_broken_one_never() {
    let mut dialogue = Dialogue::live(server_vad());
    let mut whole = done("r1");
    whole["response"]["output"] =
        json!([call("r1", "c1", "completed")["item"], call("r1", "c2", "incomplete")["item"]]);
    dialogue.server_all([created("r1"), call("r1", "c1", "completed"), call("r1", "c2", "incomplete"), whole]);
    dialogue.expect_response("created");
    dialogue.expect_call("c1");
    dialogue.expect_response("completed");
    dialogue.expect_nothing();
}

#[test]
fn after_a_barge_in_the_output_is_sent_and_no_answer_asked_for() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all([created("r1"), call("r1", "c1", "completed")]);
    dialogue.expect_response("created");
    dialogue.expect_call("c1");
    let mut cancelled = done("r1");
    cancelled["response"]["status"] = "cancelled".into();
    dialogue.server(cancelled);
    dialogue.expect_response("cancelled");
    dialogue.give_back("c1", "sun");
    dialogue.expect_output("c1", "sun");
    dialogue.expect_nothing();
}

/// A response that speaks for two seconds and calls a function; all of it is there at once.
fn speaks_and_calls(dialogue: &mut Dialogue) {
    dialogue.server_all([
        created("r1"),
        delta("r1", "a1", 2_000),
        audio_done("r1", "a1"),
        call("r1", "c1", "completed"),
    ]);
    dialogue.server(done("r1"));
    dialogue.expect_response("created");
    dialogue.expect_play("a1", 2_000);
    dialogue.expect_call("c1");
    dialogue.expect_response("completed");
}

#[test]
fn an_answer_that_is_interrupted_after_its_end_is_cut_off_as_well() {
    for by_user in [true, false] {
        let mut dialogue = Dialogue::live(server_vad());
        speaks_and_calls(&mut dialogue);
        dialogue.played(5_000, &[("a1", 400)]);
        if by_user {
            dialogue.server(started("u1", 1_000));
            assert!(matches!(dialogue.expect_notice(), Event::Speech { active: true, .. }));
        } else {
            dialogue.ask(Command::CancelResponse);
        }
        dialogue.expect_cut();
        dialogue.expect_sent("conversation.item.truncate");
        dialogue.expect_interrupted("a1", 400);
        if by_user {
            dialogue.server_all([stopped("u1", 1_500), committed("u1"), created("r2"), done("r2")]);
            dialogue.skip();
        }
        dialogue.give_back("c1", "sun");
        dialogue.expect_output("c1", "sun");
        dialogue.after(60_000);
        dialogue.expect_nothing();
    }
}

#[test]
fn an_application_that_cancels_wants_no_answer_to_what_still_runs() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all([created("r1"), call("r1", "c1", "completed"), done("r1")]);
    dialogue.skip();
    dialogue.ask(Command::CancelResponse);
    dialogue.give_back("c1", "sun");
    dialogue.expect_output("c1", "sun");
    dialogue.after(60_000);
    dialogue.expect_nothing();
}

#[test]
fn outputs_in_a_turn_that_never_ends_are_answered_in_the_end() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all([created("r1"), call("r1", "c1", "completed"), done("r1"), started("u2", 800)]);
    dialogue.skip();
    dialogue.give_back("c1", "sun");
    dialogue.expect_output("c1", "sun");
    dialogue.after(9_000);
    dialogue.expect_nothing();
    dialogue.after(1_000);
    dialogue.expect_sent("response.create");
    dialogue.server_all([created("r2"), done("r2")]);
    dialogue.skip();
    dialogue.after(60_000);
    dialogue.expect_nothing();
}

#[test]
fn the_answer_to_the_turn_is_one_to_the_outputs_in_it_as_well() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all([created("r1"), call("r1", "c1", "completed"), done("r1"), started("u2", 800)]);
    dialogue.skip();
    dialogue.give_back("c1", "sun");
    dialogue.expect_output("c1", "sun");
    dialogue.server_all([stopped("u2", 1_500), committed("u2"), created("r2"), done("r2")]);
    dialogue.skip();
    dialogue.after(60_000);
    dialogue.expect_nothing();
}

#[test]
fn outputs_in_a_turn_that_nobody_answers_are_answered_after_it() {
    let config = Config { create_response: false, server_responds: false, ..config(Timing::Live, server_vad()) };
    let mut dialogue = Dialogue::ready(config);
    dialogue.server_all([created("r1"), call("r1", "c1", "completed"), done("r1"), started("u2", 800)]);
    dialogue.skip();
    dialogue.give_back("c1", "sun");
    dialogue.expect_output("c1", "sun");
    dialogue.server_all([stopped("u2", 1_500), committed("u2")]);
    dialogue.skip();
    dialogue.after(3_000);
    dialogue.expect_sent("response.create");
}

#[test]
fn a_call_without_an_output_in_time_gets_an_error_and_a_late_output_is_refused() {
    let config = Config { tool_timeout: Some(ms(5_000)), ..config(Timing::Live, server_vad()) };
    let mut dialogue = Dialogue::ready(config);
    dialogue.server_all([created("r1"), call("r1", "c1", "completed"), call("r1", "c2", "completed"), done("r1")]);
    dialogue.skip();
    dialogue.give_back("c2", "rain");
    dialogue.expect_output("c2", "rain");
    dialogue.after(4_999);
    dialogue.expect_nothing();
    dialogue.after(1);
    assert!(dialogue.expect_warning("tool-timeout").message.contains("'weather'"));
    dialogue.expect_expired("c1");
    dialogue.expect_output("c1", "{\"error\":\"the function took longer than 5 s\"}");
    dialogue.expect_sent("response.create");
    dialogue.give_back("c1", "sun");
    assert!(dialogue.expect_warning("call-expired").message.contains("'weather'"));
    dialogue.expect_nothing();
}

#[test]
fn a_call_that_expires_before_its_answer_is_done_waits_for_that() {
    let config = Config { tool_timeout: Some(ms(100)), ..config(Timing::Live, server_vad()) };
    let mut dialogue = Dialogue::ready(config);
    dialogue.server_all([created("r1"), call("r1", "c1", "completed")]);
    dialogue.skip();
    dialogue.after(100);
    dialogue.expect_warning("tool-timeout");
    dialogue.expect_expired("c1");
    dialogue.expect_nothing();
    dialogue.server(done("r1"));
    dialogue.expect_response("completed");
    dialogue.expect_output("c1", "{\"error\":\"the function took longer than 0.1 s\"}");
    dialogue.expect_sent("response.create");
}

#[test]
fn at_the_end_functions_may_take_their_time_and_the_server_its_own() {
    let config = Config { tool_timeout: Some(ms(60_000)), ..config(Timing::Live, Detection::Manual) };
    let mut dialogue = Dialogue::ready(config);
    dialogue.server_all([created("r1"), call("r1", "c1", "completed"), done("r1")]);
    dialogue.skip();
    dialogue.end_of_stream();
    dialogue.after(50_000);
    dialogue.expect_nothing();
    dialogue.give_back("c1", "sun");
    dialogue.expect_output("c1", "sun");
    dialogue.expect_sent("response.create");
    dialogue.after(29_000);
    dialogue.expect_nothing();
    dialogue.server_all([created("r2"), done("r2")]);
    dialogue.expect_response("created");
    dialogue.expect_response("completed");
    assert!(matches!(dialogue.expect_notice(), Event::Session(_)));
}

#[test]
fn an_output_turns_later_starts_an_answer_of_its_own() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all([created("r1"), call("r1", "c1", "completed"), done("r1"), created("r2"), done("r2")]);
    dialogue.expect_response("created");
    dialogue.expect_call("c1");
    dialogue.expect_response("completed");
    dialogue.expect_response("created");
    dialogue.expect_response("completed");
    dialogue.give_back("c1", "sun");
    dialogue.expect_output("c1", "sun");
    dialogue.expect_sent("response.create");
}

#[test]
fn calls_without_a_time_limit_are_closed_at_the_end() {
    let mut dialogue = Dialogue::ready(Config { tool_timeout: None, ..config(Timing::Live, Detection::Manual) });
    dialogue.server_all([created("r1"), call("r1", "c1", "completed"), done("r1")]);
    dialogue.expect_response("created");
    dialogue.expect_call("c1");
    dialogue.expect_response("completed");
    dialogue.end_of_stream();
    dialogue.expect_nothing();
    dialogue.after(31_000);
    dialogue.expect_warning("call-unanswered");
    dialogue.expect_expired("c1");
    dialogue.expect_output("c1", "{\"error\":\"there was no answer to this call\"}");
    assert!(matches!(dialogue.expect_notice(), Event::Session(_)));
}

#[test]
fn an_mcp_approval_is_answered_once_and_the_answer_goes_on() {
    let mut dialogue = Dialogue::live(server_vad());
    let request = json!({"type": "response.output_item.done", "response_id": "r1", "output_index": 0, "item": {
        "id": "mcpr_1", "type": "mcp_approval_request", "server_label": "s", "name": "n", "arguments": "{}"}});
    dialogue.server_all([created("r1"), request, done("r1")]);
    dialogue.expect_response("created");
    assert!(matches!(dialogue.expect_notice(), Event::ApprovalRequest { request_id, .. } if request_id == "mcpr_1"));
    dialogue.expect_response("completed");
    dialogue.ask(Command::Approve { request_id: "mcpr_1".into(), approve: true });
    let item = dialogue.expect_sent("conversation.item.create")["item"].clone();
    assert_eq!((&item["approval_request_id"], &item["approve"]), (&json!("mcpr_1"), &json!(true)));
    dialogue.expect_sent("response.create");
    dialogue.ask(Command::Approve { request_id: "mcpr_1".into(), approve: true });
    dialogue.expect_warning("unknown-approval");
}

#[test]
fn changes_that_come_together_are_one_update_of_what_differs() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.wish(1, instructions("a"));
    dialogue.wish(2, |config| {
        config.session.instructions = Some("b".into());
        config.create_response = false;
    });
    dialogue.expect_nothing();
    dialogue.after(10);
    let update = dialogue.expect_sent("session.update");
    assert_eq!(update["session"], json!({"type": "realtime", "instructions": "b"}));
    dialogue.server(updated());
    assert!(dialogue.expect_settings(2, true).is_empty());
    // What is in force already is not sent again.
    dialogue.wish(3, instructions("b"));
    dialogue.after(10);
    dialogue.expect_settings(3, true);
    dialogue.expect_nothing();
}

#[test]
fn a_refused_update_is_told_and_the_next_one_knows_what_is_in_force() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.wish(1, instructions("a"));
    dialogue.after(10);
    let id = dialogue.expect_sent("session.update")["event_id"].clone();
    dialogue.server(json!({"type": "error", "error": {"type": "invalid_request_error", "code": "invalid_value",
        "message": "no", "event_id": id}}));
    dialogue.expect_settings(1, false);
    dialogue.expect_warning("invalid_value");
    dialogue.wish(2, |_| {});
    dialogue.after(10);
    dialogue.expect_settings(2, true);
    dialogue.expect_nothing();
}

fn refused_at(id: &Value, param: Option<&str>) -> Value {
    json!({"type": "error", "error": {"type": "invalid_request_error", "code": "invalid_value", "message": "no",
        "param": param, "event_id": id}})
}

#[test]
fn what_is_refused_of_an_update_does_not_undo_the_rest() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.wish(1, |config| {
        config.session.instructions = Some("a".into());
        config.session.tools = Some(vec![json!({"type": "function", "name": "lamp"})]);
        config.transcribes = true;
    });
    dialogue.after(10);
    let id = dialogue.expect_sent("session.update")["event_id"].clone();
    dialogue.server(refused_at(&id, Some("session.tools[0].name")));
    let update = dialogue.expect_sent("session.update");
    assert_eq!(update["session"], json!({"type": "realtime", "instructions": "a"}));
    dialogue.expect_warning("invalid_value");
    dialogue.server(updated());
    assert_eq!(dialogue.expect_settings(1, false), ["tools"]);
    // Both sides agree on what is in force.
    dialogue.wish(2, instructions("a"));
    dialogue.after(10);
    dialogue.expect_settings(2, true);
    dialogue.expect_nothing();
}

#[test]
fn where_a_refusal_names_nothing_each_setting_is_tried_alone() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.wish(1, |config| {
        config.session.instructions = Some("a".into());
        config.session.tools = Some(vec![json!({"type": "function", "name": "lamp"})]);
        config.create_response = false;
        voice(config, "cedar");
    });
    dialogue.after(10);
    let id = dialogue.expect_sent("session.update")["event_id"].clone();
    dialogue.server(refused_at(&id, None));
    for setting in [
        json!({"type": "realtime", "audio": {"output": {"voice": "cedar"}}}),
        json!({"type": "realtime", "instructions": "a"}),
    ] {
        assert_eq!(dialogue.expect_sent("session.update")["session"], setting);
        dialogue.server(updated());
    }
    let update = dialogue.expect_sent("session.update");
    assert_eq!(update["session"]["tools"][0]["name"], "lamp");
    dialogue.server(refused_at(&update["event_id"], None));
    assert_eq!(dialogue.expect_settings(1, false), ["tools"]);
    dialogue.expect_warning("invalid_value");
    dialogue.expect_nothing();
}

#[test]
fn a_refused_turn_detection_leaves_the_one_in_force() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.wish(1, |config| {
        let detection = session::TurnDetection { kind: Some("semantic_vad".into()), ..Default::default() };
        config.session.audio.get_or_insert_default().input.get_or_insert_default().turn_detection =
            Setting::Set(detection);
        config.detection = Detection::Server { silence: ms(8_000) };
        config.create_response = false;
    });
    dialogue.after(10);
    let update = dialogue.expect_sent("session.update");
    dialogue.server(refused_at(&update["event_id"], Some("session.audio.input.turn_detection.type")));
    assert!(dialogue.expect_sent("session.update")["session"]["audio"]["input"].get("turn_detection").is_none());
    dialogue.expect_warning("invalid_value");
    dialogue.server(updated());
    assert_eq!(dialogue.expect_settings(1, false), ["audio.input.turn_detection"]);
    // Turns are answered as before.
    dialogue.server_all([started("u1", 100), stopped("u1", 900), committed("u1")]);
    dialogue.skip();
    dialogue.after(30_000);
    dialogue.expect_warning("no-answer");
}

#[test]
fn the_voice_is_never_sent_again_once_it_was_heard() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all([created("r1"), delta("r1", "a1", 100), audio_done("r1", "a1"), done("r1")]);
    dialogue.expect_response("created");
    dialogue.expect_play("a1", 100);
    dialogue.expect_response("completed");
    dialogue.wish(1, |config| {
        voice(config, "cedar");
        config.session.instructions = Some("a".into());
    });
    dialogue.after(10);
    dialogue.expect_warning("voice-is-fixed");
    assert_eq!(dialogue.expect_sent("session.update")["session"], json!({"type": "realtime", "instructions": "a"}));
    dialogue.server(updated());
    assert_eq!(dialogue.expect_settings(1, false), ["audio.output.voice"]);
}

#[test]
fn the_speed_waits_for_the_answer_to_end() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server(created("r1"));
    dialogue.expect_response("created");
    dialogue.wish(1, |config| {
        config.session.audio.get_or_insert_default().output.get_or_insert_default().speed = Some(1.2);
    });
    dialogue.after(10);
    dialogue.expect_settings(1, true);
    dialogue.expect_nothing();
    dialogue.server(done("r1"));
    dialogue.expect_response("completed");
    let update = dialogue.expect_sent("session.update");
    assert_eq!(update["session"], json!({"type": "realtime", "audio": {"output": {"speed": 1.2}}}));
}

#[test]
fn the_ear_may_change_while_nobody_speaks() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(300);
    dialogue.expect_appended(300);
    dialogue.wish(1, |config| config.detection = own_ear());
    dialogue.after(10);
    dialogue.expect_sent("input_audio_buffer.clear");
    dialogue.expect_settings(1, true);
    // From here on only speech is sent.
    dialogue.hear(1_000);
    dialogue.expect_nothing();
}

#[test]
fn answers_are_limited_by_the_minute() {
    let mut dialogue = Dialogue::ready(Config { requests_per_minute: 1, ..config(Timing::Live, Detection::Manual) });
    dialogue.type_text("one");
    dialogue.expect_sent("conversation.item.create");
    dialogue.expect_sent("response.create");
    dialogue.type_text("two");
    dialogue.expect_sent("conversation.item.create");
    dialogue.server_all([created("r1"), done("r1")]);
    dialogue.expect_response("created");
    dialogue.expect_response("completed");
    dialogue.after(50_000);
    dialogue.expect_nothing();
    dialogue.after(10_000);
    dialogue.expect_sent("response.create");
}

#[test]
fn a_spent_budget_ends_the_stream_in_order() {
    let mut dialogue = Dialogue::ready(Config { max_cost: 0.01, ..config(Timing::Live, Detection::Manual) });
    let mut costly = done("r1");
    costly["response"]["usage"] = json!({"output_token_details": {"audio_tokens": 1000}});
    dialogue.server_all([created("r1"), costly]);
    dialogue.expect_response("created");
    dialogue.expect_response("completed");
    assert!(matches!(dialogue.expect_notice(), Event::Usage { .. }));
    dialogue.expect_warning("max-cost");
    assert!(matches!(dialogue.expect_notice(), Event::Session(_)));
    assert!(matches!(dialogue.next(), Some(Output::Finished { .. })));
}
