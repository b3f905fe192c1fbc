// SPDX-License-Identifier: MPL-2.0

//! What the element posts on the bus, and the read-only properties that follow from it. No lock is held while posting.

use crate::error::{Error, Warning};
use crate::media::errors;
use crate::media::warnings::Warnings;
use crate::realtime::conversation::Event;
use crate::realtime::element::settings::Settings;
use crate::realtime::element::stats::ElementStatus;
use crate::realtime::element::{CAT, messages};
use gst::glib;
use gst::prelude::*;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Posts messages of one element.
pub struct Messenger {
    element: glib::WeakRef<gst::Element>,
    settings: Arc<Mutex<Settings>>,
    status: Arc<Mutex<ElementStatus>>,
    warnings: Warnings,
}

impl Messenger {
    /// `status` holds the read-only properties.
    pub fn new(element: &gst::Element, settings: Arc<Mutex<Settings>>, status: Arc<Mutex<ElementStatus>>) -> Self {
        Self { element: element.downgrade(), settings, status, warnings: Warnings::new(element, *CAT) }
    }

    /// The element, unless it is being disposed.
    pub fn element(&self) -> Option<gst::Element> {
        self.element.upgrade()
    }

    /// State of the session and counts.
    pub fn status(&self) -> MutexGuard<'_, ElementStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The property `stats`.
    pub fn stats(&self) -> gst::Structure {
        self.status().stats(self.warnings.count())
    }

    /// Resets state and counts for a new run.
    pub fn reset(&self) {
        *self.status() = ElementStatus::default();
        self.warnings.reset_count();
    }

    /// Posts a WARNING, limited by kind.
    pub fn warn(&self, warning: Warning) {
        self.warnings.warn(warning);
    }

    /// Posts the warnings that were left out: those that are due, or all.
    pub fn post_left_out_warnings(&self, all: bool) {
        self.warnings.post_left_out(all);
    }

    /// Warns of settings that are not sent because the model or the server is known to refuse them.
    pub fn warn_of_left_out_settings(&self, descriptions: Vec<String>) {
        for description in descriptions {
            self.warn(Warning::new("left-out", description.clone()).about(description));
        }
    }

    /// Warns of an action that was not taken. Returns false, as the action does.
    pub fn refuse_action(&self, why: &str) -> bool {
        if let Some(element) = self.element() {
            gst::warning!(CAT, obj = element, "not taken: {why}");
        }
        self.warn(Warning::new("not-taken", format!("an action was not taken: {why}")).about(why));
        false
    }

    /// Posts an event that becomes a message of its own, and updates the read-only properties.
    pub fn post_event(&self, event: &Event) {
        self.update_status(event);
        match event {
            // The session has limited it.
            Event::Warning(warning) => self.warnings.post(warning),
            event => self.post(messages::structure(event)),
        }
    }

    /// Posts an element message, unless `messages` leaves it out.
    pub fn post(&self, structure: impl Into<Option<gst::Structure>>) {
        let (Some(structure), Some(element)) = (structure.into(), self.element()) else { return };
        let is_wanted = {
            let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
            let is_partial = || structure.name() == "openairealtime/transcript" && structure.get("final") == Ok(false);
            settings.messages.have(structure.name()) && (settings.partial_transcripts || !is_partial())
        };
        if !is_wanted {
            return;
        }
        gst::log!(CAT, obj = element, "{structure}");
        // An element outside a pipeline has no bus.
        let _ = element.post_message(gst::message::Element::builder(structure).src(&element).build());
    }

    /// Posts an ERROR. `done` is the running time up to which all input was processed.
    pub fn post_error(&self, error: &Error, done: Option<Duration>) {
        let Some(element) = self.element() else { return };
        gst::error!(CAT, obj = element, "{error}");
        errors::post_error(&element, error, done);
    }

    /// Posts a PROGRESS message about the connection.
    pub fn post_progress(&self, kind: gst::ProgressType, text: &str) {
        let Some(element) = self.element() else { return };
        // An element outside a pipeline has no bus.
        let _ = element.post_message(gst::message::Progress::builder(kind, "connect", text).src(&element).build());
    }

    /// Updates the read-only properties, and notifies those that have changed.
    pub fn update_status(&self, event: &Event) {
        let (before, after) = {
            let mut status = self.status();
            let before = (status.state, status.session_id.clone());
            status.update(event);
            (before, (status.state, status.session_id.clone()))
        };
        let Some(element) = self.element() else { return };
        if before.0 != after.0 {
            element.notify("connection-state");
        }
        if before.1 != after.1 {
            element.notify("session-id");
        }
    }
}
