// SPDX-License-Identifier: MPL-2.0

//! The element's life: a run is made, played, paused and ended with the element's states.

use crate::error::{Error, Warning};
use crate::media;
use crate::media::audio_src_task::{AudioSrcSettings, AudioSrcTask};
use crate::media::clock_wait::ClockWaiter;
use crate::media::downstream_flush::{DownstreamFlush, FlushSettings};
use crate::media::errors;
use crate::media::recorder;
use crate::realtime::conversation::io::SessionEvent;
use crate::realtime::conversation::{Event, Input};
use crate::realtime::element::Silence;
use crate::realtime::element::imp::{CAT, OpenAIRealtime};
use crate::realtime::element::messages;
use crate::realtime::element::pads::audio_sink::SinkState;
use crate::realtime::element::run::Run;
use crate::realtime::element::stats::ElementStatus;
use crate::realtime::session::{InputQueue, Playout};
use crate::types::Timing;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What a change of state comes to.
type Changed = Result<gst::StateChangeSuccess, gst::StateChangeError>;

impl OpenAIRealtime {
    /// Makes a run; what can be known to be wrong is found now.
    fn build_run(&self) -> Result<Arc<Run>, Error> {
        self.settings().reload_files();
        let settings = self.settings().clone();
        let mut connection = settings.connection();
        connection.credentials = self.credentials();
        let targets = connection.targets(|name| std::env::var(name).ok())?;
        let (caps, format) = self.choose_output();
        let pace = Arc::new(ClockWaiter::default());
        let (listener, latency) = (pace.clone(), self.latency.clone());
        let gaps = settings.silence == Silence::Gaps;
        let playout = Arc::new(Playout::new(format.clone(), gaps, move || {
            let now = listener.now()?;
            Some(now.saturating_sub(Duration::from_nanos(latency.load(Ordering::Relaxed))))
        }));
        if let Some(now) = self.running_already() {
            playout.skip_to(now);
        }
        let input_queue = Arc::new(InputQueue::default());
        let (began, element) = (input_queue.clone(), self.obj().downgrade());
        let source_settings = AudioSrcSettings {
            caps,
            format: format.clone(),
            lead: Duration::from_nanos(settings.buffer_time),
            gaps,
            on_item_started: Box::new(move |item_id, at| began.push(Input::Began { item_id, at })),
            on_eos: Box::new(move || {
                if let Some(element) = element.upgrade() {
                    element.imp().stream_ended();
                }
            }),
        };
        let flush = DownstreamFlush::new(self.src.clone(), self.flush_settings(settings.flush_on_interrupt));
        let source =
            AudioSrcTask::new(self.src.clone(), playout.clone(), pace, self.latency.clone(), source_settings, flush);
        let source = Arc::new(source);
        let fading = Arc::downgrade(&source);
        playout.fade_cuts_where(move || fading.upgrade().is_some_and(|source| !source.may_flush()));
        let flush_handler = Arc::downgrade(&source);
        playout.set_flush_handler(move |since| {
            if let Some(source) = flush_handler.upgrade() {
                source.flush_downstream(since);
            }
        });
        // To find what is wrong with it, and what would be refused.
        let live = Timing::Live;
        let (config, left_out) =
            settings.config(live, self.likely_input_format(), format.clone(), targets[0].dialect())?;
        settings.check_tool_choice(&config.session)?;
        self.warn_of_left_out(left_out);
        Ok(Arc::new(Run::new(&self.obj(), settings, targets, format, playout, input_queue, source)))
    }

    fn flush_settings(&self, enabled: bool) -> FlushSettings {
        let (keeping, silenced) = (self.obj().downgrade(), self.obj().downgrade());
        FlushSettings {
            enabled,
            find_recorder: Box::new(recorder::downstream_of),
            on_recorder: Box::new(move |recorder: &gst::Element| {
                if let Some(element) = keeping.upgrade() {
                    element.imp().warn_of_recording(recorder);
                }
            }),
            on_silenced: Box::new(move |time| {
                if let Some(element) = silenced.upgrade() {
                    element.imp().silenced(time);
                }
            }),
        }
    }

    /// Settings are not sent, because the model or the server is known to refuse them.
    pub(crate) fn warn_of_left_out(&self, left_out: Vec<String>) {
        for what in left_out {
            self.warn(Warning::new("left-out", what.clone()).about(what));
        }
    }

    /// The application has ended a session that was not at its end.
    fn post_stopped(&self) {
        let was_open = self.status().is_open();
        let closed = Event::Session(SessionEvent::Closed { reason: "stopped".into(), running_time: None });
        self.note(&closed);
        if let Some(structure) = messages::structure(&closed).filter(|_| was_open) {
            messages::post(&self.obj(), structure);
        }
    }

    /// The model was silent so soon after it was known that it had to be.
    fn silenced(&self, time: Duration) {
        let mut status = self.status();
        status.silence_latency = time.as_nanos() as u64;
        status.longest_silence_latency = status.longest_silence_latency.max(status.silence_latency);
    }

    /// What was pushed of an answer that is cut plays to its end, because a flush would destroy what is downstream.
    fn warn_of_recording(&self, keeper: &gst::Element) {
        let factory = keeper.factory().map(|factory| factory.name().to_string()).unwrap_or_default();
        let message = format!(
            "src is not flushed when the model is interrupted, because {} ({factory}) downstream would lose what it has \
             written: what was pushed before plays to its end. Set flush-on-interrupt=false to be told no more",
            keeper.name()
        );
        self.warn(Warning::new("flush-left-out", message).about(keeper.name().as_str()));
    }

    /// The running time, where the element joins a pipeline that plays, or one whose running time does not begin at 0.
    fn running_already(&self) -> Option<Duration> {
        let element: gst::Element = self.obj().clone().upcast();
        // The pipeline itself goes back for a moment where a sink joins. What is in it goes on.
        let mut child = element.clone();
        while let Some(parent) = child.parent().and_then(|parent| parent.downcast::<gst::Bin>().ok()) {
            let plays = |other: &gst::Element| *other != child && other.current_state() == gst::State::Playing;
            if parent.children().iter().any(plays) {
                // What is new has not been told the clock and the base time; what it joins has.
                let clock = parent.clock().or_else(|| element.clock())?;
                return Some(clock.time().checked_sub(parent.base_time().or_else(|| element.base_time())?)?.into());
            }
            child = parent.upcast();
        }
        // An application that keeps the base time itself.
        let pipeline = child.downcast::<gst::Pipeline>().ok().filter(|pipeline| pipeline.start_time().is_none())?;
        let base = pipeline.base_time().filter(|base| !base.is_zero())?;
        Some(pipeline.pipeline_clock().time().checked_sub(base)?.into())
    }

    /// The pipeline ends here.
    fn is_sink(&self) -> bool {
        self.obj().element_flags().contains(gst::ElementFlags::SINK)
    }

    /// Without a linked source pad, the element is where the pipeline ends, and says so.
    fn stream_ended(&self) {
        media::post_eos_of_sink(self.obj().upcast_ref());
    }

    fn start(&self) -> Result<(), gst::StateChangeError> {
        *self.status() = ElementStatus::default();
        let run = self.build_run().map_err(|failure| {
            gst::error!(CAT, imp = self, "{failure}");
            errors::post_error(self.obj().upcast_ref(), &failure, None);
            gst::StateChangeError
        })?;
        gst::info!(CAT, imp = self, "starting a session with {}", run.place());
        media::mark_ends(self.obj().upcast_ref());
        self.latency.store(0, Ordering::Relaxed);
        *self.sink() = SinkState::default();
        self.begin_property_sync();
        self.set_run(Some(run));
        Ok(())
    }

    fn play(&self) {
        let element = self.obj();
        if let Some(run) = self.run() {
            self.begin_if_known(&run, false);
            // GstBin notes that it plays, and after that, that it was paused, if the thread that has just linked the
            // element is still telling so. Then it would keep the end of the stream to itself. A sink that prerolls
            // holds that thread's lock here.
            if self.is_sink() && self.some_upstream_is_not_live() {
                run.await_arrival();
            }
            match element.clock() {
                Some(clock) => run.play(clock, element.base_time().unwrap_or_default()),
                // The pipeline has none, and so no base time either: running time goes on where the stream is.
                None => {
                    let clock = gst::SystemClock::obtain();
                    let position = gst::ClockTime::from_nseconds(run.position().as_nanos() as u64);
                    let base = clock.time().saturating_sub(position);
                    run.play(clock, base);
                }
            }
        }
    }

    /// Goes through a change of state around what every element does in it.
    pub(crate) fn go_through(&self, transition: gst::StateChange, parent: impl FnOnce() -> Changed) -> Changed {
        match transition {
            gst::StateChange::ReadyToPaused => self.start()?,
            gst::StateChange::PausedToPlaying => self.play(),
            gst::StateChange::PlayingToPaused => {
                if let Some(run) = self.run() {
                    run.pause();
                }
            }
            gst::StateChange::PausedToReady => {
                if let Some(run) = self.run() {
                    run.stop();
                }
            }
            _ => {}
        }
        let changed = parent();
        match transition {
            gst::StateChange::ReadyToPaused if changed.is_ok() => {
                if let Some(run) = self.run() {
                    for pad in self.obj().src_pads() {
                        self.start_text(&pad);
                    }
                    self.begin_if_known(&run, false);
                    run.begins();
                }
            }
            gst::StateChange::PausedToReady | gst::StateChange::ReadyToPaused => {
                let run = self.set_run(None);
                if let Some(run) = run {
                    run.stop();
                    run.close();
                    self.post_left_out_warnings(true);
                    self.post_stopped();
                }
            }
            _ => {}
        }
        changed
    }
}
