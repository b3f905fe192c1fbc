// SPDX-License-Identifier: MPL-2.0

//! "Pads come and go, and what is said on them stays on its side": requests in every state, events and queries that
//! arrive at one side, elements in a circle.

use crate::support::folder::Folder;
use crate::support::pipeline::{Pipeline, SILENCE, Tap, assert_is_released, events, stop_and_remove};
use crate::support::server::Server;
use gst::prelude::*;
use std::time::Duration;

const REQUESTED: [&str; 5] = ["text_src", "transcript_src", "event_src", "text_sink", "video_sink_%u"];
const STATES: [gst::State; 4] = [gst::State::Null, gst::State::Ready, gst::State::Paused, gst::State::Playing];

fn request(ai: &gst::Element, name: &str) -> gst::Pad {
    let template = ai.pad_template(name).expect("a template");
    ai.request_pad(&template, None, None).unwrap_or_else(|| panic!("{name}"))
}

fn talk(server: &Server, more: &str) -> Pipeline {
    Pipeline::new(&format!("{SILENCE} ! openairealtime name=ai uri={} ! fakesink sync=true {more}", server.base()))
}

/// Links a sink to a source pad, which then has to bring its stream.
fn assert_brings(pipeline: &Pipeline, pad: &gst::Pad) {
    let sink = gst::ElementFactory::make("fakesink").property("async", false).build().expect("a sink");
    pipeline.pipeline.add(&sink).expect("added");
    sink.sync_state_with_parent().expect("a state");
    let (sender, receiver) = std::sync::mpsc::channel();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if info.event().is_some_and(|event| event.type_() == gst::EventType::Gap) {
            let _ = sender.send(());
        }
        gst::PadProbeReturn::Ok
    });
    pad.link(&sink.static_pad("sink").expect("a pad")).expect("linked");
    receiver.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| panic!("{} brings nothing", pad.name()));
    stop_and_remove(&pipeline.pipeline, &sink);
}

#[test]
fn every_pad_is_requested_and_released_in_every_state_and_thread() {
    let server = Server::start(&["--engine", "echo"]);
    for state in STATES {
        let pipeline = talk(&server, "");
        pipeline.pipeline.set_state(state).expect("a state");
        let _ = pipeline.pipeline.state(gst::ClockTime::from_seconds(10));
        let ai = pipeline.element("ai");
        for name in REQUESTED {
            let pad = request(&ai, name);
            if state == gst::State::Playing && pad.direction() == gst::PadDirection::Src {
                assert_brings(&pipeline, &pad);
            }
            ai.release_request_pad(&pad);
            // Its functions may still be called by who holds it.
            pad.query(&mut gst::query::Latency::new());
            pad.send_event(gst::event::FlushStop::builder(true).build());
        }
        let from_thread = |name: &'static str| {
            let ai = ai.clone();
            std::thread::spawn(move || (0..10).for_each(|_| ai.release_request_pad(&request(&ai, name))))
        };
        REQUESTED.map(from_thread).into_iter().for_each(|thread| thread.join().expect("no panic"));
    }
}

#[test]
fn a_pad_that_was_requested_early_or_while_the_state_changes_has_its_stream() {
    let server = Server::start(&["--engine", "echo"]);
    for state in STATES {
        let mut pipeline = talk(&server, "");
        let _ = pipeline.pipeline.set_state(state);
        let ai = pipeline.element("ai");
        let other = {
            let ai = ai.clone();
            std::thread::spawn(move || request(&ai, "event_src"))
        };
        pipeline.play();
        let pads = [request(&ai, "transcript_src"), other.join().expect("no panic")];
        pads.iter().for_each(|pad| assert_brings(&pipeline, pad));
    }
}

#[test]
fn a_pad_is_released_while_its_sink_prerolls() {
    let server = Server::start(&["--engine", "echo"]);
    for name in ["text_src", "transcript_src", "event_src"] {
        let pipeline = talk(&server, "");
        let ai = pipeline.element("ai");
        let pad = request(&ai, name);
        let sink = gst::ElementFactory::make("fakesink").property("async", false).build().expect("a sink");
        pipeline.pipeline.add(&sink).expect("added");
        let peer = sink.static_pad("sink").expect("a pad");
        pad.link(&peer).expect("linked");
        let (sender, receiver) = std::sync::mpsc::channel();
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if info.event().is_some_and(|event| event.type_() == gst::EventType::Gap) {
                let _ = sender.send(());
            }
            gst::PadProbeReturn::Ok
        });
        pipeline.pipeline.set_state(gst::State::Paused).expect("a state");
        receiver.recv_timeout(Duration::from_secs(30)).expect("the stream begins, and the sink holds it up");
        assert_is_released(ai, pad);
    }
}

#[test]
fn a_pad_is_released_while_its_input_waits_for_the_clock() {
    let server = Server::start(&["--engine", "echo"]);
    for (name, source) in [
        ("video_sink_%u", "videotestsrc num-buffers=9 ! video/x-raw,width=32,height=32 ! jpegenc name=before"),
        ("text_sink", "filesrc name=before ! capsfilter caps=text/x-raw,format=utf8"),
    ] {
        let folder = Folder::new();
        let path = folder.join("text");
        std::fs::write(&path, "Hello.").expect("written");
        let pipeline = talk(&server, "");
        let ai = pipeline.element("ai");
        let bin = gst::parse::bin_from_description(source, true).expect("a bin");
        if let Some(file) = bin.by_name("before").filter(|element| element.has_property("location")) {
            file.set_property("location", path.to_str().expect("a readable path"));
        }
        pipeline.pipeline.add(&bin).expect("added");
        let pad = request(&ai, name);
        let (sender, receiver) = std::sync::mpsc::channel();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            let _ = sender.send(());
            gst::PadProbeReturn::Ok
        });
        bin.static_pad("src").expect("a pad").link(&pad).expect("linked");
        pipeline.pipeline.set_state(gst::State::Paused).expect("a state");
        receiver.recv_timeout(Duration::from_secs(30)).expect("something comes in");
        assert_is_released(ai, pad);
    }
}

#[test]
fn the_source_pads_of_one_element_are_one_group() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = talk(&server, "ai.text_src ! fakesink async=false name=text");
    pipeline.play();
    let ai = pipeline.element("ai");
    assert_brings(&pipeline, &request(&ai, "transcript_src"));
    let limit = std::time::Instant::now() + Duration::from_secs(30);
    // Each pad begins its stream on a thread of its own.
    let group = |name: &str| loop {
        match ai.static_pad(name).expect("a pad").sticky_event::<gst::event::StreamStart>(0) {
            Some(start) => break start.group_id(),
            None => assert!(std::time::Instant::now() < limit, "{name} does not begin"),
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(group("src").is_some());
    assert_eq!(group("src"), group("text_src"));
}

#[test]
fn the_cameras_properties_are_known_before_there_is_a_pad() {
    crate::support::pipeline::init();
    let ai = gst::ElementFactory::make("openairealtime").build().expect("the element");
    let template = ai.pad_template("video_sink_%u").expect("a template");
    let kind: gst::glib::Type = template.property("gtype");
    assert_eq!(kind.name(), "GstOpenAIRealtimeVideoPad");
}

#[test]
fn serialized_events_go_out_of_each_source_pad_from_its_own_thread() {
    let server = Server::start(&["--engine", "echo"]);
    // Without a queue, the sinks hold up the threads of their pads while they preroll.
    let mut pipeline = talk(&server, "ai.transcript_src ! fakesink ai.event_src ! fakesink ai.text_src ! fakesink");
    let ai = pipeline.element("ai");
    let sink = ai.static_pad("audio_sink").expect("a pad");
    let source = sink.peer().expect("linked");
    source.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
        pad.push_event(gst::event::CustomDownstream::new(gst::Structure::new_empty("an-applications-own")));
        gst::PadProbeReturn::Ok
    });
    let seen: Vec<_> = ai.src_pads().iter().map(events).collect();
    let input = Tap::on(&sink);
    pipeline.play();
    input.wait_for(20);
    let limit = std::time::Instant::now() + Duration::from_secs(30);
    let has = |seen: &Vec<String>| seen.iter().any(|name| name == "an-applications-own");
    while !seen.iter().all(|seen| has(&seen.lock().expect("no panic"))) {
        assert!(std::time::Instant::now() < limit, "{seen:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    pipeline.stop();
}

#[test]
fn events_that_find_no_room_are_told_once() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = talk(&server, "");
    pipeline.pipeline.set_state(gst::State::Paused).expect("a state");
    let sink = pipeline.element("ai").static_pad("audio_sink").expect("a pad");
    // Nothing goes out once the sink has prerolled, because the clock stands still. Until then events go out as they come.
    let own = || gst::event::CustomDownstream::new(gst::Structure::new_empty("an-applications-own"));
    let mut refused = (0..1_000_000).filter(|_| !sink.send_event(own()));
    assert!(refused.nth(99).is_some(), "the queue has a limit");
    let is_told = |message: &gst::Message| message.type_() == gst::MessageType::Warning;
    pipeline.until("a warning", is_told);
    pipeline.play();
    // The session begins while events are refused, so it may have been told before the warning was.
    pipeline.until_or_told("session", |session| session.get::<&str>("state") == Ok("ready"));
    let warnings = pipeline.warnings();
    let told = warnings.iter().filter(|text| text.contains("src") && text.contains("an-applications-own")).count();
    assert_eq!(told, 1, "{warnings:?}");
    pipeline.stop();
}

#[test]
fn two_elements_that_talk_to_each_other_answer_queries_and_take_events() {
    let server = Server::start(&["--engine", "echo"]);
    crate::support::pipeline::init();
    // Without a bin, which warns of circles.
    let clock = gst::SystemClock::obtain();
    let base = clock.time();
    let [a, b] = ["a", "b"].map(|name| {
        let make = gst::ElementFactory::make("openairealtime").name(name).property("uri", server.base());
        let element = make.property_from_str("timing", "live").build().expect("the element");
        element.set_clock(Some(&clock)).expect("a clock");
        element.set_base_time(base);
        element
    });
    a.link(&b).expect("linked");
    b.link(&a).expect("linked");
    let src = a.static_pad("src").expect("a pad");
    let tap = Tap::on(&src);
    for state in [gst::State::Ready, gst::State::Paused, gst::State::Playing] {
        for element in [&a, &b] {
            element.set_state(state).expect("a state");
        }
    }
    tap.wait_for(5);
    let mut latency = gst::query::Latency::new();
    assert!(src.query(&mut latency) && latency.result().0);
    assert_eq!(src.query_duration::<gst::ClockTime>(), None);
    src.send_event(gst::event::Latency::new(gst::ClockTime::from_mseconds(20)));
    let structure = || gst::Structure::new_empty("round");
    src.send_event(gst::event::CustomUpstream::new(structure()));
    let sink = a.static_pad("audio_sink").expect("a pad");
    sink.send_event(gst::event::CustomDownstreamOob::new(structure()));
    sink.send_event(gst::event::CustomDownstream::new(structure()));
    tap.wait_for(20);
    for element in [&a, &b] {
        element.set_state(gst::State::Null).expect("NULL");
    }
}

#[test]
fn muxing_what_the_user_said_beside_their_sound_does_not_hold_up_the_input() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "audiotestsrc is-live=true ! audio/x-raw,format=S16LE,rate=24000,channels=1 ! tee name=t \
         t. ! queue ! openairealtime name=ai uri={} ! fakesink t. ! queue ! m.audio_0 \
         ai.transcript_src ! queue ! m.subtitle_0 matroskamux name=m ! fakesink name=file async=false",
        server.base()
    ));
    let input = Tap::on(&pipeline.element("ai").static_pad("audio_sink").expect("a pad"));
    pipeline.play();
    // The queues hold one second.
    input.wait_for_time(4_000_000_000);
    pipeline.stop();
}

#[test]
fn a_muxer_that_does_not_take_gaps_is_told() {
    let server = Server::start(&["--engine", "echo"]);
    let folder = Folder::new();
    let mut pipeline = talk(
        &server,
        &format!(
            "ai.transcript_src ! queue ! files.subtitle_0 splitmuxsink name=files muxer=matroskamux location={}",
            folder.join("part%d.mkv").display()
        ),
    );
    pipeline.play();
    let is_told = |message: &gst::Message| message.type_() == gst::MessageType::Warning;
    pipeline.until("a warning", is_told);
    let warnings = pipeline.warnings();
    assert!(warnings[0].contains("transcript_src") && warnings[0].contains("files"), "{warnings:?}");
    pipeline.stop();
}

#[test]
fn the_latency_of_text_is_what_is_set() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "{SILENCE} ! openairealtime name=ai uri={} transcript-latency=3000000000 ! fakesink sync=true \
         ai.transcript_src ! fakesink async=false ai.text_src ! fakesink async=false",
        server.base()
    ));
    let tap = pipeline.tap("ai");
    pipeline.play();
    tap.wait_for(3);
    let latency = |name: &str| {
        let mut query = gst::query::Latency::new();
        assert!(pipeline.element("ai").static_pad(name).expect("a pad").query(&mut query));
        query.result()
    };
    assert_eq!(latency("transcript_src"), (true, gst::ClockTime::from_seconds(3), None));
    assert_eq!(latency("text_src"), (true, gst::ClockTime::ZERO, None));
    assert_eq!(latency("src"), (true, gst::ClockTime::ZERO, None));
    pipeline.stop();
}
