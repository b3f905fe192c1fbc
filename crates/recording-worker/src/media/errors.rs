// SPDX-License-Identifier: MPL-2.0

//! What GStreamer's errors mean for a recording.

use crate::failure::{Failure, FailureKind};
use gst::glib;

/// An error of the element that speaks to the server.
pub fn of_server(error: &glib::Error) -> Failure {
    let kind = match error.kind::<gst::ResourceError>() {
        Some(gst::ResourceError::NotAuthorized) => FailureKind::NotAuthorized,
        Some(gst::ResourceError::NoSpaceLeft) => FailureKind::Quota,
        Some(gst::ResourceError::NotFound) => FailureKind::ModelNotFound,
        Some(gst::ResourceError::Settings) => FailureKind::Settings,
        Some(gst::ResourceError::OpenReadWrite | gst::ResourceError::Read) => FailureKind::Connection,
        _ => FailureKind::Internal,
    };
    Failure::new(kind, error.message())
}

/// An error of what reads and decodes.
pub fn of_recording(error: &glib::Error) -> Failure {
    let kind = match error.kind::<gst::StreamError>() {
        Some(gst::StreamError::Failed) | None => match error.kind::<gst::ResourceError>() {
            Some(gst::ResourceError::NotFound) => FailureKind::InputNotFound,
            Some(gst::ResourceError::NotAuthorized | gst::ResourceError::OpenRead) => FailureKind::InputDenied,
            // Demuxers say no more than this of a file that ends too early.
            _ => FailureKind::Corrupt,
        },
        Some(_) => FailureKind::Corrupt,
    };
    Failure::new(kind, format!("the recording cannot be decoded: {}", error.message()))
}
