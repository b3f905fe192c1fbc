// SPDX-License-Identifier: MPL-2.0

//! Flush of what is downstream of a source pad when queued audio is dropped (barge-in).
//!
//! FLUSH_START is sent by the thread that learns of the cut, because the streaming thread may be blocked in a sink. The
//! streaming thread sends FLUSH_STOP and goes on with a new segment. There is no flush where a muxer, a file or the network
//! is downstream, which would lose what it has written.

use crate::queue::playout::Cut;
use gst::prelude::*;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Finds the element downstream of a pad that must not be flushed.
pub type FindRecorder = Box<dyn Fn(&gst::Pad) -> Option<gst::Element> + Send + Sync>;

/// When to flush, and what to report.
pub struct FlushSettings {
    /// Whether cuts are followed by a flush at all.
    pub enabled: bool,
    /// Looked up for each cut, because links may change.
    pub find_recorder: FindRecorder,
    /// Called once, for the first cut that is not followed by a flush because of such an element.
    pub on_recorder: Box<dyn Fn(&gst::Element) + Send + Sync>,
    /// Called when the model is silent, with the time since the reason for the cut.
    pub on_silenced: Box<dyn Fn(Duration) + Send + Sync>,
}

impl FlushSettings {
    /// For a stream that is never cut.
    pub fn disabled() -> Self {
        Self {
            enabled: false,
            find_recorder: Box::new(|_| None),
            on_recorder: Box::new(|_| {}),
            on_silenced: Box::new(|_| {}),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// For each cut that the streaming thread has not finished, whether FLUSH_START was sent.
    started: VecDeque<bool>,
    /// [`FlushSettings::on_recorder`] was called.
    has_reported: bool,
    stopped: bool,
}

/// The flushes of one source pad.
pub struct DownstreamFlush {
    pad: gst::Pad,
    settings: FlushSettings,
    state: Mutex<State>,
    changed: Condvar,
}

impl DownstreamFlush {
    /// No flush so far.
    pub fn new(pad: gst::Pad, settings: FlushSettings) -> Self {
        Self { pad, settings, state: Mutex::default(), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a cut is followed by a flush, as the pad is linked now.
    pub fn may_flush(&self) -> bool {
        self.settings.enabled && (self.settings.find_recorder)(&self.pad).is_none()
    }

    /// Starts the flush after a cut. `wake` ends a wait of the streaming thread.
    pub fn start(&self, since: Instant, wake: impl FnOnce()) {
        let recorder = if self.settings.enabled { (self.settings.find_recorder)(&self.pad) } else { None };
        let flushes = self.settings.enabled && recorder.is_none();
        if flushes {
            self.pad.push_event(gst::event::FlushStart::new());
            (self.settings.on_silenced)(since.elapsed());
        }
        self.state().started.push_back(flushes);
        self.changed.notify_all();
        wake();
        let Some(recorder) = recorder else { return };
        let has_reported = std::mem::replace(&mut self.state().has_reported, true);
        if !has_reported {
            (self.settings.on_recorder)(&recorder);
        }
    }

    /// Waits until the flush after a cut was started, and ends it, on the streaming thread. Returns whether there was one,
    /// or `None` if the stream was stopped.
    pub fn finish(&self, cut: Cut) -> Option<bool> {
        let waits = |state: &mut State| state.started.is_empty() && !state.stopped;
        let mut state = self.changed.wait_while(self.state(), waits).unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return None;
        }
        let flushed = state.started.pop_front().unwrap_or_default();
        drop(state);
        if flushed {
            self.pad.push_event(gst::event::FlushStop::builder(false).build());
        } else {
            (self.settings.on_silenced)(cut.since.elapsed());
        }
        Some(flushed)
    }

    /// Ends all waits.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }
}
