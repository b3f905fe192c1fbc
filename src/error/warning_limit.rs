// SPDX-License-Identifier: MPL-2.0

//! Rate limit for warnings: at most one of a kind in ten seconds, and the next one has the number of those left out.

use crate::error::Warning;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Minimum interval between two warnings of one kind.
const MIN_INTERVAL: Duration = Duration::from_secs(10);
/// Maximum number of kinds that are counted apart; further ones count as one kind.
const MAX_KINDS: usize = 64;

/// Kind of a warning: its code, the field at fault, and what it is about.
type Kind = (String, String, String);

#[derive(Debug)]
struct PostedKind {
    at: Instant,
    left_out: u64,
    /// The last warning that was left out.
    last: Option<Warning>,
}

/// Limits warnings by kind; remembers when each kind was posted last.
#[derive(Debug, Default)]
pub struct WarningLimit(HashMap<Kind, PostedKind>);

impl WarningLimit {
    /// The warning, if it may be posted now. Otherwise it is counted, and returned by [`Self::due`] later.
    pub fn take(&mut self, warning: Warning, now: Instant) -> Option<Warning> {
        self.0.retain(|_, posted| posted.left_out > 0 || now.saturating_duration_since(posted.at) < MIN_INTERVAL);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut kind = (text(&warning.code), text(&warning.param), text(&warning.subject));
        if self.0.len() >= MAX_KINDS && !self.0.contains_key(&kind) {
            kind = Kind::default();
        }
        match self.0.get_mut(&kind) {
            Some(posted) => {
                posted.left_out += 1;
                posted.last = Some(warning);
                None
            }
            None => {
                self.0.insert(kind, PostedKind { at: now, left_out: 0, last: None });
                Some(warning)
            }
        }
    }

    /// What to post when a warning comes: those that were left out and are due, and the warning itself if it may be posted.
    pub fn add(&mut self, warning: Warning, now: Instant) -> Vec<Warning> {
        let mut posted = self.due(now);
        posted.extend(self.take(warning, now));
        posted
    }

    /// When a warning that was left out is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.values().filter(|posted| posted.left_out > 0).map(|posted| posted.at + MIN_INTERVAL).min()
    }

    /// The warnings that were left out and are due: the last of each kind, with the number that it stands for.
    pub fn due(&mut self, now: Instant) -> Vec<Warning> {
        let due = self.0.values_mut().filter(|posted| posted.left_out > 0 && now >= posted.at + MIN_INTERVAL);
        due.filter_map(|posted| {
            let count = std::mem::take(&mut posted.left_out);
            posted.at = now;
            let mut warning = posted.last.take()?;
            if count > 1 {
                warning.message = format!("{} (the last of {count} like it)", warning.message);
            }
            Some(warning)
        })
        .collect()
    }

    /// All warnings that were left out, at the end of a run.
    pub fn rest(&mut self, now: Instant) -> Vec<Warning> {
        self.due(now + MIN_INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_kind_and_the_rest_with_their_number() {
        let (mut warnings, start) = (WarningLimit::default(), Instant::now());
        let warning = |n: u32| Warning::new("bad", format!("bad thing {n}"));
        assert!(warnings.take(warning(0), start).is_some());
        assert!(warnings.take(Warning::new("other", "x"), start).is_some());
        assert_eq!(warnings.deadline(), None);
        (1..=20_000).for_each(|n| assert!(warnings.take(warning(n), start + Duration::from_secs(1)).is_none()));
        assert_eq!(warnings.deadline(), Some(start + MIN_INTERVAL));
        assert!(warnings.due(start + Duration::from_secs(9)).is_empty());
        let told = warnings.due(start + MIN_INTERVAL);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].message, "bad thing 20000 (the last of 20000 like it)");
        assert!(warnings.take(warning(1), start + MIN_INTERVAL).is_none(), "that was one");
        assert_eq!(warnings.rest(start + MIN_INTERVAL)[0].message, "bad thing 1");
    }

    #[test]
    fn what_is_about_something_else_is_another_kind() {
        let (mut warnings, now) = (WarningLimit::default(), Instant::now());
        let warning = |call: &str| Warning::new("tool-timeout", format!("{call} is late")).about(call);
        for call in ["call_1", "call_2"] {
            assert!(warnings.take(warning(call), now).is_some());
            assert!(warnings.take(warning(call), now).is_none());
        }
        assert_eq!(warnings.rest(now).len(), 2);
    }

    #[test]
    fn kinds_without_an_end_are_one() {
        let (mut warnings, now) = (WarningLimit::default(), Instant::now());
        let told = (0..1_000).filter(|n| warnings.take(Warning::new(&format!("code {n}"), "x"), now).is_some());
        assert_eq!(told.count(), MAX_KINDS + 1);
    }
}
