// SPDX-License-Identifier: MPL-2.0

//! Subtitles of segments that may come from several runs, which is why no muxer writes them.

use crate::row::Segment;
use crate::settings::SubtitleFormat;
use std::fmt::Write;

impl SubtitleFormat {
    /// The file's name.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Srt => "transcript.srt",
            Self::Vtt => "transcript.vtt",
        }
    }

    /// The file's text.
    pub fn write<'a>(self, segments: impl IntoIterator<Item = &'a Segment>) -> String {
        let mut text = if self == Self::Vtt { "WEBVTT\n\n".to_owned() } else { String::new() };
        for (index, segment) in segments.into_iter().enumerate() {
            let (start, end) = (self.time(segment.start), self.time(segment.end));
            let words = self.words(&segment.text);
            let _ = match self {
                Self::Srt => write!(text, "{}\n{start} --> {end}\n{words}\n\n", index + 1),
                Self::Vtt => write!(text, "{start} --> {end}\n{words}\n\n"),
            };
        }
        text
    }

    fn time(self, seconds: f64) -> String {
        let ms = (seconds.max(0.0) * 1000.0).round() as u64;
        let separator = if self == Self::Srt { ',' } else { '.' };
        let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
        format!("{hours:02}:{minutes:02}:{:02}{separator}{:03}", ms / 1000 % 60, ms % 1000)
    }

    /// An empty line would end the cue, and `-->` would begin one. WebVTT has markup.
    fn words(self, text: &str) -> String {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let text = lines.collect::<Vec<_>>().join("\n");
        match self {
            Self::Srt => text.replace("-->", "->"),
            Self::Vtt => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Role;

    #[test]
    fn both_formats_have_times_and_words() {
        let segment = |start, end, text: &str| Segment { start, end, role: Role::User, text: text.into() };
        let segments = [segment(0.3, 2.0004, "Go --> on\n\nnow"), segment(3_661.5, 3_662.0, "a < b")];
        let srt = "1\n00:00:00,300 --> 00:00:02,000\nGo -> on\nnow\n\n2\n01:01:01,500 --> 01:01:02,000\na < b\n\n";
        assert_eq!(SubtitleFormat::Srt.write(&segments), srt);
        let vtt =
            "WEBVTT\n\n00:00:00.300 --> 00:00:02.000\nGo --&gt; on\nnow\n\n01:01:01.500 --> 01:01:02.000\na &lt; b\n\n";
        assert_eq!(SubtitleFormat::Vtt.write(&segments), vtt);
    }
}
