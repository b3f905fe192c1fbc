// SPDX-License-Identifier: MPL-2.0

//! Runs a pipeline to its end, or until its time is over or the process is to end.

use crate::failure::{Failure, FailureKind};
use crate::interrupt::Interrupt;
use crate::media::errors;
use gst::prelude::*;
use std::time::Instant;

/// The name of the element that speaks to the server.
pub const ELEMENT: &str = "ai";

/// A pipeline that is stopped when it goes out of scope.
#[derive(Debug)]
pub struct Running(pub gst::Pipeline);

impl Drop for Running {
    fn drop(&mut self) {
        // To NULL is always possible.
        let _ = self.0.set_state(gst::State::Null);
    }
}

impl Running {
    /// Plays to the end. `on_message` gets the structures of element messages and of warnings' details.
    pub fn play(
        &self,
        deadline: Instant,
        interrupt: &Interrupt,
        mut on_message: impl FnMut(&gst::StructureRef, &str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let internal = |text: &str| Failure::new(FailureKind::Internal, text);
        let bus = self.0.bus().ok_or_else(|| internal("the pipeline has no bus"))?;
        interrupt.watch_bus(&bus);
        // The bus tells why it fails.
        let _ = self.0.set_state(gst::State::Playing);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = gst::ClockTime::from_nseconds(left.as_nanos() as u64);
            let Some(message) = bus.timed_pop(timeout) else {
                return Err(Failure::new(FailureKind::Deadline, "it took longer than a recording of this length may"));
            };
            match message.view() {
                gst::MessageView::Eos(_) => return Ok(()),
                gst::MessageView::Error(error) => return Err(failure(error)),
                gst::MessageView::Application(_) if interrupt.is_raised() => {
                    return Err(Failure::new(FailureKind::Interrupted, "told to end"));
                }
                gst::MessageView::Element(element) => {
                    if let Some(structure) = element.structure() {
                        on_message(structure, "")?;
                    }
                }
                gst::MessageView::Warning(warning) => {
                    if let Some(details) = warning.details() {
                        on_message(details, &warning.error().to_string())?;
                    }
                }
                _ => {}
            }
        }
    }
}

fn failure(error: &gst::message::Error) -> Failure {
    let is_server = error.src().is_some_and(|source| source.name() == ELEMENT);
    if is_server { errors::of_server(&error.error()) } else { errors::of_recording(&error.error()) }
}
