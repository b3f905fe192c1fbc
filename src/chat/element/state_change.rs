// SPDX-License-Identifier: MPL-2.0

//! The element's life: a run is made, played, paused and ended with the element's states.

use crate::chat::element::imp::{CAT, OpenAIChat};
use crate::chat::element::run::Run;
use crate::chat::element::sink_pads::SinkState;
use crate::chat::element::stats::Stats;
use crate::error::Error;
use crate::media;
use crate::media::audio_src_task::{AudioSrcSettings, AudioSrcTask};
use crate::media::clock_wait::ClockWaiter;
use crate::media::downstream_flush::{DownstreamFlush, FlushSettings};
use crate::media::enums::Silence;
use crate::media::errors;
use crate::queue::playout::Playout;
use crate::types::Timing;
use gst::prelude::*;
use gst::subclass::prelude::*;
use openai_protocol::session::AudioFormat;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What a change of state comes to.
type Changed = Result<gst::StateChangeSuccess, gst::StateChangeError>;

impl OpenAIChat {
    /// Makes a run; what can be known to be wrong is found now.
    fn build_run(&self) -> Result<Arc<Run>, Error> {
        self.settings().reload_files();
        let settings = self.settings().clone();
        let env = |name: &str| std::env::var(name).ok();
        let credentials = self.credentials();
        let endpoint = settings.endpoint(&settings.model, credentials.clone()).endpoint(env)?;
        let config = settings.config(endpoint.model(), Timing::Offline)?;
        let vision_endpoint = config.vision_model.as_deref();
        let vision_endpoint = vision_endpoint.map(|model| settings.endpoint(model, credentials).endpoint(env));
        let pace = Arc::new(ClockWaiter::default());
        let (listener, latency) = (pace.clone(), self.latency.clone());
        let gaps = settings.silence == Silence::Gaps;
        let playout = Arc::new(Playout::new(AudioFormat::Pcm, gaps, move || {
            let now = listener.now()?;
            Some(now.saturating_sub(Duration::from_nanos(latency.load(Ordering::Relaxed))))
        }));
        let element = self.obj().downgrade();
        let source_settings = AudioSrcSettings {
            caps: self.src.pad_template_caps(),
            format: AudioFormat::Pcm,
            lead: Duration::from_nanos(settings.buffer_time),
            gaps,
            on_item_started: Box::new(|_, _| {}),
            on_eos: Box::new(move || {
                if let Some(element) = element.upgrade() {
                    element.imp().stream_ended();
                }
            }),
        };
        let flush = DownstreamFlush::new(self.src.clone(), FlushSettings::disabled());
        let source =
            AudioSrcTask::new(self.src.clone(), playout.clone(), pace, self.latency.clone(), source_settings, flush);
        Ok(Arc::new(Run::new(&self.obj(), settings, endpoint, vision_endpoint.transpose()?, playout, Arc::new(source))))
    }

    /// Without a linked source pad, the element is where the pipeline ends, and says so.
    fn stream_ended(&self) {
        media::post_eos_of_sink(self.obj().upcast_ref());
    }

    fn start(&self) -> Result<(), gst::StateChangeError> {
        *self.stats() = Stats::default();
        let run = self.build_run().map_err(|failure| {
            gst::error!(CAT, imp = self, "{failure}");
            errors::post_error(self.obj().upcast_ref(), &failure, None);
            gst::StateChangeError
        })?;
        gst::info!(CAT, imp = self, "requests go to {}", run.place());
        media::mark_ends(self.obj().upcast_ref());
        self.latency.store(0, Ordering::Relaxed);
        *self.sink() = SinkState::default();
        self.set_run(Some(run));
        Ok(())
    }

    fn play(&self) {
        let element = self.obj();
        let Some(run) = self.run() else { return };
        let clock = element.clock().unwrap_or_else(gst::SystemClock::obtain);
        let base = element.base_time().unwrap_or_else(|| clock.time());
        run.play(clock, base);
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
                self.obj().src_pads().iter().for_each(|pad| self.start_text(pad));
            }
            gst::StateChange::PausedToReady | gst::StateChange::ReadyToPaused => {
                if let Some(run) = self.set_run(None) {
                    run.stop();
                    run.close();
                    self.post_left_out_warnings(true);
                }
            }
            _ => {}
        }
        changed
    }
}
