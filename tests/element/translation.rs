// SPDX-License-Identifier: MPL-2.0

//! "Interpret for me": session-type=translation, against the engine that says back what it hears and against scripts.

use crate::schema;
use crate::support::pipeline::{Out, Pipeline, SILENCE, Tap, recording};
use crate::support::server::Server;
use gst::prelude::*;
use serde_json::Value;

/// Opening of a session, in a script.
const READY: &str = "hello\nexpect session.update\nsend session.updated\n";
const TRANSLATION: &str = "openairealtime name=ai session-type=translation translation-language=es";

fn outs(pipeline: &mut Pipeline) -> Vec<Vec<Out>> {
    let all = outs_with_warnings(pipeline);
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
    all
}

fn outs_with_warnings(pipeline: &mut Pipeline) -> Vec<Vec<Out>> {
    let taps: Vec<Tap> = ["src", "text_src", "transcript_src"]
        .map(|pad| Tap::on(&pipeline.element("ai").static_pad(pad).expect("it was asked for")))
        .into();
    pipeline.run_to_end().stop();
    taps.iter().map(Tap::outs).collect()
}

fn all_of_it(source: &str, uri: &str, properties: &str) -> Pipeline {
    Pipeline::new(&format!(
        "{source} ! {TRANSLATION} uri={uri} {properties} ! fakesink \
         ai.text_src ! fakesink async=false ai.transcript_src ! fakesink async=false"
    ))
}

/// Times are cut to whole nanoseconds.
fn nearest_ms(out: &Out) -> u64 {
    (out.pts.nseconds() + 500_000) / 1_000_000
}

fn text(out: &Out) -> &str {
    std::str::from_utf8(&out.data).expect("UTF-8")
}

#[test]
fn voice_and_both_texts_stand_where_they_were_said_the_same_twenty_times() {
    let server = Server::start(&["--engine", "echo"]);
    let run = || {
        let mut pipeline = all_of_it(&recording("goforward.wav"), server.base(), "");
        let input = Tap::on(&pipeline.element("ai").static_pad("audio_sink").expect("a pad"));
        (input, outs(&mut pipeline))
    };
    let (input, first) = run();
    let spoken: Vec<u8> = first[0].iter().flat_map(|out| out.data.clone()).collect();
    assert!(spoken == input.sound(), "the echo is what was said, sample for sample, at its place");
    for texts in &first[1..] {
        assert!(!texts.is_empty());
        for (index, out) in texts.iter().enumerate() {
            assert_eq!(out.pts, gst::ClockTime::from_mseconds(200 * index as u64), "{}", text(out));
        }
        assert_eq!(text(&texts[0]), "9600 bytes.\n");
    }
    let plain = |outs: &[Vec<Out>]| -> Vec<_> {
        outs.iter().flatten().map(|out| (out.pts, out.duration, out.flags, out.data.clone())).collect()
    };
    for _ in 1..20 {
        assert!(plain(&run().1) == plain(&first));
    }
}

#[test]
fn every_event_has_its_published_shape() {
    let server = Server::start(&["--engine", "echo"]);
    let properties = "raw-events=true noise-reduction=near-field model=gpt-realtime-translate";
    let mut pipeline = all_of_it(&recording("goforward.wav"), server.base(), properties);
    pipeline.run_to_end().stop();
    let mut names = std::collections::BTreeSet::new();
    for message in pipeline.all("event") {
        let event: Value = serde_json::from_str(message.get("json").expect("JSON")).expect("JSON");
        let is_client = message.get::<&str>("direction") == Ok("client");
        names.insert(message.get::<String>("type").expect("a type"));
        (if is_client { schema::translation_client() } else { schema::translation_server() }).check(&event);
    }
    for name in ["session.update", "session.input_audio_buffer.append", "session.close", "session.closed"] {
        assert!(names.contains(name), "{names:?}");
    }
}

#[test]
fn a_connection_that_breaks_in_mid_sentence_goes_on_in_the_next() {
    let mut server = Server::script(
        &[
            READY,
            "wait audio 1000ms\n",
            "send session.output_transcript.delta {\"delta\": \"Avance\", \"elapsed_ms\": 400}\n",
            "send session.output_audio.delta {\"delta\": \"<tone:440:200>\", \"elapsed_ms\": 400}\n",
            "drop\n",
            "connection 2\n",
            READY,
            "expect session.close\n",
            "send session.output_transcript.delta {\"delta\": \"diez metros.\", \"elapsed_ms\": 200}\n",
            "send session.output_audio.delta {\"delta\": \"<tone:440:200>\", \"elapsed_ms\": 200}\n",
            "send session.closed\n",
            "close 1000\n",
        ]
        .concat(),
    );
    let properties = "reconnect-delay=1000000";
    let mut pipeline = all_of_it(&recording("goforward.wav"), server.base(), properties);
    let all = outs(&mut pipeline);
    let texts: Vec<_> = all[1].iter().map(|out| (text(out), nearest_ms(out))).collect();
    // The next session hears everything from 400 ms on.
    assert_eq!(texts, [("Avance\n", 400), ("diez metros.\n", 600)]);
    let first = all[0].iter().find(|out| out.data.iter().any(|byte| *byte != 0)).expect("a voice");
    assert_eq!(first.pts.mseconds(), 400);
    let (verdict, told) = server.terminate();
    assert!(verdict.success(), "{told}");
}

#[test]
fn a_session_that_expires_is_followed_by_one_that_hears_the_rest() {
    let mut server = Server::script(&[
        READY,
        "wait audio 1000ms\n",
        "send session.output_transcript.delta {\"delta\": \"Avance.\", \"elapsed_ms\": 400}\n",
        "send session.output_audio.delta {\"delta\": \"<tone:440:200>\", \"elapsed_ms\": 400}\n",
        "send error {\"error\": {\"type\": \"invalid_request_error\", \"code\": \"session_expired\", \"message\": \"Over.\"}}\n",
        "close 1001 over\n",
        "connection 2\n",
        READY,
        "expect session.close\n",
        "send session.output_transcript.delta {\"delta\": \"Diez metros.\", \"elapsed_ms\": 200}\n",
        "send session.closed\n",
        "close 1000\n",
    ].concat());
    let mut pipeline = all_of_it(&recording("goforward.wav"), server.base(), "reconnect-delay=1000000");
    let all = outs_with_warnings(&mut pipeline);
    assert_eq!(pipeline.warnings(), ["Over."]);
    let texts: Vec<_> = all[1].iter().map(|out| (text(out), nearest_ms(out))).collect();
    assert_eq!(texts, [("Avance.\n", 400), ("Diez metros.\n", 600)]);
    let (verdict, told) = server.terminate();
    assert!(verdict.success(), "{told}");
}

#[test]
fn what_a_server_says_wrongly_is_told_and_the_rest_is_heard() {
    let mut server = Server::script(
        &[
            READY,
            "wait audio 1000ms\n",
            "send session.output_transcript.delta {\"delta\": \"Uno.\", \"elapsed_ms\": 400}\n",
            "text this is no JSON\n",
            "text {\"type\": \"session.output_audio.delta\", \"delta\": 7, \"elapsed_ms\": 400}\n",
            "text {\"type\": \"session.output_audio.delta\", \"delta\": \"*\", \"elapsed_ms\": 400}\n",
            "send session.of_tomorrow {\"delta\": 1}\n",
            "send session.output_audio.delta {\"delta\": \"<tone:440:200>\", \"elapsed_ms\": 400}\n",
            "send session.output_audio.delta {\"delta\": \"<tone:440:200>\", \"elapsed_ms\": 400}\n",
            "send session.output_audio.delta {\"delta\": \"<tone:440:200>\", \"elapsed_ms\": 200}\n",
            "expect session.close\n",
            "send session.output_transcript.delta {\"delta\": \" Dos.\", \"elapsed_ms\": 200}\n",
            "send session.output_transcript.delta {\"delta\": \" Tres.\", \"elapsed_ms\": 99999999}\n",
            "send session.closed\n",
            "close 1000\n",
        ]
        .concat(),
    );
    let mut pipeline = all_of_it(&recording("goforward.wav"), server.base(), "");
    let all = outs_with_warnings(&mut pipeline);
    let texts: String = all[1].iter().map(text).collect();
    assert_eq!(texts, "Uno.\nDos.\nTres.\n");
    assert!(all[1].is_sorted_by_key(|out| out.pts), "late pieces do not go back");
    let samples = all[0].iter().flat_map(|out| out.data.chunks(2));
    let loud = samples.filter(|sample| *sample != [0, 0]).count();
    assert!(loud > 3 * 4_500, "{loud} samples of three tones of 200 ms");
    let told = pipeline.warnings();
    assert!(
        matches!(&told[..], [bad, kind] if bad.contains("not a JSON object") && kind.contains("delta")),
        "{told:?}"
    );
    let (verdict, told) = server.terminate();
    assert!(verdict.success(), "{told}");
}

#[test]
fn a_recorded_session_plays_again() {
    let folder = crate::support::folder::Folder::new();
    let location = folder.join("trace.jsonl");
    let location = location.to_str().expect("a readable path");
    let run = |server: &Server, trace: &str| {
        let mut pipeline = all_of_it(&format!("{trace} {}", recording("goforward.wav")), server.base(), "");
        let all = outs(&mut pipeline);
        all.into_iter().flatten().map(|out| (out.pts, out.duration, out.data)).collect::<Vec<_>>()
    };
    let first = run(&Server::start(&["--engine", "echo"]), &format!("ai.event_src ! filesink location={location}"));
    assert!(!first.is_empty());
    for _ in 0..20 {
        assert!(run(&Server::start(&["--engine", "replay", location]), "") == first);
    }
}

#[test]
fn with_a_delay_the_voice_is_played_with_the_picture_of_its_moment() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "audiotestsrc is-live=true num-buffers=60 ! audioconvert ! audioresample \
         ! {TRANSLATION} uri={} translation-delay=1500000000 ! fakesink sync=true name=out \
         ai.text_src ! fakesink sync=true async=false",
        server.base()
    ));
    let (ai, out) = (pipeline.element("ai"), pipeline.element("out"));
    let [input, spoken] = ["audio_sink", "src"].map(|pad| Tap::on(&ai.static_pad(pad).expect("a pad")));
    pipeline.play();
    pipeline.until_told("translation-delay", |told| told.get::<u64>("delay").is_ok_and(|delay| delay > 0));
    let pad = out.static_pad("sink").expect("a pad");
    let mut latency = gst::query::Latency::new();
    assert!(pad.peer_query(&mut latency));
    assert_eq!(latency.result(), (true, gst::ClockTime::from_mseconds(1_500), gst::ClockTime::NONE));
    pipeline.until("the end", |message| message.type_() == gst::MessageType::Eos);
    let stats: gst::Structure = ai.property("stats");
    assert!(stats.get::<u64>("translation-delay").expect("a delay") < 1_500_000_000, "{stats}");
    pipeline.stop();
    let (said, heard) = (input.sound(), spoken.sound());
    let begin = ((input.outs()[0].pts.nseconds() * 24 + 500_000) / 1_000_000) as usize * 2;
    // The first buffer of silence goes out before anything is known, so that sinks preroll.
    let first = heard.iter().position(|byte| *byte != 0).expect("a voice") / 2 * 2;
    assert!((begin..=begin + 40 * 48).contains(&first), "{first} bytes, not {begin}");
    assert!(heard[first..].starts_with(&said), "each sample is stamped with the time at which it was said");
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
}

#[test]
fn the_language_changes_while_it_goes_on() {
    let mut server = Server::script(concat!(
        "hello\n",
        "expect session.update {\"session\": {\"audio\": {\"output\": {\"language\": \"es\"}}}}\n",
        "send session.updated\n",
        "expect session.update {\"session\": {\"audio\": {\"output\": {\"language\": \"fr\"}}}}\n",
        "send session.updated\n",
        "send session.output_transcript.delta {\"delta\": \"Bonjour.\", \"elapsed_ms\": 0}\n",
        "wait audio 600ms\n",
    ));
    let mut pipeline = Pipeline::new(&format!("{SILENCE} ! {TRANSLATION} uri={} ! fakesink", server.base()));
    pipeline.play();
    pipeline.until_told("session", |told| told.get::<&str>("state") == Ok("ready"));
    pipeline.element("ai").set_property("translation-language", "fr");
    pipeline.until_told("transcript", |told| told.get::<bool>("final") == Ok(true));
    assert_eq!(pipeline.element("ai").property::<String>("translation-language"), "fr");
    pipeline.stop();
    server.terminate();
}

#[test]
fn a_language_that_the_server_refuses_is_told_and_goes_back() {
    let mut server = Server::script(&[
        READY,
        "expect session.update {\"event_id\": \"$update\", \"session\": {\"audio\": {\"output\": {\"language\": \"xx\"}}}}\n",
        "send error {\"error\": {\"type\": \"invalid_request_error\", \"message\": \"No such language.\", ",
        "\"param\": \"session.audio.output.language\", \"event_id\": \"$update\"}}\n",
        "wait audio 600ms\n",
        "send session.output_transcript.delta {\"delta\": \"Hola.\", \"elapsed_ms\": 0}\n",
        "wait audio 1200ms\n",
    ].concat());
    let mut pipeline = Pipeline::new(&format!("{SILENCE} ! {TRANSLATION} uri={} ! fakesink", server.base()));
    pipeline.play();
    pipeline.until_told("session", |told| told.get::<&str>("state") == Ok("ready"));
    let ai = pipeline.element("ai");
    ai.set_property("translation-language", "xx");
    pipeline.until_told("transcript", |told| told.get::<bool>("final") == Ok(true));
    assert_eq!(ai.property::<String>("translation-language"), "es");
    pipeline.stop();
    assert_eq!(pipeline.warnings(), ["No such language."]);
    server.terminate();
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    for (properties, name) in [
        ("translation-language=es instructions=\"Be brief.\"", "instructions"),
        ("translation-language=es turn-detection=local", "turn-detection"),
        ("translation-language=es tools=[]", "tools"),
        ("model=gpt-realtime-translate", "translation-language"),
        ("translation-language=es session=5", "session"),
    ] {
        let mut pipeline = Pipeline::new(&format!(
            "{SILENCE} ! openairealtime session-type=translation uri=ws://127.0.0.1:1/v1 {properties} ! fakesink"
        ));
        assert!(pipeline.pipeline.set_state(gst::State::Playing).is_err(), "{properties}");
        let error = pipeline.until_end().expect_err("an error");
        assert!(error.matches(gst::ResourceError::Settings) && error.message().starts_with(name), "{error}");
    }
    let mut pipeline = Pipeline::new(&format!(
        "audiotestsrc ! mulawenc ! {TRANSLATION} uri=ws://127.0.0.1:1/v1 ! audio/x-mulaw ! fakesink"
    ));
    assert!(pipeline.pipeline.set_state(gst::State::Playing).is_err());
    let error = pipeline.until_end().expect_err("an error");
    assert!(error.message().contains("PCM"), "{error}");
}
