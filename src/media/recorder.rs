// SPDX-License-Identifier: MPL-2.0

//! Elements downstream that a flush would damage: a muxer loses its header and segment, a file is truncated, and the receiver
//! of a network stream loses its position.

use gst::prelude::*;
use std::collections::HashSet;

/// Maximum number of pads that are followed; no sensible graph has more.
const MAX_PADS: usize = 512;

/// The first such element downstream of a pad, by the class of its factory. Tees, bins and ghost pads are followed.
pub fn downstream_of(pad: &gst::Pad) -> Option<gst::Element> {
    find(pad, must_not_be_flushed)
}

/// The first `splitmuxsink` downstream of a pad. It waits for a buffer on each of its pads and ignores GAP events, so that it
/// blocks between the buffers of a text pad.
pub fn splitmuxsink_downstream_of(pad: &gst::Pad) -> Option<gst::Element> {
    find(pad, |element| element.factory().is_some_and(|factory| factory.name() == "splitmuxsink"))
}

/// The first element downstream of a pad that fulfils a condition.
fn find(pad: &gst::Pad, is_wanted: impl Fn(&gst::Element) -> bool) -> Option<gst::Element> {
    let (mut waiting, mut seen) = (vec![pad.clone()], HashSet::new());
    while let Some(source) = waiting.pop() {
        let Some(peer) = source.peer() else { continue };
        if seen.len() >= MAX_PADS || !seen.insert(peer.clone()) {
            continue;
        }
        if let Some(element) = peer.parent_element() {
            if is_ours(&element) {
                // An element of this plugin handles a flush of its input.
                continue;
            }
            if is_wanted(&element) {
                return Some(element);
            }
        }
        // If links change meanwhile, the iterator ends; what was found so far counts.
        waiting.extend(peer.iterate_internal_links().into_iter().map_while(Result::ok));
    }
    None
}

/// Whether an element is of this plugin.
fn is_ours(element: &gst::Element) -> bool {
    element.factory().and_then(|factory| factory.plugin_name()).is_some_and(|name| name == "openairealtime")
}

fn must_not_be_flushed(element: &gst::Element) -> bool {
    let class = element.metadata(gst::ELEMENT_METADATA_KLASS).unwrap_or_default();
    let is = |word| class.split('/').any(|part| part == word);
    // Receivers and jitter buffers are of the class Network as well, and a flush does not harm them.
    let is_sender = is("Sink") && (is("Network") || is("File"));
    let is_webrtc = element.factory().is_some_and(|factory| factory.name() == "webrtcbin");
    is("Muxer") || is("Payloader") || is("Formatter") || is_sender || is_webrtc
}
