// SPDX-License-Identifier: MPL-2.0

//! The pad `audio_sink`: audio of the user on its way into the input queue, in step with the clock if upstream is not live
//! and the session is.

use crate::audio::sample_clock::{samples_to_time, time_to_samples};
use crate::error::Warning;
use crate::media::element_context::{HasContext, in_pad};
use crate::media::segment::{self, Segment};
use crate::realtime::conversation::Input;
use crate::realtime::element::context::Context;
use crate::realtime::element::pads::crossing::own_query;
use crate::realtime::element::pads::events;
use crate::realtime::element::run::Run;
use crate::realtime::element::{CAT, audio_caps, eos, session_start};
use crate::types::AudioChunk;
use bytes::Bytes;
use gst::prelude::*;
use gst::subclass::prelude::*;
use openai_protocol::session::AudioFormat;
use std::sync::Arc;
use std::time::Duration;

/// Larger buffers are queued in pieces of this duration, each at its own running time.
const MAX_PIECE: Duration = Duration::from_millis(100);
/// Maximum duration of a GAP event that is filled with silence offline; longer ones hold no pause within a sentence.
const MAX_GAP_FILL: Duration = Duration::from_secs(60);
/// The same live, where more would overflow the input queue.
const MAX_LIVE_GAP_FILL: Duration = Duration::from_secs(5);
/// A longer live buffer is a recording: it is paced by the clock, because it would overflow the input queue.
const MAX_LIVE_BUFFER: Duration = Duration::from_secs(5);

/// Makes the pad.
pub fn make_pad<E: HasContext<Context = Context>>(template: &gst::PadTemplate) -> gst::Pad {
    let pad = gst::Pad::builder_from_template(template)
        .chain_function(|_, parent, buffer| {
            in_pad::<E, _>(parent, || Err(gst::FlowError::Error), |context| chain(context, buffer))
        })
        .event_function(|pad, parent, event| in_pad::<E, _>(parent, || false, |context| on_event(context, pad, event)))
        .query_function(|pad, parent, query| in_pad::<E, _>(parent, || false, |context| own_query(context, pad, query)))
        .build();
    end_when_unlinked::<E>(&pad);
    pad
}

/// Ends the input of a sink pad when it is unlinked, so that nothing waits for it.
pub fn end_when_unlinked<E: HasContext<Context = Context>>(pad: &gst::Pad) {
    pad.connect_unlinked(|pad, _| {
        let element = pad.parent_element().and_then(|element| element.downcast::<E::Type>().ok());
        if let Some(run) = element.and_then(|element| E::from_obj(&element).context().run()) {
            run.input_queue.end(&pad.name());
        }
    });
}

fn chain(context: &Context, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
    let run = context.run().ok_or(gst::FlowError::Flushing)?;
    let clipped = {
        let input = context.audio_input();
        match &input.segment {
            Segment::None => None,
            Segment::Invalid => return Err(gst::FlowError::Error),
            Segment::Time(_) if buffer.size() == 0 => return run.source.flow(),
            Segment::Time(segment) => {
                let size = input.format.sample_size() as u32;
                let Some(buffer) =
                    gst_audio::audio_buffer_clip(buffer, segment.upcast_ref(), input.format.rate(), size)
                else {
                    return run.source.flow();
                };
                let stamp = buffer.pts().or_else(|| buffer.dts());
                let at = stamp.and_then(|stamp| segment.to_running_time(stamp)).map(Duration::from);
                Some((buffer, at, input.format.clone()))
            }
        }
    };
    let Some((buffer, at, format)) = clipped else {
        if let Some(element) = context.element() {
            gst::element_error!(element, gst::StreamError::Format, ["Sound came without a segment before it"]);
        }
        return Err(gst::FlowError::Error);
    };
    let data = buffer.map_readable().map_err(|_| {
        events::post_unreadable(context);
        gst::FlowError::Error
    })?;
    // Copied, because audio may wait long for a session, and buffers of a device or a pool are few.
    let is_discont = buffer.flags().contains(gst::BufferFlags::DISCONT);
    let data = context.audio_input().whole_samples(&data, is_discont, &format);
    let Some(data) = data else { return run.source.flow() };
    let at = running_time(context, &run, at, is_discont);
    if is_discont {
        run.input_queue.push_in_order(Input::Discont);
    }
    push_audio(context, &run, data, at, &format)
}

/// The running time of audio.
fn running_time(context: &Context, run: &Run, at: Option<Duration>, is_discont: bool) -> Duration {
    let now = run.waits.audio.now().filter(|_| run.is_live());
    let is_paced = run.paces_input();
    let placed = {
        let mut input = context.audio_input();
        match at {
            None => Ok(input.counted_time(now)),
            Some(at) if is_paced => input.paced_time(at, now, is_discont),
            Some(at) => Ok(input.shifted_time(at)),
        }
    };
    placed.unwrap_or_else(|far| {
        if far.is_first {
            let message = format!(
                "the input's timestamps are {:.1?} ahead of the clock, which is not waited for: its sound is heard now; \
                 running time has to begin at 0 (timestamps from 0, or a segment that begins with them)",
                far.ahead
            );
            context.messenger.warn(Warning::new("timestamps-far", message));
        }
        far.placed
    })
}

/// Queues audio. If upstream is not in step with the clock, each piece waits until its end is reached, as from a
/// microphone.
fn push_audio(
    context: &Context,
    run: &Arc<Run>,
    mut data: Bytes,
    at: Duration,
    format: &AudioFormat,
) -> Result<gst::FlowSuccess, gst::FlowError> {
    let size = format.sample_size();
    let max_len = time_to_samples(MAX_PIECE, format.rate()) as usize * size;
    let duration = samples_to_time((data.len() / size) as u64, format.rate());
    let is_recording = run.is_live() && duration > MAX_LIVE_BUFFER;
    let now = || run.waits.audio.now().unwrap_or_default();
    let start = if run.paces_input() { Some(at) } else { is_recording.then(|| at.max(now())) };
    let (mut position, mut taken) = (Duration::ZERO, 0);
    while !data.is_empty() {
        let piece = data.split_to(data.len().min(max_len));
        taken += piece.len() / size;
        let end = samples_to_time(taken as u64, format.rate());
        if let Some(start) = start {
            run.waits.audio.wait_until_reached(start + end).map_err(|_| gst::FlowError::Flushing)?;
        }
        let audio = AudioChunk { data: piece, at: Some(at + position) };
        run.input_queue.push_audio(audio).map_err(|error| run.flow_of(error))?;
        position = end;
    }
    context.audio_input().end = Some(at + position);
    run.source.flow()
}

fn on_event(context: &Context, pad: &gst::Pad, event: gst::Event) -> bool {
    gst::log!(CAT, obj = pad, "{event:?}");
    let run = context.run();
    match event.view() {
        gst::EventView::Caps(event) => on_caps(context, event.caps()),
        gst::EventView::Segment(event) => on_segment(context, event.segment()),
        gst::EventView::Gap(event) => {
            let (pts, duration) = event.get();
            on_gap(context, pts, duration)
        }
        gst::EventView::Eos(_) => {
            if let Some(run) = run {
                run.input_queue.end(&pad.name());
            }
            eos::pad_ended(context, pad)
        }
        gst::EventView::StreamStart(_) => {
            if let Some(run) = run {
                run.on_stream_start();
                run.input_queue.open(&pad.name(), true);
            }
            eos::pad_started(context, pad);
            true
        }
        gst::EventView::FlushStart(_) => {
            if let Some(run) = run {
                run.waits.audio.set_flushing(true);
                run.input_queue.set_flushing(&pad.name(), true);
            }
            true
        }
        gst::EventView::FlushStop(_) => {
            eos::pad_started(context, pad);
            context.audio_input().flush();
            if let Some(run) = run {
                run.waits.audio.set_flushing(false);
                run.input_queue.set_flushing(&pad.name(), false);
                run.input_queue.push(Input::Flushed);
            }
            true
        }
        _ => events::on_other_event(context, pad, event),
    }
}

fn on_caps(context: &Context, caps: &gst::CapsRef) -> bool {
    let Some(format) = audio_caps::format_of(caps) else { return false };
    context.audio_input().set_format(format.clone());
    if let Some(run) = context.run() {
        session_start::start_if_known(context, &run, true);
        run.input_queue.push_in_order(Input::Format(format));
    }
    true
}

fn on_segment(context: &Context, segment: &gst::Segment) -> bool {
    let (segment, error) = match segment::validate(segment) {
        Ok(segment) => (Segment::Time(segment), None),
        Err(why) => (Segment::Invalid, Some(why)),
    };
    let before = std::mem::replace(&mut context.audio_input().segment, segment);
    // Once, because upstream sends it again with each buffer.
    if let Some(why) = error.as_ref().filter(|_| !matches!(before, Segment::Invalid))
        && let Some(element) = context.element()
    {
        gst::element_error!(element, gst::StreamError::Format, ("{why}"));
    }
    error.is_none()
}

/// Fills a GAP with silence, which turn detection needs.
fn on_gap(context: &Context, pts: gst::ClockTime, duration: Option<gst::ClockTime>) -> bool {
    let Some(run) = context.run() else { return false };
    let (begin, end, format) = {
        let input = context.audio_input();
        let Segment::Time(segment) = &input.segment else { return false };
        let Some((begin, end)) = segment.clip(pts, pts.saturating_add(duration.unwrap_or_default())) else {
            return true;
        };
        let time = |time: Option<gst::ClockTime>| time.and_then(|time| segment.to_running_time(time));
        (time(begin).map(Duration::from), time(end).map(Duration::from), input.format.clone())
    };
    let (Some(begin), Some(end)) = (begin, end) else { return true };
    let max_fill = if run.is_live() { MAX_LIVE_GAP_FILL } else { MAX_GAP_FILL };
    let fill = end.saturating_sub(begin).min(max_fill);
    let begin = running_time(context, &run, Some(begin), false);
    let samples = time_to_samples(fill, format.rate()) as usize;
    let data = vec![format.silence()[0]; samples * format.sample_size()];
    push_audio(context, &run, data.into(), begin, &format).is_ok()
}
