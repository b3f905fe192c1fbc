// SPDX-License-Identifier: MPL-2.0

//! What is typed about what is seen: one message, whose words outlive its pictures.

use crate::realtime::conversation::config::{Config, FramePolicy};
use crate::realtime::conversation::io::{Command, FrameState};
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::tests::frames::{frame, with};
use crate::realtime::conversation::{Event, Input, Output};
use crate::types::Timing;
use serde_json::{Value, json};

fn by_turn(change: impl FnOnce(&mut Config)) -> Dialogue {
    with(Timing::Live, server_vad(), FramePolicy::Turn, change)
}

impl Dialogue {
    fn see_of(&mut self, pad: &str, name: &str, at: u64) {
        self.handle(Input::Frame(Box::new(frame(pad, name, at))));
    }

    fn write(&mut self, text: &str, respond: bool) {
        self.handle(Input::Command(Command::Text { text: text.into(), respond, at: None }));
    }

    /// The next thing is a message of these words alone.
    fn expect_words(&mut self, words: &str) -> Value {
        let event = self.expect_sent("conversation.item.create");
        let parts = event["item"]["content"].as_array().map_or(0, Vec::len);
        assert_eq!((parts, &event["item"]["content"][0]["text"]), (1, &json!(words)));
        event
    }

    /// The next thing is that a message of so many pictures is deleted.
    fn expect_gone(&mut self, item_id: &str, pictures: usize) {
        assert_eq!(self.expect_sent("conversation.item.delete")["item_id"], item_id);
        for _ in 0..pictures {
            assert_eq!(self.expect_frame(FrameState::Removed).item_id.as_deref(), Some(item_id));
        }
    }

    fn refuse(&mut self, event_id: &str) {
        self.server(json!({"type": "error", "error": {"type": "invalid_request_error", "code": "invalid_value",
            "message": "no", "event_id": event_id}}));
    }
}

#[test]
fn what_all_cameras_see_and_what_is_typed_is_one_message() {
    let mut dialogue = by_turn(|config| config.frames.prompt = Some("The door.".into()));
    dialogue.see_of("left", "a", 100);
    dialogue.see_of("right", "b", 200);
    dialogue.write("who is \"there\"?", true);
    let message = dialogue.expect_shown(&["a", "b"], "who is \"there\"?");
    dialogue.expect_sent("response.create");
    dialogue.expect_nothing();
    let event: Value = serde_json::from_str(&message.to_json()).expect("JSON");
    let (door, url) = (json!({"type": "input_text", "text": "The door."}), "data:image/jpeg;base64,");
    let image = |file| json!({"type": "input_image", "image_url": format!("{url}{file}"), "detail": "auto"});
    let words = json!({"type": "input_text", "text": "who is \"there\"?"});
    assert_eq!(
        event,
        json!({"type": "conversation.item.create", "event_id": message.event_id, "item": {"id": "frame_1",
            "type": "message", "role": "user", "content": [door, image("YQ=="), door, image("Yg=="), words]}})
    );
}

#[test]
fn what_has_not_changed_is_not_shown_again_and_the_words_go_alone() {
    let mut dialogue = by_turn(|_| {});
    dialogue.see_of("left", "a", 100);
    dialogue.see_of("right", "b", 100);
    dialogue.write("one", false);
    dialogue.expect_shown(&["a", "b"], "one");
    dialogue.see_of("left", "a", 200);
    dialogue.see_of("right", "c", 200);
    dialogue.write("two", false);
    dialogue.expect_skipped(200, "same");
    dialogue.expect_shown(&["c"], "two");
    dialogue.see_of("left", "a", 300);
    dialogue.write("three", false);
    dialogue.expect_skipped(300, "same");
    dialogue.expect_words("three");
    dialogue.write("four", false);
    dialogue.expect_words("four");
    dialogue.expect_nothing();
}

#[test]
fn pictures_become_too_old_and_the_words_stay_in_their_place() {
    let mut dialogue = by_turn(|config| config.frames.most = 3);
    for (n, words) in ["one", "two"].into_iter().enumerate() {
        let at = n as u64 * 100;
        dialogue.see_of("left", &format!("l{n}"), at);
        dialogue.see_of("right", &format!("r{n}"), at);
        dialogue.write(words, false);
        dialogue.expect_shown(&[&format!("l{n}"), &format!("r{n}")], words);
    }
    assert_eq!(dialogue.expect_words("one")["previous_item_id"], "frame_1");
    dialogue.expect_gone("frame_1", 2);
    // A picture without words goes as it came.
    dialogue.see_of("left", "l2", 300);
    dialogue.handle(Input::Command(Command::SendFrame(None)));
    dialogue.expect_picture("l2");
    dialogue.see_of("left", "l3", 400);
    dialogue.write("three", false);
    dialogue.expect_shown(&["l3"], "three");
    assert_eq!(dialogue.expect_words("two")["previous_item_id"], "frame_2");
    dialogue.expect_gone("frame_2", 2);
    dialogue.expect_nothing();
    // What becomes of the server's refusals of these is no worry.
    for id in ["evt_4", "evt_5"] {
        dialogue.refuse(id);
    }
    dialogue.expect_nothing();
}

#[test]
fn a_message_has_no_more_pictures_than_may_be_there() {
    let mut dialogue = by_turn(|config| config.frames.most = 2);
    for (pad, name) in [("left", "a"), ("right", "b"), ("back", "c")] {
        dialogue.see_of(pad, name, 100);
    }
    dialogue.write("look", false);
    dialogue.expect_skipped(100, "too-many");
    dialogue.expect_shown(&["b", "c"], "look");
    dialogue.expect_nothing();
}

#[test]
fn pictures_that_are_too_much_for_one_message_go_before_it() {
    let mut dialogue = by_turn(|_| {});
    let large = "x".repeat(5_000_000);
    for pad in ["left", "right", "back"] {
        dialogue.see_of(pad, &large, 100);
    }
    dialogue.write("look", false);
    dialogue.expect_picture(&large);
    dialogue.expect_shown(&[&large, &large], "look");
    dialogue.expect_nothing();
}

#[test]
fn a_message_that_is_refused_is_said_again_without_its_pictures() {
    let mut dialogue = by_turn(|_| {});
    dialogue.see_of("left", "a", 100);
    dialogue.write("what is this?", true);
    let message = dialogue.expect_shown(&["a"], "what is this?");
    dialogue.expect_sent("response.create");
    dialogue.refuse(&message.event_id);
    let told = dialogue.expect_frame(FrameState::Skipped { reason: "refused" });
    assert_eq!(told.item_id.as_deref(), Some("frame_1"));
    let again = dialogue.expect_words("what is this?");
    dialogue.expect_warning("invalid_value");
    dialogue.expect_nothing();
    // The answer that was asked for knows nothing of it, so it is another one that is heard.
    dialogue.server(created("r1"));
    dialogue.expect_response("created");
    assert_eq!(dialogue.expect_sent("response.cancel")["response_id"], "r1");
    dialogue.server(json!({"type": "response.done", "response": {"id": "r1", "status": "cancelled"}}));
    dialogue.expect_response("cancelled");
    dialogue.expect_sent("response.create");
    dialogue.server_all([created("r2"), delta("r2", "a2", 100), done("r2")]);
    dialogue.expect_response("created");
    dialogue.expect_play("a2", 100);
    dialogue.expect_response("completed");
    // They are said once more and not for ever.
    dialogue.refuse(again["event_id"].as_str().expect("a name"));
    dialogue.expect_warning("invalid_value");
    dialogue.expect_nothing();
    // And the picture is news, for it is not there.
    dialogue.see_of("left", "a", 200);
    dialogue.write("and now?", false);
    dialogue.expect_shown(&["a"], "and now?");
}

#[test]
fn words_that_wanted_no_answer_get_none_when_they_are_said_again() {
    let mut dialogue = by_turn(|_| {});
    dialogue.see_of("left", "a", 100);
    dialogue.write("note this", false);
    let message = dialogue.expect_shown(&["a"], "note this");
    dialogue.refuse(&message.event_id);
    dialogue.expect_notice();
    dialogue.expect_words("note this");
    dialogue.expect_notice();
    dialogue.expect_nothing();
}

#[test]
fn a_session_that_begins_anew_is_told_the_words_alone() {
    let mut dialogue = by_turn(|config| config.reconnects = true);
    dialogue.see_of("left", "a", 100);
    dialogue.write("who is there?", false);
    dialogue.expect_shown(&["a"], "who is there?");
    dialogue.closed(1006, "gone");
    assert_eq!(dialogue.expect_frame(FrameState::Removed).item_id.as_deref(), Some("frame_1"));
    assert!(matches!(dialogue.next(), Some(Output::Event(Event::Session(_)))));
    assert!(matches!(dialogue.next(), Some(Output::Reconnect)));
    dialogue.connect();
    dialogue.expect_sent("session.update");
    dialogue.server(json!({"type": "session.updated", "session": {}}));
    dialogue.expect_ready();
    dialogue.expect_words("who is there?");
    dialogue.expect_nothing();
}
