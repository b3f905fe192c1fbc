// SPDX-License-Identifier: MPL-2.0

//! Whether what is upstream of a pad is live.

use gst::prelude::*;

/// Whether what is linked to a pad is live; `None` when nothing upstream can tell yet.
pub fn pad_is_live(pad: &gst::Pad) -> Option<bool> {
    let mut query = gst::query::Latency::new();
    if pad.peer_query(&mut query) {
        return Some(query.result().0);
    }
    // A device cannot tell its latency before it is open. Sources that can be either say which.
    let source = source_of(pad, 64)?;
    Some(match source.find_property("is-live") {
        Some(property) if property.value_type() == bool::static_type() => source.property("is-live"),
        _ => true,
    })
}

/// The source at the end of the way upstream, if it is there already.
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
