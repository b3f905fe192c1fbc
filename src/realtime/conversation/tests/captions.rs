// SPDX-License-Identifier: MPL-2.0

//! Words with their place: in order, along the sound, and cut where the sound was cut.

use crate::realtime::conversation::Input;
use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::tests::dialogue::*;
use crate::types::Speaker;
use crate::types::Timing;
use serde_json::json;

fn texts(dialogue: &mut Dialogue) -> Vec<(String, Option<u128>, Option<u128>, bool)> {
    let texts = std::mem::take(&mut dialogue.texts);
    texts
        .into_iter()
        .map(|t| (t.text, t.at.map(|at| at.as_millis()), t.duration.map(|length| length.as_millis()), t.last))
        .collect()
}

fn began(dialogue: &mut Dialogue, item: &str, at: u64) {
    dialogue.handle(Input::Began { item_id: item.into(), at: ms(at), pushed: dialogue.now });
}

#[test]
fn words_are_laid_evenly_along_their_sound() {
    let mut dialogue = Dialogue::live(server_vad());
    let text = "Hello. It is nice here. ";
    dialogue.server_all([created("r1"), say("r1", "a1", text, "delta"), delta("r1", "a1", 2_400)]);
    began(&mut dialogue, "a1", 1_000);
    dialogue.server_all([audio_done("r1", "a1"), say("r1", "a1", text.trim_end(), "done"), done("r1")]);
    dialogue.after(2_000);
    // 23 letters in 2,400 ms; the second sentence begins behind the sixth.
    let said = texts(&mut dialogue);
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!((said[0].0.as_str(), said[0].1, said[0].3), ("Hello.", Some(1_000), false));
    assert_eq!((said[1].0.as_str(), said[1].3), (" It is nice here.", true));
    assert!(said[1].1.is_some_and(|at| (1_600..1_650).contains(&at)), "{said:?}");
}

#[test]
fn words_come_with_their_sound_and_not_before() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all([created("r1"), say("r1", "a1", "One sentence. And another one.", "done")]);
    dialogue.server_all([delta("r1", "a1", 3_000), audio_done("r1", "a1"), done("r1")]);
    assert_eq!(texts(&mut dialogue), []);
    began(&mut dialogue, "a1", 0);
    assert_eq!(texts(&mut dialogue).len(), 1);
    dialogue.after(1_000);
    assert_eq!(texts(&mut dialogue), []);
    dialogue.after(400);
    assert_eq!(texts(&mut dialogue).len(), 1);
}

#[test]
fn a_barge_in_leaves_the_words_that_were_heard() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all([created("r1"), say("r1", "a1", "one two three four five six", "done")]);
    dialogue.server_all([delta("r1", "a1", 2_700), audio_done("r1", "a1"), done("r1")]);
    began(&mut dialogue, "a1", 0);
    dialogue.expect_response("created");
    dialogue.expect_play("a1", 2_700);
    dialogue.expect_response("completed");
    dialogue.hear(1_000);
    dialogue.expect_appended(1_000);
    dialogue.played(1_000, &[("a1", 1_000)]);
    dialogue.server(started("u1", 900));
    dialogue.expect_speech(true, Some("u1"), 900);
    dialogue.expect_cut();
    dialogue.expect_sent("conversation.item.truncate");
    let whole = dialogue.expect_transcript();
    assert_eq!((whole.text.as_str(), whole.last), ("one two", true));
    assert_eq!(whole.duration, Some(ms(1_000)));
}

#[test]
fn the_users_words_come_first_although_they_are_written_later() {
    let mut dialogue = Dialogue::ready(Config { transcribes: true, ..config(Timing::Live, server_vad()) });
    dialogue.hear(3_000);
    dialogue.expect_appended(3_000);
    dialogue.server_all([started("u1", 500), stopped("u1", 2_000), committed("u1"), created("r1")]);
    dialogue.server_all([say("r1", "a1", "Fine.", "done"), delta("r1", "a1", 200), audio_done("r1", "a1"), done("r1")]);
    began(&mut dialogue, "a1", 3_000);
    dialogue.after(1_000);
    assert!(std::iter::from_fn(|| dialogue.next()).all(|output| !format!("{output:?}").contains("last: true")));
    dialogue.server(user_transcript_delta("u1", "How are you?"));
    let first = dialogue.expect_transcript();
    assert_eq!((first.role, first.text.as_str()), (Speaker::User, "How are you?"));
    assert_eq!(dialogue.expect_transcript().role, Speaker::Assistant);
    let user: Vec<_> = dialogue.texts.iter().filter(|text| text.role == Speaker::User).collect();
    assert_eq!((user[0].at, user[0].duration), (Some(ms(500)), Some(ms(1_500))));
}

#[test]
fn words_that_never_come_hold_the_others_up_for_a_moment_only() {
    let mut dialogue = Dialogue::ready(Config { transcribes: true, ..config(Timing::Live, server_vad()) });
    dialogue.hear(3_000);
    dialogue.server_all([started("u1", 500), stopped("u1", 2_000), committed("u1"), created("r1")]);
    dialogue.server_all([say("r1", "a1", "Fine.", "done"), delta("r1", "a1", 200), audio_done("r1", "a1"), done("r1")]);
    began(&mut dialogue, "a1", 3_000);
    while dialogue.next().is_some() {}
    dialogue.after(4_000);
    assert_eq!(dialogue.expect_transcript().role, Speaker::Assistant);
}

#[test]
fn offline_the_place_of_words_follows_from_the_events_alone() {
    let mut dialogue = Dialogue::offline(own_ear());
    dialogue.hear_sound(&sentence());
    dialogue.server_all([committed("u1"), created("r1")]);
    dialogue.server_all([say("r1", "a1", "All right.", "done"), delta("r1", "a1", 1_000), audio_done("r1", "a1")]);
    let said = texts(&mut dialogue);
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].2, said[0].3), (Some(1_000), true));
    assert!(said[0].1.is_some_and(|at| at > 3_000), "it stands where the answer does: {said:?}");
}

#[test]
fn a_written_answer_streams_as_it_comes() {
    let mut dialogue = Dialogue::live(server_vad());
    let piece = |text: &str| {
        json!({"type": "response.output_text.delta", "response_id": "r1", "item_id": "a1", "content_index": 0,
            "delta": text})
    };
    let whole = json!({"type": "response.output_text.done", "response_id": "r1", "item_id": "a1", "content_index": 0,
        "text": "Hello there"});
    dialogue.server_all([created("r1"), piece("Hel"), piece("lo")]);
    assert_eq!(texts(&mut dialogue), [("Hel".into(), None, None, false), ("lo".into(), None, None, false)]);
    dialogue.server_all([piece(" there"), whole]);
    assert_eq!(texts(&mut dialogue), [(" there".into(), None, None, false), (String::new(), None, None, true)]);
}
