// SPDX-License-Identifier: MPL-2.0

//! Setup of a run from the properties. Whatever can be known to be wrong is found here, before anything starts.

use crate::chat::element::context::Context;
use crate::chat::element::run::Run;
use crate::error::Error;
use crate::media;
use crate::media::audio_src_task::{AudioSrcSettings, AudioSrcTask};
use crate::media::clock_wait::ClockWaiter;
use crate::media::downstream_flush::{DownstreamFlush, FlushSettings};
use crate::media::enums::Silence;
use crate::media::signals;
use crate::queue::playout::Playout;
use crate::types::Timing;
use gst::prelude::*;
use openai_protocol::session::AudioFormat;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Makes a run.
pub fn make_run(context: &Context, element: &gst::Element) -> Result<Arc<Run>, Error> {
    let settings = {
        let mut settings = context.settings();
        settings.reload_files();
        settings.clone()
    };
    let env = |name: &str| std::env::var(name).ok();
    let credentials = signals::credentials(element);
    let endpoint = settings.endpoint(&settings.model, credentials.clone()).endpoint(env)?;
    let config = settings.config(endpoint.model(), Timing::Offline)?;
    let vision_endpoint = config.vision_model.as_deref();
    let vision_endpoint =
        vision_endpoint.map(|model| settings.endpoint(model, credentials).endpoint(env)).transpose()?;
    let clock_wait = Arc::new(ClockWaiter::default());
    let (listener, latency) = (clock_wait.clone(), context.latency.clone());
    let gaps = settings.silence == Silence::Gaps;
    let playout = Arc::new(Playout::new(AudioFormat::Pcm, gaps, move || {
        let now = listener.now()?;
        Some(now.saturating_sub(Duration::from_nanos(latency.load(Ordering::Relaxed))))
    }));
    let weak = element.downgrade();
    let source_settings = AudioSrcSettings {
        caps: context.src.pad_template_caps(),
        format: AudioFormat::Pcm,
        lead: Duration::from_nanos(settings.buffer_time),
        delay: Duration::ZERO,
        gaps,
        on_item_started: Box::new(|_, _| {}),
        on_eos: Box::new(move || {
            if let Some(element) = weak.upgrade() {
                media::post_eos_of_sink(&element);
            }
        }),
    };
    let (src, latency) = (context.src.clone(), context.latency.clone());
    let flush = DownstreamFlush::new(src.clone(), FlushSettings::disabled());
    let source = Arc::new(AudioSrcTask::new(src, playout.clone(), clock_wait, latency, source_settings, flush));
    Ok(Arc::new(Run::new(context.messenger.clone(), settings, endpoint, vision_endpoint, playout, source)))
}
