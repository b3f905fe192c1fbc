// SPDX-License-Identifier: MPL-2.0

//! Start of the session when the first data arrives: then it is known whether upstream is live.

use crate::chat::conversation::io::Input;
use crate::chat::element::bus::BusHandler;
use crate::chat::element::context::Context;
use crate::chat::element::run::Run;
use crate::chat::session::{BUS_QUEUE_LEN, Session, Setup};
use crate::error::Error;
use crate::media::enums::Timing as TimingSetting;
use crate::media::liveness::pad_is_live;
use crate::net::clock::Clock;
use crate::net::runtime::SharedRuntime;
use crate::types::Timing;
use gst::prelude::*;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Starts the session, unless it has started before.
pub fn start(context: &Context, run: &Arc<Run>) {
    if run.has_begun() {
        return;
    }
    // Segments wait for these pads; text may come at any time or never.
    let is_input = |pad: &gst::Pad| pad.is_linked() && pad.name() != "text_sink";
    let pads: Vec<_> = context.sink_pads().into_iter().filter(is_input).collect();
    let is_live = || pads.iter().any(|pad| pad_is_live(pad) == Some(true));
    let setting = context.settings().timing;
    let timing = match setting {
        TimingSetting::Live => Timing::Live,
        TimingSetting::Offline => Timing::Offline,
        TimingSetting::Auto if is_live() => Timing::Live,
        TimingSetting::Auto => Timing::Offline,
    };
    if !run.set_timing(timing) {
        return;
    }
    run.input_queue.set_live(timing == Timing::Live);
    for pad in &pads {
        // Ahead of what may be queued already.
        run.input_queue.command(Input::PadOpened { pad: pad.name().to_string(), waits: true });
    }
    if let Err(error) = start_session(context, run, timing) {
        run.fail(&error);
    }
    run.source.set_timing(timing);
    run.texts.all().iter().for_each(|task| task.set_timing(timing));
    run.texts.start();
}

fn start_session(context: &Context, run: &Arc<Run>, timing: Timing) -> Result<(), Error> {
    let no_thread = |error: std::io::Error| Error::connect(format!("no thread to be had: {error}")).with_source(error);
    let (bus_tx, bus_rx) = mpsc::channel(BUS_QUEUE_LEN);
    let setup = Setup {
        endpoint: run.endpoint.clone(),
        vision_endpoint: run.vision_endpoint.clone(),
        config: run.config(timing)?,
        timeouts: run.timeouts(),
        input_queue: run.input_queue.clone(),
        playout: run.playout.clone(),
        bus_tx,
        traces: run.traces.clone(),
        clock: Clock::default(),
    };
    let runtime = SharedRuntime::get().map_err(no_thread)?;
    run.set_session(Session::start(setup, runtime.clone()));
    let handler = BusHandler { run: run.clone(), messenger: context.messenger.clone() };
    run.bus_task.start(runtime, handler, bus_rx);
    Ok(())
}
