// SPDX-License-Identifier: MPL-2.0

//! State changes of the element: a run is made, played, paused and ended. None of them waits for the network.

use crate::media;
use crate::realtime::conversation::Event;
use crate::realtime::conversation::io::SessionEvent;
use crate::realtime::element::context::Context;
use crate::realtime::element::pads::text_src;
use crate::realtime::element::{CAT, messages, run_setup, session_start};
use gst::prelude::*;
use std::sync::atomic::Ordering;

/// Result of a state change.
type StateChangeResult = Result<gst::StateChangeSuccess, gst::StateChangeError>;

/// Does a state change. `parent` is that of the parent class, which activates and deactivates the pads.
pub fn change_state(
    context: &Context,
    transition: gst::StateChange,
    parent: impl FnOnce() -> StateChangeResult,
) -> StateChangeResult {
    match transition {
        gst::StateChange::ReadyToPaused => start(context)?,
        gst::StateChange::PausedToPlaying => play(context),
        gst::StateChange::PlayingToPaused => {
            if let Some(run) = context.run() {
                run.pause();
            }
        }
        gst::StateChange::PausedToReady => {
            if let Some(run) = context.run() {
                run.stop();
            }
        }
        _ => {}
    }
    let result = parent();
    match transition {
        gst::StateChange::ReadyToPaused if result.is_ok() => paused(context),
        gst::StateChange::PausedToReady | gst::StateChange::ReadyToPaused => end(context),
        _ => {}
    }
    result
}

fn start(context: &Context) -> Result<(), gst::StateChangeError> {
    let element = context.element().ok_or(gst::StateChangeError)?;
    context.messenger.reset();
    let run = run_setup::make_run(context, &element).map_err(|error| {
        context.messenger.post_error(&error, None);
        gst::StateChangeError
    })?;
    gst::info!(CAT, obj = element, "starting a session with {}", run.server_name());
    media::mark_ends(&element);
    context.latency.store(0, Ordering::Relaxed);
    context.reset_input();
    context.property_sync.begin();
    context.set_run(Some(run));
    Ok(())
}

fn paused(context: &Context) {
    let (Some(run), Some(element)) = (context.run(), context.element()) else { return };
    element.src_pads().iter().for_each(|pad| text_src::start_if_active(context, pad));
    session_start::start_if_known(context, &run, false);
    run.on_paused();
}

fn play(context: &Context) {
    let (Some(run), Some(element)) = (context.run(), context.element()) else { return };
    session_start::start_if_known(context, &run, false);
    // A sink that prerolls holds the streaming thread's lock here. If the thread that has just linked the element is still
    // sending its first events, GstBin would take the element for PLAYING and then for PAUSED, and keep the EOS to itself.
    if element.element_flags().contains(gst::ElementFlags::SINK) && session_start::some_upstream_is_not_live(context) {
        run.wait_for_stream_start();
    }
    match element.clock() {
        Some(clock) => run.play(clock, element.base_time().unwrap_or_default()),
        // Outside a pipeline there is neither clock nor base time: running time goes on where the output is.
        None => {
            let clock = gst::SystemClock::obtain();
            let position = gst::ClockTime::from_nseconds(run.position().as_nanos() as u64);
            let base = clock.time().saturating_sub(position);
            run.play(clock, base);
        }
    }
}

fn end(context: &Context) {
    let Some(run) = context.set_run(None) else { return };
    run.stop();
    run.close();
    context.messenger.post_left_out_warnings(true);
    // A session that was not at its end was closed by the application.
    let was_open = context.messenger.status().is_open();
    let closed = Event::Session(SessionEvent::Closed { reason: "stopped".into(), running_time: None });
    context.messenger.update_status(&closed);
    if was_open {
        context.messenger.post(messages::structure(&closed));
    }
}
