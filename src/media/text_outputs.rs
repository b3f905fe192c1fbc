// SPDX-License-Identifier: MPL-2.0

//! The tasks of an element's source pads for text, which come and go on request while it runs.

use crate::media::text_src_task::TextSrcTask;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The tasks by what their pads carry.
pub struct TextOutputs<K>(Mutex<Vec<(K, Arc<TextSrcTask>)>>);

impl<K> Default for TextOutputs<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + PartialEq> TextOutputs<K> {
    fn tasks(&self) -> MutexGuard<'_, Vec<(K, Arc<TextSrcTask>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the task of a pad. False if the pad has one.
    pub fn add(&self, kind: K, task: Arc<TextSrcTask>) -> bool {
        let mut tasks = self.tasks();
        let is_new = tasks.iter().all(|(_, other)| other.pad() != task.pad());
        if is_new {
            tasks.push((kind, task));
        }
        is_new
    }

    /// Stops and removes the task of a pad.
    pub fn remove(&self, pad: &gst::Pad) {
        let removed: Vec<_> = self.tasks().extract_if(.., |(_, task)| task.pad() == pad).collect();
        removed.iter().for_each(|(_, task)| task.stop());
    }

    /// Ends the task of a pad that is being released: [`TextSrcTask::leave`].
    pub fn release(&self, pad: &gst::Pad) -> Option<gst::Pad> {
        // Not under the lock, because it waits for the task and may flush downstream.
        let task = self.tasks().iter().find(|(_, task)| task.pad() == pad).map(|(_, task)| task.clone())?;
        task.leave()
    }

    /// Whether there is a pad of this kind.
    pub fn has(&self, kind: K) -> bool {
        self.tasks().iter().any(|(other, _)| *other == kind)
    }

    /// The tasks of this kind.
    pub fn of(&self, kind: K) -> Vec<Arc<TextSrcTask>> {
        self.tasks().iter().filter(|(other, _)| *other == kind).map(|(_, task)| task.clone()).collect()
    }

    /// All tasks.
    pub fn all(&self) -> Vec<Arc<TextSrcTask>> {
        self.tasks().iter().map(|(_, task)| task.clone()).collect()
    }
}
