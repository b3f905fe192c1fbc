//! What an application asks for: typed messages, push to talk, tools, and other settings in the middle of it all.

use super::dialogue::*;
use crate::conversation::events::{Command, FunctionCall, Wish};
use crate::conversation::{Config, Detection, Input, Notice, Timing};
use crate::protocol::ResponseParams;
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
            Notice::FunctionCall(call) if call.call_id == call_id => call,
            other => panic!("expected a call {call_id}, got {other:?}"),
        }
    }

    fn expect_output(&mut self, call_id: &str, output: &str) {
        let item = self.expect_sent("conversation.item.create")["item"].clone();
        assert_eq!(item, json!({"type": "function_call_output", "call_id": call_id, "output": output}));
    }

    /// Wishes for settings that differ from the first ones.
    fn wish(&mut self, revision: u64, change: impl FnOnce(&mut Config)) {
        let mut config = config(Timing::Live, server_vad());
        change(&mut config);
        self.handle(Input::Configure(Box::new(Wish { revision, config })));
    }

    fn expect_settings(&mut self, revision: u64, accepted: bool) -> Vec<&'static str> {
        match self.expect_notice() {
            Notice::Settings { revision: told, refused, without } => {
                assert_eq!((told, refused.is_none()), (revision, accepted));
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
fn calls_that_nobody_answers_are_closed_at_the_end() {
    let mut dialogue = Dialogue::live(Detection::Manual);
    dialogue.server_all([created("r1"), call("r1", "c1", "completed"), done("r1")]);
    dialogue.expect_response("created");
    dialogue.expect_call("c1");
    dialogue.expect_response("completed");
    dialogue.end_of_stream();
    dialogue.expect_nothing();
    dialogue.after(31_000);
    dialogue.expect_warning("drain-timeout");
    dialogue.expect_warning("call-unanswered");
    dialogue.expect_output("c1", "{\"error\":\"there was no answer to this call\"}");
    assert!(matches!(dialogue.expect_notice(), Notice::Session(_)));
}

#[test]
fn an_mcp_approval_is_answered_once_and_the_answer_goes_on() {
    let mut dialogue = Dialogue::live(server_vad());
    let request = json!({"type": "response.output_item.done", "response_id": "r1", "output_index": 0, "item": {
        "id": "mcpr_1", "type": "mcp_approval_request", "server_label": "s", "name": "n", "arguments": "{}"}});
    dialogue.server_all([created("r1"), request, done("r1")]);
    dialogue.expect_response("created");
    assert!(matches!(dialogue.expect_notice(), Notice::ApprovalRequest { request_id, .. } if request_id == "mcpr_1"));
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
    assert_eq!(dialogue.expect_settings(1, true), ["voice"]);
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
    assert!(matches!(dialogue.expect_notice(), Notice::Usage { .. }));
    dialogue.expect_warning("max-cost");
    assert!(matches!(dialogue.expect_notice(), Notice::Session(_)));
    assert!(matches!(dialogue.next(), Some(crate::conversation::Output::Finished { .. })));
}
