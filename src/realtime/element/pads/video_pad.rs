// SPDX-License-Identifier: MPL-2.0

//! Type of the pads `video_sink_%u`, with properties that take precedence over those of the element.

use crate::media::frame::PadSettings;
use crate::realtime::element::FrameDetail;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

glib::wrapper! {
    /// A pad `video_sink_%u`.
    pub struct VideoPad(ObjectSubclass<PadImp>) @extends gst::Pad, gst::Object;
}

/// Properties that are set on the pad, in place of those of the element.
#[derive(Clone, Debug, Default)]
struct Overrides {
    interval: Option<u64>,
    detail: Option<FrameDetail>,
    prompt: Option<String>,
}

/// State of the pad's stream.
#[derive(Debug, Default)]
pub struct StreamState {
    /// Whether the pad synchronizes frames to the clock, because upstream does not; decided at the first frame.
    pub is_paced: Option<bool>,
    /// Running time of the next frame, if it has no timestamp.
    pub next: Duration,
    /// Running time of the last frame that a warning was posted about.
    pub warned: Option<Duration>,
    /// Number of skipped frames that no warning has mentioned.
    pub unreported: u64,
}

/// Implementation of the pad.
#[derive(Debug, Default, glib::Properties)]
#[properties(wrapper_type = VideoPad)]
pub struct PadImp {
    #[property(name = "interval", get = Self::interval, set = Self::set_interval, type = u64, default = 2_000_000_000, nick = "Interval",
        blurb = "Minimum interval in running time between frames of this pad that are sent (in nanoseconds, unset = frame-interval of the element)", mutable_playing)]
    #[property(name = "detail", get = Self::detail, set = Self::set_detail, type = FrameDetail, nick = "Detail",
        blurb = "Level of detail at which the model looks at frames of this pad (unset = frame-detail of the element)", mutable_playing, builder(FrameDetail::Auto))]
    #[property(name = "prompt", get = Self::prompt, set = Self::set_prompt, type = Option<String>, nick = "Prompt",
        blurb = "Text that is sent with each frame of this pad (unset = frame-prompt of the element)", mutable_playing)]
    overrides: Mutex<Overrides>,
    stream: Mutex<StreamState>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PadImp {
    /// State of the stream.
    pub fn stream(&self) -> MutexGuard<'_, StreamState> {
        lock(&self.stream)
    }

    /// What was set on the pad, for its frames.
    pub fn pad_settings(&self) -> PadSettings {
        let overrides = lock(&self.overrides).clone();
        PadSettings {
            pad: Some(self.obj().name().to_string()),
            interval: overrides.interval.map(Duration::from_nanos),
            detail: overrides.detail.map(Into::into),
            prompt: overrides.prompt,
        }
    }

    /// Running time of a frame without timestamp and duration, offline: an interval behind the one before, so that it is
    /// sent.
    pub fn next_time(&self) -> Duration {
        let interval = Duration::from_nanos(self.interval());
        let mut stream = self.stream();
        let at = stream.next;
        stream.next = at.saturating_add(interval);
        at
    }

    /// The property of the element that counts unless it is set on the pad.
    fn element_property<T: for<'a> glib::value::FromValue<'a> + 'static>(&self, name: &str) -> Option<T> {
        Some(self.obj().parent_element()?.property(name))
    }

    pub fn interval(&self) -> u64 {
        let own = lock(&self.overrides).interval;
        own.or_else(|| self.element_property("frame-interval")).unwrap_or(2_000_000_000)
    }

    fn set_interval(&self, interval: u64) {
        lock(&self.overrides).interval = Some(interval);
    }

    fn detail(&self) -> FrameDetail {
        let own = lock(&self.overrides).detail;
        own.or_else(|| self.element_property("frame-detail")).unwrap_or_default()
    }

    fn set_detail(&self, detail: FrameDetail) {
        lock(&self.overrides).detail = Some(detail);
    }

    fn prompt(&self) -> Option<String> {
        let own = lock(&self.overrides).prompt.clone();
        own.or_else(|| self.element_property::<Option<String>>("frame-prompt").flatten())
    }

    fn set_prompt(&self, prompt: Option<String>) {
        lock(&self.overrides).prompt = prompt;
    }
}

#[glib::object_subclass]
impl ObjectSubclass for PadImp {
    const NAME: &'static str = "GstOpenAIRealtimeVideoPad";
    type Type = VideoPad;
    type ParentType = gst::Pad;
}

#[glib::derived_properties]
impl ObjectImpl for PadImp {}
impl GstObjectImpl for PadImp {}
impl PadImpl for PadImp {}
