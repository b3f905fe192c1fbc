// SPDX-License-Identifier: MPL-2.0

//! The turns of a recording as they are written down and answered, and up to where all of that is done.

use crate::failure::{Failure, FailureKind};
use crate::row::{Role, Segment};

/// When a turn is done, so that a later run need not hear it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DoneWhen {
    /// When its words are written down.
    #[default]
    Written,
    /// When it is answered.
    Answered,
    /// With the whole recording: a translation does not tell which words of the original it has got to.
    AtTheEnd,
}

/// The turns so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turns {
    segments: Vec<Segment>,
    done_s: f64,
    done_when: DoneWhen,
    /// The first answer or transcript that failed. From there on nothing is done.
    failure: Option<Failure>,
}

impl Turns {
    /// Turns of which some are done by an earlier run.
    pub fn new(segments: Vec<Segment>, done_s: f64, done_when: DoneWhen) -> Self {
        Self { segments, done_s, done_when, failure: None }
    }

    /// All words.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Up to here everything is done, in seconds.
    pub fn done_s(&self) -> f64 {
        self.done_s
    }

    /// The segments that are done.
    pub fn done_segments(&self) -> Vec<Segment> {
        let is_done = |segment: &&Segment| match segment.role {
            Role::User => segment.end <= self.done_s,
            Role::Assistant => true,
        };
        let count = self.segments.iter().take_while(is_done).count();
        self.segments[..count].to_vec()
    }

    /// Words that are whole. `true` if something is done by it.
    pub fn said(&mut self, role: Role, text: &str, start: Option<f64>, duration: Option<f64>) -> bool {
        let heard =
            self.segments.iter().rev().find(|segment| segment.role == Role::User).map_or(self.done_s, |s| s.end);
        let start = start.unwrap_or(heard);
        let end = start + duration.unwrap_or(0.0);
        if !text.trim().is_empty() {
            self.segments.push(Segment { start, end, role, text: text.trim().to_owned() });
        }
        let done = match (self.done_when, role) {
            (DoneWhen::AtTheEnd, _) | (DoneWhen::Answered, Role::User) => return false,
            (DoneWhen::Written, Role::User) => end,
            (_, Role::Assistant) => heard,
        };
        if self.failure.is_some() || done <= self.done_s {
            return false;
        }
        self.done_s = done;
        true
    }

    /// An answer or a transcript failed. The turns behind it are written down, but the next run begins with this one.
    pub fn failed(&mut self, what: &str, code: Option<&str>, message: Option<&str>) {
        let message = message.unwrap_or("the server does not say why");
        let failure = Failure::new(FailureKind::Server, format!("{what} failed: {message}"));
        self.failure.get_or_insert(match code {
            Some(code) => failure.with_code(code),
            None => failure,
        });
    }

    /// The first failure.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_is_done_when_it_is_written_down() {
        let mut turns = Turns::new(Vec::new(), 0.0, DoneWhen::Written);
        assert!(turns.said(Role::User, " Hello. ", Some(0.5), Some(1.0)));
        assert!(turns.said(Role::User, "", Some(2.0), Some(1.0)), "silence is done as well");
        assert_eq!((turns.done_s(), turns.segments().len()), (3.0, 1));
        assert_eq!(turns.segments()[0].text, "Hello.");
    }

    #[test]
    fn a_turn_is_done_when_it_is_answered() {
        let mut turns = Turns::new(Vec::new(), 0.0, DoneWhen::Answered);
        assert!(!turns.said(Role::User, "Two and three?", Some(0.5), Some(1.5)));
        assert!(turns.said(Role::Assistant, "Five.", None, None));
        assert!(!turns.said(Role::User, "And four?", Some(3.0), Some(1.0)));
        assert_eq!(turns.done_s(), 2.0);
        assert_eq!(turns.done_segments().len(), 2, "the turn without an answer is heard again");
        assert_eq!(turns.segments()[1].start, 2.0, "words without a place stand behind the turn");
    }

    #[test]
    fn a_translation_that_falls_behind_has_nothing_done() {
        let mut turns = Turns::new(Vec::new(), 0.0, DoneWhen::AtTheEnd);
        turns.said(Role::User, "One.", Some(0.0), Some(1.0));
        turns.said(Role::User, "Two.", Some(2.0), Some(1.0));
        assert!(!turns.said(Role::Assistant, "Eins.", Some(3.0), Some(1.0)), "the second turn is not translated yet");
        assert_eq!((turns.done_s(), turns.segments().len()), (0.0, 3));
    }

    #[test]
    fn nothing_is_done_behind_a_failure() {
        let mut turns = Turns::new(Vec::new(), 0.0, DoneWhen::Written);
        turns.said(Role::User, "One.", Some(0.0), Some(1.0));
        turns.failed("a transcript", Some("rate_limit_exceeded"), None);
        turns.failed("a transcript", Some("other"), None);
        assert!(!turns.said(Role::User, "Three.", Some(4.0), Some(1.0)));
        assert_eq!((turns.done_s(), turns.done_segments().len(), turns.segments().len()), (1.0, 1, 2));
        assert_eq!(turns.failure().and_then(|failure| failure.code.as_deref()), Some("rate_limit_exceeded"));
    }
}
