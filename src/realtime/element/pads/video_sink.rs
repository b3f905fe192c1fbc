// SPDX-License-Identifier: MPL-2.0

//! The pads `video_sink_%u`: what cameras see, on its way into the mailbox.
//!
//! A frame is looked through before it is taken, so that what is broken or too large is told with the pad's name and
//! goes no further. The buffer itself is handed on, not a copy of it (but for JPEGs that lack their Huffman tables): of each pad the session keeps one, the newest,
//! while another may be on its way.

use crate::error::Warning;
use crate::image::check as picture;
use crate::image::huffman;
use crate::realtime::conversation::io::{FrameEvent, FrameState};
use crate::realtime::conversation::{Command, Event, Input};
use crate::realtime::element::FrameDetail;
use crate::realtime::element::imp::{CAT, OpenAIRealtime};
use crate::realtime::element::pads::ends_when_unlinked;
use crate::realtime::element::run::Run;
use crate::types::Frame;
use bytes::Bytes;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Warnings about frames of one pad are not repeated sooner, on the timeline.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

glib::wrapper! {
    /// A pad for a camera.
    pub struct VideoPad(ObjectSubclass<PadImp>) @extends gst::Pad, gst::Object;
}

/// What differs on this pad from what the element's properties say.
#[derive(Clone, Debug, Default)]
struct Own {
    interval: Option<u64>,
    detail: Option<FrameDetail>,
    prompt: Option<String>,
}

/// What the pad's streaming thread knows.
#[derive(Debug, Default)]
struct Seen {
    /// Frames keep step with the clock here, because upstream does not.
    is_paced: Option<bool>,
    /// Where the next frame is that has no timestamp.
    next: Duration,
    warned: Option<Duration>,
    /// Faulty frames that no warning has told of.
    untold: u64,
}

/// A pad for a camera.
#[derive(Debug, Default, glib::Properties)]
#[properties(wrapper_type = VideoPad)]
pub struct PadImp {
    #[property(name = "interval", get = Self::interval, set = Self::set_interval, type = u64, default = 2_000_000_000, nick = "Interval",
        blurb = "Minimum interval in running time between frames of this pad that are sent (in nanoseconds, unset = frame-interval of the element)", mutable_playing)]
    #[property(name = "detail", get = Self::detail, set = Self::set_detail, type = FrameDetail, nick = "Detail",
        blurb = "Level of detail at which the model looks at frames of this pad (unset = frame-detail of the element)", mutable_playing, builder(FrameDetail::Auto))]
    #[property(name = "prompt", get = Self::prompt, set = Self::set_prompt, type = Option<String>, nick = "Prompt",
        blurb = "Text that is sent with each frame of this pad (unset = frame-prompt of the element)", mutable_playing)]
    own: Mutex<Own>,
    seen: Mutex<Seen>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PadImp {
    /// Where a frame stands of which nothing is known, offline: an interval behind the one before, so that it is seen.
    fn next_place(&self) -> Duration {
        let interval = Duration::from_nanos(self.interval());
        let mut seen = lock(&self.seen);
        let at = seen.next;
        seen.next = at.saturating_add(interval);
        at
    }

    /// A property of the element, which counts where the pad has none of its own.
    fn element_property<T: for<'a> glib::value::FromValue<'a> + 'static>(&self, name: &str) -> Option<T> {
        Some(self.obj().parent_element()?.property(name))
    }

    fn interval(&self) -> u64 {
        let own = lock(&self.own).interval;
        own.or_else(|| self.element_property("frame-interval")).unwrap_or(2_000_000_000)
    }

    fn set_interval(&self, interval: u64) {
        lock(&self.own).interval = Some(interval);
    }

    fn detail(&self) -> FrameDetail {
        let own = lock(&self.own).detail;
        own.or_else(|| self.element_property("frame-detail")).unwrap_or_default()
    }

    fn set_detail(&self, detail: FrameDetail) {
        lock(&self.own).detail = Some(detail);
    }

    fn prompt(&self) -> Option<String> {
        let own = lock(&self.own).prompt.clone();
        own.or_else(|| self.element_property::<Option<String>>("frame-prompt").flatten())
    }

    fn set_prompt(&self, prompt: Option<String>) {
        lock(&self.own).prompt = prompt;
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

impl OpenAIRealtime {
    /// Makes a pad for a camera.
    pub(crate) fn make_video_pad(&self, template: &gst::PadTemplate, name: &str) -> gst::Pad {
        let pad = gst::PadBuilder::<VideoPad>::from_template(template)
            .name(name)
            .chain_function(|pad, parent, buffer| {
                Self::in_pad(parent, || Err(gst::FlowError::Error), |this| this.video_chain(pad, buffer))
            })
            .event_function(|pad, parent, event| Self::in_pad(parent, || false, |this| this.video_event(pad, event)))
            .query_function(|pad, parent, query| {
                Self::in_pad(parent, || false, |this| this.sink_query(pad.upcast_ref(), query))
            })
            .build();
        ends_when_unlinked(pad.upcast_ref());
        pad.upcast()
    }

    fn video_chain(&self, pad: &VideoPad, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let run = self.run().ok_or(gst::FlowError::Flushing)?;
        self.begin_if_known(&run, true);
        let name = pad.name().to_string();
        let (at, end) = match self.place_of(pad, &buffer) {
            Some(place) => place,
            None => {
                // Where it stands is not known, so nobody can wait for it.
                run.input_queue.open(&name, false);
                (run.pace.now().unwrap_or_else(|| pad.imp().next_place()), Duration::ZERO)
            }
        };
        let known = lock(&pad.imp().seen).is_paced;
        let is_paced = known.unwrap_or_else(|| run.is_live() && self.pad_is_live(pad.upcast_ref()) == Some(false));
        lock(&pad.imp().seen).is_paced = Some(is_paced);
        if is_paced {
            run.pace_of(&name).wait_until_reached(at).map_err(|_| gst::FlowError::Flushing)?;
        }
        match self.frame(Some(pad), buffer, at) {
            Ok(frame) => {
                run.input_queue.push_frame(&name, frame).map_err(|refused| run.flow_of(refused))?;
            }
            Err(fault) => self.skip(&run, pad, at, fault),
        }
        run.input_queue.advance(&name, end);
        run.source.flow()
    }

    /// From where to where a frame is on the timeline: by its timestamp, or where it has none, behind the one before it
    /// if it is known how long frames last.
    fn place_of(&self, pad: &VideoPad, buffer: &gst::Buffer) -> Option<(Duration, Duration)> {
        let length = buffer.duration().map(Duration::from).or_else(|| frame_length(pad));
        let stamped = self.running_time_of(pad.upcast_ref(), buffer.pts());
        let interval = pad.imp().interval();
        let mut seen = lock(&pad.imp().seen);
        let at = match stamped {
            Some(at) => at,
            None if length.is_some() => seen.next,
            None => return None,
        };
        seen.next = at.saturating_add(length.unwrap_or(Duration::from_nanos(interval)));
        Some((at, at.saturating_add(length.unwrap_or_default())))
    }

    /// Makes a frame of a buffer, which is not copied.
    fn frame(&self, pad: Option<&VideoPad>, buffer: gst::Buffer, at: Duration) -> Result<Frame, Fault> {
        let size = buffer.size();
        let limit = self.settings().max_frame_size as usize;
        let fault = |code, why| Fault { code, why, size };
        if size > limit {
            let why = format!(
                "it has {size} bytes, and max-frame-size is {limit}: scale it down (videoscale), or lower its quality"
            );
            return Err(fault("frame-too-large", why));
        }
        let buffer = buffer
            .into_mapped_buffer_readable()
            .map_err(|_| fault("frame-broken", "its buffer cannot be read".into()))?;
        let picture = picture::inspect(&buffer).map_err(|why| {
            let hint = if pad.is_some() { why.hint() } else { "" };
            fault("frame-broken", format!("{why}{hint}"))
        })?;
        let is_jpeg = picture.kind == picture::Kind::Jpeg;
        let mended = is_jpeg.then(|| huffman::with_tables(&buffer)).flatten();
        let own = pad.map(|pad| lock(&pad.imp().own).clone()).unwrap_or_default();
        Ok(Frame {
            pad: pad.map(|pad| pad.name().to_string()),
            file: mended.map_or_else(|| Bytes::from_owner(buffer), Bytes::from),
            media_type: picture.kind.media_type(),
            at,
            interval: own.interval.map(Duration::from_nanos),
            detail: own.detail.map(Into::into),
            prompt: own.prompt,
        })
    }

    /// A frame is no good. The stream goes on.
    fn skip(&self, run: &Arc<Run>, pad: &VideoPad, at: Duration, fault: Fault) {
        let name = pad.name().to_string();
        gst::info!(CAT, obj = pad, "frame at {at:?} skipped: {}", fault.why);
        let message = {
            let mut seen = lock(&pad.imp().seen);
            let is_soon = seen.warned.is_some_and(|warned| at >= warned && at < warned + WARNING_INTERVAL);
            seen.untold += u64::from(is_soon);
            (!is_soon).then(|| {
                seen.warned = Some(at);
                match std::mem::take(&mut seen.untold) {
                    0 => format!("{name}: a frame is skipped: {}", fault.why),
                    more => format!("{name}: {more} frames and another one are skipped: {}", fault.why),
                }
            })
        };
        if let Some(message) = message {
            run.post_event(&Event::Warning(Warning::new(fault.code, message)));
        }
        run.post_event(&Event::Frame(FrameEvent {
            state: FrameState::Skipped { reason: fault.reason() },
            pad: Some(name),
            item_id: None,
            at: Some(at),
            size: fault.size,
        }));
    }

    fn video_event(&self, pad: &VideoPad, event: gst::Event) -> bool {
        match event.type_() {
            gst::EventType::StreamStart => lock(&pad.imp().seen).is_paced = None,
            gst::EventType::FlushStop => {
                // What was seen before the seek is of no interest any more.
                self.run().inspect(|run| run.input_queue.push(Input::Unplugged(pad.name().into())));
                *lock(&pad.imp().seen) = Seen::default();
            }
            _ => {}
        }
        self.queue_pad_event(pad.upcast_ref(), event, true)
    }

    /// A picture of an application's own, or without one what each camera sees.
    pub(crate) fn send_frame(&self, sample: Option<gst::Sample>) -> bool {
        let Some(run) = self.run() else { return self.not_taken("the element is not in PAUSED or PLAYING") };
        let Some(sample) = sample else { return self.command(Command::SendFrame(None)) };
        let Some(buffer) = sample.buffer_owned() else { return self.not_taken("send-frame: the sample is empty") };
        let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
        let at = segment.zip(buffer.pts()).and_then(|(segment, pts)| segment.to_running_time(pts));
        let at = at.map(Duration::from).or_else(|| run.pace.now()).unwrap_or_default();
        match self.frame(None, buffer, at) {
            Ok(frame) => self.command(Command::SendFrame(Some(Box::new(frame)))),
            Err(fault) => self.not_taken(&format!("send-frame: {}", fault.why)),
        }
    }
}

/// How long a frame of a pad is by the rate in its caps.
fn frame_length(pad: &VideoPad) -> Option<Duration> {
    let rate = pad.current_caps()?.structure(0)?.get::<gst::Fraction>("framerate").ok()?;
    let (frames, seconds) = (u32::try_from(rate.numer()).ok()?, u32::try_from(rate.denom()).ok()?);
    Duration::from_secs(1).checked_mul(seconds)?.checked_div(frames)
}

/// Why a frame is not taken.
struct Fault {
    code: &'static str,
    why: String,
    size: usize,
}

impl Fault {
    fn reason(&self) -> &'static str {
        self.code.trim_start_matches("frame-")
    }
}
