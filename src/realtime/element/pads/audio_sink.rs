// SPDX-License-Identifier: MPL-2.0

//! The pad `audio_sink`: what the user says, on its way into the mailbox.

use crate::audio::sample_clock::{samples_to_time, time_to_samples};
use crate::error::Warning;
use crate::media::liveness;
use crate::media::segment::{self, Segment};
use crate::realtime::conversation::Input;
use crate::realtime::element::Timing as TimingSetting;
use crate::realtime::element::imp::{CAT, OpenAIRealtime};
use crate::realtime::element::pads::video_sink::VideoPad;
use crate::realtime::element::run::Run;
use crate::types::{AudioChunk, Timing};
use bytes::Bytes;
use gst::prelude::*;
use gst::subclass::prelude::*;
use openai_protocol::session::AudioFormat;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Sound is handed over in pieces of this length at most, so that a large buffer is not all said at its beginning.
const PIECE: Duration = Duration::from_millis(100);
/// A GAP event stands for as much silence at most; behind that nobody is in the middle of a sentence.
const MAX_GAP_FILL: Duration = Duration::from_secs(60);
/// The same live, where more would not find room.
const LONGEST_LIVE_GAP: Duration = Duration::from_secs(5);
/// A live buffer that is longer is a recording, and is played as one: so much sound at once would not find room.
const LONGEST_LIVE_BUFFER: Duration = Duration::from_secs(5);
/// Timestamps that are further behind or ahead of the clock are not waited for.
const LATE: Duration = Duration::from_millis(200);
const FAR: Duration = Duration::from_secs(60);
/// Without timestamps, sound that comes so much later than it was expected has a pause before it.
const PAUSE: Duration = Duration::from_millis(1500);

/// What the sink pad knows of its stream.
#[derive(Debug, Default)]
pub struct SinkState {
    segment: Segment,
    format: AudioFormat,
    /// The caps have told it.
    has_format: bool,
    /// The end of what was handed over.
    end: Option<Duration>,
    /// What running times of the input are behind the clock since it was played from an earlier place.
    shift: Duration,
    /// Time may begin anew.
    was_flushed: bool,
    /// It was told that timestamps are too far ahead.
    told_far: bool,
    /// The first part of a sample, the rest of which comes with the next buffer.
    torn: Vec<u8>,
    /// Sink pads that are at their end.
    pub ended: HashSet<String>,
}

/// The format that caps stand for.
pub fn format_of(caps: &gst::CapsRef) -> Option<AudioFormat> {
    Some(match caps.structure(0)?.name().as_str() {
        "audio/x-raw" => AudioFormat::Pcm,
        "audio/x-mulaw" => AudioFormat::Pcmu,
        "audio/x-alaw" => AudioFormat::Pcma,
        _ => return None,
    })
}

impl OpenAIRealtime {
    pub(crate) fn sink_chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let run = self.run().ok_or(gst::FlowError::Flushing)?;
        let clipped = {
            let sink = self.sink();
            match &sink.segment {
                Segment::None => None,
                Segment::Invalid => return Err(gst::FlowError::Error),
                Segment::Time(_) if buffer.size() == 0 => return run.source.flow(),
                Segment::Time(segment) => {
                    let size = sink.format.sample_size() as u32;
                    let Some(buffer) =
                        gst_audio::audio_buffer_clip(buffer, segment.upcast_ref(), sink.format.rate(), size)
                    else {
                        return run.source.flow();
                    };
                    let stamp = buffer.pts().or_else(|| buffer.dts());
                    let at = stamp.and_then(|stamp| segment.to_running_time(stamp)).map(Duration::from);
                    Some((buffer, at, sink.format.clone()))
                }
            }
        };
        let Some((buffer, at, format)) = clipped else {
            gst::element_imp_error!(self, gst::StreamError::Format, ["Sound came without a segment before it"]);
            return Err(gst::FlowError::Error);
        };
        let data = buffer.map_readable().map_err(|_| {
            gst::element_imp_error!(self, gst::ResourceError::Failed, ["A buffer cannot be read"]);
            gst::FlowError::Error
        })?;
        // What waits for a session waits long, and buffers of a device or a pool are few: a copy gives them back.
        let is_break = buffer.flags().contains(gst::BufferFlags::DISCONT);
        let Some(data) = self.whole_samples(&data, is_break, &format) else { return run.source.flow() };
        let at = self.place_in_time(&run, at, is_break);
        if is_break {
            run.input_queue.push_in_order(Input::Discont);
        }
        self.take_audio(&run, data, at, &format)
    }

    /// The whole samples of a buffer and of what the one before it had left over.
    fn whole_samples(&self, data: &[u8], is_break: bool, format: &AudioFormat) -> Option<Bytes> {
        let mut sink = self.sink();
        if is_break {
            sink.torn.clear();
        }
        let mut all = std::mem::take(&mut sink.torn);
        all.extend_from_slice(data);
        sink.torn = all.split_off(all.len() / format.sample_size() * format.sample_size());
        (!all.is_empty()).then(|| all.into())
    }

    /// The running time of sound. Without timestamps it is counted, live with the pauses that the clock tells. Input
    /// that is paced here and begins at an earlier place again, or far away, is heard now.
    fn place_in_time(&self, run: &Run, at: Option<Duration>, is_break: bool) -> Duration {
        let now = run.pace.now().filter(|_| run.is_live());
        let paces = run.paces_input();
        let mut sink = self.sink();
        let Some(at) = at else {
            let counted = sink.end.or(now).unwrap_or_default();
            return now.filter(|now| *now > counted + PAUSE).unwrap_or(counted);
        };
        if paces {
            let now = now.or(sink.end).unwrap_or_default();
            let begins = is_break && sink.end.is_some() || std::mem::take(&mut sink.was_flushed);
            let shifted = at.saturating_add(sink.shift);
            if begins && shifted + LATE < now {
                sink.shift = now - at;
            } else if shifted > now + FAR {
                let placed = now.max(sink.end.unwrap_or_default());
                let is_new = !std::mem::replace(&mut sink.told_far, true);
                drop(sink);
                if is_new {
                    self.warn_of_far(shifted - now);
                }
                return placed;
            }
        }
        at.saturating_add(sink.shift)
    }

    fn warn_of_far(&self, ahead: Duration) {
        let message = format!(
            "the input's timestamps are {ahead:.1?} ahead of the clock, which is not waited for: its sound is heard now; \
             running time has to begin at 0 (timestamps from 0, or a segment that begins with them)"
        );
        self.warn(Warning::new("timestamps-far", message));
    }

    /// Hands sound over, in step with the clock where upstream is not: as from a microphone, each piece when its end
    /// is reached.
    fn take_audio(
        &self,
        run: &Arc<Run>,
        mut data: Bytes,
        at: Duration,
        format: &AudioFormat,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let size = format.sample_size();
        let most = time_to_samples(PIECE, format.rate()) as usize * size;
        let length = samples_to_time((data.len() / size) as u64, format.rate());
        let is_recording = run.is_live() && length > LONGEST_LIVE_BUFFER;
        let now = || run.pace.now().unwrap_or_default();
        let start = if run.paces_input() { Some(at) } else { is_recording.then(|| at.max(now())) };
        let (mut position, mut taken) = (Duration::ZERO, 0);
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(most));
            taken += piece.len() / size;
            let end = samples_to_time(taken as u64, format.rate());
            if let Some(start) = start {
                run.pace.wait_until_reached(start + end).map_err(|_| gst::FlowError::Flushing)?;
            }
            let sound = AudioChunk { data: piece, at: Some(at + position) };
            run.input_queue.push_audio(sound).map_err(|refused| run.flow_of(refused))?;
            position = end;
        }
        self.sink().end = Some(at + position);
        run.source.flow()
    }

    pub(crate) fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "{event:?}");
        match event.view() {
            gst::EventView::Caps(event) => self.sink_caps(event.caps()),
            gst::EventView::Segment(event) => self.sink_segment(event.segment()),
            gst::EventView::Gap(event) => {
                let (pts, duration) = event.get();
                self.sink_gap(pts, duration)
            }
            gst::EventView::Eos(_) => {
                if let Some(run) = self.run() {
                    run.input_queue.end(&pad.name());
                }
                self.pad_is_at_its_end(pad)
            }
            gst::EventView::StreamStart(_) => {
                if let Some(run) = self.run() {
                    run.arrived();
                    run.input_queue.open(&pad.name(), true);
                }
                self.pad_goes_on(pad);
                true
            }
            gst::EventView::FlushStart(_) => {
                if let Some(run) = self.run() {
                    run.pace.set_flushing(true);
                    run.input_queue.set_flushing(&pad.name(), true);
                }
                true
            }
            gst::EventView::FlushStop(_) => {
                self.pad_goes_on(pad);
                {
                    let mut sink = self.sink();
                    (sink.segment, sink.end, sink.shift) = (Segment::None, None, Duration::ZERO);
                    sink.torn.clear();
                    sink.was_flushed = true;
                }
                if let Some(run) = self.run() {
                    run.pace.set_flushing(false);
                    run.input_queue.set_flushing(&pad.name(), false);
                    run.input_queue.push(Input::Flushed);
                }
                true
            }
            // Events of applications pass.
            gst::EventView::CustomDownstream(_)
            | gst::EventView::CustomDownstreamSticky(_)
            | gst::EventView::CustomDownstreamOob(_)
            | gst::EventView::CustomBoth(_)
            | gst::EventView::CustomBothOob(_) => self.custom_event(&event) || self.pass_on(pad, event),
            // What the input's stream says of itself is not true of the answer.
            _ => true,
        }
    }

    fn sink_caps(&self, caps: &gst::CapsRef) -> bool {
        let Some(format) = format_of(caps) else { return false };
        {
            let mut sink = self.sink();
            (sink.format, sink.has_format) = (format.clone(), true);
            sink.torn.clear();
        }
        if let Some(run) = self.run() {
            self.begin_if_known(&run, true);
            run.input_queue.push_in_order(Input::Format(format));
        }
        true
    }

    fn sink_segment(&self, segment: &gst::Segment) -> bool {
        let (segment, wrong) = match segment::validate(segment) {
            Ok(segment) => (Segment::Time(segment), None),
            Err(why) => (Segment::Invalid, Some(why)),
        };
        let before = std::mem::replace(&mut self.sink().segment, segment);
        // Upstream tries again with each buffer.
        if let Some(why) = wrong.as_ref().filter(|_| !matches!(before, Segment::Invalid)) {
            gst::element_imp_error!(self, gst::StreamError::Format, ("{why}"));
        }
        wrong.is_none()
    }

    /// Upstream says that there is nothing for a while: to the model that is silence.
    fn sink_gap(&self, pts: gst::ClockTime, duration: Option<gst::ClockTime>) -> bool {
        let Some(run) = self.run() else { return false };
        let (begin, end, format) = {
            let sink = self.sink();
            let Segment::Time(segment) = &sink.segment else { return false };
            let Some((begin, end)) = segment.clip(pts, pts.saturating_add(duration.unwrap_or_default())) else {
                return true;
            };
            let time = |time: Option<gst::ClockTime>| time.and_then(|time| segment.to_running_time(time));
            (time(begin).map(Duration::from), time(end).map(Duration::from), sink.format.clone())
        };
        let (Some(begin), Some(end)) = (begin, end) else { return true };
        let length = end.saturating_sub(begin);
        let longest = if run.is_live() { LONGEST_LIVE_GAP } else { MAX_GAP_FILL };
        let begin = self.place_in_time(&run, Some(begin), false);
        let samples = time_to_samples(length.min(longest), format.rate()) as usize;
        let data = vec![format.silence()[0]; samples * format.sample_size()];
        self.take_audio(&run, data.into(), begin, &format).is_ok()
    }

    /// Begins the session if it is known whether upstream is live; with `data_flows` it is known at the latest.
    pub(crate) fn begin_if_known(&self, run: &Arc<Run>, data_flows: bool) {
        let upstream = self.upstream_is_live();
        let sound_is_live = self.pad_is_live(&self.audio_sink);
        let timing = match run.wished_timing() {
            TimingSetting::Live => Timing::Live,
            TimingSetting::Offline => Timing::Offline,
            TimingSetting::Auto => match upstream {
                Some(true) => Timing::Live,
                Some(false) => Timing::Offline,
                None if data_flows && self.some_upstream_is_not_live() => Timing::Offline,
                None if data_flows => Timing::Live,
                None => return,
            },
        };
        // Upstream may be another one than it was, or able to tell now.
        let is_live = !self.audio_sink.is_linked() || sound_is_live == Some(true);
        run.upstream_is_live.store(is_live, Ordering::Relaxed);
        let format =
            if data_flows && self.sink().has_format { self.sink().format.clone() } else { self.likely_input_format() };
        // The others wait for each pad that is linked.
        for pad in self.input_pads() {
            if run.timing().is_none() {
                run.input_queue.open(&pad.name(), true);
            }
        }
        if run.begin(timing, format) && data_flows {
            // The source pad has told another latency so far. Without a bus there is nobody who would ask again.
            let _ = self.obj().post_message(gst::message::Latency::builder().src(&*self.obj()).build());
        }
    }

    /// The linked pads of sound and cameras.
    fn input_pads(&self) -> Vec<gst::Pad> {
        let is_input = |pad: &gst::Pad| pad.is_linked() && (*pad == self.audio_sink || pad.is::<VideoPad>());
        self.obj().sink_pads().into_iter().filter(is_input).collect()
    }

    /// Whether anything upstream is live; `None` when that cannot be told yet. Without any input the clock goes on.
    fn upstream_is_live(&self) -> Option<bool> {
        let pads = self.input_pads();
        let status: Vec<_> = pads.iter().map(|pad| self.pad_is_live(pad)).collect();
        if pads.is_empty() || status.contains(&Some(true)) {
            return Some(true);
        }
        status.into_iter().collect::<Option<Vec<_>>>().map(|_| false)
    }

    pub(crate) fn some_upstream_is_not_live(&self) -> bool {
        self.input_pads().iter().any(|pad| self.pad_is_live(pad) == Some(false))
    }

    pub(crate) fn pad_is_live(&self, pad: &gst::Pad) -> Option<bool> {
        liveness::pad_is_live(pad)
    }

    /// The format that upstream will most probably send, as far as its caps tell.
    pub(crate) fn likely_input_format(&self) -> AudioFormat {
        let caps = self.audio_sink.allowed_caps().unwrap_or_else(|| self.audio_sink.pad_template_caps());
        format_of(&caps).unwrap_or_default()
    }
}
