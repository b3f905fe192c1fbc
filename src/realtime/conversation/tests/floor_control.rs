// SPDX-License-Identifier: MPL-2.0

//! Responses that are made at the same time are heard one after the other, and whole.

use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::tests::outputs::Came;
use crate::realtime::conversation::{Command, Input, Output};
use crate::types::Timing;
use serde_json::json;

/// Who is heard, in order.
fn heard(dialogue: &mut Dialogue) -> Vec<String> {
    let name = |output| match output {
        Output::Play(speech) => Some(speech.item_id),
        _ => None,
    };
    dialogue.take_all().into_iter().filter_map(name).collect()
}

#[test]
fn two_answers_at_once_are_told_apart() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all([created("r1"), created("r2")]);
    for _ in 0..2 {
        dialogue.server_all([delta("r1", "a1", 100), delta("r2", "a2", 100)]);
    }
    dialogue.server_all([say("r2", "a2", "Second.", "done"), audio_done("r2", "a2"), done("r2")]);
    dialogue.server(delta("r1", "a1", 100));
    assert_eq!(heard(&mut dialogue), ["a1", "a1", "a1"]);
    dialogue.server(audio_done("r1", "a1"));
    assert_eq!(heard(&mut dialogue), ["a2", "a2"]);
    dialogue.server_all([delta("r1", "a3", 100), done("r1")]);
    assert_eq!(heard(&mut dialogue), ["a3"]);
}

#[test]
fn nobody_waits_for_a_speaker_that_falls_silent() {
    for (timing, timeout) in [(Timing::Live, 2_000), (Timing::Offline, 30_000)] {
        let mut dialogue = Dialogue::ready(config(timing, server_vad()));
        dialogue.server_all([created("r1"), created("r2"), delta("r1", "a1", 100), delta("r2", "a2", 100)]);
        dialogue.after(timeout - 1);
        assert_eq!(heard(&mut dialogue), ["a1"]);
        dialogue.after(1);
        assert_eq!(heard(&mut dialogue), ["a2"]);
    }
}

#[test]
fn who_waits_is_silenced_with_who_speaks() {
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server_all([created("r1"), created("r2"), delta("r1", "a1", 100), delta("r2", "a2", 100)]);
    dialogue.server(started("u1", 0));
    dialogue.server_all([delta("r1", "a1", 100), delta("r2", "a2", 100), done("r1"), done("r2")]);
    assert_eq!(heard(&mut dialogue), ["a1"]);
    dialogue.server_all([stopped("u1", 500), created("r3"), delta("r3", "a3", 100)]);
    assert_eq!(heard(&mut dialogue), ["a3"]);
}

#[test]
fn an_end_that_waits_to_be_heard_is_not_taken_for_the_end_of_what_is_asked_for_later() {
    let mut dialogue = Dialogue::live(server_vad());
    let asks = |dialogue: &mut Dialogue| {
        dialogue.handle(Input::Command(Command::CreateResponse(None)));
        Came::of(dialogue).sent("response.create").len()
    };
    // A server that tells of no beginning.
    dialogue.server_all([delta("r1", "a1", 100), delta("r2", "a2", 100), done("r2")]);
    assert_eq!(asks(&mut dialogue), 1);
    dialogue.server(audio_done("r1", "a1"));
    assert_eq!(asks(&mut dialogue), 0, "the first is still owed");
}

#[test]
fn a_sample_that_is_cut_in_two_is_whole_again() {
    let sound: Vec<u8> = (0..=240).collect();
    let part = |from: usize, to: usize| {
        let audio = json!(openai_protocol::Base64::from(sound[from..to].to_vec()));
        json!({"type": "response.output_audio.delta", "response_id": "r1", "item_id": "a1", "content_index": 0,
            "delta": audio})
    };
    let mut dialogue = Dialogue::live(server_vad());
    dialogue.server(created("r1"));
    let cuts = [0, 1, 2, 5, 6, 101, 240, 241];
    cuts.windows(2).for_each(|cut| dialogue.server(part(cut[0], cut[1])));
    let mut heard = Vec::new();
    for output in dialogue.take_all() {
        if let Output::Play(speech) = output {
            assert!(speech.data.len() % 2 == 0 && !speech.data.is_empty());
            heard.extend_from_slice(&speech.data);
        }
    }
    assert_eq!(heard, sound[..240]);
}
