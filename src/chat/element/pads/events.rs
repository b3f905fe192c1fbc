// SPDX-License-Identifier: MPL-2.0

//! Events of the sink pads, as marks in the input queue.

use crate::chat::conversation::AUDIO_PAD;
use crate::chat::conversation::io::Input;
use crate::chat::element::context::Context;
use crate::chat::element::run::Run;
use crate::chat::element::{CAT, eos};
use crate::media::segment::{self, Segment};
use gst::prelude::*;

/// Handles an event of any sink pad.
pub fn on_event(context: &Context, pad: &gst::Pad, event: &gst::Event) -> bool {
    gst::log!(CAT, obj = pad, "{event:?}");
    let name = pad.name().to_string();
    let run = context.run();
    match event.view() {
        gst::EventView::StreamStart(_) => {
            context.input_pads().pad(&name).ended = false;
            if let Some(run) = run {
                // Segments do not wait for text unless it has timestamps, which its segment says.
                run.input_queue.mark(&name, Input::PadOpened { pad: name.clone(), waits: name != "text_sink" });
            }
            true
        }
        gst::EventView::Segment(event) => on_segment(context, &name, run.as_deref(), event.segment()),
        gst::EventView::Gap(event) => {
            let (pts, duration) = event.get();
            let end = pts.saturating_add(duration.unwrap_or_default());
            let end = context.input_pads().running_time(&name, Some(end));
            if let (Some(run), Some(end)) = (run, end) {
                run.input_queue.mark(&name, Input::PadReached(name.clone(), end));
            }
            true
        }
        gst::EventView::Eos(_) => eos::pad_ended(context, pad),
        gst::EventView::FlushStart(_) => {
            if let Some(run) = run {
                run.input_queue.set_flushing(&name, true);
            }
            true
        }
        gst::EventView::FlushStop(_) => {
            context.input_pads().pad(&name).flush();
            if let Some(run) = run {
                run.input_queue.set_flushing(&name, false);
                run.input_queue.mark(&name, Input::Flushed(name.clone()));
            }
            true
        }
        // TAG and the like describe the input and not the output.
        _ => true,
    }
}

fn on_segment(context: &Context, name: &str, run: Option<&Run>, segment: &gst::Segment) -> bool {
    let (segment, error) = match segment::validate(segment) {
        Ok(segment) => (Segment::Time(segment), None),
        // Pictures and texts without timestamps follow each other.
        Err(_) if name != AUDIO_PAD && segment.format() != gst::Format::Time => (Segment::None, None),
        Err(why) => (Segment::Invalid, Some(why)),
    };
    if let Some(run) = run.filter(|_| name == "text_sink") {
        let waits = matches!(segment, Segment::Time(_));
        run.input_queue.mark(name, Input::PadOpened { pad: name.to_owned(), waits });
    }
    let before = std::mem::replace(&mut context.input_pads().pad(name).segment, segment);
    // Once, because upstream sends it again with each buffer.
    if let Some(why) = error.as_ref().filter(|_| !matches!(before, Segment::Invalid))
        && let Some(element) = context.element()
    {
        gst::element_error!(element, gst::StreamError::Format, ("{why}"));
    }
    error.is_none()
}

/// Posts that a buffer cannot be mapped.
pub fn post_unreadable(context: &Context) -> gst::FlowError {
    if let Some(element) = context.element() {
        gst::element_error!(element, gst::ResourceError::Failed, ["A buffer cannot be read"]);
    }
    gst::FlowError::Error
}
