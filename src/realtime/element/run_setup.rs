// SPDX-License-Identifier: MPL-2.0

//! Setup of a run from the properties. Whatever can be known to be wrong is found here, before anything starts.

use crate::error::{Error, Warning};
use crate::media;
use crate::media::audio_src_task::{AudioSrcSettings, AudioSrcTask};
use crate::media::clock_wait::ClockWaiter;
use crate::media::downstream_flush::{DownstreamFlush, FlushSettings};
use crate::media::recorder;
use crate::media::signals;
use crate::realtime::conversation::Input;
use crate::realtime::element::context::Context;
use crate::realtime::element::messenger::Messenger;
use crate::realtime::element::run::Run;
use crate::realtime::element::settings::Settings;
use crate::realtime::element::{Silence, audio_caps};
use crate::realtime::session::{InputQueue, Playout};
use crate::types::Timing;
use gst::prelude::*;
use openai_protocol::session::AudioFormat;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Makes a run.
pub fn make_run(context: &Context, element: &gst::Element) -> Result<Arc<Run>, Error> {
    let settings = {
        let mut settings = context.settings();
        settings.reload_files();
        settings.clone()
    };
    let mut connection = settings.connection();
    connection.credentials = signals::credentials(element);
    let targets = connection.targets(|name| std::env::var(name).ok())?;
    let (caps, output) = audio_caps::choose_output(&context.src);
    // What is wrong with the session or would be refused is found now, although the timing is not known.
    let input = audio_caps::likely_input_format(&context.audio_sink);
    let (config, left_out) = settings.config(Timing::Live, input, output.clone(), targets[0].dialect())?;
    settings.check_tool_choice(&config.session)?;
    context.messenger.warn_of_left_out_settings(left_out);
    let clock_wait = Arc::new(ClockWaiter::default());
    let playout = make_playout(context, &settings, output.clone(), clock_wait.clone());
    if let Some(now) = running_time_at_start(element) {
        playout.skip_to(now);
    }
    let input_queue = Arc::new(InputQueue::default());
    let source = make_source(context, element, &settings, caps, &playout, clock_wait, input_queue.clone());
    let messenger = context.messenger.clone();
    Ok(Arc::new(Run::new(messenger, settings, targets, output, input_queue, playout, source)))
}

/// The playback position is the running time less the latency of the pipeline.
fn make_playout(
    context: &Context,
    settings: &Settings,
    format: AudioFormat,
    clock_wait: Arc<ClockWaiter>,
) -> Arc<Playout> {
    let latency = context.latency.clone();
    Arc::new(Playout::new(format, settings.silence == Silence::Gaps, move || {
        let now = clock_wait.now()?;
        Some(now.saturating_sub(Duration::from_nanos(latency.load(Ordering::Relaxed))))
    }))
}

fn make_source(
    context: &Context,
    element: &gst::Element,
    settings: &Settings,
    caps: gst::Caps,
    playout: &Arc<Playout>,
    clock_wait: Arc<ClockWaiter>,
    input_queue: Arc<InputQueue>,
) -> Arc<AudioSrcTask> {
    let format = audio_caps::format_of(&caps).unwrap_or_default();
    let (weak, began) = (element.downgrade(), input_queue.clone());
    let source_settings = AudioSrcSettings {
        caps,
        format,
        lead: Duration::from_nanos(settings.buffer_time),
        delay: settings.source_delay(),
        gaps: settings.silence == Silence::Gaps,
        on_item_started: Box::new(move |item_id, at| began.push(Input::Began { item_id, at, pushed: Instant::now() })),
        on_eos: Box::new(move || {
            if let Some(element) = weak.upgrade() {
                media::post_eos_of_sink(&element);
            }
        }),
    };
    let (warner, status) = (context.messenger.clone(), context.messenger.clone());
    let flush_settings = FlushSettings {
        enabled: settings.flush_on_interrupt,
        find_recorder: Box::new(recorder::downstream_of),
        on_recorder: Box::new(move |recorder| warn_of_recorder(&warner, recorder)),
        on_silenced: Box::new(move |latency| {
            status.status().on_silenced(latency);
            input_queue.push(Input::Silenced { at: Instant::now() });
        }),
    };
    let (src, latency) = (context.src.clone(), context.latency.clone());
    let flush = DownstreamFlush::new(src.clone(), flush_settings);
    let source = Arc::new(AudioSrcTask::new(src, playout.clone(), clock_wait, latency, source_settings, flush));
    let fading = Arc::downgrade(&source);
    playout.fade_cuts_where(move || fading.upgrade().is_some_and(|source| !source.may_flush()));
    let flushing = Arc::downgrade(&source);
    playout.set_flush_handler(move |since| {
        if let Some(source) = flushing.upgrade() {
            source.flush_downstream(since);
        }
    });
    source
}

fn warn_of_recorder(messenger: &Messenger, recorder: &gst::Element) {
    let factory = recorder.factory().map(|factory| factory.name().to_string()).unwrap_or_default();
    let message = format!(
        "src is not flushed when the model is interrupted, because {} ({factory}) downstream would lose what it has \
         written: what was pushed before plays to its end. Set flush-on-interrupt=false to be told no more",
        recorder.name()
    );
    messenger.warn(Warning::new("flush-left-out", message).about(recorder.name().as_str()));
}

/// The running time, if the element joins a pipeline in PLAYING, or one whose running time does not start at 0.
fn running_time_at_start(element: &gst::Element) -> Option<Duration> {
    // The pipeline itself goes back to PAUSED for a moment if a sink joins it; its other children stay in PLAYING.
    let mut child = element.clone();
    while let Some(parent) = child.parent().and_then(|parent| parent.downcast::<gst::Bin>().ok()) {
        let plays = |other: &gst::Element| *other != child && other.current_state() == gst::State::Playing;
        if parent.children().iter().any(plays) {
            // A new element does not have clock and base time yet; the bin that it joins does.
            let clock = parent.clock().or_else(|| element.clock())?;
            return Some(clock.time().checked_sub(parent.base_time().or_else(|| element.base_time())?)?.into());
        }
        child = parent.upcast();
    }
    // An application that manages the base time itself.
    let pipeline = child.downcast::<gst::Pipeline>().ok().filter(|pipeline| pipeline.start_time().is_none())?;
    let base = pipeline.base_time().filter(|base| !base.is_zero())?;
    Some(pipeline.pipeline_clock().time().checked_sub(base)?.into())
}
