// SPDX-License-Identifier: MPL-2.0

//! What pads, actions and state changes of one element share: its properties, its run, its messages, its static pads.

use crate::realtime::element::audio_input::AudioInput;
use crate::realtime::element::messenger::Messenger;
use crate::realtime::element::property_sync::PropertySync;
use crate::realtime::element::run::Run;
use crate::realtime::element::settings::Settings;
use crate::realtime::element::stats::ElementStatus;
use gst::glib;
use gst::prelude::*;
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The shared parts of one element. Each lock is held for a moment only, and never while another one is.
pub struct Context {
    element: glib::WeakRef<gst::Element>,
    settings: Arc<Mutex<Settings>>,
    pub messenger: Arc<Messenger>,
    pub property_sync: Arc<PropertySync>,
    run: Mutex<Option<Arc<Run>>>,
    audio_input: Mutex<AudioInput>,
    /// Sink pads that are at EOS.
    ended_pads: Mutex<HashSet<String>>,
    passed_events: Mutex<VecDeque<gst::Seqnum>>,
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
    pub fn new(
        element: &gst::Element,
        settings: Arc<Mutex<Settings>>,
        status: Arc<Mutex<ElementStatus>>,
        audio_sink: gst::Pad,
        src: gst::Pad,
    ) -> Self {
        let messenger = Arc::new(Messenger::new(element, settings.clone(), status));
        Self {
            element: element.downgrade(),
            property_sync: Arc::new(PropertySync::new(element, settings.clone(), messenger.clone())),
            settings,
            messenger,
            run: Mutex::default(),
            audio_input: Mutex::default(),
            ended_pads: Mutex::default(),
            passed_events: Mutex::default(),
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

    /// State of the stream of `audio_sink`.
    pub fn audio_input(&self) -> MutexGuard<'_, AudioInput> {
        lock(&self.audio_input)
    }

    /// Sink pads that are at EOS.
    pub fn ended_pads(&self) -> MutexGuard<'_, HashSet<String>> {
        lock(&self.ended_pads)
    }

    /// Sequence numbers of the last events that passed through the element.
    pub fn passed_events(&self) -> MutexGuard<'_, VecDeque<gst::Seqnum>> {
        lock(&self.passed_events)
    }

    /// Forgets the streams of the last run.
    pub fn reset_input(&self) {
        *self.audio_input() = AudioInput::default();
        self.ended_pads().clear();
    }
}
