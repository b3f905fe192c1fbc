// SPDX-License-Identifier: MPL-2.0

//! What may cross from the sink pads to the source pads and back, and how: a serialized event is queued into each source
//! pad's own timeline and pushed by that pad's task; queries are answered here, because the two sides are different streams.

use crate::error::Warning;
use crate::realtime::element::imp::{CAT, OpenAIRealtime};
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// How many events that went through are remembered, so that none goes round for ever where elements talk to each other.
const REMEMBERED: usize = 64;

thread_local! {
    /// The elements in which this thread is asking or telling the other side already.
    static CROSSING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Ends a crossing, also when the thread unwinds.
struct Crossing;

impl Drop for Crossing {
    fn drop(&mut self) {
        CROSSING.with_borrow_mut(|crossing| crossing.pop());
    }
}

/// The sequence numbers of the events that went through last.
pub type Passed = VecDeque<gst::Seqnum>;

impl OpenAIRealtime {
    /// A pad function's way into the element. A pad has no parent before it is added and after it is removed.
    pub(crate) fn in_pad<T>(
        parent: Option<&gst::Object>,
        otherwise: impl FnOnce() -> T,
        act: impl FnOnce(&Self) -> T,
    ) -> T {
        match parent.filter(|parent| parent.is::<crate::realtime::element::OpenAIRealtime>()) {
            Some(parent) => Self::catch_panic_pad_function(Some(parent), otherwise, act),
            None => otherwise(),
        }
    }

    /// Asks or tells the other side, unless this thread comes from there: elements may be linked in a circle.
    pub(crate) fn cross<T>(&self, act: impl FnOnce() -> T) -> Option<T> {
        let this = self.obj().as_ptr() as usize;
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

    /// An event of an application's own goes to the other side.
    pub(crate) fn pass_on(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        if event.is_downstream() && event.is_serialized() {
            return self.queue_event(&event);
        }
        let crossed = self.cross(|| gst::Pad::event_default(pad, Some(&*self.obj()), event));
        crossed.unwrap_or(false)
    }

    /// Queues a serialized event into the timeline of each source pad.
    pub(crate) fn queue_event(&self, event: &gst::Event) -> bool {
        let Some(run) = self.run() else { return false };
        {
            let mut passed = self.passed();
            if passed.contains(&event.seqnum()) {
                return true;
            }
            if passed.len() == REMEMBERED {
                passed.pop_front();
            }
            passed.push_back(event.seqnum());
        }
        gst::trace!(CAT, imp = self, "queued for each source pad: {event:?}");
        let mut standing: Vec<_> = Vec::new();
        if !run.source.push_event(event.clone()) {
            standing.push(run.source.pad().name());
        }
        for (_, stream) in run.texts().clone() {
            if !stream.push_event(event.clone()) {
                standing.push(stream.pad().name());
            }
        }
        if standing.is_empty() {
            run.events_dropped.store(false, Ordering::Relaxed);
        } else if !run.events_dropped.swap(true, Ordering::Relaxed) {
            let (name, pads) =
                (event.structure().map_or("", |structure| structure.name().as_str()), standing.join(", "));
            let message = format!(
                "{pads}: nothing is taken from this pad, and too many events wait for it; from '{name}' on they do not go out there"
            );
            self.warn(Warning::new("events-dropped", message));
        }
        standing.is_empty()
    }

    /// What upstream asks of a sink pad. What is asked of the stream behind it is not known here.
    pub(crate) fn sink_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        self.own_query(pad, query)
    }

    /// Answers what concerns the pad alone.
    pub(crate) fn own_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        match query.type_() {
            gst::QueryType::Caps
            | gst::QueryType::AcceptCaps
            | gst::QueryType::Scheduling
            | gst::QueryType::Allocation => gst::Pad::query_default(pad, Some(&*self.obj()), query),
            _ => false,
        }
    }
}
