// SPDX-License-Identifier: MPL-2.0

//! Translation sessions: their events and their client secrets, against the published shapes.

use super::damage::survives_damage;
use super::examples::examples;
use super::published::{
    every_event_is_read_and_written, names_are_the_published_ones, unknown_events_survive, unknown_fields_survive,
};
use super::schema;
use openai_protocol::session::SessionKind;
use openai_protocol::translation::{ClientEvent, ClientSecret, ClientSecretRequest, ServerEvent, append_json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

#[test]
fn the_events_of_translations_are_the_published_ones() {
    names_are_the_published_ones::<ClientEvent>();
    names_are_the_published_ones::<ServerEvent>();
}

#[test]
fn every_event_of_translations_is_read_and_written_without_loss() {
    every_event_is_read_and_written::<ClientEvent>(9);
    every_event_is_read_and_written::<ServerEvent>(25);
}

#[test]
fn unknown_fields_and_events_of_translations_survive() {
    unknown_fields_survive::<ClientEvent>();
    unknown_fields_survive::<ServerEvent>();
    unknown_events_survive::<ClientEvent>();
    unknown_events_survive::<ServerEvent>();
}

#[test]
fn damaged_events_of_translations_never_panic() {
    survives_damage::<ClientEvent>(0x7a3d_11c5_902e_64b7);
    survives_damage::<ServerEvent>(0x1f83_d9ab_fb41_bd6b);
}

#[test]
fn sound_is_appended_as_the_typed_event_of_translations_writes_it() {
    let sound: Vec<u8> = (0..=255).collect();
    for id in [None, Some("event_1")] {
        let text = append_json(id, &sound);
        let event = ClientEvent::from_json(&text).expect("an event");
        let ClientEvent::InputAudioBufferAppend(append) = &event else { panic!("{text}") };
        assert_eq!((&append.audio.0[..], append.event_id.as_deref()), (&sound[..], id));
        assert_eq!(event.to_json(), text);
        schema::translation_client().check(&serde_json::from_str(&text).expect("JSON"));
    }
}

/// A time that makes no sense is left out, and the piece itself counts.
#[test]
fn a_piece_without_a_place_is_still_a_piece() {
    for elapsed in [json!(-200), json!("soon"), json!({}), json!(1e40)] {
        let text = json!({"type": "session.output_transcript.delta", "delta": "Guten ", "elapsed_ms": elapsed});
        let (event, left_out) = ServerEvent::read(&text.to_string()).expect("an event");
        let ServerEvent::OutputTranscriptDelta(delta) = event else { panic!("{event:?}") };
        assert_eq!((&*delta.delta, delta.elapsed_ms), ("Guten ", None));
        assert_eq!(left_out, ["elapsed_ms"]);
    }
}

#[track_caller]
fn kept<T: Serialize + DeserializeOwned>(before: &Value) -> T {
    let read: T = serde_json::from_value(before.clone()).expect("of the published shape");
    assert_eq!(&serde_json::to_value(&read).expect("JSON"), before);
    read
}

#[test]
fn client_secrets_of_translations_are_read_and_written_without_loss() {
    let requests = examples(schema::translation_secrets(), "request");
    assert!(requests.len() >= 5, "only {}", requests.len());
    for request in &requests {
        let read: ClientSecretRequest = kept(request);
        assert!(read.session.model.is_some() && read.extra.is_empty(), "{request}");
    }
    for answer in examples(schema::translation_secrets(), "response") {
        // The server's models take null and absent for the same.
        if !answer.to_string().contains("null") {
            let read: ClientSecret = kept(&answer);
            assert_eq!(read.session.kind, Some(SessionKind::Translation));
        }
    }
}
