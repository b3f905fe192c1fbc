// SPDX-License-Identifier: MPL-2.0

//! A run: everything that lives from READY to PAUSED and back, made anew each time.
//!
//! It owns the session, the stream of the source pad and the paces of the streaming threads. What the session tells
//! goes through it to the application and to the pads of text.

use crate::error::Error;
use crate::media::audio_src_task::AudioSrcTask;
use crate::media::bus_thread::BusThread;
use crate::media::clock_wait::ClockWaiter;
use crate::media::function_calls::{Calls, Program};
use crate::media::property_values::time;
use crate::media::text_src_task::TextSrcTask;
use crate::net::clock::Clock;
use crate::queue::push_error::PushError;
use crate::realtime::conversation::config::Config;
use crate::realtime::element::OpenAIRealtime;
use crate::realtime::element::Timing as TimingSetting;
use crate::realtime::element::pads::text::TextPadKind;
use crate::realtime::element::settings::Settings;
use crate::realtime::session::{BUS_QUEUE_LEN, Endpoint, InputQueue, Playout, Session, Setup};
use crate::types::Timing;
use gst::glib;
use gst::prelude::*;
use openai_protocol::session::AudioFormat;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a stop waits for a handler of the application that is still busy with a message.
const BUS_HANDLER_TIMEOUT: Duration = Duration::from_millis(200);
/// How long a streaming thread may take that has linked the element and brings nothing yet.
const MAX_ARRIVAL_WAIT: Duration = Duration::from_secs(1);

/// What became of a session, for upstream to hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// It goes on.
    #[default]
    No,
    /// All is said.
    Finished,
    /// An ERROR was posted.
    Failed,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    timing: Option<Timing>,
    session: Option<Session>,
    /// A Progress message was begun and not ended.
    pub progress: bool,
    pub end: End,
    pub stopped: bool,
    /// Upstream was not there yet when the element was.
    is_late: bool,
    /// A streaming thread of upstream has come as far as the element.
    has_arrived: bool,
}

/// One run.
pub struct Run {
    pub(crate) element: glib::WeakRef<OpenAIRealtime>,
    settings: Mutex<Settings>,
    /// The first server, and those that stand by.
    targets: Vec<Endpoint>,
    output: AudioFormat,
    /// The way in.
    pub input_queue: Arc<InputQueue>,
    pub(crate) playout: Arc<Playout>,
    /// The source pad's stream.
    pub source: Arc<AudioSrcTask>,
    /// The pace of the sound that comes in.
    pub pace: ClockWaiter,
    /// The paces of the other pads.
    paces: Mutex<Vec<(String, Arc<ClockWaiter>)>>,
    /// Upstream is live, and so keeps time by itself.
    pub upstream_is_live: AtomicBool,
    /// Function calls of this run.
    pub calls: Arc<Calls>,
    /// Whether every event of the wire is told.
    traces: Arc<AtomicBool>,
    /// Events that pass have no room at a source pad, and that was told.
    pub(crate) events_dropped: AtomicBool,
    texts: Mutex<Vec<(TextPadKind, Arc<TextSrcTask>)>>,
    state: Mutex<State>,
    pub(crate) changed: Condvar,
    pub(crate) bus_thread: BusThread,
}

impl Run {
    /// A run that has not begun.
    pub fn new(
        element: &OpenAIRealtime,
        settings: Settings,
        targets: Vec<Endpoint>,
        output: AudioFormat,
        playout: Arc<Playout>,
        input_queue: Arc<InputQueue>,
        source: Arc<AudioSrcTask>,
    ) -> Self {
        Self {
            element: element.downgrade(),
            settings: Mutex::new(settings),
            targets,
            output,
            input_queue,
            playout,
            source,
            pace: ClockWaiter::default(),
            paces: Mutex::default(),
            upstream_is_live: AtomicBool::new(false),
            calls: Arc::default(),
            traces: Arc::default(),
            events_dropped: AtomicBool::new(false),
            texts: Mutex::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
            bus_thread: BusThread::default(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Live or offline, once that is known.
    pub fn timing(&self) -> Option<Timing> {
        self.state().timing
    }

    /// Whether it is known to be live.
    pub fn is_live(&self) -> bool {
        self.timing() == Some(Timing::Live)
    }

    /// The pace of a pad besides the sound's.
    pub fn pace_of(&self, pad: &str) -> Arc<ClockWaiter> {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pace)) = paces.iter().find(|(name, _)| name == pad) {
            return pace.clone();
        }
        let pace = Arc::new(self.pace.sibling());
        paces.push((pad.to_owned(), pace.clone()));
        pace
    }

    fn each_pace(&self, act: impl Fn(&ClockWaiter)) {
        act(&self.pace);
        let paces: Vec<_> = self.paces.lock().unwrap_or_else(PoisonError::into_inner).clone();
        paces.iter().for_each(|(_, pace)| act(pace));
    }

    /// Begins or ends the flush of a pad besides the sound's.
    pub fn set_flushing(&self, pad: &str, flushing: bool) {
        self.pace_of(pad).set_flushing(flushing);
        self.input_queue.set_flushing(pad, flushing);
    }

    /// The pace of a pad that is gone; one of that name that is requested later begins anew.
    pub fn forget_pace(&self, pad: &str) {
        self.paces.lock().unwrap_or_else(PoisonError::into_inner).retain(|(name, _)| name != pad);
    }

    /// What upstream is told where nothing is taken any more.
    pub fn flow_of(&self, refused: PushError) -> gst::FlowError {
        match (refused, self.state().end) {
            (PushError::Closed, End::Failed) => gst::FlowError::Error,
            (PushError::Closed, End::Finished) => gst::FlowError::Eos,
            (PushError::Flushing | PushError::Full, _) | (PushError::Closed, End::No) => gst::FlowError::Flushing,
        }
    }

    pub(crate) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The user has changed something that counts at once.
    pub fn set_settings(&self, settings: Settings) {
        *self.settings() = settings;
        self.update_traces();
    }

    fn endpoint(&self) -> &Endpoint {
        // There is one at least.
        &self.targets[0]
    }

    /// The dialect of the server.
    pub fn dialect(&self) -> openai_protocol::dialect::Dialect {
        self.endpoint().dialect()
    }

    /// The format of the output.
    pub fn output(&self) -> &AudioFormat {
        &self.output
    }

    /// The timing that the user asked for.
    pub fn wished_timing(&self) -> TimingSetting {
        self.settings().timing
    }

    /// How far the answer's stream has come.
    pub fn position(&self) -> Duration {
        self.playout.next_at().0
    }

    /// The configuration that a session of this timing would have.
    pub fn config(&self, timing: Timing, input: AudioFormat) -> Result<Config, Error> {
        let settings = self.settings().clone();
        settings.config(timing, input, self.output.clone(), self.endpoint().dialect()).map(|(config, _)| config)
    }

    /// The program that answers function calls.
    pub fn program(&self) -> Option<Program> {
        // It was found to be right when it was set.
        self.settings().program().ok().flatten()
    }

    pub(crate) fn texts(&self) -> MutexGuard<'_, Vec<(TextPadKind, Arc<TextSrcTask>)>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody wants to know every event of the wire, or nobody.
    pub(crate) fn update_traces(&self) {
        let posted = self.settings().raw_events;
        let written = self.texts().iter().any(|(carries, _)| *carries == TextPadKind::Events);
        let traces = posted || written;
        self.traces.store(traces, Ordering::Relaxed);
    }

    /// It is known whether the stream is live: the session begins. False where it had begun before.
    pub fn begin(self: &Arc<Self>, timing: Timing, input: AudioFormat) -> bool {
        {
            let mut state = self.state();
            if state.timing.is_some() || state.stopped {
                return false;
            }
            state.timing = Some(timing);
            state.progress = true;
        }
        self.input_queue.set_offline(timing == Timing::Offline);
        self.input_queue.set_reconnect_buffer(time(self.settings().reconnect_buffer));
        self.input_queue.set_connected(false);
        self.update_traces();
        self.each_text(|stream| stream.set_timing(timing));
        self.post_progress(gst::ProgressType::Start, &format!("Connecting to {}", self.endpoint().name()));
        let (bus_tx, receiver) = mpsc::channel(BUS_QUEUE_LEN);
        let session = self.config(timing, input).and_then(|config| {
            let setup = Setup {
                targets: self.targets.clone(),
                config,
                retry_policy: self.settings().retry_policy(),
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
            Err(failure) => self.fail(&failure, None),
        }
        self.source.set_timing(timing);
        true
    }

    pub(crate) fn each_text(&self, act: impl Fn(&TextSrcTask)) {
        let streams: Vec<_> = self.texts().iter().map(|(_, stream)| stream.clone()).collect();
        streams.iter().for_each(|stream| act(stream));
    }

    /// The element is ready, and what is upstream may not be.
    pub fn begins(&self) {
        let mut state = self.state();
        state.is_late = state.timing.is_none();
    }

    /// A streaming thread is there.
    pub fn arrived(&self) {
        self.state().has_arrived = true;
        self.changed.notify_all();
    }

    /// Waits for a streaming thread that has linked the element, and may be telling so.
    pub fn await_arrival(&self) {
        let waits = |state: &mut State| state.is_late && !state.has_arrived && !state.stopped;
        drop(self.changed.wait_timeout_while(self.state(), MAX_ARRIVAL_WAIT, waits));
    }

    /// The sound that comes in keeps step with the clock here, because upstream does not.
    pub fn paces_input(&self) -> bool {
        !self.upstream_is_live.load(Ordering::Relaxed) && self.timing() == Some(Timing::Live)
    }

    /// The clock runs.
    pub fn play(&self, clock: gst::Clock, base: gst::ClockTime) {
        self.source.clock_wait.play(clock.clone(), base);
        self.each_pace(|pace| pace.play(clock.clone(), base));
    }

    /// The clock stands still.
    pub fn pause(&self) {
        self.source.clock_wait.pause();
        self.each_pace(ClockWaiter::pause);
    }

    /// Lets go every thread that waits in here, so that the pads can be shut.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.input_queue.close();
        self.each_pace(ClockWaiter::stop);
        self.source.stop();
        self.each_text(TextSrcTask::stop);
        self.end_progress(gst::ProgressType::Canceled, "Stopped");
    }

    /// Ends the session, after the pads are shut.
    pub fn close(&self) {
        let session = self.state().session.take();
        drop(session);
        self.calls.stop();
        self.bus_thread.wait(BUS_HANDLER_TIMEOUT);
    }

    /// The link's view of the place, for logs.
    pub fn place(&self) -> String {
        self.endpoint().name()
    }
}
