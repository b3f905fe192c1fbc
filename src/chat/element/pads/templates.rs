// SPDX-License-Identifier: MPL-2.0

//! Templates of all pads.

use std::sync::LazyLock;

/// The templates.
pub fn templates() -> &'static [gst::PadTemplate] {
    static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
        use gst::PadDirection::{Sink, Src};
        use gst::PadPresence::{Always, Request};
        let text = gst::Caps::builder("text/x-raw").field("format", "utf8").build();
        let json = gst::Caps::new_empty_simple("application/x-json");
        let raw = |rate: Option<i32>| {
            let raw = gst::Structure::builder("audio/x-raw").field("format", "S16LE");
            let raw = match rate {
                Some(rate) => raw.field("rate", rate),
                None => raw.field("rate", gst::IntRange::new(8_000, 96_000)),
            };
            raw.field("channels", 1i32).field("layout", "interleaved").build()
        };
        let mpeg = gst::Structure::builder("audio/mpeg").field("mpegversion", 1i32).field("layer", 3i32).build();
        let picture = |name: &str| gst::Structure::new_empty(name);
        let audio_in = gst::Caps::builder_full().structure(raw(None)).structure(mpeg).build();
        let audio_out = gst::Caps::builder_full().structure(raw(Some(24_000))).build();
        let video = gst::Caps::builder_full().structure(picture("image/jpeg")).structure(picture("image/png")).build();
        let templates = [
            ("audio_sink", Sink, Always, audio_in),
            ("src", Src, Always, audio_out),
            ("video_sink_%u", Sink, Request, video),
            ("text_sink", Sink, Request, text.clone()),
            ("text_src", Src, Request, text),
            ("event_src", Src, Request, json),
        ];
        let make = |(name, direction, presence, caps): (&str, _, _, gst::Caps)| {
            gst::PadTemplate::new(name, direction, presence, &caps).ok()
        };
        templates.into_iter().filter_map(make).collect()
    });
    &TEMPLATES
}
