// SPDX-License-Identifier: MPL-2.0

//! Segment of an input stream, and its validation.

/// Segment of our sink pad.
#[derive(Debug, Default)]
pub enum Segment {
    /// No SEGMENT event so far.
    #[default]
    None,
    /// Refused; the ERROR was posted.
    Invalid,
    /// In format TIME, at rate 1.0.
    Time(gst::FormattedSegment<gst::ClockTime>),
}

/// Refuses segments that are not in format TIME, or are played backwards or at another speed, which is not intelligible.
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
