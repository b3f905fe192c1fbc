// SPDX-License-Identifier: MPL-2.0

//! Request pads: `video_sink_%u`, any number of them, and one of each kind for text.

use crate::chat::conversation::io::Input;
use crate::chat::element::context::Context;
use crate::chat::element::pads::{src, text_sink, video_sink};
use crate::chat::element::text_pad_kind::TextPadKind;
use crate::chat::element::{CAT, eos};
use crate::media;
use crate::media::element_context::HasContext;
use gst::prelude::*;

/// Makes a pad and adds it to the element.
pub fn add_pad<E: HasContext<Context = Context>>(
    context: &Context,
    template: &gst::PadTemplate,
    requested: Option<&str>,
) -> Option<gst::Pad> {
    let element = context.element()?;
    let is_video = template.name_template() == "video_sink_%u";
    let name = match template.name_template() {
        _ if is_video => media::video_pad_name(&element, requested),
        name => name.to_owned(),
    };
    if element.static_pad(&name).is_some() {
        gst::warning!(CAT, obj = element, "there is a pad {name} already");
        return None;
    }
    let pad = match TextPadKind::by_name(&name) {
        _ if is_video => video_sink::make_pad::<E>(template, &name),
        Some(_) => src::make_text_pad::<E>(template, &name),
        None => text_sink::make_pad::<E>(template, &name),
    };
    if let Err(error) = media::add_request_pad(&element, &pad, || context.run().is_some()) {
        gst::error!(CAT, obj = pad, "{error}");
        return None;
    }
    src::start_if_active(context, &pad);
    Some(pad)
}

/// Removes a pad from the element.
pub fn remove_pad(context: &Context, pad: &gst::Pad) {
    let Some(element) = context.element() else { return };
    let is_sink = pad.direction() == gst::PadDirection::Sink;
    let flushed = context.run().and_then(|run| {
        if is_sink {
            // Deactivating the pad waits for its streaming thread.
            run.input_queue.set_refusing(&pad.name(), true);
        }
        run.texts.release(pad)
    });
    if let Err(error) = pad.set_active(false) {
        gst::warning!(CAT, obj = pad, "{error}");
    }
    if let Some(peer) = flushed {
        peer.send_event(gst::event::FlushStop::builder(false).build());
    }
    if let Err(error) = element.remove_pad(pad) {
        gst::warning!(CAT, obj = element, "{error}");
    }
    if let Some(run) = context.run().filter(|_| is_sink) {
        // A pad of the same name that is requested later starts anew.
        run.input_queue.set_refusing(&pad.name(), false);
        run.input_queue.mark(&pad.name(), Input::PadEnded(pad.name().into()));
    }
    eos::pad_released(context, pad);
}
