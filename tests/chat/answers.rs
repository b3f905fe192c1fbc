// SPDX-License-Identifier: MPL-2.0

//! Answers of the local server, and how they come out of the pads.

use crate::schema;
use crate::support::pipeline::{Pipeline, Tap, media, recording};
use crate::support::server::Server;
use crate::{all, audio_tap, spoken, text_tap, texts, typed};
use gst::prelude::*;
use serde_json::Value;

#[test]
fn a_recording_is_answered_in_text() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "{} ! openaichat name=chat uri={} chat.text_src ! fakesink name=text sync=false async=false",
        recording("goforward.wav"),
        server.base()
    ));
    let tap = text_tap(&pipeline);
    pipeline.run_to_end();
    let outs = tap.outs();
    let said: Vec<_> = outs.iter().map(|out| String::from_utf8_lossy(&out.data).into_owned()).collect();
    assert_eq!(said, ["You spoke for 2.786 seconds.\n"]);
    assert_eq!((outs[0].pts.mseconds(), outs[0].duration.mseconds()), (0, 2_786));
    let response = &all(&pipeline, "response")[0];
    assert_eq!(response.get::<&str>("state"), Ok("completed"));
    assert_eq!(response.get::<&str>("finish-reason"), Ok("stop"));
    let usage = &all(&pipeline, "usage")[0];
    assert_eq!(usage.get::<u64>("input-audio"), Ok(28));
    assert!(usage.get::<f64>("cost").is_ok_and(|cost| cost > 0.0));
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
}

#[test]
fn a_compressed_recording_goes_as_it_is() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "filesrc location={} ! mpegaudioparse ! openaichat name=chat uri={} \
         chat.text_src ! fakesink name=text sync=false async=false chat.event_src ! fakesink name=events async=false",
        media("goforward.mp3"),
        server.base()
    ));
    let tap = text_tap(&pipeline);
    let events = Tap::of_text(&pipeline.element("events").static_pad("sink").expect("a pad"));
    pipeline.run_to_end();
    let request: Value = serde_json::from_slice(&events.outs()[0].data).expect("a line of JSON");
    assert_eq!(request["ev"]["messages"][0]["content"][0]["input_audio"]["format"], "mp3");
    let said = String::from_utf8_lossy(&tap.outs()[0].data).into_owned();
    let seconds = said.strip_prefix("You spoke for ").and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
    // An encoder of MP3 adds up to two frames of 72 ms.
    assert!(seconds.is_some_and(|seconds| (2.78..2.95).contains(&seconds)), "{said}");
}

#[test]
fn a_spoken_answer_is_what_was_said_sample_for_sample() {
    for stream in ["on", "off"] {
        let server = Server::start(&["--engine", "echo"]);
        let mut pipeline = Pipeline::new(&format!(
            "audiotestsrc num-buffers=50 samplesperbuffer=480 wave=saw ! \
             audio/x-raw,format=S16LE,rate=24000,channels=1 ! tee name=t ! queue ! fakesink name=original async=false \
             t. ! queue ! openaichat name=chat uri={} modalities=text-and-audio stream={stream} \
             chat.text_src ! fakesink name=text sync=false async=false chat.src ! fakesink sync=false async=false",
            server.base()
        ));
        let original = Tap::on(&pipeline.element("original").static_pad("sink").expect("a pad"));
        let (text, audio) = (text_tap(&pipeline), audio_tap(&pipeline));
        pipeline.run_to_end();
        assert_eq!(spoken(&audio), original.sound(), "stream={stream}");
        assert_eq!(text.outs()[0].duration, gst::ClockTime::from_seconds(1), "the text lasts as long as its audio");
        audio.assert_unbroken(24_000, 2);
    }
}

#[test]
fn every_request_and_answer_is_of_its_published_shape() {
    let server = Server::start(&["--engine", "echo"]);
    let jpeg = media("flower.jpg");
    for properties in [
        "stream=on",
        "stream=off",
        "modalities=text-and-audio voice=marin",
        "instructions=Brief. prompt=Well? max-tokens=50 temperature=0.5 history=2",
        "response-format={\\\"type\\\":\\\"object\\\"}",
        "tools=[{\\\"type\\\":\\\"function\\\",\\\"name\\\":\\\"now\\\",\\\"parameters\\\":{\\\"type\\\":\\\"object\\\"}}] tool-choice=none",
    ] {
        let mut pipeline = Pipeline::new(&format!(
            "audiotestsrc num-buffers=50 samplesperbuffer=441 ! audio/x-raw,rate=44100,channels=2 ! audioconvert \
             ! openaichat name=chat uri={} {properties} chat.event_src ! fakesink name=text sync=false async=false \
             filesrc location={jpeg} ! jpegparse ! chat.video_sink_0",
            server.base()
        ));
        let tap = text_tap(&pipeline);
        pipeline.run_to_end();
        let lines: Vec<Value> =
            tap.outs().iter().map(|out| serde_json::from_slice(&out.data).expect("a line of JSON")).collect();
        assert!(lines.len() >= 2, "{properties}");
        for line in lines {
            let name = match (line["dir"].as_str(), line["ev"]["object"].as_str()) {
                (Some("c"), _) => "request",
                (_, Some("chat.completion.chunk")) => "chunk",
                _ => "response",
            };
            schema::chat().check_as(name, &line["ev"]);
        }
    }
}

#[test]
fn the_same_input_gives_the_same_output() {
    let server = Server::start(&["--engine", "echo"]);
    let run = || {
        let mut pipeline = Pipeline::new(&format!(
            "audiotestsrc num-buffers=100 samplesperbuffer=480 ! audio/x-raw,format=S16LE,rate=24000,channels=1 \
             ! openaichat name=chat uri={} modalities=text-and-audio segment-duration=300000000 max-requests=4 \
             chat.text_src ! fakesink name=text sync=false async=false chat.src ! fakesink sync=false async=false",
            server.base()
        ));
        let (text, audio) = (text_tap(&pipeline), audio_tap(&pipeline));
        pipeline.run_to_end();
        let place = |out: &crate::support::pipeline::Out| (out.pts, out.duration, out.data.clone());
        (text.outs().iter().map(place).collect::<Vec<_>>(), audio.outs().iter().map(place).collect::<Vec<_>>())
    };
    let first = run();
    assert_eq!(first.0.len(), 7);
    (1..20).for_each(|_| assert!(run() == first));
}

#[test]
fn messages_of_one_kind_follow_each_other() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = typed("one\ntwo\nthree", server.base(), "max-requests=3");
    let tap = text_tap(&pipeline);
    pipeline.run_to_end();
    let said: Vec<_> = tap.outs().iter().map(|out| String::from_utf8_lossy(&out.data).into_owned()).collect();
    assert_eq!(said, ["You wrote: one\n", "You wrote: two\n", "You wrote: three\n"]);
    assert_eq!(texts(&pipeline, "response", "request-id"), ["request-1", "request-2", "request-3"]);
    let stats: gst::Structure = pipeline.element("chat").property("stats");
    assert_eq!((stats.get::<u64>("requests"), stats.get::<u64>("responses")), (Ok(3), Ok(3)));
    assert!(stats.get::<u64>("latency-p50").is_ok_and(|latency| latency > 0));
}

#[test]
fn a_script_answers_requests_too() {
    let mut server = Server::script(
        "refuse 503\n  retry-after-ms: 1\nconnection 2\n\
         expect chat.completion.request {\"model\": \"m\", \"stream\": true}\n\
         send {\"choices\": [{\"index\": 0, \"delta\": {\"audio\": {\"data\": \"<ramp:100>\", \"transcript\": \"la\"}}}]}\n\
         text : a comment\ntext\nreset\nconnection 3\nrespond \"Here.\"\n",
    );
    let mut pipeline = typed("Hi", server.base(), "model=m");
    let tap = text_tap(&pipeline);
    pipeline.run_to_end();
    assert_eq!(String::from_utf8(tap.sound()).expect("text"), "Here.\n");
    assert_eq!(texts(&pipeline, "request", "state"), ["sent", "retrying", "sent", "retrying", "sent"]);
    let (verdict, failures) = server.terminate();
    assert!(verdict.success(), "{failures}");
}
