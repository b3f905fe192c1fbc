// SPDX-License-Identifier: MPL-2.0

//! A run: everything that exists from READY to PAUSED and back. Each one is made anew, so that nothing of the last one has
//! to be reset.

use crate::error::Error;
use crate::media::audio_src_task::AudioSrcTask;
use crate::media::bus_task::BusTask;
use crate::media::clock_wait::ClockWaiter;
use crate::media::function_calls::{Calls, Program};
use crate::media::playing_periods::PlayingPeriods;
use crate::media::text_outputs::TextOutputs;
use crate::media::text_src_task::TextSrcTask;
use crate::queue::push_error::PushError;
use crate::realtime::conversation::Event;
use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::io::SessionEvent;
use crate::realtime::element::Timing as TimingSetting;
use crate::realtime::element::input_waits::InputWaits;
use crate::realtime::element::messenger::Messenger;
use crate::realtime::element::settings::Settings;
use crate::realtime::element::text_pad_kind::TextPadKind;
use crate::realtime::session::{Endpoint, InputQueue, Playout, Session};
use crate::types::Timing;
use openai_protocol::session::AudioFormat;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a stop waits for an application's handler that is busy with a message.
const BUS_HANDLER_TIMEOUT: Duration = Duration::from_millis(200);
/// How long PLAYING waits for the streaming thread that has just linked the element.
const STREAM_START_TIMEOUT: Duration = Duration::from_secs(1);

/// How the session has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It goes on.
    #[default]
    No,
    /// Everything was processed.
    Finished,
    /// An ERROR was posted.
    Failed,
}

#[derive(Debug, Default)]
struct State {
    timing: Option<Timing>,
    session: Option<Session>,
    /// A PROGRESS message was posted that says that something has begun.
    has_progress: bool,
    end: End,
    stopped: bool,
    /// The element was in PAUSED before it was known whether upstream is live.
    awaits_stream: bool,
    /// STREAM_START has arrived on a sink pad.
    has_stream: bool,
}

/// One run.
pub struct Run {
    messenger: Arc<Messenger>,
    settings: Mutex<Settings>,
    /// At least one.
    targets: Vec<Endpoint>,
    output: AudioFormat,
    /// From the sink pads to the session.
    pub input_queue: Arc<InputQueue>,
    /// From the session to `src`.
    pub playout: Arc<Playout>,
    /// Task of `src`.
    pub source: Arc<AudioSrcTask>,
    /// When the element was in PLAYING.
    pub playing: PlayingPeriods,
    /// Clock waits of the sink pads.
    pub waits: InputWaits,
    /// The audio from upstream is synchronized to the clock already.
    pub upstream_is_live: AtomicBool,
    /// Function calls of this run.
    pub calls: Arc<Calls>,
    /// Whether the session traces wire events.
    pub traces: Arc<AtomicBool>,
    /// A source pad has dropped events, and the warning was posted.
    pub events_dropped: AtomicBool,
    /// Source pads for text.
    pub texts: TextOutputs<TextPadKind>,
    state: Mutex<State>,
    changed: Condvar,
    /// Posts messages of the session.
    pub bus_task: BusTask,
}

impl Run {
    /// A run without a session. `targets` are the server and those of `fallback-uris`, at least one; `output` is the format
    /// of `src`.
    pub fn new(
        messenger: Arc<Messenger>,
        settings: Settings,
        targets: Vec<Endpoint>,
        output: AudioFormat,
        input_queue: Arc<InputQueue>,
        playout: Arc<Playout>,
        source: Arc<AudioSrcTask>,
    ) -> Self {
        Self {
            messenger,
            settings: Mutex::new(settings),
            targets,
            output,
            input_queue,
            playout,
            source,
            playing: PlayingPeriods::default(),
            waits: InputWaits::default(),
            upstream_is_live: AtomicBool::new(false),
            calls: Arc::default(),
            traces: Arc::default(),
            events_dropped: AtomicBool::new(false),
            texts: TextOutputs::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
            bus_task: BusTask::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Live or offline, once the session starts.
    pub fn timing(&self) -> Option<Timing> {
        self.state().timing
    }

    /// Whether the session has started and is live.
    pub fn is_live(&self) -> bool {
        self.timing() == Some(Timing::Live)
    }

    /// Whether the run was stopped.
    pub fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Whether the session goes on.
    pub fn goes_on(&self) -> bool {
        let state = self.state();
        state.end == End::No && !state.stopped
    }

    /// Begins or ends the flush of a sink pad other than `audio_sink`.
    pub fn set_flushing(&self, pad: &str, flushing: bool) {
        self.waits.of(pad).set_flushing(flushing);
        self.input_queue.set_flushing(pad, flushing);
    }

    /// Flow return for an item that the input queue did not take.
    pub fn flow_of(&self, error: PushError) -> gst::FlowError {
        match (error, self.state().end) {
            (PushError::Closed, End::Failed) => gst::FlowError::Error,
            (PushError::Closed, End::Finished) => gst::FlowError::Eos,
            (PushError::Flushing | PushError::Full, _) | (PushError::Closed, End::No) => gst::FlowError::Flushing,
        }
    }

    /// The properties that count for this run.
    pub fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Properties have changed that are mutable in PLAYING.
    pub fn set_settings(&self, settings: Settings) {
        *self.settings() = settings;
        self.update_traces();
    }

    /// The server, and those of `fallback-uris`.
    pub fn targets(&self) -> &[Endpoint] {
        &self.targets
    }

    /// URL of the server without secrets.
    pub fn server_name(&self) -> String {
        self.targets[0].name()
    }

    /// Dialect of the server.
    pub fn dialect(&self) -> openai_protocol::dialect::Dialect {
        self.targets[0].dialect()
    }

    /// Format of `src`.
    pub fn output(&self) -> &AudioFormat {
        &self.output
    }

    /// The property `timing`.
    pub fn timing_setting(&self) -> TimingSetting {
        self.settings().timing
    }

    /// Running time of the next buffer of `src`.
    pub fn position(&self) -> Duration {
        self.playout.next_at().0
    }

    /// Configuration of a session.
    pub fn config(&self, timing: Timing, input: AudioFormat) -> Result<Config, Error> {
        let settings = self.settings().clone();
        settings.config(timing, input, self.output.clone(), self.dialect()).map(|(config, _)| config)
    }

    /// The program that answers function calls.
    pub fn program(&self) -> Option<Program> {
        // An invalid one was refused when it was set.
        self.settings().program().ok().flatten()
    }

    /// Switches tracing on while there is a use for wire events.
    pub fn update_traces(&self) {
        let traces = self.settings().raw_events || self.texts.has(TextPadKind::Events);
        self.traces.store(traces, Ordering::Relaxed);
    }

    /// Takes the timing of the session that is about to start. False if it has started before or the run was stopped.
    pub fn set_timing(&self, timing: Timing) -> bool {
        let mut state = self.state();
        let is_first = state.timing.is_none() && !state.stopped;
        if is_first {
            state.timing = Some(timing);
            state.has_progress = true;
        }
        is_first
    }

    /// Takes the session, which ends with the run.
    pub fn set_session(&self, session: Session) {
        self.state().session = Some(session);
    }

    /// Adds the task of a source pad for text. `None` if the pad has one.
    pub fn add_text(&self, pad: &gst::Pad, kind: TextPadKind) -> Option<Arc<TextSrcTask>> {
        let latency = kind.latency(&self.settings());
        let (wait, group) = (self.source.clock_wait.clone(), self.source.group);
        let task = Arc::new(TextSrcTask::new(pad.clone(), wait, group, latency, self.timing()));
        if !self.texts.add(kind, task.clone()) {
            return None;
        }
        // The session may have started meanwhile.
        if let Some(timing) = self.timing() {
            task.set_timing(timing);
        }
        self.update_traces();
        Some(task)
    }

    /// Removes the task of a source pad for text.
    pub fn remove_text(&self, pad: &gst::Pad) {
        self.texts.remove(pad);
        self.update_traces();
    }

    /// The element is in PAUSED.
    pub fn on_paused(&self) {
        let mut state = self.state();
        state.awaits_stream = state.timing.is_none();
    }

    /// STREAM_START has arrived on a sink pad.
    pub fn on_stream_start(&self) {
        self.state().has_stream = true;
        self.changed.notify_all();
        self.texts.start();
    }

    /// Waits for the streaming thread that has linked the element after PAUSED.
    pub fn wait_for_stream_start(&self) {
        let waits = |state: &mut State| state.awaits_stream && !state.has_stream && !state.stopped;
        drop(self.changed.wait_timeout_while(self.state(), STREAM_START_TIMEOUT, waits));
    }

    /// Whether `audio_sink` has to synchronize to the clock, because upstream does not.
    pub fn paces_input(&self) -> bool {
        !self.upstream_is_live.load(Ordering::Relaxed) && self.is_live()
    }

    /// PLAYING.
    pub fn play(&self, clock: gst::Clock, base: gst::ClockTime) {
        self.playing.play(clock.clone(), base);
        self.source.clock_wait.play(clock.clone(), base);
        self.waits.each(|wait| wait.play(clock.clone(), base));
    }

    /// PAUSED.
    pub fn pause(&self) {
        self.playing.pause();
        self.source.clock_wait.pause();
        self.waits.each(ClockWaiter::pause);
    }

    /// The session has ended after all input was processed. `at` is the running time of the end of the input.
    pub fn finish(&self, at: Duration) {
        self.state().end = End::Finished;
        self.input_queue.close();
        self.playout.finish(at);
        self.texts.all().iter().for_each(|task| task.finish());
    }

    /// Ends the run with an ERROR: no more input is taken, and the source pads get EOS. `done` is the running time up to
    /// which all input was processed.
    pub fn fail(&self, error: &Error, done: Option<Duration>) {
        self.end_progress(gst::ProgressType::Error, "No session");
        let closed = SessionEvent::Closed { reason: error.to_string(), running_time: done };
        self.messenger.post_event(&Event::Session(closed));
        self.messenger.post_error(error, done);
        self.state().end = End::Failed;
        self.input_queue.close();
        self.playout.abandon();
        self.texts.all().iter().for_each(|task| task.finish());
    }

    /// Posts the end of what the last PROGRESS message said.
    pub fn end_progress(&self, kind: gst::ProgressType, text: &str) {
        let had_progress = std::mem::take(&mut self.state().has_progress);
        if had_progress {
            self.messenger.post_progress(kind, text);
        }
    }

    /// Ends all waits of streaming threads, so that the pads can be deactivated.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.input_queue.close();
        self.waits.each(ClockWaiter::stop);
        self.source.stop();
        self.texts.all().iter().for_each(|task| task.stop());
        self.end_progress(gst::ProgressType::Canceled, "Stopped");
    }

    /// Ends the session, once the pads are inactive.
    pub fn close(&self) {
        let session = self.state().session.take();
        drop(session);
        self.calls.stop();
        self.bus_task.wait(BUS_HANDLER_TIMEOUT);
    }
}
