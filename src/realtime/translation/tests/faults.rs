// SPDX-License-Identifier: MPL-2.0

//! What servers and networks do wrong.

use super::*;
use serde_json::json;

#[test]
fn positions_that_repeat_step_back_or_are_missing_lose_nothing() {
    let mut this = Interpretation::ready(config(Timing::Offline));
    this.speak(ms(2_000));
    this.audio(400, 480);
    this.audio(400, 480);
    this.audio(200, 480);
    this.server(json!({"type": "session.output_audio.delta", "delta": base64(&[1; 960])}));
    this.audio(600, 480);
    this.audio(999_999, 480);
    let places: Vec<_> = this.played.iter().map(|audio| audio.not_before.as_millis()).collect();
    assert_eq!(places, [400, 400, 400, 400, 600, 2_000]);
    assert!(this.gaps.is_sorted());
}

#[test]
fn samples_that_are_cut_in_two_and_other_forms_of_audio_are_played() {
    let mut this = Interpretation::ready(config(Timing::Offline));
    this.speak(ms(1_000));
    let send = |this: &mut Interpretation, data: &[u8], more: Value| {
        let mut event = json!({"type": "session.output_audio.delta", "delta": base64(data), "elapsed_ms": 0});
        event.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        this.server(event);
    };
    send(&mut this, &[1, 0, 2], json!({}));
    send(&mut this, &[0, 3, 0], json!({}));
    let heard: Vec<u8> = this.played.iter().flat_map(|audio| audio.data.to_vec()).collect();
    assert_eq!(heard, [1, 0, 2, 0, 3, 0]);
    this.played.clear();
    send(&mut this, &[1, 0, 9, 9, 2, 0, 9, 9], json!({"channels": 2}));
    assert_eq!(this.played[0].data.to_vec(), [1, 0, 2, 0], "the first channel");
    send(&mut this, &[0; 3_200], json!({"sample_rate": 16_000}));
    let samples = this.played[1].data.len() / 2;
    assert!((2_300..=2_400).contains(&samples), "{samples}");
    send(&mut this, &[0; 32], json!({"format": "g711"}));
    assert_eq!((this.played.len(), this.warnings()), (2, vec!["other-output-format".to_owned()]), "told once");
}

#[test]
fn a_connection_that_is_lost_in_mid_sentence_goes_on_in_the_next_one() {
    let mut this = Interpretation::ready(config(Timing::Live));
    (0..10).for_each(|_| this.speak(ms(200)));
    this.text("output", "Hola", 600);
    this.audio(600, 4_800);
    this.give(Input::Closed { code: None, reason: "broken pipe".into() });
    assert!(this.reconnects == 1 && this.core.take_loss().is_some_and(|loss| loss.again));
    assert_eq!(this.texts.len(), 1, "what was written of the sentence is not lost");
    this.sent.clear();
    this.open();
    // The audio from 600 ms on has no translation so far, and is at 0 for the new session.
    assert_eq!(this.frames(), [200; 7]);
    this.audio(200, 480);
    assert_eq!(this.played[1].not_before, ms(800));
    this.speak(ms(200));
    assert_eq!(this.frames(), [200; 8]);
    let resumed = |event: &Event| matches!(event, Event::Session(SessionEvent::Ready { resumed: true, .. }));
    assert!(this.events.iter().any(resumed));
    assert!(this.warnings().is_empty());
}

#[test]
fn what_is_too_long_ago_to_be_sent_again_is_told() {
    let mut this = Interpretation::ready(config(Timing::Live));
    (0..200).for_each(|_| this.speak(ms(200)));
    this.give(Input::Gone { silent: ms(30_000) });
    assert_eq!(this.warnings(), ["translation-lost"]);
    this.sent.clear();
    this.open();
    assert_eq!(this.frames().iter().sum::<usize>(), 30_000);
}

#[test]
fn a_session_that_has_expired_or_grown_old_is_followed_by_another() {
    let mut this = Interpretation::ready(config(Timing::Live));
    this.speak(ms(200));
    let error = json!({"type": "invalid_request_error", "code": "session_expired", "message": "Over."});
    this.server(json!({"type": "error", "error": error}));
    this.give(Input::Closed { code: Some(1001), reason: String::new() });
    assert_eq!((this.reconnects, this.failure.is_none()), (1, true));
    this.open();
    this.server(json!({"type": "session.closed"}));
    assert_eq!(this.reconnects, 2, "the server has ended it by itself");
}

fn grown_old() -> Interpretation {
    let mut this = Interpretation::ready(Config { max_session_duration: ms(2_000), ..config(Timing::Live) });
    (0..12).for_each(|_| this.speak(ms(200)));
    assert!(!this.names().contains(&"session.close"), "not in the middle of a sentence");
    this
}

#[test]
fn a_session_that_has_grown_old_gives_its_rest_before_the_next_one() {
    let mut this = grown_old();
    this.pause(ms(200));
    assert_eq!((this.frames().len(), this.names().last(), this.reconnects), (13, Some(&"session.close"), 0));
    assert!(!this.core.wants_sound(this.now) && this.core.awaits_server());
    this.text("output", "El resto.", 2_400);
    this.audio(2_400, 480);
    this.server(json!({"type": "session.closed"}));
    assert!(this.reconnects == 1 && this.core.take_loss().is_none(), "planned");
    assert_eq!((this.texts.len(), this.played.len()), (1, 1));
    this.sent.clear();
    this.open();
    assert!(this.frames().is_empty(), "nothing is heard twice");
    this.speak(ms(200));
    this.audio(0, 480);
    assert_eq!(this.played[1].not_before, ms(2_600));
    assert!(this.warnings().is_empty());
}

#[test]
fn who_never_pauses_and_a_server_that_gives_no_rest_get_another_session_all_the_same() {
    let mut this = grown_old();
    (0..48).for_each(|_| this.speak(ms(200)));
    this.wait(ms(0));
    assert_eq!((this.frames().len(), this.names().last()), (60, Some(&"session.close")), "10 s later");
    this.audio(10_000, 480);
    this.wait(ms(10_000));
    assert!(this.reconnects == 1 && this.core.take_loss().is_none());
    this.sent.clear();
    this.open();
    assert_eq!(this.frames(), [200; 10], "what has no translation");

    for end in [Input::Closed { code: Some(1000), reason: String::new() }, Input::Gone { silent: ms(5_000) }] {
        let mut this = grown_old();
        this.pause(ms(200));
        this.give(end);
        assert!(this.reconnects == 1 && this.core.take_loss().is_none(), "planned");
    }
}

#[test]
fn the_end_of_the_input_outlives_a_session() {
    let mut this = Interpretation::ready(config(Timing::Offline));
    this.speak(ms(1_000));
    this.give(Input::EndOfStream);
    this.give(Input::Closed { code: None, reason: "broken pipe".into() });
    assert_eq!(this.finished, None);
    this.sent.clear();
    this.open();
    assert_eq!((this.frames(), this.names().last()), (vec![200; 5], Some(&"session.close")));
    this.server(json!({"type": "session.closed"}));
    assert_eq!(this.finished, Some(ms(1_000)));
}

#[test]
fn input_that_goes_on_after_its_end_gets_another_session() {
    let mut this = Interpretation::ready(config(Timing::Offline));
    this.speak(ms(1_000));
    this.give(Input::EndOfStream);
    this.give(Input::Flushed);
    assert!(this.reconnects == 1 && this.core.take_loss().is_none());
    this.sent.clear();
    this.open();
    this.input = ms(0);
    this.speak(ms(400));
    this.give(Input::EndOfStream);
    assert_eq!(this.frames(), [200; 2], "nothing of before the flush");
    this.server(json!({"type": "session.closed"}));
    assert_eq!(this.finished, Some(ms(400)));
}

#[test]
fn what_the_user_has_to_mend_ends_it_with_its_reason() {
    let mut this = Interpretation::new(config(Timing::Live));
    this.give(Input::Connected { timeout: ms(10_000) });
    let error = json!({"type": "invalid_request_error", "message": "Unsupported language.",
        "param": "session.audio.output.language", "event_id": this.sent[0]["event_id"]});
    this.server(json!({"type": "error", "error": error}));
    let failure = this.failure.expect("a failure");
    assert!(
        failure.contains("Unsupported language.") && failure.contains("session.audio.output.language"),
        "{failure}"
    );

    let mut this = Interpretation::new(config(Timing::Live));
    this.give(Input::Connected { timeout: ms(10_000) });
    let error = json!({"type": "invalid_request_error", "message": "No.", "param": "session.audio.output.language"});
    this.server(json!({"type": "error", "error": error}));
    assert!(this.failure.is_some(), "a server that names no event tells the place");

    let mut this = Interpretation::new(config(Timing::Live));
    this.give(Input::Connected { timeout: ms(10_000) });
    this.wait(ms(10_000));
    assert_eq!(this.reconnects, 1, "a server that says nothing is tried again");

    let mut this = Interpretation::ready(Config { reconnects: false, ..config(Timing::Live) });
    this.give(Input::Closed { code: None, reason: "broken pipe".into() });
    assert!(this.failure.is_some_and(|failure| failure.contains("broken pipe")));
}
