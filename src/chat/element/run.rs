// SPDX-License-Identifier: MPL-2.0

//! A run: everything that exists from READY to PAUSED and back. Each one is made anew, so that nothing of the last one has
//! to be reset.

use crate::chat::conversation::config::Config;
use crate::chat::element::messenger::Messenger;
use crate::chat::element::settings::Settings;
use crate::chat::element::text_pad_kind::TextPadKind;
use crate::chat::session::input_queue::{InputQueue, PushError};
use crate::chat::session::{Session, Timeouts};
use crate::error::Error;
use crate::media::audio_src_task::AudioSrcTask;
use crate::media::bus_task::BusTask;
use crate::media::function_calls::{Calls, Program};
use crate::media::text_outputs::TextOutputs;
use crate::media::text_src_task::TextSrcTask;
use crate::net::endpoint::Endpoint;
use crate::queue::playout::Playout;
use crate::types::Timing;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a stop waits for an application's handler that is busy with a message.
const BUS_HANDLER_TIMEOUT: Duration = Duration::from_secs(1);

/// How the session has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    /// It goes on.
    #[default]
    No,
    /// Everything was answered.
    Finished,
    /// An ERROR was posted.
    Failed,
}

#[derive(Default)]
struct State {
    timing: Option<Timing>,
    session: Option<Session>,
    end: End,
    stopped: bool,
}

/// One run.
pub struct Run {
    messenger: Arc<Messenger>,
    settings: Settings,
    /// Server of the requests.
    pub endpoint: Endpoint,
    /// Server of the requests to `vision-model`.
    pub vision_endpoint: Option<Endpoint>,
    /// From the sink pads to the session.
    pub input_queue: Arc<InputQueue>,
    /// From the session to `src`.
    pub playout: Arc<Playout>,
    /// Task of `src`.
    pub source: Arc<AudioSrcTask>,
    /// Function calls of this run.
    pub calls: Arc<Calls>,
    /// Whether the session traces requests and answers.
    pub traces: Arc<AtomicBool>,
    /// Source pads for text.
    pub texts: TextOutputs<TextPadKind>,
    state: Mutex<State>,
    /// Posts messages of the session.
    pub bus_task: BusTask,
}

impl Run {
    /// A run without a session.
    pub fn new(
        messenger: Arc<Messenger>,
        settings: Settings,
        endpoint: Endpoint,
        vision_endpoint: Option<Endpoint>,
        playout: Arc<Playout>,
        source: Arc<AudioSrcTask>,
    ) -> Self {
        Self {
            messenger,
            settings,
            endpoint,
            vision_endpoint,
            input_queue: Arc::default(),
            playout,
            source,
            calls: Arc::default(),
            traces: Arc::default(),
            texts: TextOutputs::default(),
            state: Mutex::default(),
            bus_task: BusTask::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the session has started and is live.
    pub fn is_live(&self) -> bool {
        self.state().timing == Some(Timing::Live)
    }

    /// Whether the session has started.
    pub fn has_begun(&self) -> bool {
        self.state().timing.is_some()
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

    /// Flow return for an item that the input queue did not take.
    pub fn flow_of(&self, error: PushError) -> gst::FlowError {
        match (error, self.state().end) {
            (PushError::Closed, End::Failed) => gst::FlowError::Error,
            (PushError::Closed, End::Finished) => gst::FlowError::Eos,
            (PushError::Flushing | PushError::Full, _) | (PushError::Closed, End::No) => gst::FlowError::Flushing,
        }
    }

    /// URL of the server without secrets.
    pub fn server_name(&self) -> String {
        self.endpoint.name()
    }

    /// Configuration of the session.
    pub fn config(&self, timing: Timing) -> Result<Config, Error> {
        self.settings.config(self.endpoint.model(), timing)
    }

    /// Time limits of requests.
    pub fn timeouts(&self) -> Timeouts {
        self.settings.timeouts()
    }

    /// The program that answers function calls.
    pub fn program(&self) -> Option<Program> {
        // An invalid one was refused when the run was made.
        self.settings.program().ok().flatten()
    }

    /// Takes the timing of the session that is about to start. False if it has started before or the run was stopped.
    pub fn set_timing(&self, timing: Timing) -> bool {
        let mut state = self.state();
        let is_first = state.timing.is_none() && !state.stopped;
        if is_first {
            state.timing = Some(timing);
        }
        is_first
    }

    /// Takes the session, which ends with the run.
    pub fn set_session(&self, session: Session) {
        self.state().session = Some(session);
    }

    /// Adds the task of a source pad for text. `None` if the pad has one.
    pub fn add_text(&self, pad: &gst::Pad, kind: TextPadKind) -> Option<Arc<TextSrcTask>> {
        let timing = self.state().timing;
        let (wait, group) = (self.source.clock_wait.clone(), self.source.group);
        let task = Arc::new(TextSrcTask::new(pad.clone(), wait, group, Duration::ZERO, timing));
        if !self.texts.add(kind, task.clone()) {
            return None;
        }
        // The session may have started or ended meanwhile.
        let (timing, end) = {
            let state = self.state();
            (state.timing, state.end)
        };
        if let Some(timing) = timing {
            task.set_timing(timing);
        }
        if end != End::No {
            task.finish();
        }
        self.update_traces();
        Some(task)
    }

    /// Removes the task of a source pad for text.
    pub fn remove_text(&self, pad: &gst::Pad) {
        self.texts.remove(pad);
        self.update_traces();
    }

    fn update_traces(&self) {
        self.traces.store(self.texts.has(TextPadKind::Events), Ordering::Relaxed);
    }

    /// PLAYING.
    pub fn play(&self, clock: gst::Clock, base: gst::ClockTime) {
        self.source.clock_wait.play(clock, base);
    }

    /// PAUSED.
    pub fn pause(&self) {
        self.source.clock_wait.pause();
    }

    /// The session has ended after everything was answered. `at` is the running time of the end of the input.
    pub fn finish(&self, at: Duration) {
        self.state().end = End::Finished;
        self.input_queue.close();
        self.playout.finish(at);
        self.texts.all().iter().for_each(|task| task.finish());
    }

    /// Ends the run with an ERROR: no more input is taken, and the source pads get EOS.
    pub fn fail(&self, error: &Error) {
        self.messenger.post_error(error);
        self.state().end = End::Failed;
        self.input_queue.close();
        self.playout.abandon();
        self.texts.all().iter().for_each(|task| task.finish());
    }

    /// Ends all waits of streaming threads, so that the pads can be deactivated.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.input_queue.close();
        self.source.stop();
        self.texts.all().iter().for_each(|task| task.stop());
    }

    /// Ends the session, once the pads are inactive.
    pub fn close(&self) {
        let session = self.state().session.take();
        drop(session);
        self.calls.stop();
        self.bus_task.wait(BUS_HANDLER_TIMEOUT);
    }
}
