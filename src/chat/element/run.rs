// SPDX-License-Identifier: MPL-2.0

//! A run, from READY to READY: the session, the source pads' streams, and the thread that tells the application.

use crate::chat::conversation::io::{Event, FunctionCall, Input};
use crate::chat::element::imp::{CAT, OpenAIChat as Imp};
use crate::chat::element::settings::Settings;
use crate::chat::element::{OpenAIChat, messages};
use crate::chat::session::input_queue::InputQueue;
use crate::chat::session::{BUS_QUEUE_LEN, BusEvent, Session, Setup};
use crate::error::{Error, Warning};
use crate::media::audio_src_task::AudioSrcTask;
use crate::media::bus_thread::BusThread;
use crate::media::enums::Timing as TimingSetting;
use crate::media::function_calls::{Call, CallHost, Calls, Program};
use crate::media::text_item::TextItem;
use crate::media::text_src_task::TextSrcTask;
use crate::media::{errors, glib_text};
use crate::net::clock::Clock;
use crate::net::endpoint::Endpoint;
use crate::queue::playout::Playout;
use crate::types::Timing;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// A handler on the bus that is in the midst of something is waited for when the run ends, but not for ever.
const BUS_HANDLER_TIMEOUT: Duration = Duration::from_secs(1);

/// What a source pad of text carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextPadKind {
    /// Answers.
    Answers,
    /// Requests and pieces of answers as JSON lines.
    Events,
}

impl TextPadKind {
    /// By the name of the pad.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "text_src" => Some(Self::Answers),
            "event_src" => Some(Self::Events),
            _ => None,
        }
    }
}

/// How the run has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    No,
    Finished,
    Failed,
}

#[derive(Default)]
struct State {
    timing: Option<Timing>,
    session: Option<Session>,
    end: End,
    stopped: bool,
}

/// A run.
pub struct Run {
    element: glib::WeakRef<OpenAIChat>,
    settings: Settings,
    endpoint: Endpoint,
    vision_endpoint: Option<Endpoint>,
    pub input_queue: Arc<InputQueue>,
    playout: Arc<Playout>,
    pub source: Arc<AudioSrcTask>,
    pub calls: Arc<Calls>,
    traces: Arc<AtomicBool>,
    texts: Mutex<Vec<(TextPadKind, Arc<TextSrcTask>)>>,
    state: Mutex<State>,
    bus_thread: BusThread,
}

impl Run {
    /// A run that has not begun.
    pub fn new(
        element: &OpenAIChat,
        settings: Settings,
        endpoint: Endpoint,
        vision_endpoint: Option<Endpoint>,
        playout: Arc<Playout>,
        source: Arc<AudioSrcTask>,
    ) -> Self {
        Self {
            element: element.downgrade(),
            settings,
            endpoint,
            vision_endpoint,
            input_queue: Arc::default(),
            playout,
            source,
            calls: Arc::default(),
            traces: Arc::default(),
            texts: Mutex::default(),
            state: Mutex::default(),
            bus_thread: BusThread::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn texts(&self) -> Vec<(TextPadKind, Arc<TextSrcTask>)> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn each_text(&self, act: impl Fn(&TextSrcTask)) {
        self.texts().iter().for_each(|(_, stream)| act(stream));
    }

    /// Whether it is known to be live.
    pub fn is_live(&self) -> bool {
        self.state().timing == Some(Timing::Live)
    }

    /// Whether it is known whether it is live.
    pub fn has_begun(&self) -> bool {
        self.state().timing.is_some()
    }

    /// What upstream is told when nothing is taken any more.
    pub fn closed_flow(&self) -> gst::FlowError {
        match self.state().end {
            End::Failed => gst::FlowError::Error,
            End::Finished => gst::FlowError::Eos,
            End::No => gst::FlowError::Flushing,
        }
    }

    /// Starts the session. `pads` are those that segments wait for.
    pub fn begin(self: &Arc<Self>, timing: Timing, pads: &[gst::Pad]) {
        {
            let mut state = self.state();
            if state.timing.is_some() || state.stopped {
                return;
            }
            state.timing = Some(timing);
        }
        self.input_queue.set_live(timing == Timing::Live);
        for pad in pads {
            let name = pad.name().to_string();
            // In front of what may have come in already.
            self.input_queue.command(Input::PadOpened { pad: name, waits: true });
        }
        let (bus_tx, receiver) = mpsc::channel(BUS_QUEUE_LEN);
        let session = self.settings.config(self.endpoint.model(), timing).and_then(|config| {
            let setup = Setup {
                endpoint: self.endpoint.clone(),
                vision_endpoint: self.vision_endpoint.clone(),
                config,
                timeouts: self.settings.timeouts(),
                input_queue: self.input_queue.clone(),
                playout: self.playout.clone(),
                bus_tx,
                traces: self.traces.clone(),
                clock: Clock::default(),
            };
            Session::start(setup).map_err(|error| Error::connect(format!("no thread to be had: {error}")))
        });
        match session {
            Ok(session) => {
                self.state().session = Some(session);
                self.start_bus_thread(receiver);
            }
            Err(failure) => self.fail(&failure),
        }
        self.source.set_timing(timing);
        self.each_text(|stream| stream.set_timing(timing));
    }

    fn start_bus_thread(self: &Arc<Self>, mut receiver: mpsc::Receiver<BusEvent>) {
        let run = self.clone();
        let started = self.bus_thread.start("openaichat-bus", move || {
            while let Some(event) = receiver.blocking_recv() {
                run.on_bus_event(event);
            }
            run.on_session_ended();
        });
        if let Err(error) = started {
            self.fail(&Error::connect(format!("no thread to be had: {error}")));
        }
    }

    /// The session is gone. One that says nothing of it must not leave the pipeline waiting.
    fn on_session_ended(self: &Arc<Self>) {
        let is_due = {
            let state = self.state();
            state.end == End::No && !state.stopped
        };
        if is_due {
            self.fail(&Error::lost("the session ended unexpectedly"));
        }
    }

    fn on_bus_event(self: &Arc<Self>, event: BusEvent) {
        if self.state().stopped {
            return;
        }
        match event {
            BusEvent::Event(event) => self.post_event(&event),
            BusEvent::Text(text) => self.send_text(TextPadKind::Answers, &TextItem::Words(text)),
            BusEvent::TextGap(until) => self.send_text(TextPadKind::Answers, &TextItem::GapUntil(until)),
            BusEvent::Trace(event) => self.send_text(TextPadKind::Events, &TextItem::Event(event)),
            BusEvent::Fail(failure) => self.fail(&failure),
            BusEvent::Finished(at) => {
                self.state().end = End::Finished;
                self.input_queue.close();
                self.playout.finish(at);
                self.each_text(TextSrcTask::finish);
            }
        }
    }

    /// Tells the application of something.
    pub fn post_event(self: &Arc<Self>, event: &Event) {
        let Some(element) = self.element.upgrade() else { return };
        element.imp().stats().note(event);
        element.imp().post_left_out_warnings(false);
        match event {
            Event::Warning(warning) => element.imp().warn(warning.clone()),
            Event::Info(text) => messages::post_info(&element, text),
            Event::FunctionCall(call) => {
                let plain = Call {
                    call_id: call.call_id.clone(),
                    name: call.name.clone(),
                    arguments: glib_text(&call.arguments).into_owned(),
                };
                self.calls.start(RunCall { run: self.clone(), element, call: call.clone() }, plain);
            }
            Event::CallExpired(call_id) => self.calls.expire(call_id),
            event => {
                if let Some(structure) = messages::structure(event) {
                    messages::post(&element, structure);
                }
            }
        }
    }

    fn send_text(&self, kind: TextPadKind, item: &TextItem) {
        for (_, stream) in self.texts().into_iter().filter(|(is, _)| *is == kind) {
            stream.push(item.clone());
            let lost = stream.take_dropped();
            if lost > 0
                && let Some(element) = self.element.upgrade()
            {
                let message = format!("{} is not read: {lost} of the oldest pieces are dropped", stream.pad().name());
                element.imp().warn(Warning::new("text-dropped", message));
            }
        }
    }

    /// Posts an ERROR; from then on nothing more is taken from upstream, and the streams end.
    fn fail(self: &Arc<Self>, failure: &Error) {
        if let Some(element) = self.element.upgrade() {
            gst::error!(CAT, obj = element, "{failure}");
            errors::post_error(element.upcast_ref(), failure, None);
        }
        self.state().end = End::Failed;
        self.input_queue.close();
        self.playout.abandon();
        self.each_text(TextSrcTask::finish);
    }

    /// A source pad of text joins. `None` where it has.
    pub fn add_text(&self, pad: &gst::Pad, kind: TextPadKind) -> Option<Arc<TextSrcTask>> {
        let timing = self.state().timing;
        let (pace, group) = (self.source.clock_wait.clone(), self.source.group);
        let stream = Arc::new(TextSrcTask::new(pad.clone(), pace, group, Duration::ZERO, timing));
        {
            let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
            if texts.iter().any(|(_, other)| other.pad() == pad) {
                return None;
            }
            texts.push((kind, stream.clone()));
        }
        // It may have become known, or have ended, meanwhile.
        let (timing, end) = {
            let state = self.state();
            (state.timing, state.end)
        };
        if let Some(timing) = timing {
            stream.set_timing(timing);
        }
        if end != End::No {
            stream.finish();
        }
        self.update_traces();
        Some(stream)
    }

    /// Ends the stream of a pad that is about to be released: [`TextSrcTask::leave`].
    pub fn leave_text(&self, pad: &gst::Pad) -> Option<gst::Pad> {
        // Not under the lock: it waits for the stream's thread, and may flush downstream.
        let stream = self.texts().iter().find(|(_, stream)| stream.pad() == pad).map(|(_, stream)| stream.clone())?;
        stream.leave()
    }

    /// A source pad of text goes.
    pub fn remove_text(&self, pad: &gst::Pad) {
        let gone: Vec<_> = {
            let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
            texts.extract_if(.., |(_, stream)| stream.pad() == pad).collect()
        };
        gone.iter().for_each(|(_, stream)| stream.stop());
        self.update_traces();
    }

    fn update_traces(&self) {
        self.traces.store(self.texts().iter().any(|(kind, _)| *kind == TextPadKind::Events), Ordering::Relaxed);
    }

    /// The clock runs.
    pub fn play(&self, clock: gst::Clock, base: gst::ClockTime) {
        self.source.clock_wait.play(clock, base);
    }

    /// The clock stands still.
    pub fn pause(&self) {
        self.source.clock_wait.pause();
    }

    /// Lets go every thread that waits in here, so that the pads can be shut.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.input_queue.close();
        self.source.stop();
        self.each_text(TextSrcTask::stop);
    }

    /// Ends the session, after the pads are shut.
    pub fn close(&self) {
        let session = self.state().session.take();
        drop(session);
        self.calls.stop();
        self.bus_thread.wait(BUS_HANDLER_TIMEOUT);
    }

    pub fn place(&self) -> String {
        self.endpoint.name()
    }
}

/// A call of a run.
struct RunCall {
    run: Arc<Run>,
    element: OpenAIChat,
    call: FunctionCall,
}

impl CallHost for RunCall {
    fn emit_signal(&self, call: &Call) -> Option<String> {
        self.element.emit_by_name::<Option<String>>("function-call", &[&call.name, &call.call_id, &call.arguments])
    }

    fn program(&self) -> Option<Program> {
        // It was found when the run began; what has gone since is told when it is started.
        self.run.settings.program().ok().flatten()
    }

    fn post(&self, handled: bool) {
        messages::post(&self.element, messages::function_call(&self.call, handled));
    }

    fn warn(&self, warning: Warning) {
        self.element.imp().warn(warning);
    }

    fn send_output(&self, call_id: &str, output: String) {
        if !self.run.input_queue.command(Input::FunctionOutput { call_id: call_id.to_owned(), output }) {
            gst::debug!(CAT, obj = self.element, "the run was over before the output of {call_id} was there");
        }
    }
}

impl Imp {
    /// Begins the session when the first thing comes in: then it is known whether upstream is live.
    pub(crate) fn begin(&self, run: &Arc<Run>) {
        if run.has_begun() {
            return;
        }
        let pads = self.input_pads();
        let is_live = || pads.iter().any(|pad| crate::media::liveness::pad_is_live(pad) == Some(true));
        let wished = self.settings().timing;
        let timing = match wished {
            TimingSetting::Live => Timing::Live,
            TimingSetting::Offline => Timing::Offline,
            TimingSetting::Auto if is_live() => Timing::Live,
            TimingSetting::Auto => Timing::Offline,
        };
        run.begin(timing, &pads);
    }
}
