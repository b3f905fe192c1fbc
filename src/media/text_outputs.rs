// SPDX-License-Identifier: MPL-2.0

//! The tasks of an element's source pads for text, which come and go on request while it runs.

use crate::media::text_src_task::TextSrcTask;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

struct State<K> {
    /// By what their pads carry.
    tasks: Vec<(K, Arc<TextSrcTask>)>,
    /// Streams may begin.
    started: bool,
}

/// The tasks by what their pads carry.
pub struct TextOutputs<K>(Mutex<State<K>>);

impl<K> Default for TextOutputs<K> {
    fn default() -> Self {
        Self(Mutex::new(State { tasks: Vec::new(), started: false }))
    }
}

impl<K: Copy + PartialEq> TextOutputs<K> {
    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the task of a pad. False if the pad has one.
    pub fn add(&self, kind: K, task: Arc<TextSrcTask>) -> bool {
        let mut state = self.state();
        let is_new = state.tasks.iter().all(|(_, other)| other.pad() != task.pad());
        if is_new {
            if state.started {
                task.start();
            }
            state.tasks.push((kind, task));
        }
        is_new
    }

    /// Lets offline streams begin, also those of tasks that are added later: there is input, from upstream or by an action.
    pub fn start(&self) {
        let mut state = self.state();
        if !std::mem::replace(&mut state.started, true) {
            state.tasks.iter().for_each(|(_, task)| task.start());
        }
    }

    /// Stops and removes the task of a pad.
    pub fn remove(&self, pad: &gst::Pad) {
        let removed: Vec<_> = self.state().tasks.extract_if(.., |(_, task)| task.pad() == pad).collect();
        removed.iter().for_each(|(_, task)| task.stop());
    }

    /// Ends the task of a pad that is being released: [`TextSrcTask::leave`].
    pub fn release(&self, pad: &gst::Pad) -> Option<gst::Pad> {
        // Not under the lock, because it waits for the task and may flush downstream.
        let task = self.state().tasks.iter().find(|(_, task)| task.pad() == pad).map(|(_, task)| task.clone())?;
        task.leave()
    }

    /// Whether there is a pad of this kind.
    pub fn has(&self, kind: K) -> bool {
        self.state().tasks.iter().any(|(other, _)| *other == kind)
    }

    /// The tasks of this kind.
    pub fn of(&self, kind: K) -> Vec<Arc<TextSrcTask>> {
        self.state().tasks.iter().filter(|(other, _)| *other == kind).map(|(_, task)| task.clone()).collect()
    }

    /// All tasks.
    pub fn all(&self) -> Vec<Arc<TextSrcTask>> {
        self.state().tasks.iter().map(|(_, task)| task.clone()).collect()
    }
}
