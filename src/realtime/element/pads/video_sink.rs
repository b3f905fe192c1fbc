// SPDX-License-Identifier: MPL-2.0

//! The pads `video_sink_%u`: each buffer is a JPEG or PNG image. Of each pad the session keeps the newest frame.

use crate::error::Warning;
use crate::media::element_context::{HasContext, in_pad};
use crate::media::frame::{FrameError, frame_duration, frame_of};
use crate::media::liveness::pad_is_live;
use crate::realtime::conversation::io::{FrameEvent, FrameState};
use crate::realtime::conversation::{Event, Input};
use crate::realtime::element::context::Context;
use crate::realtime::element::pads::audio_sink::end_when_unlinked;
use crate::realtime::element::pads::crossing::own_query;
use crate::realtime::element::pads::events;
use crate::realtime::element::pads::video_pad::{StreamState, VideoPad};
use crate::realtime::element::{CAT, session_start};
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::time::Duration;

/// Minimum interval in running time between warnings about frames of one pad.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Makes a pad.
pub fn make_pad<E: HasContext<Context = Context>>(template: &gst::PadTemplate, name: &str) -> gst::Pad {
    let pad = gst::PadBuilder::<VideoPad>::from_template(template)
        .name(name)
        .chain_function(|pad, parent, buffer| {
            in_pad::<E, _>(parent, || Err(gst::FlowError::Error), |context| chain(context, pad, buffer))
        })
        .event_function(|pad, parent, event| in_pad::<E, _>(parent, || false, |context| on_event(context, pad, event)))
        .query_function(|pad, parent, query| {
            in_pad::<E, _>(parent, || false, |context| own_query(context, pad.upcast_ref(), query))
        })
        .build();
    end_when_unlinked::<E>(pad.upcast_ref());
    pad.upcast()
}

fn chain(context: &Context, pad: &VideoPad, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
    let run = context.run().ok_or(gst::FlowError::Flushing)?;
    session_start::start_if_known(context, &run, true);
    let name = pad.name().to_string();
    let (at, end) = match time_of(pad, &buffer) {
        Some(time) => time,
        None => {
            // No other pad can wait for frames whose time is not known.
            run.input_queue.open(&name, false);
            (run.waits.audio.now().unwrap_or_else(|| pad.imp().next_time()), Duration::ZERO)
        }
    };
    let known = pad.imp().stream().is_paced;
    let is_paced = known.unwrap_or_else(|| run.is_live() && pad_is_live(pad.upcast_ref()) == Some(false));
    pad.imp().stream().is_paced = Some(is_paced);
    if is_paced {
        run.waits.of(&name).wait_until_reached(at).map_err(|_| gst::FlowError::Flushing)?;
    }
    let max_size = context.settings().max_frame_size as usize;
    match frame_of(buffer, at, max_size, pad.imp().pad_settings()) {
        Ok(frame) => run.input_queue.push_frame(&name, frame).map_err(|error| run.flow_of(error))?,
        Err(error) => skip(context, pad, at, &error),
    }
    run.input_queue.advance(&name, end);
    run.source.flow()
}

/// Begin and end of a frame in running time. A frame without a timestamp follows the one before it, if its duration is
/// known.
fn time_of(pad: &VideoPad, buffer: &gst::Buffer) -> Option<(Duration, Duration)> {
    let duration = buffer.duration().map(Duration::from).or_else(|| frame_duration(pad));
    let stamped = events::running_time_of(pad.upcast_ref(), buffer.pts());
    let interval = pad.imp().interval();
    let mut stream = pad.imp().stream();
    let at = match stamped {
        Some(at) => at,
        None if duration.is_some() => stream.next,
        None => return None,
    };
    stream.next = at.saturating_add(duration.unwrap_or(Duration::from_nanos(interval)));
    Some((at, at.saturating_add(duration.unwrap_or_default())))
}

/// Posts that a frame is skipped. The stream goes on.
fn skip(context: &Context, pad: &VideoPad, at: Duration, error: &FrameError) {
    let name = pad.name().to_string();
    gst::info!(CAT, obj = pad, "frame at {at:?} skipped: {}", error.message);
    let message = {
        let mut stream = pad.imp().stream();
        let is_soon = stream.warned.is_some_and(|warned| at >= warned && at < warned + WARNING_INTERVAL);
        stream.unreported += u64::from(is_soon);
        (!is_soon).then(|| {
            stream.warned = Some(at);
            match std::mem::take(&mut stream.unreported) {
                0 => format!("{name}: a frame is skipped: {}", error.message),
                more => format!("{name}: {more} frames and another one are skipped: {}", error.message),
            }
        })
    };
    if let Some(message) = message {
        context.messenger.post_event(&Event::Warning(Warning::new(error.code, message)));
    }
    context.messenger.post_event(&Event::Frame(FrameEvent {
        state: FrameState::Skipped { reason: error.reason() },
        pad: Some(name),
        item_id: None,
        at: Some(at),
        size: error.size,
    }));
}

fn on_event(context: &Context, pad: &VideoPad, event: gst::Event) -> bool {
    match event.type_() {
        gst::EventType::StreamStart => pad.imp().stream().is_paced = None,
        gst::EventType::FlushStop => {
            // Frames from before a seek are not sent with what comes after it.
            if let Some(run) = context.run() {
                run.input_queue.push(Input::Unplugged(pad.name().into()));
            }
            *pad.imp().stream() = StreamState::default();
        }
        _ => {}
    }
    events::on_event(context, pad.upcast_ref(), event, true)
}
