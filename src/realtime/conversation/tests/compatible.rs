// SPDX-License-Identifier: MPL-2.0

//! What compatible servers do in another way than the API has it: names, formats, cancels, and what they leave out.

use crate::realtime::conversation::config::{Config, Detection};
use crate::realtime::conversation::io::Command;
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::tests::outputs::Came;
use crate::realtime::conversation::{Event, Input, Output};
use crate::types::Timing;
use openai_protocol::session::AudioFormat;
use serde_json::{Value, json};

fn call(response: &str, call_id: &str, arguments: Value) -> Value {
    let item = json!({"id": format!("item_{response}"), "type": "function_call", "status": "completed",
        "call_id": call_id, "name": "lamp", "arguments": arguments});
    json!({"type": "response.output_item.done", "response_id": response, "item": item})
}

fn reconnect(dialogue: &mut Dialogue) {
    dialogue.closed(1011, "gone");
    dialogue.connect();
    dialogue.server(json!({"type": "session.updated", "session": {"id": "sess_2"}}));
}

fn that_reconnects() -> Dialogue {
    Dialogue::ready(Config { reconnects: true, ..config(Timing::Live, server_vad()) })
}

#[test]
fn the_next_session_may_use_the_names_of_the_one_before() {
    for is_cut in [false, true] {
        let mut dialogue = that_reconnects();
        dialogue.server_all(turn("item_1", 0));
        dialogue.server_all([
            created("resp_1"),
            delta("resp_1", "item_2", 600),
            say("resp_1", "item_2", "One.", "delta"),
        ]);
        if is_cut {
            dialogue.server(started("item_3", 400));
        }
        reconnect(&mut dialogue);
        dialogue.skip();
        dialogue.server_all(turn("item_1", 0));
        dialogue.server_all([created("resp_1"), delta("resp_1", "item_2", 800)]);
        dialogue.server_all([say("resp_1", "item_2", "Two.", "done"), audio_done("resp_1", "item_2"), done("resp_1")]);
        let came = Came::of(&mut dialogue);
        assert_eq!((came.speech(), came.ends()), (800, vec![("completed", None)]));
        let names = |event: &Event| match event {
            Event::Transcript(words) => Some((words.item_id.clone(), words.response_id.clone())),
            _ => None,
        };
        assert!(came.events().filter_map(names).all(|names| names == ("item_2".into(), Some("resp_1".into()))));
    }
}

#[test]
fn a_message_of_the_next_session_has_its_own_place_and_length() {
    let mut dialogue = that_reconnects();
    let answer = |dialogue: &mut Dialogue, length| {
        dialogue.server_all([created("resp_1"), delta("resp_1", "item_2", length), audio_done("resp_1", "item_2")]);
        let played = dialogue.take_all().into_iter().find_map(|output| match output {
            Output::Play(speech) => Some(speech.item_id),
            _ => None,
        });
        let began =
            Input::Began { item_id: played.expect("it is there"), at: ms(1_000 * length as u64), pushed: dialogue.now };
        dialogue.handle(began);
        dialogue.server_all([say("resp_1", "item_2", "Words.", "done"), done("resp_1")]);
        dialogue.after(length as u64);
    };
    answer(&mut dialogue, 400);
    reconnect(&mut dialogue);
    answer(&mut dialogue, 800);
    let came = Came::of(&mut dialogue);
    let whole = came.events().find_map(|event| match event {
        Event::Transcript(words) if words.last => Some((words.running_time, words.duration)),
        _ => None,
    });
    assert_eq!(whole, Some((Some(ms(800_000)), Some(ms(800)))));
}

#[test]
fn without_any_names_every_answer_is_heard_and_nothing_nameless_is_truncated() {
    let mut dialogue = Dialogue::live(server_vad());
    let nameless = |kind: &str| json!({"type": kind, "response": {"status": "completed", "conversation_id": "c"}});
    let sound = || {
        let mut delta = delta("", "", 500);
        let fields = delta.as_object_mut().expect("it is there");
        fields.remove("response_id");
        fields.remove("item_id");
        delta
    };
    dialogue.server_all([nameless("response.created"), sound()]);
    dialogue.played(200, &[("\u{1f}2", 200)]);
    dialogue.server(started("u2", 300));
    let came = Came::of(&mut dialogue);
    assert!(came.sent("conversation.item.truncate").is_empty() && came.sent("conversation.item.delete").is_empty());
    let told = came.events().any(|event| matches!(event, Event::Interrupted { item_id, .. } if item_id.is_empty()));
    assert!(told);
    dialogue.server_all([nameless("response.done"), stopped("u2", 600), committed("u2")]);
    for _ in 0..2 {
        dialogue.skip();
        dialogue.server_all([nameless("response.created"), sound(), nameless("response.done")]);
        let came = Came::of(&mut dialogue);
        assert_eq!((came.speech(), came.ends()), (500, vec![("completed", None)]));
    }
}

#[test]
fn a_call_of_another_answer_is_another_call_although_it_has_the_same_name() {
    let mut dialogue = Dialogue::live(server_vad());
    for response in ["r1", "r2"] {
        // Each is told twice, and counts once.
        let item = call(response, "call_0", json!("{}"))["item"].clone();
        let done =
            json!({"type": "response.done", "response": {"id": response, "status": "completed", "output": [item]}});
        dialogue.server_all([created(response), call(response, "call_0", json!("{}")), done]);
        assert_eq!(Came::of(&mut dialogue).calls().len(), 1);
        dialogue.handle(Input::Command(Command::FunctionOutput { call_id: "call_0".into(), output: "ok".into() }));
        let came = Came::of(&mut dialogue);
        assert_eq!((came.sent("conversation.item.create").len(), came.sent("response.create").len()), (1, 1));
        assert!(came.warnings().is_empty());
        dialogue.server_all([created(&format!("after_{response}")), done_of(response)]);
        dialogue.skip();
    }
}

fn done_of(response: &str) -> Value {
    done(&format!("after_{response}"))
}

#[test]
fn a_call_may_be_told_by_its_arguments_alone_and_may_have_none() {
    let arguments = |arguments: Value| {
        json!({"type": "response.function_call_arguments.done", "response_id": "r1", "item_id": "f", "call_id": "call_1",
            "name": "lamp", "arguments": arguments})
    };
    let mut dialogue = Dialogue::live(server_vad());
    let end = json!({"type": "response.done", "response": {"id": "r1", "status": "completed", "output": null}});
    dialogue.server_all([created("r1"), arguments(json!("{\"on\":true}")), end.clone()]);
    assert_eq!(Came::of(&mut dialogue).calls(), [("lamp", "{\"on\":true}")]);
    // Where the whole call is told as well, it is one.
    for none in [json!(""), json!(null), json!({})] {
        let mut dialogue = Dialogue::live(server_vad());
        dialogue.server_all([created("r1"), arguments(none.clone()), call("r1", "call_1", none), end.clone()]);
        assert_eq!(Came::of(&mut dialogue).calls(), [("lamp", "{}")]);
    }
}

#[test]
fn sound_of_another_format_is_converted_and_told_once() {
    let mut dialogue = Dialogue::new(Config { output: AudioFormat::Pcmu, ..config(Timing::Live, server_vad()) });
    dialogue.connect();
    let audio = json!({"output": {"format": {"type": "audio/pcm", "rate": 24_000}}});
    dialogue.server(json!({"type": "session.updated", "session": {"audio": audio}}));
    let response = json!({"id": "r1", "conversation_id": "c", "audio": audio});
    dialogue.server_all([json!({"type": "response.created", "response": response}), delta("r1", "a1", 1_000)]);
    let came = Came::of(&mut dialogue);
    assert_eq!(came.warnings(), ["other-output-format"]);
    let bytes = |output: &Output| if let Output::Play(speech) = output { speech.data.len() } else { 0 };
    assert_eq!(came.0.iter().map(bytes).sum::<usize>(), 8_000);
    let named = |event: &Event| match event {
        Event::Warning(warning) => {
            warning.message.contains("audio/pcm at") && warning.message.contains("audio/pcmu at")
        }
        _ => false,
    };
    assert!(came.events().any(named));
}

#[test]
fn a_server_that_never_acknowledges_the_settings_is_talked_to_all_the_same() {
    let mut dialogue = Dialogue::new(config(Timing::Live, server_vad()));
    dialogue.connect();
    dialogue.server(json!({"type": "session.created", "session": {"id": "s", "expires_at": 0}}));
    dialogue.after(4_999);
    assert!(!dialogue.wants_sound());
    dialogue.after(1);
    assert!(dialogue.wants_sound());
    assert_eq!(Came::of(&mut dialogue).warnings(), ["no-session-updated"]);
    // Nor is it asked whether it has taken in the end.
    dialogue.hear(1_000);
    dialogue.end_of_stream();
    dialogue.after(2_000);
    let came = Came::of(&mut dialogue);
    assert!(came.warnings().is_empty() && came.sent("session.update").is_empty());
    assert!(matches!(came.0.last(), Some(Output::Finished { .. })));
}

#[test]
fn an_error_after_the_greeting_is_for_the_server_to_explain() {
    let mut dialogue = Dialogue::new(config(Timing::Live, server_vad()));
    dialogue.connect();
    dialogue.server(json!({"type": "session.created", "session": {"id": "s"}}));
    dialogue.server(json!({"type": "error", "error": "backend send config: EOF"}));
    dialogue.after(10_000);
    let came = Came::of(&mut dialogue);
    let Some(Output::Fail(failure)) = came.0.last() else { panic!("it fails") };
    assert!(failure.to_string().contains("backend send config: EOF"), "{failure}");
}

#[test]
fn an_error_always_says_something() {
    for (event, words) in [
        (json!({"type": "error"}), "not of which"),
        (json!({"type": "error", "message": "out of memory"}), "out of memory"),
        (json!({"type": "error", "error": {"code": "oops"}}), "oops"),
        (json!({"type": "error", "error": {"status": 7}}), "{\"status\":7}"),
    ] {
        let mut dialogue = Dialogue::live(server_vad());
        dialogue.server(event);
        let Event::Warning(warning) = dialogue.expect_notice() else { panic!("a warning") };
        assert!(warning.message.contains(words), "{}", warning.message);
    }
}

#[test]
fn who_never_writes_down_the_user_is_not_waited_for_at_the_end() {
    let offline = Config { transcribes: true, ..config(Timing::Offline, Detection::Manual) };
    let mut dialogue = Dialogue::ready(offline);
    dialogue.hear(1_000);
    dialogue.end_of_stream();
    dialogue.server_all([committed("u1"), created("r1"), delta("r1", "a1", 500), done("r1")]);
    dialogue.after(1_999);
    assert!(!matches!(dialogue.take_all().last(), Some(Output::Finished { .. })));
    dialogue.after(1);
    let came = Came::of(&mut dialogue);
    assert_eq!(came.warnings(), ["no-transcription"]);
    assert!(matches!(came.0.last(), Some(Output::Finished { .. })));
}

#[test]
fn a_script_without_spaces_is_cut_behind_a_letter_and_one_with_spaces_behind_a_word() {
    for (text, heard) in [
        ("今天天气很好我们去公园散步吧", "今天天气很好我"),
        ("วันนี้อากาศดีมากเลยครับ", "วันนี้อากาศ"),
        ("あいうか\u{3099}えおき", "あいう"),
        ("The weather is fine today and we go", "The weather is"),
        ("Wunderbarerweise", ""),
    ] {
        let mut dialogue = Dialogue::live(server_vad());
        dialogue.server_all([created("r1"), delta("r1", "a1", 2_000), audio_done("r1", "a1")]);
        dialogue.server(say("r1", "a1", text, "done"));
        dialogue.played(1_000, &[("a1", 1_000)]);
        dialogue.skip();
        dialogue.server(started("u1", 0));
        let came = Came::of(&mut dialogue);
        assert_eq!(came.wholes(), if heard.is_empty() { vec![] } else { vec![heard] });
    }
}
