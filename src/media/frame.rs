// SPDX-License-Identifier: MPL-2.0

//! Video frames made of buffers: size and format are checked before a frame is taken, so that an error names its pad. The
//! buffer is not copied, unless it is a JPEG without Huffman tables.

use crate::image::check::{self, Kind};
use crate::image::huffman;
use crate::types::Frame;
use bytes::Bytes;
use gst::prelude::*;
use openai_protocol::client::Detail;
use std::time::Duration;

/// Name of a `video_sink` pad, and properties that are set on it.
#[derive(Clone, Debug, Default)]
pub struct PadSettings {
    pub pad: Option<String>,
    pub interval: Option<Duration>,
    pub detail: Option<Detail>,
    pub prompt: Option<String>,
}

/// Why a buffer is not taken as a frame.
#[derive(Debug)]
pub struct FrameError {
    /// Code of the warning.
    pub code: &'static str,
    pub message: String,
    /// Size of the buffer in bytes.
    pub size: usize,
}

impl FrameError {
    /// `reason` in the message `frame`.
    pub fn reason(&self) -> &'static str {
        self.code.trim_start_matches("frame-")
    }
}

/// Makes a frame of a buffer of a pad, or of `send-frame`.
pub fn frame_of(
    buffer: gst::Buffer,
    at: Duration,
    max_size: usize,
    settings: PadSettings,
) -> Result<Frame, FrameError> {
    let size = buffer.size();
    let error = |code, message| FrameError { code, message, size };
    if size > max_size {
        let message = format!(
            "it has {size} bytes, and max-frame-size is {max_size}: scale it down (videoscale), or lower its quality"
        );
        return Err(error("frame-too-large", message));
    }
    let buffer =
        buffer.into_mapped_buffer_readable().map_err(|_| error("frame-broken", "its buffer cannot be read".into()))?;
    let image = check::inspect(&buffer).map_err(|fault| {
        // The hint is about elements upstream of a pad.
        let hint = if settings.pad.is_some() { fault.hint() } else { "" };
        error("frame-broken", format!("{fault}{hint}"))
    })?;
    let completed = (image.kind == Kind::Jpeg).then(|| huffman::with_tables(&buffer)).flatten();
    Ok(Frame {
        pad: settings.pad,
        file: completed.map_or_else(|| Bytes::from_owner(buffer), Bytes::from),
        media_type: image.kind.media_type(),
        at,
        interval: settings.interval,
        detail: settings.detail,
        prompt: settings.prompt,
    })
}

/// Duration of a frame by the rate in the pad's caps.
pub fn frame_duration(pad: &impl IsA<gst::Pad>) -> Option<Duration> {
    let rate = pad.current_caps()?.structure(0)?.get::<gst::Fraction>("framerate").ok()?;
    let (frames, seconds) = (u32::try_from(rate.numer()).ok()?, u32::try_from(rate.denom()).ok()?);
    Duration::from_secs(1).checked_mul(seconds)?.checked_div(frames)
}
