// SPDX-License-Identifier: MPL-2.0

//! Barge-in: what is silenced, what the server is told, and what is left alone.

use crate::realtime::conversation::config::{Config, Detection};
use crate::realtime::conversation::tests::dialogue::*;
use crate::types::Timing;
use serde_json::json;

/// An answer of two spoken messages, 1 s and 2 s long; the first is complete, the second still grows.
fn speaking(detection: Detection) -> Dialogue {
    let mut dialogue = Dialogue::live(detection);
    dialogue.hear(5_000);
    dialogue.server_all([created("r1"), delta("r1", "a1", 1_000), audio_done("r1", "a1"), delta("r1", "a2", 2_000)]);
    dialogue.skip();
    dialogue
}

#[test]
fn the_server_learns_what_was_heard_to_the_millisecond() {
    let mut dialogue = speaking(server_vad());
    dialogue.played(7_400, &[("a1", 1_000), ("a2", 400)]);
    dialogue.server(started("u1", 4_500));
    dialogue.expect_speech(true, Some("u1"), 4_500);
    dialogue.expect_cut();
    let truncate = dialogue.expect_sent("conversation.item.truncate");
    assert_eq!((&truncate["item_id"], &truncate["audio_end_ms"]), (&json!("a2"), &json!(400)));
    dialogue.expect_interrupted("a2", 400);
    dialogue.expect_nothing();
    // What is still on its way is not wanted any more; the next answer is.
    dialogue.server(delta("r1", "a2", 500));
    dialogue.expect_nothing();
    dialogue.server(refused(&truncate, "invalid_value"));
    dialogue.expect_nothing();
    dialogue.server_all([done("r1"), stopped("u1", 4_900), created("r2"), delta("r2", "a3", 500)]);
    dialogue.expect_response("completed");
    dialogue.expect_speech(false, Some("u1"), 4_900);
    dialogue.expect_response("created");
    dialogue.expect_play("a3", 500);
}

#[test]
fn what_nobody_heard_is_deleted() {
    let mut dialogue = speaking(server_vad());
    dialogue.played(7_400, &[("a1", 300), ("a2", 0)]);
    dialogue.server(started("u1", 4_500));
    dialogue.expect_notice();
    dialogue.expect_cut();
    assert_eq!(dialogue.expect_sent("conversation.item.truncate")["audio_end_ms"], 300);
    assert_eq!(dialogue.expect_sent("conversation.item.delete")["item_id"], "a2");
    dialogue.expect_interrupted("a1", 300);
    dialogue.expect_nothing();
}

#[test]
fn parts_of_one_message_are_deleted_together_or_not_at_all() {
    for (heard, expected) in [(0, &["conversation.item.delete"][..]), (500, &["conversation.item.truncate"; 2][..])] {
        let mut dialogue = Dialogue::live(server_vad());
        dialogue.hear(5_000);
        let mut second = delta("r1", "a1", 1_000);
        second["content_index"] = 1.into();
        dialogue.server_all([created("r1"), delta("r1", "a1", 1_000), second]);
        dialogue.skip();
        dialogue.played(7_400, &[("a1", heard)]);
        dialogue.server(started("u1", 4_500));
        dialogue.expect_notice();
        dialogue.expect_cut();
        expected.iter().for_each(|name| drop(dialogue.expect_sent(name)));
        dialogue.expect_interrupted("a1", heard);
        dialogue.expect_nothing();
    }
}

#[test]
fn nothing_is_sent_where_all_was_heard() {
    let mut dialogue = speaking(server_vad());
    dialogue.server(done("r1"));
    dialogue.skip();
    dialogue.played(9_000, &[("a1", 1_000), ("a2", 2_000)]);
    // The play-out has forgotten them, but heard is heard.
    dialogue.played(9_500, &[]);
    dialogue.server(started("u1", 4_500));
    dialogue.expect_speech(true, Some("u1"), 4_500);
    dialogue.expect_nothing();
}

#[test]
fn never_more_is_heard_than_was_received() {
    let mut dialogue = speaking(server_vad());
    dialogue.played(90_000, &[("a1", 80_000), ("a2", 80_000)]);
    dialogue.server(started("u1", 4_500));
    dialogue.expect_notice();
    dialogue.expect_cut();
    assert_eq!(dialogue.expect_sent("conversation.item.truncate")["audio_end_ms"], 2_000);
    dialogue.expect_interrupted("a2", 2_000);
}

#[test]
fn an_answer_that_is_not_heard_yet_is_silenced_by_its_name() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.hear(5_000);
    dialogue.server(created("r1"));
    dialogue.expect_appended(5_000);
    dialogue.expect_response("created");
    dialogue.server(started("u1", 4_500));
    dialogue.expect_notice();
    dialogue.expect_cut();
    dialogue.server(delta("r1", "a1", 500));
    dialogue.expect_nothing();
}

#[test]
fn our_own_ear_cancels_what_no_server_does() {
    let mut dialogue = speaking(own_ear());
    dialogue.played(7_400, &[("a1", 1_000), ("a2", 400)]);
    dialogue.hear_sound(&sentence());
    dialogue.expect_notice();
    let cancel = dialogue.expect_sent("response.cancel");
    assert_eq!(cancel["response_id"], "r1");
    dialogue.expect_cut();
    dialogue.expect_sent("conversation.item.truncate");
    dialogue.expect_interrupted("a2", 400);
    dialogue.appended();
    dialogue.expect_notice();
    dialogue.expect_sent("input_audio_buffer.commit");
    // The slot is free at `response.done`, not at the cancel; coming too late with it is no harm.
    dialogue.server(refused(&cancel, "some_other_code"));
    dialogue.expect_nothing();
    dialogue.server(done("r1"));
    dialogue.expect_response("completed");
    dialogue.expect_sent("response.create");
}

#[test]
fn who_goes_on_speaking_before_the_answer_begins_is_not_spoken_over() {
    let mut dialogue = Dialogue::live(own_ear());
    dialogue.hear_sound(&sentence());
    dialogue.skip();
    // The answer is asked for. Before it begins the user speaks again.
    dialogue.hear_sound(&sentence()[..96_000]);
    dialogue.skip();
    dialogue.server(created("r1"));
    dialogue.expect_response("created");
    assert_eq!(dialogue.expect_sent("response.cancel")["response_id"], "r1");
    dialogue.server(delta("r1", "a1", 500));
    dialogue.expect_nothing();
}

#[test]
fn who_may_not_interrupt_does_not() {
    let mut dialogue = Dialogue::ready(Config { interrupt_response: false, ..config(Timing::Live, server_vad()) });
    dialogue.hear(5_000);
    dialogue.server_all([created("r1"), delta("r1", "a1", 1_000)]);
    dialogue.skip();
    dialogue.server(started("u1", 4_500));
    dialogue.expect_speech(true, Some("u1"), 4_500);
    dialogue.expect_nothing();
}
