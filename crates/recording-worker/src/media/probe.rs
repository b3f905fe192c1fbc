// SPDX-License-Identifier: MPL-2.0

//! Looks at a recording before a session is paid for: is it one, has it sound, how long is it.

use crate::failure::{Failure, FailureKind};
use crate::media::errors;
use std::path::Path;
use std::time::Duration;

/// How long looking at a recording may take.
const TIMEOUT: gst::ClockTime = gst::ClockTime::from_seconds(30);

/// What a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its length, where the format tells it.
    pub duration: Option<Duration>,
}

/// Looks at a file.
pub fn probe(path: &Path) -> Result<Probe, Failure> {
    let discoverer = gst_pbutils::Discoverer::new(TIMEOUT).map_err(|error| errors::of_recording(&error))?;
    let uri = gst::glib::filename_to_uri(path, None).map_err(|error| errors::of_recording(&error))?;
    let info = discoverer.discover_uri(&uri).map_err(|error| errors::of_recording(&error))?;
    let failure = |kind, text: &str| Err(Failure::new(kind, text));
    match info.result() {
        gst_pbutils::DiscovererResult::MissingPlugins => {
            let missing: Vec<_> = info.missing_elements_installer_details().iter().map(ToString::to_string).collect();
            failure(FailureKind::Corrupt, &format!("there is no decoder here for it: {}", missing.join(", ")))
        }
        gst_pbutils::DiscovererResult::Timeout => failure(FailureKind::Corrupt, "its format was not found within 30 s"),
        _ if info.audio_streams().is_empty() => failure(FailureKind::NoAudio, "the recording has no sound"),
        _ => Ok(Probe { duration: info.duration().map(Duration::from) }),
    }
}
