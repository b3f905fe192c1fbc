// SPDX-License-Identifier: MPL-2.0

//! What every element of the plugin needs around its session: waiting for the clock, the source pad's stream, the look
//! at pictures, and the table of errors.

pub(crate) mod audio_src_task;
pub(crate) mod clock_wait;
pub(crate) mod errors;
pub(crate) mod function_calls;
pub(crate) mod liveness;
pub(crate) mod recorder;
pub(crate) mod segment;
pub(crate) mod text_src_task;

use gst::glib;
use gst::prelude::*;
use std::borrow::Cow;

/// Text as GLib can hold it: its strings end at the first U+0000, which a server's text may have in its midst.
pub fn glib_text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// The pairs of the property `headers`.
pub fn headers(headers: Option<&gst::Structure>) -> Vec<(String, String)> {
    let pairs = headers.into_iter().flat_map(|headers| headers.iter()).map(|(name, value)| {
        let text = value
            .get::<String>()
            .or_else(|_| value.transform::<String>().map(|text| text.get::<String>().unwrap_or_default()));
        (name.to_string(), text.unwrap_or_default())
    });
    pairs.collect()
}

/// Runs a pad's streaming thread, one turn after another until one says that it was the last.
pub fn start_task(pad: &gst::Pad, mut turn: impl FnMut() -> bool + Send + 'static) -> Result<(), glib::BoolError> {
    let weak = pad.downgrade();
    pad.start_task(move || {
        if !turn()
            && let Some(pad) = weak.upgrade()
        {
            // It fails only when the pad is being shut, which ends the task as well.
            let _ = pad.pause_task();
        }
    })
}

/// A name for the stream of a source pad. GStreamer makes none for an element with several sink pads.
fn stream_id(pad: &gst::Pad, what: &str) -> String {
    let name = pad.parent_element().map(|element| element.name().to_string()).unwrap_or_default();
    format!("{name}-{}/{what}", glib::uuid_string_random())
}
