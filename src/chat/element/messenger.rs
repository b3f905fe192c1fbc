// SPDX-License-Identifier: MPL-2.0

//! What the element posts on the bus, and the counts behind the property `stats`. No lock is held while posting.

use crate::chat::conversation::io::Event;
use crate::chat::element::stats::Stats;
use crate::chat::element::{CAT, messages};
use crate::error::{Error, Warning};
use crate::media::warnings::Warnings;
use crate::media::{errors, glib_text};
use gst::glib;
use gst::prelude::*;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Posts messages of one element.
pub struct Messenger {
    element: glib::WeakRef<gst::Element>,
    stats: Mutex<Stats>,
    warnings: Warnings,
}

impl Messenger {
    /// Nothing is counted.
    pub fn new(element: &gst::Element) -> Self {
        Self { element: element.downgrade(), stats: Mutex::default(), warnings: Warnings::new(element, *CAT) }
    }

    /// The element, unless it is being disposed.
    pub fn element(&self) -> Option<gst::Element> {
        self.element.upgrade()
    }

    fn counts(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The property `stats`.
    pub fn stats(&self) -> gst::Structure {
        self.counts().structure(self.warnings.count())
    }

    /// Resets the counts for a new run.
    pub fn reset(&self) {
        *self.counts() = Stats::default();
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

    /// Warns of an action that was not taken. Returns false, as the action does.
    pub fn refuse_action(&self, why: &str) -> bool {
        if let Some(element) = self.element() {
            gst::warning!(CAT, obj = element, "not taken: {why}");
        }
        self.warn(Warning::new("not-taken", format!("an action was not taken: {why}")));
        false
    }

    /// Posts an event that becomes a message, and counts it.
    pub fn post_event(&self, event: &Event) {
        self.counts().note(event);
        self.post_left_out_warnings(false);
        match event {
            Event::Warning(warning) => self.warn(warning.clone()),
            Event::Info(text) => self.post_info(text),
            event => self.post(messages::structure(event)),
        }
    }

    /// Posts an element message.
    pub fn post(&self, structure: impl Into<Option<gst::Structure>>) {
        let (Some(structure), Some(element)) = (structure.into(), self.element()) else { return };
        gst::log!(CAT, obj = element, "{structure}");
        // An element outside a pipeline has no bus.
        let _ = element.post_message(gst::message::Element::builder(structure).src(&element).build());
    }

    fn post_info(&self, text: &str) {
        let Some(element) = self.element() else { return };
        let message = gst::message::Info::builder(gst::ResourceError::Settings, &glib_text(text)).src(&element).build();
        // An element outside a pipeline has no bus.
        let _ = element.post_message(message);
    }

    /// Posts an ERROR.
    pub fn post_error(&self, error: &Error) {
        let Some(element) = self.element() else { return };
        gst::error!(CAT, obj = element, "{error}");
        errors::post_error(&element, error, None);
    }
}
