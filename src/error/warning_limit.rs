// SPDX-License-Identifier: MPL-2.0

//! Rate limit for warnings: at most one of a kind in ten seconds, the next one with the number of those left out.

use crate::error::Warning;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Minimum interval between two warnings of one kind.
const AGAIN: Duration = Duration::from_secs(10);
/// Maximum number of kinds that are counted apart; further ones count as one kind.
const KINDS: usize = 64;

/// Kind of a warning: its code, the field at fault, and what it is about.
type Kind = (String, String, String);

#[derive(Debug)]
struct PostedKind {
    at: Instant,
    left_out: u64,
    /// The last one that was left out.
    last: Option<Warning>,
}

/// Limits warnings by kind; remembers when each kind was posted last.
#[derive(Debug, Default)]
pub struct WarningLimit(HashMap<Kind, PostedKind>);

impl WarningLimit {
    /// The warning, if it may be told now. Otherwise it is counted, and told by [`Self::due`].
    pub fn take(&mut self, warning: Warning, now: Instant) -> Option<Warning> {
        self.0.retain(|_, told| told.left_out > 0 || now.saturating_duration_since(told.at) < AGAIN);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut kind = (text(&warning.code), text(&warning.param), text(&warning.subject));
        if self.0.len() >= KINDS && !self.0.contains_key(&kind) {
            kind = Kind::default();
        }
        match self.0.get_mut(&kind) {
            Some(told) => {
                told.left_out += 1;
                told.last = Some(warning);
                None
            }
            None => {
                self.0.insert(kind, PostedKind { at: now, left_out: 0, last: None });
                Some(warning)
            }
        }
    }

    /// What is to be posted now that this warning has come: those left out whose time has come, and itself if it may.
    pub fn add(&mut self, warning: Warning, now: Instant) -> Vec<Warning> {
        let mut posted = self.due(now);
        posted.extend(self.take(warning, now));
        posted
    }

    /// When something that was left out is to be told.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.values().filter(|told| told.left_out > 0).map(|told| told.at + AGAIN).min()
    }

    /// What was left out and is to be told now, the last of each kind with how many it stands for.
    pub fn due(&mut self, now: Instant) -> Vec<Warning> {
        let due = self.0.values_mut().filter(|told| told.left_out > 0 && now >= told.at + AGAIN);
        due.filter_map(|told| {
            let count = std::mem::take(&mut told.left_out);
            told.at = now;
            let mut warning = told.last.take()?;
            if count > 1 {
                warning.message = format!("{} (the last of {count} like it)", warning.message);
            }
            Some(warning)
        })
        .collect()
    }

    /// Everything that was left out, because there is no later.
    pub fn rest(&mut self, now: Instant) -> Vec<Warning> {
        self.due(now + AGAIN)
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
        assert_eq!(warnings.deadline(), Some(start + AGAIN));
        assert!(warnings.due(start + Duration::from_secs(9)).is_empty());
        let told = warnings.due(start + AGAIN);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].message, "bad thing 20000 (the last of 20000 like it)");
        assert!(warnings.take(warning(1), start + AGAIN).is_none(), "that was one");
        assert_eq!(warnings.rest(start + AGAIN)[0].message, "bad thing 1");
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
        assert_eq!(told.count(), KINDS + 1);
    }
}
