// SPDX-License-Identifier: MPL-2.0

//! Posts errors and warnings on the bus: the GStreamer error of each kind, the debug text, and the details.

use crate::error::{Error, ErrorKind, Warning};
use crate::media::glib_text;
use gst::glib::translate::IntoGlib;
use gst::prelude::*;
use std::time::Duration;

/// Posts an error as an ERROR message. `done` is the running time up to which all input was processed. The text holds the
/// hint as well, because shells show it without the debug text.
pub fn post_error(element: &gst::Element, error: &Error, done: Option<Duration>) {
    let kind = match error.kind() {
        ErrorKind::NotAuthorized => gst::ResourceError::NotAuthorized,
        ErrorKind::NotFound => gst::ResourceError::NotFound,
        ErrorKind::Settings => gst::ResourceError::Settings,
        ErrorKind::Connect => gst::ResourceError::OpenReadWrite,
        ErrorKind::Lost => gst::ResourceError::Read,
        ErrorKind::Quota => gst::ResourceError::NoSpaceLeft,
    };
    let (text, debug) = (error.to_string(), error.debug_text());
    let (text, debug) = (glib_text(&text), debug.as_deref().map(glib_text));
    let mut message = gst::message::Error::builder(kind, &text).src(element);
    if let Some(debug) = &debug {
        message = message.debug(debug);
    }
    if let Some(done) = done {
        let done = done.as_nanos() as u64;
        message = message.details(gst::Structure::builder("openairealtime/error").field("running-time", done).build());
    }
    // An element outside a pipeline has no bus.
    let _ = element.post_message(message.build());
}

/// Posts the error of a push on a source pad, as the base classes of GStreamer do. EOS is none.
pub fn post_flow_error(pad: &gst::Pad, error: gst::FlowError) {
    let Some(element) = pad.parent_element().filter(|_| error != gst::FlowError::Eos) else { return };
    let reason = gst::FlowReturn::from(Err::<gst::FlowSuccess, _>(error));
    let details = gst::Structure::builder("details").field("flow-return", reason.into_glib()).build();
    match pad.current_caps().filter(|_| error == gst::FlowError::NotNegotiated) {
        Some(caps) => {
            let text = format!(
                "{} is linked to what takes {}, but its format was chosen at PAUSED and is {caps}: link it before, or \
                 convert (audioconvert ! audioresample, and an encoder) behind it",
                pad.name(),
                pad.peer_query_caps(None)
            );
            gst::element_error!(element, gst::StreamError::Format, ("{text}"), ["not negotiated"], details: details);
        }
        None => gst::element_error!(
            element,
            gst::StreamError::Failed,
            ("Internal data stream error."),
            ["streaming stopped, reason {error}"],
            details: details
        ),
    }
}

/// Posts a warning with its details as a structure.
pub fn post_warning(element: &gst::Element, warning: &Warning) {
    let mut details = gst::Structure::new_empty("openairealtime/warning");
    let fields = [("code", &warning.code), ("type", &warning.kind), ("param", &warning.param)];
    for (name, value) in fields {
        if let Some(value) = value {
            details.set(name, &*glib_text(value));
        }
    }
    let message = gst::message::Warning::builder(gst::ResourceError::Failed, &glib_text(&warning.message))
        .details(details)
        .src(element)
        .build();
    // An element outside a pipeline has no bus.
    let _ = element.post_message(message);
}
