// SPDX-License-Identifier: MPL-2.0

//! The pipelines of a visitor. Each visitor has two: [`peer`] with `webrtcbin`, codecs and payloaders, and [`model`] with
//! the element `openairealtime`. They are apart because a pipeline that leads from `webrtcbin` back into it has a loop,
//! whose state changes wait for each other. Buffers go from one to the other with their running times: both run by the
//! same clock from the same base time.

pub mod model;
pub mod offer;
pub mod peer;
mod received;

use gst::prelude::*;

/// Samples per second of the audio between the pipelines, which is what the Realtime API speaks.
pub const SAMPLE_RATE: u32 = 24_000;

/// Raw audio between the pipelines.
pub fn audio_caps() -> gst::Caps {
    gst::Caps::builder("audio/x-raw")
        .field("format", "S16LE")
        .field("rate", SAMPLE_RATE as i32)
        .field("channels", 1)
        .field("layout", "interleaved")
        .build()
}

/// What two pipelines have in common so that a running time means the same in both.
#[derive(Clone, Debug)]
pub struct SharedClock {
    clock: gst::Clock,
    base_time: gst::ClockTime,
}

impl SharedClock {
    /// The system's clock, from now on.
    pub fn new() -> Self {
        let clock = gst::SystemClock::obtain();
        let base_time = clock.time();
        Self { clock, base_time }
    }

    /// Lets a pipeline run by this clock.
    pub fn apply(&self, pipeline: &gst::Pipeline) {
        pipeline.use_clock(Some(&self.clock));
        // None: the base time is not chosen anew when the pipeline goes to PLAYING.
        pipeline.set_start_time(gst::ClockTime::NONE);
        pipeline.set_base_time(self.base_time);
    }

    /// The running time now.
    pub fn running_time(&self) -> gst::ClockTime {
        self.clock.time().saturating_sub(self.base_time)
    }
}

impl Default for SharedClock {
    fn default() -> Self {
        Self::new()
    }
}

/// The buffer of a sample, with its running time in place of its timestamp: that is its timestamp in the other pipeline.
fn in_running_time(sample: &gst::Sample) -> Option<gst::Buffer> {
    let mut buffer = sample.buffer_owned()?;
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let running_time = buffer.pts().and_then(|pts| segment.to_running_time(pts));
    let buffer_mut = buffer.make_mut();
    buffer_mut.set_pts(running_time);
    buffer_mut.set_dts(gst::ClockTime::NONE);
    Some(buffer)
}

/// The elements that are used, and the Debian packages that they are in.
const ELEMENTS: &[(&str, &str)] = &[
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("opusdec", "gstreamer1.0-plugins-base"),
    ("opusenc", "gstreamer1.0-plugins-base"),
    ("videorate", "gstreamer1.0-plugins-base"),
    ("rtpopuspay", "gstreamer1.0-plugins-good"),
    ("rtpbin", "gstreamer1.0-plugins-good"),
    ("vp8dec", "gstreamer1.0-plugins-good"),
    ("jpegenc", "gstreamer1.0-plugins-good"),
    ("webrtcbin", "gstreamer1.0-plugins-bad"),
    ("dtlssrtpdec", "gstreamer1.0-plugins-bad"),
    ("sctpdec", "gstreamer1.0-plugins-bad"),
    ("nicesrc", "gstreamer1.0-nice"),
];

/// Initializes GStreamer and the element; an error names what is not installed.
pub fn init() -> anyhow::Result<()> {
    gst::init()?;
    gstopenairealtime::plugin_register_static()?;
    let missing: Vec<_> = ELEMENTS.iter().filter(|(name, _)| gst::ElementFactory::find(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
    let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    anyhow::bail!(
        "these GStreamer elements are missing: {}; install them, for example: apt-get install {}",
        names.join(", "),
        packages.join(" ")
    )
}
