// SPDX-License-Identifier: MPL-2.0

//! A WebRTC client: a pipeline with `webrtcbin` that speaks a recording and listens.

use super::{Gateway, LIMIT};
use gst::prelude::*;
use gst_webrtc::{WebRTCDataChannel, WebRTCSessionDescription};
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// What a client sends.
#[derive(Clone, Copy, Default)]
pub struct Media {
    /// It speaks a recording; otherwise it is silent.
    pub speaks: bool,
    /// It speaks the recording every [`PERIOD`] for so long.
    pub speaks_for: Option<Duration>,
    /// A moving picture, VP8.
    pub camera: bool,
}

/// A client that has made its offer.
pub struct Client {
    /// `webrtcbin` of GStreamer 1.22 uses channels without a reference of its own, until the pipeline has ended.
    channel: WebRTCDataChannel,
    _notices: WebRTCDataChannel,
    pipeline: gst::Pipeline,
    web: gst::Element,
    /// `webrtcbin` of GStreamer 1.22 crashes later where this reference is given up during a call.
    _ice: gst::Object,
    events: mpsc::UnboundedReceiver<Value>,
    /// Samples that are no silence.
    pub heard: Arc<AtomicU64>,
    pub offer: String,
    /// The `Location` of its call.
    pub location: String,
}

/// From one sentence to the next.
pub const PERIOD: Duration = Duration::from_secs(10);

/// What the tests say to be heard as a turn.
fn recording() -> String {
    speech(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/media/goforward.wav"))
}

/// The recording with pauses, as a file of so many periods.
fn long_recording(time: Duration) -> String {
    let periods = time.as_secs() / PERIOD.as_secs();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("speech-{periods}.wav"));
    let file =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/media/goforward.wav")).expect("read");
    let (header, samples) = file.split_at(44);
    let mut period = samples.to_vec();
    period.resize(PERIOD.as_secs() as usize * 16_000 * 2, 0);
    let length = (period.len() * periods as usize) as u32;
    let mut long = header.to_vec();
    long[4..8].copy_from_slice(&(36 + length).to_le_bytes());
    long[40..44].copy_from_slice(&length.to_le_bytes());
    for _ in 0..periods {
        long.extend_from_slice(&period);
    }
    // Visitors that begin at once read the same file, so it is there as a whole or not.
    let part = path.with_extension(format!("{:?}", std::thread::current().id()));
    std::fs::write(&part, long).expect("written");
    std::fs::rename(&part, &path).expect("renamed");
    speech(&path)
}

fn speech(path: &Path) -> String {
    format!(
        "filesrc location={} ! wavparse ! audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=1 ! mix.",
        path.display()
    )
}

impl Client {
    /// Makes an offer.
    pub async fn new(media: Media) -> Self {
        gst::init().expect("GStreamer");
        let (speech, camera) = (
            match media.speaks_for {
                Some(time) => long_recording(time),
                None if media.speaks => recording(),
                None => String::new(),
            },
            if media.camera {
                "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=10/1 \
             ! vp8enc deadline=1 keyframe-max-dist=10 ! rtpvp8pay name=videopay pt=96 \
             ! application/x-rtp,media=video,encoding-name=VP8,payload=96 ! web."
            } else {
                ""
            },
        );
        let description = format!(
            "webrtcbin name=web bundle-policy=max-bundle \
             audiotestsrc is-live=true wave=silence samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=1 ! mix. \
             audiomixer name=mix ! opusenc ! rtpopuspay name=pay pt=111 \
             ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! web. {camera} {speech}"
        );
        let pipeline = gst::parse::launch(&description).expect("a pipeline");
        let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
        let web = pipeline.by_name("web").expect("webrtcbin");
        // Its service for UPnP listens on ports that other programs may take in the same moment, and warns then.
        let ice = web.property::<gst::Object>("ice-agent");
        let agent = ice.property::<gst::glib::Object>("agent");
        agent.set_property("upnp", false);
        let (negotiation, mut needed) = mpsc::unbounded_channel();
        web.connect("on-negotiation-needed", false, move |_| {
            let _ = negotiation.send(());
            None
        });
        let heard = Arc::new(AtomicU64::new(0));
        listen(&web, &heard);
        pipeline.set_state(gst::State::Playing).expect("the client plays");
        let (sender, events) = mpsc::unbounded_channel();
        let channel = open_channel(&web, "oai-events", &sender);
        let notices = open_channel(&web, "voice-chat", &sender);
        within("negotiation", needed.recv()).await.expect("a need");
        for pay in ["pay", "videopay"] {
            wait_for_caps(&pipeline, pay).await;
        }
        let (promise, reply) = gst::Promise::new_future();
        web.emit_by_name::<()>("create-offer", &[&None::<gst::Structure>, &promise]);
        let reply = within("an offer", reply).await.expect("a reply").expect("an offer");
        let offer = reply.get::<WebRTCSessionDescription>("offer").expect("an offer");
        let (promise, reply) = gst::Promise::new_future();
        web.emit_by_name::<()>("set-local-description", &[&offer, &promise]);
        within("the offer", reply).await.expect("it is set");
        let offer = offer.sdp().as_text().expect("text");
        Self { channel, _notices: notices, pipeline, web, _ice: ice, events, heard, offer, location: String::new() }
    }

    /// Makes an offer and connects with it.
    pub async fn connect(gateway: &Gateway, media: Media) -> Self {
        let mut client = Self::new(media).await;
        let response = gateway.post("/v1/realtime/calls", "application/sdp", &client.offer).await;
        assert_eq!(response.status, 201, "{response:?}");
        assert_eq!(response.header("Content-Type"), Some("application/sdp"));
        client.location = response.header("Location").expect("a location").to_owned();
        client.take_answer(&response.body).await;
        client
    }

    /// Goes on with an answer.
    pub async fn take_answer(&self, answer: &str) {
        let sdp = gst_sdp::SDPMessage::parse_buffer(answer.as_bytes()).expect("an answer");
        let answer = WebRTCSessionDescription::new(gst_webrtc::WebRTCSDPType::Answer, sdp);
        let (promise, reply) = gst::Promise::new_future();
        self.web.emit_by_name::<()>("set-remote-description", &[&answer, &promise]);
        within("the answer", reply).await.expect("it is set");
    }

    /// Sends an event.
    pub fn send(&self, event: &Value) {
        self.send_text(&event.to_string());
    }

    /// Sends a text.
    pub fn send_text(&self, text: &str) {
        self.channel.send_string_full(Some(text)).expect("the channel takes it");
    }

    /// The next event.
    pub async fn next(&mut self) -> Value {
        self.events.recv().await.expect("an open channel")
    }

    /// Ends the visit, as a page does that is closed.
    pub fn close_channel(&self) {
        self.channel.close();
    }

    /// Waits for an event of this type; those before it are let pass.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let mut passed = Vec::new();
        let found = async {
            loop {
                let event = self.events.recv().await.expect("an open channel");
                if event["type"] == kind {
                    return event;
                }
                passed.push(event.to_string());
            }
        };
        match tokio::time::timeout(LIMIT, found).await {
            Ok(event) => event,
            Err(_) => panic!("no {kind}, but:\n{}", passed.join("\n")),
        }
    }

    /// Waits for the last word and the close. The word comes in the API's form and in the gateway's own: each has a
    /// channel, and `webrtcbin` as the receiver may drop what comes right before the close of one.
    pub async fn expect_end(&mut self, reason: &str) {
        let (mut found, mut is_closed) = (Value::Null, false);
        let end = async {
            while found.is_null() || !is_closed {
                let event = self.events.recv().await.expect("an open channel");
                match event["type"].as_str() {
                    Some("error") => found = event["error"]["code"].clone(),
                    Some("voice_chat.ended") => found = event["reason"].clone(),
                    Some("test.closed") => is_closed = true,
                    _ => {}
                }
            }
        };
        within("the end", end).await;
        assert_eq!(found, reason);
    }

    /// Waits until a channel was closed by the other side.
    pub async fn expect_closed(&mut self) {
        self.expect("test.closed").await;
    }

    /// Waits until so many samples of speech were heard.
    pub async fn expect_speech(&self, samples: u64) {
        let heard = async {
            while self.heard.load(Ordering::Relaxed) < samples {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let heard = tokio::time::timeout(LIMIT, heard).await;
        heard.unwrap_or_else(|_| panic!("only {} samples were heard", self.heard.load(Ordering::Relaxed)));
    }

    /// Is gone, without a word to anybody: its sockets are closed.
    pub async fn vanish(self) {
        let pipeline = self.pipeline.clone();
        tokio::task::spawn_blocking(move || pipeline.set_state(gst::State::Null)).await.expect("ended").expect("ended");
    }

    /// The channel is closed first, as a page does; that ends the visit.
    pub async fn hang_up(self, gateway: &Gateway) {
        self.close_channel();
        gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
        self.vanish().await;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Waits with a bound for the case that it hangs.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("{what} took too long"))
}

fn open_channel(web: &gst::Element, label: &str, sender: &mpsc::UnboundedSender<Value>) -> WebRTCDataChannel {
    let channel = web.emit_by_name::<WebRTCDataChannel>("create-data-channel", &[&label, &None::<gst::Structure>]);
    let events = sender.clone();
    channel.connect_on_message_string(move |_, text| {
        let event = serde_json::from_str(text.unwrap_or_default()).expect("an event is JSON");
        let _ = events.send(event);
    });
    if label == "oai-events" {
        for (kind, is_open) in [("test.open", true), ("test.closed", false)] {
            let events = sender.clone();
            let tell = move |_: &WebRTCDataChannel| {
                let _ = events.send(serde_json::json!({"type": kind}));
            };
            if is_open {
                channel.connect_on_open(tell)
            } else {
                channel.connect_on_close(tell)
            };
        }
    }
    channel
}

async fn wait_for_caps(pipeline: &gst::Pipeline, name: &str) {
    let Some(pad) = pipeline.by_name(name).and_then(|pay| pay.static_pad("src")) else { return };
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let id = pad.connect_caps_notify(move |_| {
        let _ = sender.send(());
    });
    while !pad.current_caps().is_some_and(|caps| caps.structure(0).is_some_and(|caps| caps.has_field("ssrc"))) {
        within("caps", receiver.recv()).await.expect("caps");
    }
    pad.disconnect(id);
}

fn listen(web: &gst::Element, heard: &Arc<AtomicU64>) {
    let heard = heard.clone();
    let linked = Mutex::new(false);
    web.connect_pad_added(move |web, pad| {
        let mut linked = linked.lock().expect("no panic before");
        if pad.direction() != gst::PadDirection::Src || std::mem::replace(&mut *linked, true) {
            return;
        }
        let description = "rtpopusdepay ! opusdec ! audioconvert ! audioresample \
            ! audio/x-raw,format=S16LE,rate=24000,channels=1 ! fakesink name=out signal-handoffs=true sync=false async=false";
        let bin = gst::parse::bin_from_description(description, true).expect("a bin");
        let heard = heard.clone();
        bin.by_name("out").expect("it is there").connect("handoff", false, move |values| {
            let buffer = values[1].get::<gst::Buffer>().expect("a buffer");
            let samples = buffer.map_readable().expect("samples");
            let loud = samples.chunks_exact(2).filter(|bytes| i16::from_le_bytes([bytes[0], bytes[1]]).unsigned_abs() > 500);
            heard.fetch_add(loud.count() as u64, Ordering::Relaxed);
            None
        });
        let pipeline = web.parent().and_then(|parent| parent.downcast::<gst::Bin>().ok()).expect("a pipeline");
        pipeline.add(&bin).expect("it is added");
        bin.sync_state_with_parent().expect("it plays");
        pad.link(&bin.static_pad("sink").expect("a pad")).expect("it is linked");
    });
}
