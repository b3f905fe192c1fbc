// SPDX-License-Identifier: MPL-2.0

//! Segments of speech as subtitles: SubRip and WebVTT.

use crate::engine::Segment;

/// As SubRip.
pub fn srt(segments: &[Segment]) -> String {
    let cue = |(index, segment): (usize, &Segment)| {
        let (start, end) = (time(segment.start_ms, ','), time(segment.end_ms, ','));
        format!("{}\n{start} --> {end}\n{}\n\n", index + 1, segment.text)
    };
    segments.iter().enumerate().map(cue).collect()
}

/// As WebVTT, in which `<` and `&` begin markup.
pub fn vtt(segments: &[Segment]) -> String {
    let cue = |segment: &Segment| {
        let text = segment.text.replace('&', "&amp;").replace('<', "&lt;");
        format!("{} --> {}\n{text}\n\n", time(segment.start_ms, '.'), time(segment.end_ms, '.'))
    };
    format!("WEBVTT\n\n{}", segments.iter().map(cue).collect::<String>())
}

fn time(ms: u64, point: char) -> String {
    let seconds = ms / 1000;
    format!("{:02}:{:02}:{:02}{point}{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cues_have_their_times_and_their_text() {
        let segments = [
            Segment { start_ms: 320, end_ms: 20_000, text: "Tom & <I>".into() },
            Segment { start_ms: 3_661_007, end_ms: 3_662_000, text: "so".into() },
        ];
        assert_eq!(
            srt(&segments),
            "1\n00:00:00,320 --> 00:00:20,000\nTom & <I>\n\n2\n01:01:01,007 --> 01:01:02,000\nso\n\n"
        );
        assert_eq!(
            vtt(&segments),
            "WEBVTT\n\n00:00:00.320 --> 00:00:20.000\nTom &amp; &lt;I>\n\n01:01:01.007 --> 01:01:02.000\nso\n\n"
        );
    }
}
