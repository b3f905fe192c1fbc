// SPDX-License-Identifier: MPL-2.0

//! WARNING messages of an element: at most one of a kind in ten seconds, and counted for the property `stats`.

use crate::error::Warning;
use crate::error::warning_limit::WarningLimit;
use crate::media::errors;
use gst::glib;
use gst::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Posts the warnings of one element.
pub struct Warnings {
    element: glib::WeakRef<gst::Element>,
    category: gst::DebugCategory,
    limit: Mutex<WarningLimit>,
    posted: AtomicU64,
}

impl Warnings {
    /// Warnings are logged in the category as well.
    pub fn new(element: &gst::Element, category: gst::DebugCategory) -> Self {
        Self { element: element.downgrade(), category, limit: Mutex::default(), posted: AtomicU64::new(0) }
    }

    /// Posts a warning, unless there was one of its kind a moment ago. Those that were left out are posted as one, with
    /// their number, as soon as another warning comes after that, and at the latest when the run ends.
    pub fn warn(&self, warning: Warning) {
        let posted = self.limit.lock().unwrap_or_else(PoisonError::into_inner).add(warning, Instant::now());
        posted.iter().for_each(|warning| self.post(warning));
    }

    /// Posts the warnings that were left out: those that are due, or all.
    pub fn post_left_out(&self, all: bool) {
        let now = Instant::now();
        let due = {
            let mut limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
            if all { limit.rest(now) } else { limit.due(now) }
        };
        due.iter().for_each(|warning| self.post(warning));
    }

    /// Posts a warning that was limited elsewhere.
    pub fn post(&self, warning: &Warning) {
        let Some(element) = self.element.upgrade() else { return };
        gst::warning!(self.category, obj = element, "{}", warning.message);
        self.posted.fetch_add(1, Ordering::Relaxed);
        errors::post_warning(&element, warning);
    }

    /// The number of warnings since the last reset.
    pub fn count(&self) -> u64 {
        self.posted.load(Ordering::Relaxed)
    }

    /// Resets the count.
    pub fn reset_count(&self) {
        self.posted.store(0, Ordering::Relaxed);
    }
}
