// SPDX-License-Identifier: MPL-2.0

//! What is written beside the row, and what is asked of the transcript.

use crate::failure::{Failure, FailureKind};
use crate::row::{Role, Row, Segment};
use crate::settings::{Settings, Task};
use bytes::Bytes;
use serde_json::Value;

/// Files by name.
#[derive(Debug, Default)]
pub struct Results {
    /// Name and content.
    pub files: Vec<(&'static str, Bytes)>,
}

impl Results {
    /// The files of a recording that is done. Subtitles have the words of the recording, or their translation.
    pub fn of(row: &Row, settings: &Settings, audio: Option<Bytes>) -> Self {
        let role = if matches!(settings.task, Task::Translate | Task::Dub) { Role::Assistant } else { Role::User };
        let segments: Vec<_> = row.segments.iter().filter(|segment| segment.role == role).collect();
        let subtitles = settings.subtitles.iter();
        let mut files: Vec<_> =
            subtitles.map(|format| (format.file_name(), format.write(segments.iter().copied()).into())).collect();
        files.extend(settings.audio_name().zip(audio));
        Self { files }
    }

    /// The names of the files.
    pub fn names(&self) -> Vec<String> {
        self.files.iter().map(|(name, _)| (*name).to_owned()).collect()
    }
}

/// The transcript as a model reads it: a line for each turn, with its time.
pub fn transcript(segments: &[Segment]) -> String {
    let line = |segment: &Segment| {
        let seconds = segment.start as u64;
        format!("[{:02}:{:02}:{:02}] {}\n", seconds / 3600, seconds / 60 % 60, seconds % 60, segment.text)
    };
    segments.iter().map(line).collect()
}

/// Reads the answer that fills a schema. That it fits is the server's promise: `strict` is part of the request.
pub fn fill(answer: &str) -> Result<Value, Failure> {
    serde_json::from_str(answer).map_err(|error| {
        Failure::new(FailureKind::Server, format!("the model's answer is no JSON: {error}")).with_code("schema")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_that_is_no_json_may_be_one_next_time() {
        assert_eq!(fill(r#"{"topic": "country"}"#), Ok(json!({"topic": "country"})));
        let failure = fill("Sure!").expect_err("no JSON");
        assert!(failure.message.contains("is no JSON") && failure.kind.is_retryable(), "{failure}");
    }

    #[test]
    fn a_transcript_has_times() {
        let segment = Segment { start: 3_725.9, end: 3_730.0, role: Role::User, text: "Hello.".into() };
        assert_eq!(transcript(&[segment]), "[01:02:05] Hello.\n");
    }
}
