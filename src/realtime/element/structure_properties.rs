// SPDX-License-Identifier: MPL-2.0

//! Properties whose values are structures and arrays, for which the derive macro has no types.

use crate::net::endpoint;
use crate::realtime::element::settings::Settings;
use gst::glib;
use gst::prelude::*;

/// The properties.
pub fn specs() -> [glib::ParamSpec; 3] {
    let headers = glib::ParamSpecBoxed::builder::<gst::Structure>("headers")
        .nick("Headers")
        .blurb("Additional HTTP headers of the connection request, as a structure of strings; write-only because they may hold secrets")
        .write_only()
        .mutable_ready()
        .build();
    let uri = glib::ParamSpecString::builder("uri").nick("URI").blurb("A base or a full URL").readwrite().build();
    let fallback_uris = gst::ParamSpecArray::builder("fallback-uris")
        .nick("Fallback URIs")
        .blurb("Servers that are tried in this order when one is not to be had after the last try; each is what uri takes, and gets the key of its provider")
        .element_spec(&uri)
        .mutable_ready()
        .build();
    let stats = glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
        .nick("Statistics")
        .blurb(
            "Statistics since the element was started: application/x-openairealtime-stats with turns, responses, \
             interruptions, warnings, input-tokens, output-tokens, image-tokens, total-cost in US dollars, \
             frames-sent, frames-skipped, frames-removed, reconnects, and in nanoseconds audio-dropped, audio-inserted, \
             first-audio, silence-latency, round-trip (the newest), longest-silence-latency, and the percentiles 50, 90 \
             and 99 of speech-stopped, committed, response-created, first-delta, first-audio, first-heard (each from the \
             stage of a turn before it), turn-latency, barge-in, silence-latency and round-trip: turn-latency-p50 and so on",
        )
        .read_only()
        .build();
    [headers, fallback_uris, stats]
}

/// Sets one of them. False if it is another property.
pub fn set(settings: &mut Settings, name: &str, value: &glib::Value) -> bool {
    match name {
        "headers" => settings.headers = value.get().ok().flatten(),
        "fallback-uris" => {
            let uris = value.get::<gst::ArrayRef>();
            let uris = uris.map(|uris| uris.as_slice().iter().filter_map(|uri| uri.get::<String>().ok()).collect());
            settings.fallback_uris = uris.unwrap_or_default();
        }
        _ => return false,
    }
    true
}

/// The value of `fallback-uris`, without what may be secret in the URLs: graphs of the pipeline show it.
pub fn fallback_uris(settings: &Settings) -> glib::Value {
    gst::Array::new(settings.fallback_uris.iter().map(|uri| endpoint::redacted_uri(uri))).to_value()
}
