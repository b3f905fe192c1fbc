// SPDX-License-Identifier: MPL-2.0

//! End of the input: every linked sink pad is at EOS, or the application has sent EOS to the element.

use crate::realtime::conversation::Input;
use crate::realtime::element::context::Context;
use crate::realtime::element::session_start;
use gst::prelude::*;

/// A sink pad is at EOS. False without a run.
pub fn pad_ended(context: &Context, pad: &gst::Pad) -> bool {
    if context.run().is_none() {
        return false;
    }
    context.ended_pads().insert(pad.name().to_string());
    end_if_all_ended(context);
    true
}

/// A stream starts on a sink pad, or starts over.
pub fn pad_started(context: &Context, pad: &gst::Pad) {
    context.ended_pads().remove(pad.name().as_str());
}

/// A sink pad was released. If all others are at EOS, the input has ended.
pub fn pad_released(context: &Context, pad: &gst::Pad) {
    pad_started(context, pad);
    let any_ended = !context.ended_pads().is_empty();
    if any_ended {
        end_if_all_ended(context);
    }
}

fn end_if_all_ended(context: &Context) {
    let pads = context.sink_pads();
    let has_ended = |pad: &gst::Pad| !pad.is_linked() || context.ended_pads().contains(pad.name().as_str());
    if pads.iter().all(has_ended) {
        end_input(context);
    }
}

/// The input has ended: what was said is answered, and then the source pads get EOS. False without a run.
pub fn end_input(context: &Context) -> bool {
    let Some(run) = context.run() else { return false };
    session_start::start_if_known(context, &run, true);
    run.input_queue.push_in_order(Input::EndOfStream);
    true
}
