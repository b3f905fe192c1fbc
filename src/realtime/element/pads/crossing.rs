// SPDX-License-Identifier: MPL-2.0

//! Events and queries that pass between the sink pads and the source pads.
//!
//! A serialized event is queued into the stream of each source pad, whose task pushes it. Queries are answered by the
//! element, because its output is a stream of its own.

use crate::error::Warning;
use crate::realtime::element::CAT;
use crate::realtime::element::context::Context;
use gst::prelude::*;
use std::cell::RefCell;
use std::sync::atomic::Ordering;

/// Number of remembered events. One that comes back, where elements are linked in a loop, is not passed on again.
const MAX_PASSED_EVENTS: usize = 64;

thread_local! {
    /// Contexts whose element this thread is crossing already.
    static CROSSING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Ends a crossing, also if the thread panics.
struct Crossing;

impl Drop for Crossing {
    fn drop(&mut self) {
        CROSSING.with_borrow_mut(|crossing| crossing.pop());
    }
}

/// Calls into the other side, unless this thread comes from there: elements may be linked in a loop.
pub fn cross<T>(context: &Context, act: impl FnOnce() -> T) -> Option<T> {
    let this = std::ptr::from_ref(context) as usize;
    let is_new = CROSSING.with_borrow_mut(|crossing| {
        let is_new = !crossing.contains(&this);
        is_new.then(|| crossing.push(this)).is_some()
    });
    if !is_new {
        return None;
    }
    let _crossing = Crossing;
    Some(act())
}

/// Passes an event on to the pads of the other side, on this thread.
pub fn forward(context: &Context, pad: &gst::Pad, event: gst::Event) -> bool {
    cross(context, || gst::Pad::event_default(pad, context.element().as_ref(), event)).unwrap_or(false)
}

/// Passes an event of the application on.
pub fn pass_on(context: &Context, pad: &gst::Pad, event: gst::Event) -> bool {
    if event.is_downstream() && event.is_serialized() {
        return queue_event(context, &event);
    }
    forward(context, pad, event)
}

/// Queues a serialized event into the stream of each source pad.
pub fn queue_event(context: &Context, event: &gst::Event) -> bool {
    let Some(run) = context.run() else { return false };
    {
        let mut passed = context.passed_events();
        if passed.contains(&event.seqnum()) {
            return true;
        }
        if passed.len() == MAX_PASSED_EVENTS {
            passed.pop_front();
        }
        passed.push_back(event.seqnum());
    }
    gst::trace!(CAT, "queued for each source pad: {event:?}");
    let mut blocked: Vec<_> = Vec::new();
    if !run.source.push_event(event.clone()) {
        blocked.push(run.source.pad().name());
    }
    for task in run.texts.all() {
        if !task.push_event(event.clone()) {
            blocked.push(task.pad().name());
        }
    }
    if blocked.is_empty() {
        run.events_dropped.store(false, Ordering::Relaxed);
    } else if !run.events_dropped.swap(true, Ordering::Relaxed) {
        let (name, pads) = (event.structure().map_or("", |structure| structure.name().as_str()), blocked.join(", "));
        let message = format!(
            "{pads}: nothing is taken from this pad, and too many events wait for it; from '{name}' on they do not go out there"
        );
        context.messenger.warn(Warning::new("events-dropped", message));
    }
    blocked.is_empty()
}

/// Answers a query that concerns a pad alone.
pub fn own_query(context: &Context, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
    match query.type_() {
        gst::QueryType::Caps | gst::QueryType::AcceptCaps | gst::QueryType::Scheduling | gst::QueryType::Allocation => {
            gst::Pad::query_default(pad, context.element().as_ref(), query)
        }
        _ => false,
    }
}
