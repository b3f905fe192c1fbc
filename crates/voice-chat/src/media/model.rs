// SPDX-License-Identifier: MPL-2.0

//! The pipeline with the element `openairealtime`: audio and pictures of the visitor in by `appsrc`, the model's voice out
//! by `appsink`. The same for every transport.

use super::{SAMPLE_RATE, SharedClock, audio_caps, in_running_time};
use gst::prelude::*;
use std::path::PathBuf;

/// How far the peer's timestamps may be from what was counted.
const ALIGNMENT_THRESHOLD: gst::ClockTime = gst::ClockTime::from_mseconds(250);

/// How a session begins.
#[derive(Clone, Debug, Default)]
pub struct ModelConfig {
    /// The server of the Realtime API; `None` as the environment says.
    pub upstream: Option<String>,
    /// The model; `None` is the element's default.
    pub model: Option<String>,
    /// Where the key is; `None` as the environment says.
    pub api_key_file: Option<PathBuf>,
    /// The session's settings as JSON.
    pub session: Option<String>,
    /// US dollars; `None` is no limit.
    pub max_cost: Option<f64>,
}

/// Audio of the model: a few milliseconds of speech or of silence.
#[derive(Debug)]
pub struct Voice {
    /// S16LE, mono, 24 kHz; its timestamp is a running time.
    pub buffer: gst::Buffer,
    /// Nobody speaks.
    pub is_silence: bool,
}

impl Voice {
    /// Samples in the buffer.
    pub fn samples(&self) -> u64 {
        (self.buffer.size() / 2) as u64
    }
}

/// The pipeline. [`Model::stop`] ends it; dropping it does so too, on whatever thread that is.
#[derive(Debug)]
pub struct Model {
    pipeline: gst::Pipeline,
    element: gst::Element,
    microphone: gst_app::AppSrc,
    camera: gst_app::AppSrc,
    clock: SharedClock,
}

impl Model {
    /// Builds the pipeline. `on_voice` is called on a streaming thread, in time, and must not block.
    pub fn new(
        config: &ModelConfig,
        clock: &SharedClock,
        mut on_voice: impl FnMut(Voice) + Send + 'static,
    ) -> Result<Self, gst::glib::BoolError> {
        let pipeline = gst::Pipeline::new();
        clock.apply(&pipeline);
        let microphone = live_source(audio_caps());
        let camera = live_source(gst::Caps::new_empty_simple("image/jpeg"));
        let element = gst::ElementFactory::make("openairealtime").name("model").build()?;
        // Behind it is a network: a flush would only tear holes into RTP.
        element.set_property("flush-on-interrupt", false);
        element.set_property("raw-events", true);
        // The jitter buffer finds the peer's clock within the first seconds, and its timestamps move until then.
        element.set_property("alignment-threshold", ALIGNMENT_THRESHOLD);
        element.set_property_from_str("timing", "live");
        element.set_property_from_str("frame-policy", "turn");
        set_unless_none(&element, "uri", config.upstream.as_ref());
        set_unless_none(&element, "model", config.model.as_ref());
        set_unless_none(&element, "session", config.session.as_ref());
        if let Some(path) = &config.api_key_file {
            element.set_property("api-key-file", path.to_string_lossy().as_ref());
        }
        if let Some(cost) = config.max_cost {
            element.set_property("max-cost", cost);
        }
        let callbacks = gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                if let Some(buffer) = in_running_time(&sample) {
                    let is_silence = buffer.flags().contains(gst::BufferFlags::GAP);
                    on_voice(Voice { buffer, is_silence });
                }
                Ok(gst::FlowSuccess::Ok)
            })
            .build();
        // The element keeps the pace, a little ahead of the clock; a second wait would use up that lead.
        let voice = gst_app::AppSink::builder().caps(&audio_caps()).sync(false).callbacks(callbacks).build();
        pipeline.add_many([microphone.upcast_ref(), camera.upcast_ref(), &element, voice.upcast_ref()])?;
        gst::Element::link_many([microphone.upcast_ref(), &element, voice.upcast_ref()])?;
        camera.link_pads(Some("src"), &element, Some("video_sink_0"))?;
        Ok(Self { pipeline, element, microphone, camera, clock: clock.clone() })
    }

    /// Messages of the pipeline, in order.
    pub fn messages(&self) -> impl futures_util::Stream<Item = gst::Message> + Send + Unpin + use<> {
        let bus = self.pipeline.bus().unwrap_or_else(|| unreachable!("every pipeline has a bus"));
        bus.stream()
    }

    /// Starts the session. What is wrong with it is told by a message.
    pub fn start(&self) {
        // The bus tells why.
        let _ = self.pipeline.set_state(gst::State::Playing);
    }

    /// Ends the session; waits up to some 300 ms for the element's good-bye.
    pub fn stop(&self) {
        // To NULL is always possible.
        let _ = self.pipeline.set_state(gst::State::Null);
    }

    /// The pipeline's latency has changed.
    pub fn recalculate_latency(&self) {
        if let Err(error) = self.pipeline.recalculate_latency() {
            tracing::debug!("the latency of a session is not known: {error}");
        }
    }

    /// The visitor's audio goes on. Without a timestamp it is stamped with the time at which it comes.
    pub fn push_audio(&self, mut buffer: gst::Buffer) {
        if buffer.pts().is_none() {
            let duration =
                gst::ClockTime::from_useconds((buffer.size() as u64 / 2) * 1_000_000 / u64::from(SAMPLE_RATE));
            let begin = self.clock.running_time().saturating_sub(duration);
            let buffer = buffer.make_mut();
            buffer.set_pts(begin);
            buffer.set_duration(duration);
        }
        push(&self.microphone, buffer);
    }

    /// A picture of the visitor's camera, a JPEG file.
    pub fn push_frame(&self, mut buffer: gst::Buffer) {
        if buffer.pts().is_none() {
            buffer.make_mut().set_pts(self.clock.running_time());
        }
        push(&self.camera, buffer);
    }

    /// Where the visitor's audio goes; for the thread that decodes it.
    pub fn microphone(&self) -> gst_app::AppSrc {
        self.microphone.clone()
    }

    /// Where the camera's pictures go; for the thread that codes them.
    pub fn camera(&self) -> gst_app::AppSrc {
        self.camera.clone()
    }

    /// The newest picture is not shown any more: a camera that is off must not be looked through.
    pub fn forget_frames(&self) {
        self.camera.send_event(gst::event::FlushStart::new());
        self.camera.send_event(gst::event::FlushStop::builder(false).build());
    }

    /// The newest picture goes to the model now, without a turn of its own. `false`: there is no session for it.
    pub fn send_frame(&self) -> bool {
        self.element.emit_by_name::<bool>("send-frame", &[&None::<gst::Sample>])
    }

    /// A client event for the session. `false`: it is none that could be sent.
    pub fn send_event(&self, json: &str) -> bool {
        self.element.emit_by_name::<bool>("send-event", &[&json])
    }

    /// Stops the answer under way.
    pub fn cancel_response(&self) -> bool {
        self.element.emit_by_name::<bool>("cancel-response", &[])
    }

    /// Other settings. `false`: they are not ones of a session, and what was before them stands.
    pub fn set_session(&self, json: &str) -> bool {
        self.element.set_property("session", json);
        self.element.property::<Option<String>>("session").as_deref() == Some(json)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.stop();
    }
}

fn live_source(caps: gst::Caps) -> gst_app::AppSrc {
    let source = gst_app::AppSrc::builder().caps(&caps).format(gst::Format::Time).is_live(true).build();
    // It never blocks whoever pushes: the element takes what comes at once, and tells of what it has to drop.
    source.set_max_bytes(0);
    source
}

/// A source that is flushing or has ended takes nothing: then the visitor's end is under way.
pub fn push(source: &gst_app::AppSrc, buffer: gst::Buffer) {
    let _ = source.push_buffer(buffer);
}

fn set_unless_none(element: &gst::Element, name: &str, value: Option<&String>) {
    if let Some(value) = value {
        element.set_property(name, value);
    }
}
