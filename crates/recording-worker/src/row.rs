// SPDX-License-Identifier: MPL-2.0

//! The JSON row of a recording: one object with the same fields whatever has happened, for tables.

use crate::failure::{Failure, FailureKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What has become of a recording.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Done.
    Ok,
    /// Nothing of it is done.
    Failed,
    /// Its beginning is done, and the next run goes on from there.
    Partial,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Who is heard in the recording.
    User,
    /// The model.
    Assistant,
}

/// What was said at once, with its place in the recording.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Segment {
    /// Begin in seconds.
    pub start: f64,
    /// End in seconds.
    pub end: f64,
    /// Who speaks.
    pub role: Role,
    /// The words.
    pub text: String,
}

/// What was used and what it cost.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Usage {
    /// Tokens of all kinds that went in.
    pub input_tokens: u64,
    /// Tokens of all kinds that came out.
    pub output_tokens: u64,
    /// US dollars by published prices; absent where the prices are not known.
    pub cost_usd: Option<f64>,
}

impl Usage {
    /// Adds what another answer has used.
    pub fn add(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        if let Some(cost) = other.cost_usd {
            *self.cost_usd.get_or_insert(0.0) += cost;
        }
    }
}

/// What has worked on it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Versions {
    /// This program and the element in it.
    pub worker: String,
    /// GStreamer.
    pub gstreamer: String,
}

/// The row. Every field is always there.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Row {
    /// The recording, without credentials.
    pub uri: String,
    /// Hash of URI, etag and settings: another key is another result.
    pub key: String,
    /// The store's mark of this version of the recording.
    pub etag: Option<String>,
    /// What was to be done.
    pub task: String,
    /// What has become of it.
    pub status: Status,
    /// Why it is not done.
    pub error_kind: Option<FailureKind>,
    /// The same for people.
    pub error: Option<String>,
    /// The server's own code.
    pub error_code: Option<String>,
    /// Whether another try may do better; false where nothing failed.
    pub retryable: bool,
    /// Length of the recording in seconds.
    pub duration_s: Option<f64>,
    /// Up to here, in seconds, everything is done.
    pub done_s: f64,
    /// How many times somebody spoke.
    pub turns: u64,
    /// All words of the recording.
    pub user_text: String,
    /// All words of the model, or its summary.
    pub answer_text: String,
    /// The filled schema.
    pub result: Option<Value>,
    /// Both sides' words with their places.
    pub segments: Vec<Segment>,
    /// What it used and cost, all attempts together.
    #[serde(flatten)]
    pub usage: Usage,
    /// The model that the server named.
    pub model: Option<String>,
    /// The server's names for the sessions, for its support.
    pub session_ids: Vec<String>,
    /// How often a connection or a request had to be made again: the server or the account is at its limits.
    pub retries: u64,
    /// How often it was begun.
    pub attempts: u64,
    /// Seconds that this attempt took.
    pub wall_s: f64,
    /// What has worked on it.
    pub versions: Versions,
    /// Files beside the row.
    pub outputs: Vec<String>,
}

impl Row {
    /// The row of a recording that has not been begun.
    pub fn new(uri: String, etag: Option<String>, task: &str, settings: &str) -> Self {
        Self {
            key: key(&uri, etag.as_deref(), settings),
            uri,
            etag,
            task: task.to_owned(),
            status: Status::Ok,
            error_kind: None,
            error: None,
            error_code: None,
            retryable: false,
            duration_s: None,
            done_s: 0.0,
            turns: 0,
            user_text: String::new(),
            answer_text: String::new(),
            result: None,
            segments: Vec::new(),
            usage: Usage::default(),
            model: None,
            session_ids: Vec::new(),
            retries: 0,
            attempts: 1,
            wall_s: 0.0,
            versions: Versions::default(),
            outputs: Vec::new(),
        }
    }

    /// Writes down a failure: partial where something is done and the next run can go on.
    pub fn fail(&mut self, failure: Failure) {
        self.status = if self.done_s > 0.0 { Status::Partial } else { Status::Failed };
        self.retryable = failure.kind.is_retryable();
        self.error_kind = Some(failure.kind);
        self.error = Some(failure.message);
        self.error_code = failure.code;
    }

    /// Fills what follows from the segments.
    pub fn set_segments(&mut self, segments: Vec<Segment>) {
        let text = |role| {
            let texts = segments.iter().filter(|segment| segment.role == role).map(|segment| segment.text.as_str());
            texts.collect::<Vec<_>>().join("\n")
        };
        self.user_text = text(Role::User);
        self.answer_text = text(Role::Assistant);
        self.turns = segments.iter().filter(|segment| segment.role == Role::User).count() as u64;
        self.segments = segments;
    }

    /// The row as one line.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The key of a result. The parts are separated by what none of them has.
fn key(uri: &str, etag: Option<&str>, settings: &str) -> String {
    let hash = Sha256::digest(format!("{uri}\0{}\0{settings}", etag.unwrap_or_default()));
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row::new("file:///a.wav".into(), Some("1".into()), "transcribe", "{}")
    }

    #[test]
    fn the_key_depends_on_uri_etag_and_settings() {
        let key = row().key;
        assert_eq!(key.len(), 32);
        for (uri, etag, settings) in
            [("file:///b.wav", "1", "{}"), ("file:///a.wav", "2", "{}"), ("file:///a.wav", "1", "[]")]
        {
            assert_ne!(Row::new(uri.into(), Some(etag.into()), "transcribe", settings).key, key);
        }
    }

    #[test]
    fn a_failure_after_a_beginning_is_partial() {
        let mut row = row();
        row.fail(Failure::new(FailureKind::Connection, "gone"));
        assert_eq!((row.status, row.retryable), (Status::Failed, true));
        row.done_s = 3.0;
        row.fail(Failure::new(FailureKind::NotAuthorized, "no key").with_code("invalid_api_key"));
        assert_eq!((row.status, row.retryable), (Status::Partial, false));
        assert_eq!(serde_json::to_value(&row).expect("JSON")["error_kind"], "not-authorized");
    }

    #[test]
    fn a_row_can_be_read_again() {
        let mut row = row();
        row.usage.add(Usage { input_tokens: 3, output_tokens: 4, cost_usd: Some(0.5) });
        let read: Row = serde_json::from_str(&row.to_line()).expect("a row");
        assert_eq!(read.usage, row.usage);
    }
}
