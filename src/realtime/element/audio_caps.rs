// SPDX-License-Identifier: MPL-2.0

//! Caps of the audio pads and the audio formats of the API that they stand for.

use gst::prelude::*;
use openai_protocol::session::AudioFormat;

/// The three audio formats of the API.
pub fn audio_caps() -> gst::Caps {
    let raw = gst::Structure::builder("audio/x-raw")
        .field("format", "S16LE")
        .field("rate", 24_000i32)
        .field("channels", 1i32)
        .field("layout", "interleaved")
        .build();
    let g711 = |name: &str| gst::Structure::builder(name).field("rate", 8_000i32).field("channels", 1i32).build();
    gst::Caps::builder_full().structure(raw).structure(g711("audio/x-mulaw")).structure(g711("audio/x-alaw")).build()
}

/// The format that caps stand for.
pub fn format_of(caps: &gst::CapsRef) -> Option<AudioFormat> {
    Some(match caps.structure(0)?.name().as_str() {
        "audio/x-raw" => AudioFormat::Pcm,
        "audio/x-mulaw" => AudioFormat::Pcmu,
        "audio/x-alaw" => AudioFormat::Pcma,
        _ => return None,
    })
}

/// The format that upstream will most probably send on `audio_sink`, before its caps have come.
pub fn likely_input_format(audio_sink: &gst::Pad) -> AudioFormat {
    let caps = audio_sink.allowed_caps().unwrap_or_else(|| audio_sink.pad_template_caps());
    format_of(&caps).unwrap_or_default()
}

/// Caps and format of `src`: of those that a server can send, the first that downstream accepts.
pub fn choose_output(src: &gst::Pad) -> (gst::Caps, AudioFormat) {
    let template = src.pad_template_caps();
    let mut caps = match src.is_linked() {
        true => template.intersect_with_mode(&src.peer_query_caps(None), gst::CapsIntersectMode::First),
        false => template.clone(),
    };
    if caps.is_empty() {
        // Downstream refuses them with the error that GStreamer has for it.
        caps = template;
    }
    caps.fixate();
    let format = format_of(&caps).unwrap_or_default();
    (caps, format)
}
