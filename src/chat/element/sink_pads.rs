// SPDX-License-Identifier: MPL-2.0

//! The sink pads: audio, pictures and text on their way into the input queue, with their running times.

use crate::chat::conversation::io::{AudioCoding, Event, Input};
use crate::chat::element::imp::{CAT, OpenAIChat};
use crate::chat::element::run::Run;
use crate::chat::session::input_queue::PushError;
use crate::error::Warning;
use crate::image::check;
use crate::image::huffman;
use crate::media::segment::{self, Segment};
use crate::types::{AudioChunk, Frame};
use bytes::Bytes;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Warnings about frames of one pad are not repeated sooner, on the timeline.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Where a picture without a timestamp stands behind the one before it, when nothing says how long it lasts.
const UNTIMED_STEP: Duration = Duration::from_secs(1);

/// What is known of one sink pad's stream.
#[derive(Debug, Default)]
struct PadState {
    segment: Segment,
    coding: Option<AudioCoding>,
    /// Where the next picture stands that has no timestamp.
    next: Duration,
    /// Where the last frame was that a warning told of, and how many broken ones came since.
    warned: Option<Duration>,
    untold: u64,
    ended: bool,
}

/// What is known of all sink pads' streams.
#[derive(Debug, Default)]
pub struct SinkState {
    pads: HashMap<String, PadState>,
}

impl SinkState {
    fn pad(&mut self, name: &str) -> &mut PadState {
        self.pads.entry(name.to_owned()).or_default()
    }

    /// A pad is gone.
    pub fn remove(&mut self, name: &str) {
        self.pads.remove(name);
    }

    /// Whether any pad is at its end.
    pub fn any_ended(&self) -> bool {
        self.pads.values().any(|pad| pad.ended)
    }

    fn has_ended(&self, name: &str) -> bool {
        self.pads.get(name).is_some_and(|pad| pad.ended)
    }
}

/// What upstream is told where nothing is taken.
fn flow_of(run: &Run, error: PushError) -> gst::FlowError {
    match error {
        PushError::Closed => run.closed_flow(),
        PushError::Flushing | PushError::Full => gst::FlowError::Flushing,
    }
}

fn is_audio(pad: &gst::Pad) -> bool {
    pad.name() == crate::chat::conversation::AUDIO_PAD
}

/// How long a picture lasts by the rate in the pad's caps.
fn frame_length(pad: &gst::Pad) -> Option<Duration> {
    let rate = pad.current_caps()?.structure(0)?.get::<gst::Fraction>("framerate").ok()?;
    let (frames, seconds) = (u32::try_from(rate.numer()).ok()?, u32::try_from(rate.denom()).ok()?);
    Duration::from_secs(1).checked_mul(seconds)?.checked_div(frames)
}

impl OpenAIChat {
    /// The running time of a timestamp on a pad; `None` where its segment is not one of time.
    fn running_time(&self, pad: &gst::Pad, stamp: Option<gst::ClockTime>) -> Option<Duration> {
        let mut sink = self.sink();
        let Segment::Time(segment) = &sink.pad(&pad.name()).segment else { return None };
        segment.to_running_time(stamp?).map(Duration::from)
    }

    pub(crate) fn audio_chain(&self, pad: &gst::Pad, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let run = self.run().ok_or(gst::FlowError::Flushing)?;
        self.begin(&run);
        let (segment, coding) = {
            let mut sink = self.sink();
            let state = sink.pad(&pad.name());
            match &state.segment {
                Segment::Time(segment) => (segment.clone(), state.coding),
                Segment::Invalid => return Err(gst::FlowError::Error),
                Segment::None => (gst::FormattedSegment::new(), state.coding),
            }
        };
        let Some(coding) = coding else {
            gst::element_imp_error!(self, gst::StreamError::Format, ["Audio came without caps before it"]);
            return Err(gst::FlowError::NotNegotiated);
        };
        let clipped = match coding {
            AudioCoding::Pcm(rate) if buffer.pts().is_some() && buffer.size() > 0 => {
                gst_audio::audio_buffer_clip(buffer, segment.upcast_ref(), rate, 2)
            }
            _ => Some(buffer),
        };
        let Some(buffer) = clipped.filter(|buffer| buffer.size() > 0) else { return run.source.flow() };
        let at = segment.to_running_time(buffer.pts().or(buffer.dts())).map(Duration::from);
        let data = buffer.map_readable().map_err(|_| {
            gst::element_imp_error!(self, gst::ResourceError::Failed, ["A buffer cannot be read"]);
            gst::FlowError::Error
        })?;
        // What waits for its segment waits long, and buffers of a device or a pool are few: a copy gives them back.
        let data = Bytes::copy_from_slice(&data);
        let size = data.len();
        let input = Input::Audio(AudioChunk { data, at });
        run.input_queue.push(&pad.name(), input, size).map_err(|error| flow_of(&run, error))?;
        run.source.flow()
    }

    pub(crate) fn text_chain(&self, pad: &gst::Pad, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let run = self.run().ok_or(gst::FlowError::Flushing)?;
        self.begin(&run);
        let Ok(data) = buffer.map_readable() else {
            gst::element_imp_error!(self, gst::ResourceError::Failed, ["A buffer cannot be read"]);
            return Err(gst::FlowError::Error);
        };
        let text = match std::str::from_utf8(&data) {
            // A file of text may begin with a byte order mark.
            Ok(text) => text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']),
            Err(error) => {
                let message = format!("{}: a buffer that is no UTF-8 is left out: {error}", pad.name());
                self.warn(Warning::new("not-utf8", message));
                return run.source.flow();
            }
        };
        if text.trim().is_empty() {
            return run.source.flow();
        }
        let at = self.running_time(pad, buffer.pts());
        let input = Input::Text { text: text.to_owned(), at };
        run.input_queue.push(&pad.name(), input, 0).map_err(|error| flow_of(&run, error))?;
        if let Some(at) = at {
            run.input_queue.mark(&pad.name(), Input::PadReached(pad.name().into(), at));
        }
        run.source.flow()
    }

    pub(crate) fn video_chain(&self, pad: &gst::Pad, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let run = self.run().ok_or(gst::FlowError::Flushing)?;
        self.begin(&run);
        let name = pad.name();
        let length = buffer.duration().map(Duration::from).or_else(|| frame_length(pad));
        let stamped = self.running_time(pad, buffer.pts());
        let at = {
            let mut sink = self.sink();
            let state = sink.pad(&name);
            let at = stamped.unwrap_or(state.next);
            state.next = at.saturating_add(length.unwrap_or(UNTIMED_STEP));
            at
        };
        let size = buffer.size();
        match self.frame(pad, buffer, at) {
            Ok(frame) => {
                run.input_queue.push(&name, Input::Frame(frame), size).map_err(|error| flow_of(&run, error))?
            }
            Err(fault) => self.skip_frame(&run, &name, at, size, &fault),
        }
        let end = at.saturating_add(length.unwrap_or_default());
        run.input_queue.mark(&name, Input::PadReached(name.to_string(), end));
        run.source.flow()
    }

    /// A frame is no good. The stream goes on.
    fn skip_frame(&self, run: &Arc<Run>, pad: &str, at: Duration, size: usize, fault: &str) {
        let untold = {
            let mut sink = self.sink();
            let state = sink.pad(pad);
            let is_soon = state.warned.is_some_and(|warned| at >= warned && at < warned + WARNING_INTERVAL);
            state.untold += u64::from(is_soon);
            (!is_soon).then(|| {
                state.warned = Some(at);
                std::mem::take(&mut state.untold)
            })
        };
        if let Some(untold) = untold {
            let more = if untold == 0 { String::new() } else { format!(", as were {untold} before it") };
            let message = format!("{pad}: the frame at {at:.3?} is skipped{more}: {fault}");
            self.warn(Warning::new("frame-broken", message));
        }
        run.post_event(&Event::Frame { sent: None, pad: Some(pad.to_owned()), at, size });
    }

    /// Makes a picture of a buffer, which is not copied.
    fn frame(&self, pad: &gst::Pad, buffer: gst::Buffer, at: Duration) -> Result<Frame, String> {
        let (size, limit) = (buffer.size(), self.settings().max_frame_size as usize);
        if size > limit {
            return Err(format!(
                "it has {size} bytes, and max-frame-size is {limit}: scale it down (videoscale), or lower its quality"
            ));
        }
        let buffer = buffer.into_mapped_buffer_readable().map_err(|_| "its buffer cannot be read".to_owned())?;
        let picture = check::inspect(&buffer).map_err(|fault| format!("{fault}{}", fault.hint()))?;
        let mended = (picture.kind == check::Kind::Jpeg).then(|| huffman::with_tables(&buffer)).flatten();
        Ok(Frame {
            pad: Some(pad.name().to_string()),
            file: mended.map_or_else(|| Bytes::from_owner(buffer), Bytes::from),
            media_type: picture.kind.media_type(),
            at,
            interval: None,
            detail: None,
            prompt: None,
        })
    }

    pub(crate) fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "{event:?}");
        let name = pad.name().to_string();
        let run = self.run();
        match event.view() {
            gst::EventView::StreamStart(_) => {
                self.sink().pad(&name).ended = false;
                if let Some(run) = run {
                    // Text that has no times is not waited for, which its segment tells.
                    run.input_queue.mark(&name, Input::PadOpened { pad: name.clone(), waits: name != "text_sink" });
                }
                true
            }
            gst::EventView::Caps(event) => !is_audio(pad) || self.audio_caps(run, event.caps()),
            gst::EventView::Segment(event) => self.sink_segment(pad, run, event.segment()),
            gst::EventView::Gap(event) => {
                let (pts, duration) = event.get();
                let end = self.running_time(pad, Some(pts.saturating_add(duration.unwrap_or_default())));
                if let (Some(run), Some(end)) = (run, end) {
                    run.input_queue.mark(&name, Input::PadReached(name.clone(), end));
                }
                true
            }
            gst::EventView::Eos(_) => {
                let Some(run) = run else { return false };
                self.sink().pad(&name).ended = true;
                run.input_queue.mark(&name, Input::PadEnded(name.clone()));
                self.end_if_all_have();
                true
            }
            gst::EventView::FlushStart(_) => {
                if let Some(run) = run {
                    run.input_queue.set_flushing(&name, true);
                }
                true
            }
            gst::EventView::FlushStop(_) => {
                {
                    let mut sink = self.sink();
                    let state = sink.pad(&name);
                    (state.segment, state.next, state.ended) = (Segment::None, Duration::ZERO, false);
                }
                if let Some(run) = run {
                    run.input_queue.set_flushing(&name, false);
                    run.input_queue.mark(&name, Input::Flushed(name.clone()));
                }
                true
            }
            // What the input's streams say of themselves is not true of the answers.
            _ => true,
        }
    }

    fn audio_caps(&self, run: Option<Arc<Run>>, caps: &gst::CapsRef) -> bool {
        let Some(structure) = caps.structure(0) else { return false };
        let coding = match structure.name().as_str() {
            "audio/mpeg" => AudioCoding::Mp3,
            _ => match structure.get::<i32>("rate").ok().and_then(|rate| u32::try_from(rate).ok()) {
                Some(rate) => AudioCoding::Pcm(rate),
                None => return false,
            },
        };
        self.sink().pad(&self.audio_sink.name()).coding = Some(coding);
        if let Some(run) = run {
            self.begin(&run);
            run.input_queue.mark(&self.audio_sink.name(), Input::Format(coding));
        }
        true
    }

    fn sink_segment(&self, pad: &gst::Pad, run: Option<Arc<Run>>, segment: &gst::Segment) -> bool {
        let name = pad.name().to_string();
        let (segment, wrong) = match segment::validate(segment) {
            Ok(segment) => (Segment::Time(segment), None),
            // Pictures and texts without times follow each other.
            Err(_) if !is_audio(pad) && segment.format() != gst::Format::Time => (Segment::None, None),
            Err(why) => (Segment::Invalid, Some(why)),
        };
        if let Some(run) = run.filter(|_| name == "text_sink") {
            let waits = matches!(segment, Segment::Time(_));
            run.input_queue.mark(&name, Input::PadOpened { pad: name.clone(), waits });
        }
        let before = std::mem::replace(&mut self.sink().pad(&name).segment, segment);
        // Upstream tries again with each buffer.
        if let Some(why) = wrong.as_ref().filter(|_| !matches!(before, Segment::Invalid)) {
            gst::element_imp_error!(self, gst::StreamError::Format, ("{why}"));
        }
        wrong.is_none()
    }

    /// The input is at its end when every sink pad is that is linked.
    pub(crate) fn end_if_all_have(&self) {
        let pads = self.obj().sink_pads();
        let all = pads.iter().all(|pad| !pad.is_linked() || self.sink().has_ended(&pad.name()));
        if all {
            self.end_of_all();
        }
    }

    /// The end of the input.
    pub(crate) fn end_of_all(&self) -> bool {
        let Some(run) = self.run() else { return false };
        self.begin(&run);
        run.input_queue.mark(&self.audio_sink.name(), Input::EndOfStream);
        true
    }

    /// The linked pads of audio and pictures.
    pub(crate) fn input_pads(&self) -> Vec<gst::Pad> {
        let is_input = |pad: &gst::Pad| pad.is_linked() && pad.name() != "text_sink";
        self.obj().sink_pads().into_iter().filter(is_input).collect()
    }
}
