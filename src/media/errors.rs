//! The table of errors: what went wrong, as GStreamer tells it.

use crate::conversation::{Failure, Warning};
use gst::glib::translate::IntoGlib;
use gst::prelude::*;

/// A failure as an ERROR message. Its text says what to do, so that it stands in the line that a shell shows.
pub fn error_message(failure: &Failure) -> gst::ErrorMessage {
    let text = failure.to_string();
    match failure {
        Failure::NotAuthorized(_) => gst::error_msg!(gst::ResourceError::NotAuthorized, ("{}", text)),
        Failure::NotFound(_) => gst::error_msg!(gst::ResourceError::NotFound, ("{}", text)),
        Failure::Settings(_) => gst::error_msg!(gst::ResourceError::Settings, ("{}", text)),
        Failure::Connect(_) => gst::error_msg!(gst::ResourceError::OpenReadWrite, ("{}", text)),
        Failure::Lost(_) => gst::error_msg!(gst::ResourceError::Read, ("{}", text)),
        Failure::Quota(_) => gst::error_msg!(gst::ResourceError::NoSpaceLeft, ("{}", text)),
    }
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

/// Posts a warning with its details as a structure.
pub fn post_warning(element: &gst::Element, warning: &Warning) {
    let mut details = gst::Structure::new_empty("openairealtime/warning");
    let fields = [("code", &warning.code), ("type", &warning.kind), ("param", &warning.param)];
    for (name, value) in fields {
        if let Some(value) = value {
            details.set(name, value);
        }
    }
    let message = gst::message::Warning::builder(gst::ResourceError::Failed, &warning.message)
        .details(details)
        .src(element)
        .build();
    // Without a bus there is nobody to be warned.
    let _ = element.post_message(message);
}
