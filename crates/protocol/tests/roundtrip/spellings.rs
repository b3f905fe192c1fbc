// SPDX-License-Identifier: MPL-2.0

//! The beta's spelling of events, formats and parts is read as what it means.

use super::examples::examples;
use super::{all_examples, read, schema, written};
use openai_protocol::ServerEvent;
use openai_protocol::session::AudioFormat;
use serde_json::{Value, json};

#[test]
fn beta_spellings_of_events_are_read_as_the_published_ones() {
    let renamed = [
        ("response.text.delta", "response.output_text.delta"),
        ("response.text.done", "response.output_text.done"),
        ("response.audio.delta", "response.output_audio.delta"),
        ("response.audio.done", "response.output_audio.done"),
        ("response.audio_transcript.delta", "response.output_audio_transcript.delta"),
        ("response.audio_transcript.done", "response.output_audio_transcript.done"),
        ("transcription_session.created", "session.created"),
        ("transcription_session.updated", "session.updated"),
    ];
    for (beta, ga) in renamed {
        for example in examples(schema::server(), ga) {
            let mut spelt = example.clone();
            spelt["type"] = beta.into();
            let event: ServerEvent = read(&spelt);
            assert_eq!(event, read(&example), "{beta}");
            assert_eq!(written(&event)["type"], ga);
        }
    }
}

#[test]
fn beta_spellings_of_formats_and_parts_are_read_as_what_they_mean() {
    for (beta, ga) in [
        (json!("pcm16"), AudioFormat::Pcm),
        (json!("g711_ulaw"), AudioFormat::Pcmu),
        (json!("g711_alaw"), AudioFormat::Pcma),
        (json!({"type": "audio/pcm"}), AudioFormat::Pcm),
        (json!({"type": "audio/pcmu", "rate": 8000}), AudioFormat::Pcmu),
    ] {
        assert_eq!(serde_json::from_value::<AudioFormat>(beta.clone()).expect("a format"), ga, "{beta}");
    }
    for kind in ["audio", "output_audio"] {
        let event: ServerEvent =
            read(&json!({"type": "response.content_part.added", "part": {"type": kind, "transcript": ""}}));
        let ServerEvent::ResponseContentPartAdded(added) = event else { panic!("{event:?}") };
        assert!(added.part.kind.is_speech(), "{kind}");
    }
}

#[test]
fn a_format_of_another_rate_stays_what_it_is() {
    let narrow = json!({"type": "audio/pcm", "rate": 16000});
    let format: AudioFormat = serde_json::from_value(narrow.clone()).expect("a format");
    assert_eq!(format, AudioFormat::Other(narrow.clone()));
    assert_eq!(serde_json::to_value(format).expect("JSON"), narrow);
}

#[test]
fn the_type_may_stand_anywhere_in_an_event() {
    for event in all_examples::<ServerEvent>() {
        let mut fields = event.as_object().expect("an event is an object").clone();
        let name = fields.remove("type").expect("every event has a type");
        let rest = Value::from(fields).to_string();
        let inside = &rest[1..rest.len() - 1];
        let comma = if inside.is_empty() { "" } else { "," };
        let escaped = name.to_string().replace('s', "\\u0073");
        let forms = [
            format!(r#"{{"type":{name}{comma}{inside}}}"#),
            format!("\u{feff}\n{{ \"type\" : {name}{comma}{inside}}}"),
            format!(r#"{{"type":{escaped}{comma}{inside}}}"#),
            format!(r#"{{{inside}{comma}"type":{name}}}"#),
        ];
        for text in forms {
            let (again, left_out) = ServerEvent::read(&text).unwrap_or_else(|error| panic!("{error}\nin {text}"));
            assert_eq!((again, left_out), (read(&event), Vec::new()), "{text}");
        }
    }
}
