// SPDX-License-Identifier: MPL-2.0

//! What is done of a recording, beside its results, for the run after one that was ended in the middle.

use crate::row::{Segment, Usage};
use serde::{Deserialize, Serialize};

/// The file's name.
pub const NAME: &str = "progress.json";

/// The segments that are done, and what they cost.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Checkpoint {
    /// The row's key: of another key nothing is of use.
    pub key: String,
    /// How often the recording was begun.
    pub attempts: u64,
    /// Up to here, in seconds, everything is in `segments`.
    pub done_s: f64,
    /// Both sides' words.
    pub segments: Vec<Segment>,
    /// Used so far.
    pub usage: Usage,
    /// Sessions so far.
    pub session_ids: Vec<String>,
}

impl Checkpoint {
    /// Reads a checkpoint of this key. One that cannot be read is as good as none.
    pub fn read(content: &[u8], key: &str) -> Option<Self> {
        let read: Self = serde_json::from_slice(content).ok()?;
        (read.key == key && read.done_s.is_finite() && read.done_s >= 0.0).then_some(read)
    }

    /// Whether the next run has something of it.
    pub fn is_of_use(&self) -> bool {
        self.done_s > 0.0 || self.usage != Usage::default()
    }

    /// As it is written.
    pub fn to_bytes(&self) -> bytes::Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_result_goes_on() {
        let checkpoint = Checkpoint { key: "k".into(), attempts: 2, done_s: 4.5, ..Checkpoint::default() };
        assert_eq!(Checkpoint::read(&checkpoint.to_bytes(), "k"), Some(checkpoint.clone()));
        assert_eq!(Checkpoint::read(&checkpoint.to_bytes(), "other"), None);
        assert_eq!(Checkpoint::read(b"{", "k"), None);
    }
}
