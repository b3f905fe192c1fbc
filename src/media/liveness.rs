// SPDX-License-Identifier: MPL-2.0

//! Detection of live upstreams.

use gst::prelude::*;

/// Whether upstream of a pad is live; `None` if that is not known yet.
pub fn pad_is_live(pad: &gst::Pad) -> Option<bool> {
    let mut query = gst::query::Latency::new();
    if pad.peer_query(&mut query) {
        return Some(query.result().0);
    }
    // A device does not answer LATENCY before it is open. A source that can be live or not has the property `is-live`.
    let source = source_of(pad, 64)?;
    Some(match source.find_property("is-live") {
        Some(property) if property.value_type() == bool::static_type() => source.property("is-live"),
        _ => true,
    })
}

/// The source element upstream of a pad, if it is linked already.
fn source_of(sink: &gst::Pad, steps: u32) -> Option<gst::Element> {
    let steps = steps.checked_sub(1)?;
    let mut peer = sink.peer()?;
    if let Some(ghost) = peer.parent().and_then(|parent| parent.downcast::<gst::GhostPad>().ok()) {
        // Out of a bin.
        return source_of(ghost.upcast_ref(), steps);
    }
    while let Some(endpoint) = peer.downcast_ref::<gst::GhostPad>().and_then(|ghost| ghost.target()) {
        // Into a bin.
        peer = endpoint;
    }
    let element = peer.parent_element()?;
    if element.element_flags().contains(gst::ElementFlags::SOURCE) {
        return Some(element);
    }
    element.sink_pads().iter().find_map(|pad| source_of(pad, steps))
}
