// SPDX-License-Identifier: MPL-2.0

//! The input's segment: how timestamps become running times, and what cannot be heard.

/// How timestamps become running times.
#[derive(Debug, Default)]
pub enum Segment {
    /// Nothing has said so yet.
    #[default]
    None,
    /// It cannot be; that was told.
    Invalid,
    /// So.
    Time(gst::FormattedSegment<gst::ClockTime>),
}

/// A segment as it is heard, or why it cannot be. Speech that runs backwards or at another speed is no speech.
pub fn validate(segment: &gst::Segment) -> Result<gst::FormattedSegment<gst::ClockTime>, String> {
    let Some(time) = segment.downcast_ref::<gst::ClockTime>() else {
        return Err(format!(
            "The input's segment is in format {:?}, and sound needs one in format Time: put rawaudioparse behind a source \
             of raw samples, decodebin behind a file, or set format=time on appsrc",
            segment.format()
        ));
    };
    if time.rate() != 1.0 {
        return Err(format!("The input plays at rate {}, only rate 1.0 can be heard; seek with rate 1.0", time.rate()));
    }
    Ok(time.clone())
}
