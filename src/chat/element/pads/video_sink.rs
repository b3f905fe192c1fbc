// SPDX-License-Identifier: MPL-2.0

//! The pads `video_sink_%u`: each buffer is a JPEG or PNG image.

use crate::chat::conversation::io::{Event, Input};
use crate::chat::element::context::Context;
use crate::chat::element::pads::events;
use crate::chat::element::session_start;
use crate::error::Warning;
use crate::media::element_context::{HasContext, in_pad};
use crate::media::frame::{FrameError, PadSettings, frame_duration, frame_of};
use gst::prelude::*;
use std::time::Duration;

/// Distance of a picture without timestamp and duration from the one before it.
const UNTIMED_INTERVAL: Duration = Duration::from_secs(1);

/// Makes a pad.
pub fn make_pad<E: HasContext<Context = Context>>(template: &gst::PadTemplate, name: &str) -> gst::Pad {
    gst::Pad::builder_from_template(template)
        .name(name)
        .chain_function(|pad, parent, buffer| {
            in_pad::<E, _>(parent, || Err(gst::FlowError::Error), |context| chain(context, pad, buffer))
        })
        .event_function(|pad, parent, event| {
            in_pad::<E, _>(parent, || false, |context| events::on_event(context, pad, &event))
        })
        .build()
}

fn chain(context: &Context, pad: &gst::Pad, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
    let run = context.run().ok_or(gst::FlowError::Flushing)?;
    session_start::start(context, &run);
    let name = pad.name().to_string();
    let duration = buffer.duration().map(Duration::from).or_else(|| frame_duration(pad));
    let at = {
        let mut pads = context.input_pads();
        let stamped = pads.running_time(&name, buffer.pts());
        let state = pads.pad(&name);
        let at = stamped.unwrap_or(state.next);
        state.next = at.saturating_add(duration.unwrap_or(UNTIMED_INTERVAL));
        at
    };
    let (size, max_size) = (buffer.size(), context.settings().max_frame_size as usize);
    let settings = PadSettings { pad: Some(name.clone()), ..PadSettings::default() };
    match frame_of(buffer, at, max_size, settings) {
        Ok(frame) => run.input_queue.push(&name, Input::Frame(frame), size).map_err(|error| run.flow_of(error))?,
        Err(error) => skip(context, name.clone(), at, &error),
    }
    let end = at.saturating_add(duration.unwrap_or_default());
    run.input_queue.mark(&name, Input::PadReached(name.clone(), end));
    run.source.flow()
}

/// Posts that a frame is skipped. The stream goes on.
fn skip(context: &Context, pad: String, at: Duration, error: &FrameError) {
    let unreported = context.input_pads().pad(&pad).skip_frame(at);
    if let Some(unreported) = unreported {
        let more = if unreported == 0 { String::new() } else { format!(", as were {unreported} before it") };
        let message = format!("{pad}: the frame at {at:.3?} is skipped{more}: {}", error.message);
        context.messenger.warn(Warning::new("frame-broken", message));
    }
    context.messenger.post_event(&Event::Frame { sent: None, pad: Some(pad), at, size: error.size });
}
