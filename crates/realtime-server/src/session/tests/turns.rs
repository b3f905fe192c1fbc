// SPDX-License-Identifier: MPL-2.0

//! Turns: how they begin and end, what interrupts, and what is written down of them.

use crate::engine::Utterance;
use crate::session::Work;
use crate::session::tests::dialogue::{Dialogue, END, realtime, squeezed};
use crate::session::tests::rules::English;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openai_protocol::session::SessionKind;
use serde_json::{Value, json};
use std::sync::Arc;

#[test]
fn a_spoken_turn_is_answered_in_the_order_of_the_protocol() {
    let mut dialogue = realtime();
    dialogue.append(&[0; 12_000]);
    dialogue.speak(400, 300);
    let events = dialogue.events();
    let names: Vec<_> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(
        names,
        [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created"
        ]
    );
    assert_eq!(events[0]["audio_start_ms"], 200);
    assert_eq!(events[1]["audio_end_ms"], 1100);
    assert!(events[..5].iter().all(|event| {
        let id = if event["item"].is_object() { &event["item"]["id"] } else { &event["item_id"] };
        *id == events[0]["item_id"]
    }));
    assert_eq!(events[2]["previous_item_id"], Value::Null);
    dialogue.work();
    let names = squeezed(dialogue.names());
    assert_eq!(
        names[..5],
        [
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta"
        ]
    );
    dialogue.work();
    assert_eq!(dialogue.names(), END);
}

#[test]
fn the_echo_is_the_committed_sound_and_its_count_is_right() {
    let mut dialogue = realtime();
    let sound: Vec<i16> = (0..24_000).map(|i| (i % 7_000) as i16).collect();
    dialogue.say(json!({"type": "session.update", "session":
        {"type": "realtime", "audio": {"input": {"turn_detection": null}}}}));
    dialogue.append(&sound);
    dialogue.say(json!({"type": "input_audio_buffer.commit"}));
    dialogue.say(json!({"type": "response.create"}));
    dialogue.events();
    dialogue.work();
    dialogue.work();
    let events = dialogue.events();
    let deltas = events.iter().filter(|event| event["type"] == "response.output_audio.delta");
    let bytes: Vec<u8> =
        deltas.flat_map(|event| STANDARD.decode(event["delta"].as_str().expect("base64")).expect("base64")).collect();
    let back: Vec<i16> = bytes.as_chunks::<2>().0.iter().map(|&pair| i16::from_le_bytes(pair)).collect();
    assert_eq!(back, sound);
    let done = events.iter().find(|event| event["type"] == "response.done").expect("an end");
    assert_eq!(done["response"]["output"][0]["content"][0]["transcript"], "You spoke for 1 seconds.");
    let usage = &done["response"]["usage"];
    assert_eq!(usage["input_token_details"]["audio_tokens"], 10);
    assert_eq!(usage["output_token_details"]["audio_tokens"], 20);
    let count = |name: &str| usage[name].as_u64().expect("a count");
    assert_eq!(count("total_tokens"), count("input_tokens") + count("output_tokens"));
}

#[test]
fn speech_over_an_answer_cancels_it_and_closes_what_was_open() {
    let mut dialogue = realtime();
    dialogue.speak(400, 300);
    dialogue.work();
    dialogue.events();
    dialogue.speak(400, 0);
    let events = dialogue.events();
    assert_eq!(events[0]["type"], "input_audio_buffer.speech_started");
    let names: Vec<_> = events[1..].iter().map(|event| event["type"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, END);
    let response = &events[6]["response"];
    assert_eq!(
        (&response["status"], &response["status_details"]["reason"]),
        (&json!("cancelled"), &json!("turn_detected"))
    );
    assert_eq!(response["output"][0]["status"], "incomplete");
    assert_eq!(dialogue.stopped.len(), 1);
    // Late work of the cancelled answer is dropped.
    dialogue.work();
    assert!(dialogue.names().is_empty());
}

#[test]
fn without_interruption_the_next_turn_loses_against_the_answer() {
    let mut dialogue = realtime();
    dialogue
        .say(json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection":
        {"type": "server_vad", "interrupt_response": false}}}}}));
    dialogue.speak(400, 300);
    dialogue.events();
    dialogue.speak(400, 300);
    assert_eq!(dialogue.errors(), [("conversation_already_has_active_response".into(), None)]);
    assert!(dialogue.stopped.is_empty());
}

#[test]
fn a_manual_commit_ends_the_turn_without_speech_stopped_and_without_an_answer() {
    let mut dialogue = realtime();
    dialogue.speak(400, 0);
    let item_id = dialogue.events()[0]["item_id"].clone();
    dialogue.say(json!({"type": "input_audio_buffer.commit"}));
    let events = dialogue.events();
    assert_eq!(events[0]["type"], "input_audio_buffer.committed");
    assert_eq!(events[0]["item_id"], item_id);
    assert_eq!(events.len(), 3);
    assert!(dialogue.answers.is_empty());
}

#[test]
fn transcription_runs_beside_and_tells_words_and_tokens() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input":
        {"transcription": {"model": "gpt-4o-mini-transcribe"}, "turn_detection": null}}}}));
    dialogue.append(&[1; 24_000]);
    dialogue.say(json!({"type": "input_audio_buffer.commit"}));
    dialogue.events();
    let item_id = dialogue.hearings.remove(0);
    dialogue.session.work(Work::Heard(item_id.clone(), Ok("Hello there.".into())), dialogue.now);
    dialogue.drain();
    let events = dialogue.events();
    assert_eq!((&events[0]["delta"], &events[1]["delta"]), (&json!("Hello "), &json!("there.")));
    assert_eq!(events[2]["transcript"], "Hello there.");
    assert_eq!(
        events[2]["usage"],
        json!({"type": "tokens", "total_tokens": 13, "input_tokens": 10, "output_tokens": 3,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 10}})
    );
    dialogue.session.work(Work::Heard(item_id, Err("no".into())), dialogue.now);
    dialogue.drain();
    assert_eq!(dialogue.events()[0]["error"]["code"], "server_error");
}

#[test]
fn a_transcription_session_commits_and_never_answers() {
    let mut dialogue = Dialogue::new(SessionKind::Transcription);
    dialogue.speak(400, 300);
    assert_eq!(dialogue.names().last().map(String::as_str), Some("conversation.item.done"));
    dialogue.say(json!({"type": "response.create"}));
    assert_eq!(dialogue.errors().len(), 1);
    dialogue.say(json!({"type": "session.update", "session": {"type": "transcription", "instructions": "x"}}));
    assert_eq!(dialogue.errors(), [("unknown_parameter".into(), None)]);
}

#[test]
fn silence_of_both_sides_is_answered_once() {
    let mut dialogue = realtime();
    dialogue.append(&[0; 24_000]);
    dialogue
        .say(json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection":
        {"type": "server_vad", "idle_timeout_ms": 5000}}}}}));
    dialogue.events();
    dialogue.append(&vec![0; 24 * 3_900]);
    assert!(dialogue.names().is_empty());
    dialogue.append(&vec![0; 24 * 200]);
    let events = dialogue.events();
    assert_eq!(events[0]["type"], "input_audio_buffer.timeout_triggered");
    assert_eq!((&events[0]["audio_start_ms"], &events[0]["audio_end_ms"]), (&json!(0), &json!(5000)));
    assert_eq!(events.last().map(|event| &event["type"]), Some(&json!("response.created")));
    dialogue.work();
    dialogue.work();
    dialogue.events();
    dialogue.append(&vec![0; 24 * 20_000]);
    assert!(dialogue.names().is_empty());
}

#[test]
fn telephone_sound_goes_in_and_out() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "session.update", "session": {"type": "realtime", "audio": {
        "input": {"format": {"type": "audio/pcmu"}, "turn_detection": null}, "output": {"format": {"type": "audio/pcma"}}}}}));
    dialogue.say(json!({"type": "input_audio_buffer.append", "audio": STANDARD.encode(vec![0xff; 1_600])}));
    dialogue.say(json!({"type": "input_audio_buffer.commit"}));
    dialogue.say(json!({"type": "response.create"}));
    dialogue.events();
    dialogue.work();
    let events = dialogue.events();
    let delta = events.iter().find(|event| event["type"] == "response.output_audio.delta").expect("sound");
    assert_eq!(STANDARD.decode(delta["delta"].as_str().expect("text")).expect("base64"), vec![0xd5; 1_600]);
}

#[test]
fn a_long_turn_is_listened_to_part_by_part_while_it_is_spoken() {
    for detection in [json!(null), json!({"type": "server_vad", "silence_duration_ms": 600, "prefix_padding_ms": 0})] {
        let mut dialogue = Dialogue::with(Arc::new(English));
        dialogue.say(json!({"type": "session.update", "session":
            {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}}));
        // What was said before the first pause is long enough for a part of its own, the rest is not.
        for (speech, silence) in [(6_000, 200), (2_000, 400), (1_000, 0)] {
            dialogue.speak(speech, silence);
        }
        dialogue.say(json!({"type": "input_audio_buffer.commit"}));
        let pauses = &dialogue.ahead;
        assert_eq!(pauses.len(), 2, "{pauses:?} with {detection}");
        assert!((6_100..=6_200).contains(&pauses[0]), "{pauses:?} with {detection}");
        assert!((2_300..=2_500).contains(&pauses[1]), "from the middle of the first pause on: {pauses:?}");
        let entry = dialogue.session.conversation.entries().last().expect("the turn");
        let pieces: Vec<u64> = entry.sound.iter().flat_map(Utterance::pieces).map(|(sound, _)| sound.ms()).collect();
        assert_eq!((pieces.len(), pieces.iter().sum::<u64>()), (2, 9_600), "{pieces:?} with {detection}");
    }
}

#[test]
fn a_streaming_model_tells_words_before_the_turn_has_ended() {
    let mut dialogue = Dialogue::with(Arc::new(English));
    dialogue.say(json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {
        "turn_detection": null, "transcription": {"model": "gpt-realtime-whisper"}}}}}));
    for (speech, silence) in [(6_000, 200), (6_000, 200), (1_000, 0)] {
        dialogue.speak(speech, silence);
    }
    let parts = std::mem::take(&mut dialogue.parts);
    assert_eq!(parts.iter().map(|(_, part)| *part).collect::<Vec<_>>(), [0, 1]);
    dialogue.events();
    let item_id = parts[0].0.clone();
    for (part, words) in [(1, "one two"), (0, "Zero")] {
        dialogue.session.work(Work::PartHeard(item_id.clone(), part, Ok(words.into())), dialogue.now);
    }
    dialogue.drain();
    let deltas = |events: Vec<Value>| -> Vec<String> {
        assert!(events.iter().all(|event| event.get("item_id").is_none_or(|id| *id == item_id)), "{events:?}");
        events.iter().filter_map(|event| event["delta"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(deltas(dialogue.events()), ["Zero one two"]);
    dialogue.say(json!({"type": "input_audio_buffer.commit"}));
    assert_eq!(dialogue.hearings, std::slice::from_ref(&item_id));
    dialogue.session.work(Work::Heard(item_id.clone(), Ok("Zero one two three four".into())), dialogue.now);
    dialogue.drain();
    let events = dialogue.events();
    assert_eq!(events.last().expect("an end")["transcript"], "Zero one two three four");
    assert_eq!(deltas(events), [" ", "three ", "four"]);
}

#[test]
fn words_of_a_turn_that_is_given_up_are_forgotten() {
    let input =
        |input: Value| json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": input}}});
    let begun = || {
        let mut dialogue = Dialogue::with(Arc::new(English));
        dialogue.say(input(json!({"turn_detection": null, "transcription": {"model": "gpt-realtime-whisper"}})));
        dialogue.speak(6_000, 200);
        dialogue.speak(6_000, 200);
        assert_eq!(dialogue.session.partial_texts.len(), 1);
        dialogue
    };
    let mut detected = begun();
    detected.say(input(json!({"turn_detection": {"type": "server_vad"}})));
    let mut cleared = begun();
    cleared.say(json!({"type": "input_audio_buffer.clear"}));
    let mut untold = begun();
    untold.say(input(json!({"transcription": null})));
    untold.say(json!({"type": "input_audio_buffer.commit"}));
    for dialogue in [detected, cleared, untold] {
        assert!(dialogue.session.partial_texts.is_empty());
    }
}
