// SPDX-License-Identifier: MPL-2.0

//! What a camera of 1920 by 1080 pixels at 30 frames a second costs: the sound beside it, and memory in the long run.
//!
//!     cargo bench --bench camera -- latency 60     # seconds of each of three runs
//!     cargo bench --bench camera -- memory 3600    # seconds of media
//!     cargo bench --bench camera -- look           # the comparison of frame-dedupe=similar
//!
//! The other end is a WebSocket on loopback that takes everything and answers nothing. The frames are encoded before,
//! so that the cost of an encoder is not measured.

#![allow(clippy::print_stdout, reason = "what was measured is of interest")]

#[path = "instructions/src/conversation.rs"]
mod conversation;

use crate::conversation::conversation;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use gst::prelude::*;
use gstopenairealtime::realtime::conversation::Input;
use gstopenairealtime::realtime::conversation::config::{Dedupe, Detection, FrameConfig};
use gstopenairealtime::types::Frame;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

/// Sound that was seen at some place: when, and how many bytes there were up to then.
type Seen = Arc<Mutex<Vec<(Instant, usize)>>>;

/// What the other end saw.
#[derive(Clone, Default)]
struct Server {
    sound: Seen,
    pictures: Arc<AtomicUsize>,
}

impl Server {
    /// Serves one session on a thread of its own.
    fn start(&self) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let (address, server) = (listener.local_addr().expect("an address"), self.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(server.serve(listener));
        });
        address
    }

    async fn serve(self, listener: std::net::TcpListener) {
        listener.set_nonblocking(true).expect("a socket");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
        let (stream, _) = listener.accept().await.expect("a client");
        let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a WebSocket");
        while let Some(Ok(message)) = socket.next().await {
            let at = Instant::now();
            let Message::Text(text) = message else { continue };
            if text.starts_with(r#"{"type":"input_audio_buffer.append""#) {
                let base64 = text.rsplit('"').nth(1).unwrap_or_default();
                let bytes = base64.len() / 4 * 3 - base64.bytes().rev().take_while(|byte| *byte == b'=').count();
                add(&self.sound, at, bytes);
            } else if text.contains(r#""session.update""#) {
                let updated = r#"{"type":"session.updated","session":{"type":"realtime"}}"#;
                socket.send(Message::text(updated)).await.expect("sent");
            } else if text.contains("input_image") {
                self.pictures.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn add(seen: &Seen, at: Instant, bytes: usize) {
    let mut seen = seen.lock().expect("no panic");
    let before = seen.last().map_or(0, |(_, before)| *before);
    seen.push((at, before + bytes));
}

/// A photo as a file of the camera's size.
fn photo(encoder: &str) -> Vec<u8> {
    let description = format!(
        "filesrc location={}/tests/media/china.jpg ! jpegdec ! videoconvert ! videoscale \
         ! video/x-raw,width=1920,height=1080 ! videoconvert ! {encoder} ! fakesink name=end sync=false",
        env!("CARGO_MANIFEST_DIR")
    );
    let pipeline =
        gst::parse::launch(&description).expect("a pipeline").downcast::<gst::Pipeline>().expect("it is one");
    let (file, pad) =
        (Arc::<Mutex<Vec<u8>>>::default(), pipeline.by_name("end").and_then(|end| end.static_pad("sink")));
    let kept = file.clone();
    pad.expect("a pad").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer().expect("a buffer").map_readable().expect("readable").to_vec();
        *kept.lock().expect("no panic") = buffer;
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let bus = pipeline.bus().expect("a bus");
    bus.timed_pop_filtered(gst::ClockTime::from_seconds(30), &[gst::MessageType::Eos, gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).expect("it stops");
    let file = file.lock().expect("no panic").clone();
    assert!(!file.is_empty(), "no picture was made");
    file
}

/// A pad that brings pictures to the element.
fn camera(pipeline: &gst::Pipeline) -> gst::Pad {
    let element = pipeline.by_name("ai").expect("the element");
    let camera = gst::Pad::builder(gst::PadDirection::Src).name("camera").build();
    camera.set_active(true).expect("active");
    camera.link(&element.request_pad_simple("video_sink_%u").expect("a pad")).expect("linked");
    camera
}

fn begin(camera: &gst::Pad) {
    camera.push_event(gst::event::StreamStart::new("camera"));
    camera.push_event(gst::event::Caps::new(&gst::Caps::builder("image/jpeg").build()));
    camera.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
}

/// The so-many-eth frame: what stands behind the end of a picture makes it another file.
fn frame(photo: &[u8], number: u64, at: gst::ClockTime) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice([photo, &number.to_be_bytes()].concat());
    buffer.make_mut().set_pts(at);
    buffer
}

/// A pipeline whose messages are not kept, as an application that takes them from the bus does not.
fn pipeline(description: &str) -> gst::Pipeline {
    let pipeline = gst::parse::launch(description).expect("a pipeline");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("more than one element");
    pipeline.bus().expect("a bus").set_sync_handler(|_, _| gst::BusSyncReply::Drop);
    pipeline
}

/// How long sound is on its way from the pad to the other end of the wire.
fn latency(seconds: u64) {
    let photo = photo("jpegenc quality=90");
    println!("the sound of {seconds} s in buffers of 20 ms, live; frames of {} bytes", photo.len());
    for (name, camera, dedupe) in
        [("no camera", false, "exact"), ("camera", true, "exact"), ("camera, similar", true, "similar")]
    {
        run_live(seconds, name, camera.then_some(&photo[..]), dedupe);
    }
}

fn run_live(seconds: u64, name: &str, photo: Option<&[u8]>, dedupe: &str) {
    let server = Server::default();
    let pipeline = pipeline(&format!(
        "audiotestsrc is-live=true wave=pink-noise samplesperbuffer=480 ! audio/x-raw,format=S16LE,rate=24000,channels=1 \
         ! openairealtime name=ai uri=ws://{}/v1 frame-interval=1000000000 frame-dedupe={dedupe} ! fakesink sync=true",
        server.start()
    ));
    let element = pipeline.by_name("ai").expect("the element");
    let pushed = Seen::default();
    let seen = pushed.clone();
    element.static_pad("audio_sink").expect("a pad").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        add(&seen, Instant::now(), info.buffer().expect("a buffer").size());
        gst::PadProbeReturn::Ok
    });
    let camera = photo.map(|_| camera(&pipeline));
    let (ends, before) = (AtomicBool::new(false), processor_time());
    pipeline.set_state(gst::State::Playing).expect("it plays");
    std::thread::scope(|scope| {
        if let (Some(photo), Some(camera)) = (photo, &camera) {
            scope.spawn(|| run_camera(&pipeline, camera, photo, &ends));
        }
        std::thread::sleep(Duration::from_secs(seconds + 2));
        ends.store(true, Ordering::Relaxed);
    });
    let busy = processor_time().saturating_sub(before).as_secs_f64() / (seconds + 2) as f64;
    pipeline.set_state(gst::State::Null).expect("it stops");
    let (pushed, arrived) = (pushed.lock().expect("no panic"), server.sound.lock().expect("no panic"));
    let begin = pushed.first().expect("sound").0 + Duration::from_secs(2);
    let mut arrivals = arrived.iter().peekable();
    let mut times: Vec<Duration> = Vec::new();
    for (at, bytes) in pushed.iter() {
        while arrivals.next_if(|(_, there)| there < bytes).is_some() {}
        // The last ones were still on their way when it was stopped.
        let Some((there, _)) = arrivals.peek() else { break };
        if *at >= begin {
            times.push(there.saturating_duration_since(*at));
        }
    }
    times.sort();
    let part = |part: usize| times[(times.len() - 1) * part / 1000].as_secs_f64() * 1e3;
    println!(
        "{name:16} {} buffers: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms; {} pictures; {:.0} % of a core",
        times.len(),
        part(500),
        part(990),
        part(999),
        part(1000),
        server.pictures.load(Ordering::Relaxed),
        busy * 100.0
    );
}

/// Thirty frames a second, each when its time has come.
fn run_camera(pipeline: &gst::Pipeline, camera: &gst::Pad, photo: &[u8], ends: &AtomicBool) {
    begin(camera);
    let began = Instant::now();
    for number in 0u64.. {
        std::thread::sleep((began + Duration::from_micros(number * 33_333)).saturating_duration_since(Instant::now()));
        let at = pipeline.current_running_time().unwrap_or_default();
        if ends.load(Ordering::Relaxed) || camera.push(frame(photo, number, at)).is_err() {
            return;
        }
    }
}

/// What the process holds while so many seconds of frames go through it, as fast as they are taken.
fn memory(seconds: u64) {
    let server = Server::default();
    let pipeline = pipeline(&format!(
        "openairealtime name=ai timing=offline uri=ws://{}/v1 frame-interval=1000000000 ! fakesink",
        server.start()
    ));
    let (camera, photo) = (camera(&pipeline), photo("jpegenc quality=90"));
    pipeline.set_state(gst::State::Playing).expect("it plays");
    begin(&camera);
    let began = Instant::now();
    for number in 0..seconds * 30 {
        camera.push(frame(&photo, number, gst::ClockTime::from_useconds(number * 1_000_000 / 30))).expect("taken");
        if number % (seconds * 3) == seconds * 3 - 1 || number == 30 * 60 {
            println!(
                "{:5} frames, {:4} s of media after {:5.1} s: VmRSS {} kB, VmHWM {} kB, {} pictures",
                number + 1,
                (number + 1) / 30,
                began.elapsed().as_secs_f64(),
                status("VmRSS:"),
                status("VmHWM:"),
                server.pictures.load(Ordering::Relaxed)
            );
        }
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
}

/// A number of kilobytes in what the system says of this process.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// How long processors were busy with this process, in steps of 10 ms.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    Duration::from_millis(fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10)
}

/// How long a decision about a frame takes, with and without a look at it.
fn look() {
    for (name, encoder, media_type) in [("JPEG", "jpegenc quality=90", "image/jpeg")] {
        let file = photo(encoder);
        for dedupe in [Dedupe::Exact, Dedupe::Similar(0.05)] {
            let detection = Detection::Server { silence: Duration::from_millis(200) };
            let (mut conversation, now) = conversation(detection, FrameConfig { dedupe, ..FrameConfig::default() });
            let mut times: Vec<Duration> = (0..100u64)
                .map(|number| {
                    let frame = Frame {
                        pad: Some("camera".into()),
                        file: Bytes::from([&file, &number.to_be_bytes()[..]].concat()),
                        media_type,
                        at: Duration::from_secs(number * 2),
                        interval: None,
                        detail: None,
                        prompt: None,
                    };
                    let began = Instant::now();
                    conversation.handle(Input::Frame(Box::new(frame)), now);
                    let took = began.elapsed();
                    while conversation.poll().is_some() {}
                    took
                })
                .collect();
            times.sort();
            let (median, most) = (times[50].as_secs_f64() * 1e3, times[99].as_secs_f64() * 1e3);
            println!("{name} of {} bytes, {dedupe:?}: median {median:.2} ms, max {most:.2} ms", file.len());
        }
    }
}

fn main() {
    gst::init().expect("GStreamer");
    gstopenairealtime::plugin_register_static().expect("the plugin");
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let seconds = |otherwise| arguments.get(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(otherwise);
    match arguments.first().map(String::as_str) {
        Some("latency") => latency(seconds(60)),
        Some("memory") => memory(seconds(3_600)),
        Some("look") => look(),
        _ => {
            latency(seconds(5));
            memory(120);
            look();
        }
    }
}
