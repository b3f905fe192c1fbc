// SPDX-License-Identifier: MPL-2.0

//! End of the input: every linked sink pad is at EOS, or the application has sent EOS to the element.

use crate::chat::conversation::io::Input;
use crate::chat::element::context::Context;
use crate::chat::element::session_start;
use gst::prelude::*;

/// A sink pad is at EOS. False without a run.
pub fn pad_ended(context: &Context, pad: &gst::Pad) -> bool {
    let Some(run) = context.run() else { return false };
    let name = pad.name().to_string();
    context.input_pads().pad(&name).ended = true;
    run.input_queue.mark(&name, Input::PadEnded(name.clone()));
    end_if_all_ended(context);
    true
}

/// A sink pad was released. If all others are at EOS, the input has ended.
pub fn pad_released(context: &Context, pad: &gst::Pad) {
    let any_ended = {
        let mut pads = context.input_pads();
        pads.remove(&pad.name());
        pads.any_ended()
    };
    if any_ended {
        end_if_all_ended(context);
    }
}

fn end_if_all_ended(context: &Context) {
    let pads = context.sink_pads();
    if pads.iter().all(|pad| !pad.is_linked() || context.input_pads().has_ended(&pad.name())) {
        end_input(context);
    }
}

/// The input has ended: what was queued is answered, and then the source pads get EOS. False without a run.
pub fn end_input(context: &Context) -> bool {
    let Some(run) = context.run() else { return false };
    session_start::start(context, &run);
    run.input_queue.mark(&context.audio_sink.name(), Input::EndOfStream);
    true
}
