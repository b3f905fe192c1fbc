// SPDX-License-Identifier: MPL-2.0

//! State changes of the element: a run is made, played, paused and ended. None of them waits for the network.

use crate::chat::element::CAT;
use crate::chat::element::context::Context;
use crate::chat::element::input_pads::InputPads;
use crate::chat::element::pads::src;
use crate::chat::element::run_setup;
use crate::media;
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
        gst::StateChange::ReadyToPaused if result.is_ok() => {
            let pads = context.element().map(|element| element.src_pads()).unwrap_or_default();
            pads.iter().for_each(|pad| src::start_if_active(context, pad));
        }
        gst::StateChange::PausedToReady | gst::StateChange::ReadyToPaused => {
            if let Some(run) = context.set_run(None) {
                run.stop();
                run.close();
                context.messenger.post_left_out_warnings(true);
            }
        }
        _ => {}
    }
    result
}

fn start(context: &Context) -> Result<(), gst::StateChangeError> {
    let element = context.element().ok_or(gst::StateChangeError)?;
    context.messenger.reset();
    let run = run_setup::make_run(context, &element).map_err(|error| {
        context.messenger.post_error(&error);
        gst::StateChangeError
    })?;
    gst::info!(CAT, obj = element, "requests go to {}", run.server_name());
    media::mark_ends(&element);
    context.latency.store(0, Ordering::Relaxed);
    *context.input_pads() = InputPads::default();
    context.set_run(Some(run));
    Ok(())
}

fn play(context: &Context) {
    let (Some(run), Some(element)) = (context.run(), context.element()) else { return };
    let clock = element.clock().unwrap_or_else(gst::SystemClock::obtain);
    let base = element.base_time().unwrap_or_else(|| clock.time());
    run.play(clock, base);
}
