// SPDX-License-Identifier: MPL-2.0

//! Segments of audio and video, and subtitles of their answers.

use crate::raw_server::{RawServer, stream_of};
use crate::support::pipeline::{Pipeline, Tap};
use crate::{all, text_tap};
use gst::prelude::*;
use std::io::Write;

#[test]
fn a_long_video_is_captioned_and_muxed_with_exact_times() {
    let server = RawServer::start(|number, _, stream| {
        // Whoever has gone reads no more.
        let _ = stream.write_all(&stream_of(&format!("caption {number}")));
    });
    let mut pipeline = Pipeline::new(&format!(
        "videotestsrc num-buffers=1200 pattern=black ! video/x-raw,width=64,height=64,framerate=2/1 ! jpegenc ! tee name=t \
         t. ! queue max-size-time=0 max-size-buffers=0 max-size-bytes=0 ! mux. t. ! queue ! openaichat name=chat uri={} segment-duration=5000000000 max-frames=2 \
         frame-selection=spread max-requests=1 chat.text_src ! tee name=s s. ! queue ! mux. \
         s. ! queue ! fakesink name=text sync=false async=false matroskamux name=mux ! fakesink sync=false",
        server.base()
    ));
    let tap = text_tap(&pipeline);
    pipeline.run_to_end();
    let outs = tap.outs();
    assert_eq!(outs.len(), 120);
    for (index, out) in outs.iter().enumerate() {
        let start = gst::ClockTime::from_seconds(5 * index as u64);
        assert_eq!((out.pts, out.duration), (start, gst::ClockTime::from_seconds(5)));
        assert_eq!(out.data, format!("caption {index}\n").into_bytes());
    }
    let parts = |request: &crate::raw_server::Request| request.body["messages"][0]["content"].as_array().map(Vec::len);
    assert!(server.requests().iter().all(|request| parts(request) == Some(2)));
    let frames = all(&pipeline, "frame");
    let sent = frames.iter().filter(|frame| frame.get::<&str>("state") == Ok("sent")).count();
    assert_eq!((frames.len(), sent), (1200, 240), "every frame is sent or told as skipped");
}

#[test]
fn subtitles_follow_in_srt_and_webvtt() {
    let server = RawServer::answering(stream_of("A ball."));
    for (encoder, expected) in [
        ("srtenc", "1\n00:00:00,000 --> 00:00:02,000\nA ball."),
        ("webvttenc", "00:00:02.000 --> 00:00:04.000\nA ball."),
    ] {
        let mut pipeline = Pipeline::new(&format!(
            "videotestsrc num-buffers=20 ! video/x-raw,width=64,height=64,framerate=5/1 ! jpegenc \
             ! openaichat name=chat uri={} segment-duration=2000000000 chat.text_src ! {encoder} \
             ! fakesink name=text sync=false async=false",
            server.base()
        ));
        let tap = Tap::of_text(&pipeline.element("text").static_pad("sink").expect("a pad"));
        pipeline.run_to_end();
        let text = String::from_utf8(tap.sound()).expect("text");
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn an_action_makes_a_request_of_what_is_there() {
    let server = RawServer::answering(stream_of("Heard."));
    let mut pipeline = Pipeline::new(&format!(
        "audiotestsrc is-live=true ! audioconvert ! audio/x-raw,rate=16000 ! openaichat name=chat uri={} \
         chat.text_src ! fakesink name=text sync=false async=false",
        server.base()
    ));
    let tap = text_tap(&pipeline);
    let sink = pipeline.element("chat").static_pad("audio_sink").expect("a pad");
    let (sender, came) = std::sync::mpsc::channel();
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        // The test may be over.
        let _ = sender.send(());
        gst::PadProbeReturn::Ok
    });
    pipeline.play();
    (0..5).for_each(|_| came.recv().expect("audio comes"));
    assert!(pipeline.element("chat").emit_by_name::<bool>("send", &[]));
    tap.wait_for(1);
    assert_eq!(server.requests().len(), 1);
    pipeline.stop();
}
