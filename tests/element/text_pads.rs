// SPDX-License-Identifier: MPL-2.0

//! "I type to it": text in, text out, and words with their place on the timeline.

use crate::support::pipeline::{Pipeline, Tap, media, recording};
use crate::support::server::Server;
use gst::prelude::*;
use std::sync::{Arc, Mutex};

/// A file that is gone with the test.
struct Text(std::path::PathBuf);

impl Text {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("openairealtime-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("written");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a readable path")
    }

    fn read(&self) -> String {
        std::fs::read_to_string(&self.0).expect("read")
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn tap(pipeline: &Pipeline, pad: &str) -> Tap {
    Tap::of_text(&pipeline.element("o").static_pad(pad).expect("the pad was asked for"))
}

fn texts(tap: &Tap) -> Vec<String> {
    tap.outs().into_iter().map(|out| String::from_utf8(out.data).expect("UTF-8")).collect()
}

#[test]
fn a_line_of_shell_is_a_typed_conversation() {
    let server = Server::start(&["--engine", "echo"]);
    let (question, answer) = (Text::new("question", "Hello there.\n"), Text::new("answer", ""));
    let mut pipeline = Pipeline::new(&format!(
        "filesrc location={} ! text/x-raw,format=utf8 ! openairealtime name=o output-modalities=text uri={} \
         o.text_src ! filesink location={}",
        question.path(),
        server.base(),
        answer.path()
    ));
    pipeline.run_to_end().stop();
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
    assert_eq!(answer.read(), "You wrote: Hello there.\n");
    assert_eq!(pipeline.words("assistant"), "You wrote: Hello there.");
}

#[test]
fn a_byte_order_mark_is_no_text() {
    let server = Server::start(&["--engine", "echo"]);
    let question = Text::new("marked", "\u{feff}Hello.\n");
    let mut pipeline = Pipeline::new(&format!(
        "filesrc location={} ! text/x-raw,format=utf8 ! openairealtime name=o output-modalities=text uri={} ! fakesink",
        question.path(),
        server.base(),
    ));
    pipeline.run_to_end().stop();
    assert_eq!(pipeline.words("assistant"), "You wrote: Hello.");
}

#[test]
fn actions_ask_for_what_they_say_and_tell_what_they_did_not_take() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline =
        Pipeline::new(&format!("openairealtime name=o turn-detection=none uri={} ! fakesink sync=true", server.base()));
    let element = pipeline.element("o");
    assert!(!element.emit_by_name::<bool>("send-text", &[&"too early", &true]), "there is no session");
    pipeline.play();
    pipeline.until_told("session", |session| session.get::<&str>("state") == Ok("ready"));
    assert!(element.emit_by_name::<bool>("send-text", &[&"one two", &true]));
    let done = pipeline.until_told("response", |response| response.get::<&str>("state") == Ok("completed"));
    assert!(done.get::<u64>("first-audio").is_ok(), "{done}");
    // As an event, from anywhere downstream.
    let event = gst::Structure::builder("openairealtime/send-text").field("text", "three").build();
    assert!(pipeline.pipeline.send_event(gst::event::CustomUpstream::new(event)));
    let said = |text: &'static str| {
        move |words: &gst::StructureRef| words.get::<bool>("final") == Ok(true) && words.get::<&str>("text") == Ok(text)
    };
    pipeline.until_told("transcript", said("You wrote: three"));
    assert!(element.emit_by_name::<bool>("send-text", &[&"not to be answered", &false]));
    let options = r#"{"metadata": {"topic": "tea"}}"#;
    assert!(element.emit_by_name::<bool>("create-response", &[&Some(options)]));
    pipeline.until_told("response", |response| {
        let metadata = response.get::<gst::Structure>("metadata");
        metadata.is_ok_and(|metadata| metadata.get::<&str>("topic") == Ok("tea"))
    });
    assert!(!element.emit_by_name::<bool>("create-response", &[&Some("{")]));
    assert!(!element.emit_by_name::<bool>("send-event", &[&"{}"]));
    assert!(!element.emit_by_name::<bool>("send-text", &[&" ", &true]));
    assert!(!element.emit_by_name::<bool>("send-function-output", &[&"call_9", &"x"]));
    pipeline.stop();
    assert!(!element.emit_by_name::<bool>("commit", &[]), "the session is over");
}

#[test]
fn push_to_talk_is_what_the_actions_make_of_it() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "audiotestsrc is-live=true wave=sine ! audioconvert ! audioresample ! openairealtime name=o \
         turn-detection=none uri={} ! fakesink sync=true",
        server.base()
    ));
    let (element, sound) = (pipeline.element("o"), pipeline.tap("o"));
    pipeline.play();
    pipeline.until_told("session", |session| session.get::<&str>("state") == Ok("ready"));
    assert!(element.emit_by_name::<bool>("clear", &[]));
    // So much is said while the button is down.
    let pressed = sound.wait_for(50);
    assert!(
        element.emit_by_name::<bool>("commit", &[])
            && element.emit_by_name::<bool>("create-response", &[&None::<&str>])
    );
    let words = pipeline.until_told("transcript", |words| {
        words.get::<bool>("final") == Ok(true) && words.get::<&str>("role") == Ok("assistant")
    });
    let text = words.get::<String>("text").expect("text");
    let seconds: f64 = text.split(' ').nth(3).expect("a number").parse().expect("a number");
    assert!(text.starts_with("You spoke for") && seconds >= 0.1, "{text} after {pressed} pieces");
    // A stop button.
    assert!(element.emit_by_name::<bool>("create-response", &[&None::<&str>]));
    pipeline.until_told("response", |response| response.get::<&str>("state") == Ok("created"));
    assert!(element.emit_by_name::<bool>("cancel-response", &[]));
    pipeline.stop();
}

#[test]
fn what_is_no_text_is_left_out_and_told() {
    let server = Server::start(&["--engine", "echo"]);
    let path = Text::new("bytes", "");
    std::fs::write(&path.0, [0xff, 0xfe, 0x00]).expect("written");
    let mut pipeline = Pipeline::new(&format!(
        "filesrc location={} ! text/x-raw,format=utf8 ! openairealtime name=o uri={} ! fakesink",
        path.path(),
        server.base()
    ));
    pipeline.run_to_end();
    let warnings = pipeline.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("text_sink") && warnings[0].contains("UTF-8"), "{warnings:?}");
}

#[test]
fn words_have_their_place_on_the_timeline() {
    let server = Server::start(&[]);
    let mut pipeline = Pipeline::new(&format!(
        "{} ! openairealtime name=o timing=offline uri={} ! fakesink \
         o.text_src ! fakesink async=false o.transcript_src ! fakesink async=false",
        recording("goforward.wav"),
        server.base()
    ));
    let (sound, said, heard) = (pipeline.tap("o"), tap(&pipeline, "text_src"), tap(&pipeline, "transcript_src"));
    let events = crate::support::pipeline::events(&pipeline.element("o").static_pad("text_src").expect("a pad"));
    pipeline.run_to_end().stop();
    let user = heard.outs();
    assert_eq!(user.len(), 1);
    assert!(texts(&heard)[0].to_lowercase().contains("forward"), "{:?}", texts(&heard));
    assert!(user[0].duration > gst::ClockTime::from_mseconds(1_000), "{user:?}");
    let model = said.outs();
    assert!(!model.is_empty());
    let speech: Vec<_> = sound.outs().into_iter().filter(|out| !out.flags.contains(gst::BufferFlags::GAP)).collect();
    let (first, last) = (speech.first().expect("speech"), speech.last().expect("speech"));
    let slack = gst::ClockTime::from_mseconds(100);
    assert!(
        model[0].pts + slack >= first.pts && model[0].pts <= first.pts + slack,
        "{:?} at {:?}",
        model[0],
        first.pts
    );
    let end = model.last().map(|out| out.pts + out.duration).expect("text");
    assert!(end <= last.pts + last.duration + slack, "{end} behind {}", last.pts + last.duration);
    assert!(model.windows(2).all(|two| two[0].pts + two[0].duration <= two[1].pts + slack), "one after the other");
    assert_eq!(texts(&said).concat().trim_end(), pipeline.words("assistant"));
    assert!(texts(&said).last().expect("text").ends_with('\n'));
    let names = events.lock().expect("no panic").clone();
    let custom: Vec<_> = names.iter().filter(|name| name.starts_with("rstranscribe/")).collect();
    assert_eq!(custom, ["rstranscribe/speaker-change", "rstranscribe/final-transcript"]);
}

#[test]
fn words_become_subtitles() {
    let server = Server::start(&[]);
    let subtitles = Text::new("subtitles.srt", "");
    let mut pipeline = Pipeline::new(&format!(
        "{} ! openairealtime name=o timing=offline uri={} ! fakesink o.transcript_src ! srtenc ! filesink location={}",
        recording("goforward.wav"),
        server.base(),
        subtitles.path()
    ));
    pipeline.run_to_end().stop();
    let text = subtitles.read();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("1"), "{text}");
    let times = lines.next().expect("times");
    assert!(times.contains(" --> "), "{text}");
    assert!(lines.next().expect("words").to_lowercase().contains("forward"), "{text}");
}

#[test]
fn sinks_of_text_preroll_when_input_is_there() {
    // Behind decodebin, which has brought its own change of state to an end by then. Sinks that are ready before it leave this
    // change to it alone, and GStreamer 1.22 loses EOS now and then.
    let server = Server::start(&["--engine", "echo"]);
    for (element, pads) in [
        ("openairealtime timing=offline", ["text_src", "transcript_src", "event_src"].as_slice()),
        ("openaichat model=any prompt=What?", ["text_src", "event_src"].as_slice()),
    ] {
        let texts: String = pads.iter().map(|pad| format!(" o.{pad} ! fakesink")).collect();
        let mut pipeline = Pipeline::new(&format!(
            "filesrc location={} ! decodebin ! audioconvert name=decoded ! audioresample ! {element} name=o uri={} \
             ! fakesink{texts}",
            media("goforward.wav"),
            server.base()
        ));
        let order = Arc::new(Mutex::new(Vec::new()));
        for (element, pad) in [("decoded", "sink")].into_iter().chain(pads.iter().map(|pad| ("o", *pad))) {
            let (order, name) = (order.clone(), pad.to_owned());
            let pad = pipeline.element(element).static_pad(pad).expect("the pad was asked for");
            pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
                if info.event().is_some_and(|event| event.type_() == gst::EventType::StreamStart) {
                    order.lock().expect("no panic").push(name.clone());
                }
                gst::PadProbeReturn::Ok
            });
        }
        pipeline.run_to_end().stop();
        let order = order.lock().expect("no panic");
        assert_eq!(order.len(), pads.len() + 1, "{element}: {order:?}");
        assert_eq!(order[0], "sink", "{element}: {order:?}");
    }
}
