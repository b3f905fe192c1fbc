// SPDX-License-Identifier: MPL-2.0

//! Templates of all pads.

use crate::realtime::element::audio_caps::audio_caps;
use crate::realtime::element::pads::video_pad::VideoPad;
use gst::prelude::*;
use std::sync::LazyLock;

/// The templates.
pub fn templates() -> &'static [gst::PadTemplate] {
    static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
        use gst::PadDirection::{Sink, Src};
        use gst::PadPresence::{Always, Request};
        let text = gst::Caps::builder("text/x-raw").field("format", "utf8").build();
        let json = gst::Caps::new_empty_simple("application/x-json");
        let templates = [
            ("audio_sink", Sink, Always, audio_caps()),
            ("src", Src, Always, audio_caps()),
            ("video_sink_%u", Sink, Request, video_caps()),
            ("text_sink", Sink, Request, text.clone()),
            ("text_src", Src, Request, text.clone()),
            ("transcript_src", Src, Request, text),
            ("event_src", Src, Request, json),
        ];
        let make = |(name, direction, presence, caps): (&str, _, _, gst::Caps)| {
            // The type shows which properties the pads have.
            let kind = if name.starts_with("video_sink") { VideoPad::static_type() } else { gst::Pad::static_type() };
            gst::PadTemplate::with_gtype(name, direction, presence, &caps, kind).ok()
        };
        templates.into_iter().filter_map(make).collect()
    });
    &TEMPLATES
}

/// The two image formats of the API.
fn video_caps() -> gst::Caps {
    let plain = |name: &str| gst::Structure::new_empty(name);
    gst::Caps::builder_full().structure(plain("image/jpeg")).structure(plain("image/png")).build()
}
