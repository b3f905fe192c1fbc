// SPDX-License-Identifier: MPL-2.0

//! "My camera is fast": what is not sent is not copied, and what is not of interest any more is let go.
//!
//! The frames are far larger than everything else, so one copy of each would be most of what is allocated. A test of
//! its own program, because all of its threads are counted.

#![allow(clippy::print_stdout, reason = "what was measured is of interest")]

mod support;

use gst::prelude::*;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::pipeline::{Pipeline, media};
use support::server_process::ServerProcess;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Ten seconds of a camera.
const FRAMES: usize = 300;
/// Bytes of each frame.
const SIZE: usize = 500_000;

/// How many frames are held, and were at most.
#[derive(Debug, Default)]
struct Held {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// The memory of a frame. All of them are one, so that a frame costs nothing to make.
struct Shot(Arc<[u8]>, Arc<Held>);

impl Shot {
    fn new(file: &Arc<[u8]>, held: &Arc<Held>) -> Self {
        let now = held.now.fetch_add(1, Ordering::SeqCst) + 1;
        held.most.fetch_max(now, Ordering::SeqCst);
        Self(file.clone(), held.clone())
    }
}

impl AsRef<[u8]> for Shot {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Shot {
    fn drop(&mut self) {
        self.1.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A pad that brings pictures to the element.
fn camera(element: &gst::Element) -> gst::Pad {
    let camera = gst::Pad::builder(gst::PadDirection::Src).name("camera").build();
    camera.set_active(true).expect("active");
    camera.link(&element.request_pad_simple("video_sink_%u").expect("a pad")).expect("linked");
    camera
}

/// Shows the element a camera. Gives how many of its frames were sent, the bytes that were allocated meanwhile, and
/// how many frames it held at most.
fn show(timing: &str) -> (usize, usize, usize) {
    let is_live = timing == "live";
    let sound = if is_live { "audiotestsrc is-live=true wave=silence ! audioconvert ! audioresample !" } else { "" };
    let server = ServerProcess::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "{sound} openairealtime name=ai timing={timing} uri={} frame-interval=1000000000 frame-dedupe=none ! fakesink",
        server.base()
    ));
    let camera = camera(&pipeline.element("ai"));
    pipeline.play();
    if is_live {
        pipeline.until_told("session", |session| session.get("state") == Ok("ready"));
    }
    camera.push_event(gst::event::StreamStart::new("camera"));
    camera.push_event(gst::event::Caps::new(&gst::Caps::builder("image/jpeg").build()));
    camera.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    // What stands behind the end of a picture is part of the file.
    let mut file = std::fs::read(media("china.jpg")).expect("a picture");
    file.resize(SIZE, 0);
    let (file, held) = (Arc::<[u8]>::from(file), Arc::<Held>::default());
    let region = Region::new(ALLOCATOR);
    for frame in 0..FRAMES {
        let mut buffer = gst::Buffer::from_slice(Shot::new(&file, &held));
        let place = buffer.make_mut();
        place.set_pts(gst::ClockTime::from_mseconds(frame as u64 * 1_000 / 30));
        camera.push(buffer).expect("taken");
    }
    camera.push_event(gst::event::Eos::new());
    if is_live {
        pipeline.until_told("frame", |frame| frame.get("state") == Ok("sent"));
    } else {
        pipeline.until("the end of the stream", |message| message.type_() == gst::MessageType::Eos);
    }
    pipeline.stop();
    let allocated = region.change().bytes_allocated;
    let sent = pipeline.all("frame").iter().filter(|frame| frame.get("state") == Ok("sent")).count();
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
    (sent, allocated, held.most.load(Ordering::SeqCst))
}

/// A frame that is sent is written as base64, masked and handed to the system. Everything else is less than a copy of
/// every tenth frame.
fn assert_no_copies((sent, allocated, held): (usize, usize, usize)) {
    println!("{allocated} bytes for {sent} frames, {held} held");
    let most = sent * 5 * SIZE + FRAMES * SIZE / 10;
    assert!(allocated < most, "{allocated} bytes were allocated for {sent} of {FRAMES} frames of {SIZE}");
    assert!(most < (FRAMES - sent) * SIZE / 2, "that {sent} frames were sent says little");
    assert!(held <= 4, "{held} frames were held at a time");
}

#[test]
fn only_what_is_sent_is_copied() {
    let offline = show("offline");
    assert_eq!(offline.0, 10, "{offline:?}");
    assert_no_copies(offline);
    // As fast as they can be pushed: the newest one wins.
    assert_no_copies(show("live"));
}

/// Not a test: the server of the test above, in a process of its own.
#[test]
#[ignore = "started by the other test"]
fn server_process() {
    support::server_process::serve();
}
