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
    // Without a bus there is nobody to be told.
    let _ = element.post_message(message.build());
}

/// Posts what downstream did not take, as the base classes of GStreamer do.
pub fn post_flow_error(element: &gst::Element, error: gst::FlowError) {
    let reason = gst::FlowReturn::from(Err::<gst::FlowSuccess, _>(error));
    let details = gst::Structure::builder("details").field("flow-return", reason.into_glib()).build();
    gst::element_error!(
        element,
        gst::StreamError::Failed,
        ("Internal data stream error."),
        ["streaming stopped, reason {error}"],
        details: details
    );
}

/// Posts that downstream takes other caps than those that were chosen when the stream began.
pub fn post_not_negotiated(element: &gst::Element, pad: &str, is: &gst::Caps, wished: &gst::Caps) {
    let text = format!(
        "{pad} is linked to what takes {wished}, but its format was chosen at PAUSED and is {is}: link it before, or \
         convert (audioconvert ! audioresample, and an encoder) behind it"
    );
    let reason = gst::FlowReturn::NotNegotiated.into_glib();
    let details = gst::Structure::builder("details").field("flow-return", reason).build();
    gst::element_error!(element, gst::StreamError::Format, ("{text}"), ["not negotiated"], details: details);
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
    // Without a bus there is nobody to be warned.
    let _ = element.post_message(message);
}
