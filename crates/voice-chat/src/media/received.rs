// SPDX-License-Identifier: MPL-2.0

//! What the peer sends: Opus becomes the audio that the element takes, VP8 and H.264 become JPEG pictures.

use super::in_running_time;
use super::offer::VideoCodec;
use gst::prelude::*;

/// Media of the peer are decoded and go to these sources. What there is no source for is thrown away.
pub fn receive_media(web: &gst::Element, microphone: gst_app::AppSrc, camera: gst_app::AppSrc) {
    web.connect_pad_added(move |web, pad| {
        if pad.direction() != gst::PadDirection::Src {
            return;
        }
        let Some(pipeline) = web.parent().and_then(|parent| parent.downcast::<gst::Bin>().ok()) else { return };
        let caps = pad.current_caps();
        let structure = caps.as_ref().and_then(|caps| caps.structure(0));
        let field = |name: &str| structure.and_then(|structure| structure.get::<&str>(name).ok());
        let received = match (field("media"), field("encoding-name")) {
            (Some("audio"), Some("OPUS" | "opus")) => receive(
                "rtpopusdepay ! opusdec use-inband-fec=true plc=true ! audioconvert ! audioresample \
                 ! audio/x-raw,format=S16LE,rate=24000,channels=1",
                &microphone,
            ),
            (Some("video"), Some("VP8")) => receive(
                &pictures("rtpvp8depay request-keyframe=true ! vp8dec automatic-request-sync-points=true"),
                &camera,
            ),
            (Some("video"), Some("H264")) => receive(
                &pictures(&format!("rtph264depay request-keyframe=true ! h264parse ! {}", h264_decoder())),
                &camera,
            ),
            // A pad that leads to nothing is an error of the whole pipeline.
            _ => gst::parse::bin_from_description("fakesink async=false sync=false", true),
        };
        let linked = received.map_err(|error| error.to_string()).and_then(|received| {
            pipeline.add(&received).map_err(|error| error.to_string())?;
            received.sync_state_with_parent().map_err(|error| error.to_string())?;
            let sink = received.static_pad("sink").ok_or("the bin has no pad")?;
            pad.link(&sink).map_err(|error| error.to_string())
        });
        if let Err(error) = linked {
            tracing::error!("media of the peer cannot be taken ({:?}): {error}", field("encoding-name"));
        }
    });
}

/// Decodes and hands on.
fn receive(description: &str, to: &gst_app::AppSrc) -> Result<gst::Bin, gst::glib::Error> {
    let description = format!("{description} ! appsink name=out sync=false async=false max-buffers=50 drop=true");
    let bin = gst::parse::bin_from_description(&description, true)?;
    let sink = bin.by_name("out").and_then(|sink| sink.downcast::<gst_app::AppSink>().ok());
    let sink = sink.unwrap_or_else(|| unreachable!("it is in the description"));
    let to = to.clone();
    let callbacks = gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            if let Some(buffer) = in_running_time(&sample) {
                super::model::push(&to, buffer);
            }
            Ok(gst::FlowSuccess::Ok)
        })
        .build();
    sink.set_callbacks(callbacks);
    Ok(bin)
}

/// Two pictures a second as JPEG, at most 768 pixels wide and high. `videorate` needs a fixed rate here: frames out
/// of RTP have no durations.
fn pictures(decoder: &str) -> String {
    format!(
        "{decoder} ! videorate skip-to-first=true ! video/x-raw,framerate=2/1 ! videoscale \
         ! video/x-raw,width=[1,768],height=[1,768],pixel-aspect-ratio=1/1 ! videoconvert ! jpegenc quality=80"
    )
}

fn h264_decoder() -> &'static str {
    let exists = |name: &str| gst::ElementFactory::find(name).is_some();
    if exists("avdec_h264") { "avdec_h264" } else { "openh264dec" }
}

/// Chooses among the codecs that are offered for pictures; otherwise the first one that is offered counts.
pub fn prefer_codec(web: &gst::Element, video: Option<VideoCodec>) {
    let Some(video) = video else { return };
    let name = match video {
        VideoCodec::Vp8 => "VP8",
        VideoCodec::H264 => "H264",
    };
    web.connect("on-new-transceiver", false, move |values| {
        let transceiver = values.get(1)?.get::<gst_webrtc::WebRTCRTPTransceiver>().ok()?;
        if transceiver.property::<gst_webrtc::WebRTCKind>("kind") == gst_webrtc::WebRTCKind::Video {
            let caps = gst::Caps::builder("application/x-rtp")
                .field("media", "video")
                .field("encoding-name", name)
                .field("clock-rate", 90_000)
                .build();
            transceiver.set_property("codec-preferences", &caps);
        }
        None
    });
}
