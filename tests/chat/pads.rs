// SPDX-License-Identifier: MPL-2.0

//! Pads, states, and what is wrong with an input.

use crate::raw_server::{RawServer, stream_of};
use crate::support::pipeline::{Pipeline, assert_is_released, init, media};
use crate::{all, text_tap, typed};
use gst::prelude::*;
use std::io::Write;

#[test]
fn a_broken_picture_is_told_and_skipped() {
    init();
    let server = RawServer::answering(stream_of("A flower."));
    let mut file = std::fs::read(media("flower.jpg")).expect("a picture");
    let whole = gst::Buffer::from_slice(file.clone());
    file.truncate(file.len() / 2);
    let mut pipeline = Pipeline::new(&format!(
        "appsrc name=input format=time caps=image/jpeg,framerate=1/1 ! chat.video_sink_0 openaichat name=chat uri={} \
         chat.text_src ! fakesink name=text sync=false async=false",
        server.base()
    ));
    let input = pipeline.element("input");
    for buffer in [gst::Buffer::from_slice(file), whole] {
        let _: gst::FlowReturn = input.emit_by_name("push-buffer", &[&buffer]);
    }
    let _: gst::FlowReturn = input.emit_by_name("end-of-stream", &[]);
    pipeline.run_to_end();
    let states: Vec<_> = crate::texts(&pipeline, "frame", "state");
    assert_eq!(states, ["skipped", "sent"]);
    assert!(pipeline.warnings()[0].contains("breaks off"), "{:?}", pipeline.warnings());
}

#[test]
fn warnings_of_one_kind_are_one_with_their_number() {
    init();
    let server = RawServer::answering(stream_of("Yes."));
    let mut pipeline = Pipeline::new(&format!(
        "appsrc name=input format=time caps=text/x-raw,format=utf8 ! chat.text_sink openaichat name=chat uri={} \
         chat.text_src ! fakesink name=text sync=false async=false",
        server.base()
    ));
    let input = pipeline.element("input");
    for text in [&b"\xff"[..], b"\xfe", b"\xfd", b"Is it?"] {
        let _: gst::FlowReturn = input.emit_by_name("push-buffer", &[&gst::Buffer::from_slice(text)]);
    }
    let _: gst::FlowReturn = input.emit_by_name("end-of-stream", &[]);
    pipeline.run_to_end();
    assert_eq!(pipeline.warnings().len(), 1, "{:?}", pipeline.warnings());
    // NULL would take the messages from the bus.
    pipeline.pipeline.set_state(gst::State::Ready).expect("READY is always reached");
    pipeline.until("the rest", |message| message.type_() == gst::MessageType::Warning);
    let warnings = pipeline.warnings();
    assert!(warnings[1].ends_with("(the last of 2 like it)"), "{warnings:?}");
}

#[test]
fn an_empty_input_is_told() {
    let server = RawServer::answering(stream_of("?"));
    let mut pipeline = typed("", &server.base(), "");
    pipeline.run_to_end();
    assert_eq!((server.requests().len(), pipeline.warnings().len()), (0, 1));
}

#[test]
fn a_stopped_pipeline_does_not_wait_for_a_server_that_says_nothing() {
    let server = RawServer::start(|_, _, stream| {
        // Until the element closes the connection.
        let _ = std::io::Read::read(stream, &mut [0]);
    });
    for _ in 0..3 {
        let mut pipeline = typed("Hello?", &server.base(), "");
        pipeline.play();
        pipeline.until("the request", |message| {
            message.structure().is_some_and(|structure| structure.name() == "openaichat/request")
        });
        pipeline.stop();
    }
}

#[test]
fn a_cancelled_request_is_told_and_the_next_one_answered() {
    let server = RawServer::start(|_, request, stream| {
        // One that is cancelled may never have left.
        if request.body["messages"][0]["content"][0]["text"] == "two" {
            // Whoever has gone reads no more.
            let _ = stream.write_all(&stream_of("Yes."));
        } else {
            let _ = std::io::Read::read(stream, &mut [0]);
        }
    });
    let mut pipeline = typed("one\ntwo", &server.base(), "max-requests=1");
    let tap = text_tap(&pipeline);
    pipeline.play();
    pipeline.until("the request", |message| {
        message.structure().is_some_and(|structure| structure.name() == "openaichat/request")
    });
    assert!(pipeline.element("chat").emit_by_name::<bool>("cancel", &[]));
    pipeline.until("the end", |message| message.type_() == gst::MessageType::Eos);
    let states = crate::texts(&pipeline, "request", "state");
    assert!(states.contains(&"cancelled".to_owned()), "{states:?}");
    assert!(tap.outs().len() <= 1);
}

#[test]
fn a_second_run_is_as_the_first() {
    let server = RawServer::answering(stream_of("Yes."));
    let mut pipeline = Pipeline::new(&format!(
        "audiotestsrc num-buffers=10 ! audio/x-raw,rate=16000 ! openaichat name=chat uri={} \
         chat.text_src ! fakesink name=text sync=false async=false",
        server.base()
    ));
    let tap = text_tap(&pipeline);
    for run in 1..=3 {
        pipeline.run_to_end();
        pipeline.stop();
        assert_eq!((server.requests().len(), tap.outs().len()), (run, run));
    }
    assert_eq!(all(&pipeline, "response").len(), 3);
}

#[test]
fn pads_come_and_go_in_every_state() {
    init();
    let chat = gst::ElementFactory::make("openaichat").property("uri", "http://127.0.0.1:9/v1").build().expect("one");
    for state in [gst::State::Null, gst::State::Ready, gst::State::Paused, gst::State::Playing] {
        assert!(chat.set_state(state).is_ok());
        let pads: Vec<_> = ["video_sink_%u", "video_sink_7", "text_sink", "text_src", "event_src"]
            .iter()
            .map(|name| chat.request_pad_simple(name).unwrap_or_else(|| panic!("{name} in {state:?}")))
            .collect();
        pads.iter().for_each(|pad| chat.release_request_pad(pad));
        assert_eq!(chat.pads().len(), 2);
    }
    chat.set_state(gst::State::Null).expect("NULL is always reached");
}

#[test]
fn a_pad_is_released_while_its_sink_prerolls() {
    let server = RawServer::answering(stream_of("Hello."));
    for name in ["text_src", "event_src"] {
        let pipeline = Pipeline::new(&format!(
            "appsrc name=input format=time caps=text/x-raw,format=utf8 ! chat.text_sink openaichat name=chat uri={} \
             chat.src ! fakesink async=false",
            server.base()
        ));
        let chat = pipeline.element("chat");
        let pad = chat.request_pad_simple(name).unwrap_or_else(|| panic!("{name}"));
        let sink = gst::ElementFactory::make("fakesink").property("async", false).build().expect("a sink");
        pipeline.pipeline.add(&sink).expect("added");
        pad.link(&sink.static_pad("sink").expect("a pad")).expect("linked");
        let (sender, receiver) = std::sync::mpsc::channel();
        pad.add_probe(gst::PadProbeType::DATA_DOWNSTREAM, move |_, info| {
            // A sink prerolls with a buffer or a gap.
            if info.event().is_none_or(|event| event.type_() == gst::EventType::Gap) {
                let _ = sender.send(());
            }
            gst::PadProbeReturn::Ok
        });
        pipeline.pipeline.set_state(gst::State::Paused).expect("a state");
        let input = pipeline.element("input");
        let _: gst::FlowReturn = input.emit_by_name("push-buffer", &[&gst::Buffer::from_slice(*b"Hello?")]);
        let _: gst::FlowReturn = input.emit_by_name("end-of-stream", &[]);
        receiver
            .recv_timeout(std::time::Duration::from_secs(30))
            .expect("something goes out, and the sink holds it up");
        assert_is_released(chat, pad);
    }
}

#[test]
fn wrong_settings_are_told_before_anything_starts() {
    let server = RawServer::answering(stream_of("Yes."));
    for (properties, expected) in [
        ("extra=[]", "extra: "),
        ("tools={}", "tools: "),
        ("response-format=[]", "response-format: "),
        ("tool-command=no-such-program", "tool-command: "),
        ("api-key-file=/no/such/file", "api-key-file"),
    ] {
        let error = typed("Hi", &server.base(), properties).run_to_error();
        assert!(error.message().contains(expected), "{error}");
    }
    let error = typed("Hi", "http://192.0.2.1/v1", "").run_to_error();
    assert!(error.message().contains("https://") && error.matches(gst::ResourceError::Settings), "{error}");
}
