// SPDX-License-Identifier: MPL-2.0

//! Start of the session, once it is known whether upstream is live: at the latest when the first data arrives.

use crate::error::Error;
use crate::media::liveness::pad_is_live;
use crate::media::property_values::time;
use crate::net::clock::Clock;
use crate::net::runtime::SharedRuntime;
use crate::realtime::element::Timing as TimingSetting;
use crate::realtime::element::audio_caps;
use crate::realtime::element::bus::BusHandler;
use crate::realtime::element::context::Context;
use crate::realtime::element::run::Run;
use crate::realtime::session::{BUS_QUEUE_LEN, Session, Setup};
use crate::types::Timing;
use gst::prelude::*;
use openai_protocol::session::AudioFormat;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;

/// Starts the session if it is known whether upstream is live; with `data_flows` it is.
pub fn start_if_known(context: &Context, run: &Arc<Run>, data_flows: bool) {
    let upstream = upstream_is_live(context);
    let audio_is_live = pad_is_live(&context.audio_sink);
    let timing = match run.timing_setting() {
        TimingSetting::Live => Timing::Live,
        TimingSetting::Offline => Timing::Offline,
        TimingSetting::Auto => match upstream {
            Some(true) => Timing::Live,
            Some(false) => Timing::Offline,
            None if data_flows && some_upstream_is_not_live(context) => Timing::Offline,
            None if data_flows => Timing::Live,
            None => return,
        },
    };
    // Upstream may have been linked anew, or be able to tell now.
    let is_live = !context.audio_sink.is_linked() || audio_is_live == Some(true);
    run.upstream_is_live.store(is_live, Ordering::Relaxed);
    let format = {
        let input = context.audio_input();
        (data_flows && input.has_format).then(|| input.format.clone())
    };
    let format = format.unwrap_or_else(|| audio_caps::likely_input_format(&context.audio_sink));
    if data_flows {
        run.texts.start();
    }
    if run.timing().is_none() {
        let inputs = input_pads(context);
        if inputs.is_empty() {
            run.texts.start();
        }
        // Offline, items of a pad wait for every other pad that is linked.
        inputs.iter().for_each(|pad| run.input_queue.open(&pad.name(), true));
    }
    if start(context, run, timing, format)
        && data_flows
        && let Some(element) = context.element()
    {
        // The answer to LATENCY changes. An element outside a pipeline has no bus.
        let _ = element.post_message(gst::message::Latency::builder().src(&element).build());
    }
}

/// Starts the session. False if it has started before.
fn start(context: &Context, run: &Arc<Run>, timing: Timing, input: AudioFormat) -> bool {
    if !run.set_timing(timing) {
        return false;
    }
    let retry_policy = run.settings().retry_policy();
    let reconnect_buffer = time(run.settings().reconnect_buffer);
    run.input_queue.set_offline(timing == Timing::Offline);
    run.input_queue.set_reconnect_buffer(reconnect_buffer);
    run.input_queue.set_append_interval(time(run.settings().append_interval));
    run.input_queue.set_connected(false);
    run.update_traces();
    run.texts.all().iter().for_each(|task| task.set_timing(timing));
    context.messenger.post_progress(gst::ProgressType::Start, &format!("Connecting to {}", run.server_name()));
    let (bus_tx, bus_rx) = mpsc::channel(BUS_QUEUE_LEN);
    let no_thread = |error: std::io::Error| Error::connect(format!("no thread to be had: {error}")).with_source(error);
    let started = run.config(timing, input).and_then(|config| {
        let setup = Setup {
            targets: run.targets().to_vec(),
            config,
            retry_policy,
            input_queue: run.input_queue.clone(),
            playout: run.playout.clone(),
            bus_tx,
            traces: run.traces.clone(),
            clock: Clock::default(),
        };
        let runtime = SharedRuntime::get().map_err(no_thread)?;
        run.set_session(Session::start(setup, runtime.clone()));
        let handler = BusHandler {
            run: Arc::downgrade(run),
            messenger: context.messenger.clone(),
            property_sync: context.property_sync.clone(),
            latency: context.latency.clone(),
        };
        run.bus_task.start(runtime, handler, bus_rx);
        Ok(())
    });
    if let Err(error) = started {
        run.fail(&error, None);
    }
    run.source.set_timing(timing);
    true
}

/// The linked pads of audio and video.
fn input_pads(context: &Context) -> Vec<gst::Pad> {
    let is_input =
        |pad: &gst::Pad| pad.is_linked() && (*pad == context.audio_sink || pad.name().starts_with("video_sink_"));
    context.sink_pads().into_iter().filter(is_input).collect()
}

/// Whether anything upstream is live; `None` if that is not known yet. Without any input the clock goes on.
fn upstream_is_live(context: &Context) -> Option<bool> {
    let pads = input_pads(context);
    let status: Vec<_> = pads.iter().map(pad_is_live).collect();
    if pads.is_empty() || status.contains(&Some(true)) {
        return Some(true);
    }
    status.into_iter().collect::<Option<Vec<_>>>().map(|_| false)
}

/// Whether it is known of a linked pad that its upstream is not live.
pub fn some_upstream_is_not_live(context: &Context) -> bool {
    input_pads(context).iter().any(|pad| pad_is_live(pad) == Some(false))
}
