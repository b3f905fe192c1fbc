// SPDX-License-Identifier: MPL-2.0

//! The pad `audio_sink`: audio of the segments, as PCM or MP3.

use crate::chat::conversation::io::{AudioCoding, Input};
use crate::chat::element::context::Context;
use crate::chat::element::pads::events;
use crate::chat::element::session_start;
use crate::media::element_context::{HasContext, in_pad};
use crate::media::segment::Segment;
use crate::types::AudioChunk;
use bytes::Bytes;
use gst::prelude::*;
use std::time::Duration;

/// Makes the pad.
pub fn make_pad<E: HasContext<Context = Context>>(template: &gst::PadTemplate) -> gst::Pad {
    gst::Pad::builder_from_template(template)
        .chain_function(|pad, parent, buffer| {
            in_pad::<E, _>(parent, || Err(gst::FlowError::Error), |context| chain(context, pad, buffer))
        })
        .event_function(|pad, parent, event| in_pad::<E, _>(parent, || false, |context| on_event(context, pad, &event)))
        .build()
}

fn chain(context: &Context, pad: &gst::Pad, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
    let run = context.run().ok_or(gst::FlowError::Flushing)?;
    session_start::start(context, &run);
    let (segment, coding) = {
        let mut pads = context.input_pads();
        let state = pads.pad(&pad.name());
        match &state.segment {
            Segment::Time(segment) => (segment.clone(), state.coding),
            Segment::Invalid => return Err(gst::FlowError::Error),
            Segment::None => (gst::FormattedSegment::new(), state.coding),
        }
    };
    let Some(coding) = coding else {
        if let Some(element) = context.element() {
            gst::element_error!(element, gst::StreamError::Format, ["Audio came without caps before it"]);
        }
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
    let data = buffer.map_readable().map_err(|_| events::post_unreadable(context))?;
    // Copied, because audio may wait long for the end of its segment, and buffers of a device or a pool are few.
    let data = Bytes::copy_from_slice(&data);
    let size = data.len();
    let input = Input::Audio(AudioChunk { data, at });
    run.input_queue.push(&pad.name(), input, size).map_err(|error| run.flow_of(error))?;
    run.source.flow()
}

fn on_event(context: &Context, pad: &gst::Pad, event: &gst::Event) -> bool {
    match event.view() {
        gst::EventView::Caps(event) => on_caps(context, pad, event.caps()),
        _ => events::on_event(context, pad, event),
    }
}

fn on_caps(context: &Context, pad: &gst::Pad, caps: &gst::CapsRef) -> bool {
    let Some(structure) = caps.structure(0) else { return false };
    let coding = match structure.name().as_str() {
        "audio/mpeg" => AudioCoding::Mp3,
        _ => match structure.get::<i32>("rate").ok().and_then(|rate| u32::try_from(rate).ok()) {
            Some(rate) => AudioCoding::Pcm(rate),
            None => return false,
        },
    };
    context.input_pads().pad(&pad.name()).coding = Some(coding);
    if let Some(run) = context.run() {
        session_start::start(context, &run);
        run.input_queue.mark(&pad.name(), Input::Format(coding));
    }
    true
}
