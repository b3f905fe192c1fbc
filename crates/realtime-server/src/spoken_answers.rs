// SPDX-License-Identifier: MPL-2.0

//! Spoken answers that later requests may refer to by their identifier.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Most answers that are remembered, and for how long.
const MAX_ANSWERS: usize = 1024;
pub const LIFE: Duration = Duration::from_secs(3600);

/// Spoken answers by `audio.id`, oldest first.
#[derive(Default)]
pub struct SpokenAnswers(Mutex<VecDeque<(String, String, SystemTime)>>);

impl SpokenAnswers {
    /// Remembers one; gives back when it expires.
    pub fn add(&self, id: String, transcript: String) -> SystemTime {
        let expires = SystemTime::now() + LIFE;
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() == MAX_ANSWERS {
            answers.pop_front();
        }
        answers.push_back((id, transcript, expires));
        expires
    }

    /// The text of an answer.
    pub fn find(&self, id: &str) -> Option<String> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now();
        answers.iter().find(|(other, _, expires)| other == id && *expires > now).map(|(_, text, _)| text.clone())
    }
}
