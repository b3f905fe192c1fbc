// SPDX-License-Identifier: MPL-2.0

//! GStreamer parts that both elements share: tasks of source pads, clock waits, live detection, property types, function
//! calls, and errors and warnings as bus messages.

pub(crate) mod audio_src_task;
pub(crate) mod bus_task;
pub(crate) mod clock_wait;
pub(crate) mod downstream_flush;
pub(crate) mod element_context;
pub(crate) mod enums;
pub(crate) mod errors;
pub(crate) mod frame;
pub(crate) mod function_calls;
pub(crate) mod liveness;
pub(crate) mod percentiles;
pub(crate) mod playing_periods;
pub(crate) mod property_values;
pub(crate) mod recorder;
pub(crate) mod segment;
pub(crate) mod signals;
pub(crate) mod text_item;
pub(crate) mod text_outputs;
pub(crate) mod text_src_task;
pub(crate) mod warnings;

use gst::glib;
use gst::prelude::*;
use std::borrow::Cow;
use std::collections::HashSet;

/// Text for GLib, whose strings end at the first U+0000, which texts of a server may contain.
pub fn glib_text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// Names and values of the property `headers`.
pub fn headers(headers: Option<&gst::Structure>) -> Vec<(String, String)> {
    let pairs = headers.into_iter().flat_map(|headers| headers.iter()).map(|(name, value)| {
        let text = value
            .get::<String>()
            .or_else(|_| value.transform::<String>().map(|text| text.get::<String>().unwrap_or_default()));
        (name.to_string(), text.unwrap_or_default())
    });
    pairs.collect()
}

/// Sets the element flags SINK and SOURCE by whether pads are linked: a pipeline sends EOS to its sources, and waits for the
/// EOS messages of its sinks.
pub fn mark_ends(element: &gst::Element) {
    let (sinks, sources) = (element.sink_pads(), element.src_pads());
    for (pads, flag) in [(sources, gst::ElementFlags::SINK), (sinks, gst::ElementFlags::SOURCE)] {
        if pads.iter().any(|pad| pad.is_linked()) {
            element.unset_element_flags(flag);
        } else {
            element.set_element_flags(flag);
        }
    }
}

/// Posts EOS if the element is a sink.
pub fn post_eos_of_sink(element: &gst::Element) {
    if element.element_flags().contains(gst::ElementFlags::SINK) {
        // An element outside a pipeline has no bus.
        let _ = element.post_message(gst::message::Eos::builder().src(element).build());
    }
}

/// Name of a new `video_sink_%u` pad: the requested one, or the first that is free.
pub fn video_pad_name(element: &gst::Element, requested: Option<&str>) -> String {
    let number = |name: &str| name.strip_prefix("video_sink_")?.parse::<u32>().ok();
    if let Some(requested) = requested.filter(|requested| number(requested).is_some()) {
        return requested.to_owned();
    }
    let taken: HashSet<u32> = element.sink_pads().iter().filter_map(|pad| number(&pad.name())).collect();
    let free = (0..).find(|number| !taken.contains(number)).unwrap_or_default();
    format!("video_sink_{free}")
}

/// Adds a request pad, and activates it if the element is active. `has_run`: the element has a run from before it goes to
/// PAUSED until after it has gone to READY.
pub fn add_request_pad(
    element: &gst::Element,
    pad: &gst::Pad,
    has_run: impl Fn() -> bool,
) -> Result<(), glib::BoolError> {
    let is_active = || {
        let (_, state, pending) = element.state(gst::ClockTime::ZERO);
        state > gst::State::Ready || pending > gst::State::Ready || has_run()
    };
    if is_active() {
        pad.set_active(true)?;
    }
    element.add_pad(pad)?;
    // The state may have changed meanwhile.
    if is_active() && !pad.is_active() {
        pad.set_active(true)?;
    }
    Ok(())
}

/// Starts the task of a source pad. It pauses when an iteration returns false.
pub fn start_task(pad: &gst::Pad, mut turn: impl FnMut() -> bool + Send + 'static) -> Result<(), glib::BoolError> {
    let weak = pad.downgrade();
    pad.start_task(move || {
        if !turn()
            && let Some(pad) = weak.upgrade()
        {
            // It fails only if the pad is being deactivated, which ends the task as well.
            let _ = pad.pause_task();
        }
    })
}

/// Stream ID of a source pad. GStreamer makes none for an element with several sink pads.
fn stream_id(pad: &gst::Pad, what: &str) -> String {
    let name = pad.parent_element().map(|element| element.name().to_string()).unwrap_or_default();
    format!("{name}-{}/{what}", glib::uuid_string_random())
}
