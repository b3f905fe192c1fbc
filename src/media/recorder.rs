// SPDX-License-Identifier: MPL-2.0

//! Whether something stands downstream that a flush would destroy: a muxer loses its header and segment, a file is cut
//! to nothing, and a network stream loses its place.

use gst::prelude::*;
use std::collections::HashSet;

/// How many pads are looked at; no graph that is meant is larger.
const MOST: usize = 512;

/// The first element downstream of a pad that must not be flushed, by the class of its factory.
///
/// It follows the links through tees, bins and ghost pads as they are now.
pub fn downstream_of(pad: &gst::Pad) -> Option<gst::Element> {
    find(pad, must_not_be_flushed)
}

/// The first `splitmuxsink` downstream of a pad. It waits until every pad of it has a buffer that is late enough for a
/// file to go on, whatever GAP events say; between the words of a pad of text that is for ever.
pub fn splitmuxsink_downstream_of(pad: &gst::Pad) -> Option<gst::Element> {
    find(pad, |element| element.factory().is_some_and(|factory| factory.name() == "splitmuxsink"))
}

/// The first element downstream of a pad that is as wanted.
fn find(pad: &gst::Pad, is_wanted: impl Fn(&gst::Element) -> bool) -> Option<gst::Element> {
    let (mut waiting, mut seen) = (vec![pad.clone()], HashSet::new());
    while let Some(source) = waiting.pop() {
        let Some(peer) = source.peer() else { continue };
        if seen.len() >= MOST || !seen.insert(peer.clone()) {
            continue;
        }
        if let Some(element) = peer.parent_element() {
            if is_ours(&element) {
                // Another conversation: it takes a flush as the end of a turn.
                continue;
            }
            if is_wanted(&element) {
                return Some(element);
            }
        }
        // Links may change meanwhile; the iterator begins anew then.
        waiting.extend(peer.iterate_internal_links().into_iter().map_while(Result::ok));
    }
    None
}

/// Whether an element is one of this plugin.
fn is_ours(element: &gst::Element) -> bool {
    element.factory().and_then(|factory| factory.plugin_name()).is_some_and(|name| name == "openairealtime")
}

fn must_not_be_flushed(element: &gst::Element) -> bool {
    let class = element.metadata(gst::ELEMENT_METADATA_KLASS).unwrap_or_default();
    let is = |word| class.split('/').any(|part| part == word);
    // What only receives or orders packets is of the class Network as well, and takes a flush.
    let is_sender = is("Sink") && (is("Network") || is("File"));
    let is_webrtc = element.factory().is_some_and(|factory| factory.name() == "webrtcbin");
    is("Muxer") || is("Payloader") || is("Formatter") || is_sender || is_webrtc
}
