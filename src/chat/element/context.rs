// SPDX-License-Identifier: MPL-2.0

//! What pads, actions and state changes of one element share: its properties, its run, its messages, its static pads.

use crate::chat::element::input_pads::InputPads;
use crate::chat::element::messenger::Messenger;
use crate::chat::element::run::Run;
use crate::chat::element::settings::Settings;
use gst::glib;
use gst::prelude::*;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The shared parts of one element. Each lock is held for a moment only, and never while another one is.
pub struct Context {
    element: glib::WeakRef<gst::Element>,
    settings: Arc<Mutex<Settings>>,
    pub messenger: Arc<Messenger>,
    run: Mutex<Option<Arc<Run>>>,
    input_pads: Mutex<InputPads>,
    /// Latency of the pipeline in nanoseconds.
    pub latency: Arc<AtomicU64>,
    pub audio_sink: gst::Pad,
    pub src: gst::Pad,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    /// Without a run.
    pub fn new(element: &gst::Element, settings: Arc<Mutex<Settings>>, audio_sink: gst::Pad, src: gst::Pad) -> Self {
        Self {
            element: element.downgrade(),
            settings,
            messenger: Arc::new(Messenger::new(element)),
            run: Mutex::default(),
            input_pads: Mutex::default(),
            latency: Arc::default(),
            audio_sink,
            src,
        }
    }

    /// The element, unless it is being disposed.
    pub fn element(&self) -> Option<gst::Element> {
        self.element.upgrade()
    }

    /// The sink pads of the element.
    pub fn sink_pads(&self) -> Vec<gst::Pad> {
        self.element().map(|element| element.sink_pads()).unwrap_or_default()
    }

    /// The values of the properties.
    pub fn settings(&self) -> MutexGuard<'_, Settings> {
        lock(&self.settings)
    }

    /// The run, from READY to PAUSED and back.
    pub fn run(&self) -> Option<Arc<Run>> {
        lock(&self.run).clone()
    }

    /// Replaces the run.
    pub fn set_run(&self, run: Option<Arc<Run>>) -> Option<Arc<Run>> {
        std::mem::replace(&mut *lock(&self.run), run)
    }

    /// State of the streams of the sink pads.
    pub fn input_pads(&self) -> MutexGuard<'_, InputPads> {
        lock(&self.input_pads)
    }
}
