//! What a server sends and nobody can read: it is told, and not more often than somebody reads it.

use crate::conversation::Warning;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Events that cannot be read are not told of sooner again.
const WARN_AGAIN: Duration = Duration::from_secs(10);
/// Different fields that are told of.
const FIELDS: usize = 64;

/// What could not be read so far.
#[derive(Debug, Default)]
pub struct Unreadable {
    warned: Option<Instant>,
    /// Events since the last warning.
    untold: u64,
    /// Fields that were left out, by event and place.
    fields: HashSet<String>,
    new_fields: Vec<String>,
}

impl Unreadable {
    /// The warning of an event that could not be read at all, if it is time for one.
    pub fn warning_of_event(&mut self, what: &str, now: Instant) -> Option<Warning> {
        if self.warned.is_some_and(|at| now.saturating_duration_since(at) < WARN_AGAIN) {
            self.untold += 1;
            return None;
        }
        self.warned = Some(now);
        let more = match std::mem::take(&mut self.untold) {
            0 => String::new(),
            untold => format!(" ({untold} more since the last warning)"),
        };
        Some(Warning::new("unreadable-event", format!("the server sent {what}{more}")))
    }

    /// Fields of an event were left out because they could not be read.
    pub fn left_out(&mut self, event: &str, fields: Vec<String>) {
        for field in fields {
            let place = format!("{event}: {field}");
            if self.fields.len() < FIELDS && self.fields.insert(place.clone()) {
                self.new_fields.push(place);
            }
        }
    }

    /// The warning of fields that were not told of so far.
    pub fn warning_of_fields(&mut self) -> Option<Warning> {
        let fields = std::mem::take(&mut self.new_fields);
        let message = || {
            let fields = fields.join(", ");
            format!("the server sent fields of an unexpected kind, which are left out now and later: {fields}")
        };
        (!fields.is_empty()).then(|| Warning::new("unreadable-field", message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_of_now_and_then_and_with_their_number() {
        let (mut unreadable, now) = (Unreadable::default(), Instant::now());
        assert!(unreadable.warning_of_event("noise", now).is_some());
        for _ in 0..3 {
            assert_eq!(unreadable.warning_of_event("noise", now), None);
        }
        let warning = unreadable.warning_of_event("noise", now + WARN_AGAIN).expect("it is there");
        assert!(warning.message.ends_with("noise (3 more since the last warning)"), "{}", warning.message);
    }

    #[test]
    fn each_field_is_told_of_once() {
        let mut unreadable = Unreadable::default();
        unreadable.left_out("response.done", vec!["response.usage".into(), "response.output[]".into()]);
        let warning = unreadable.warning_of_fields().expect("it is there");
        assert!(warning.message.contains("response.done: response.usage, response.done: response.output[]"));
        unreadable.left_out("response.done", vec!["response.usage".into()]);
        assert_eq!(unreadable.warning_of_fields(), None);
    }
}
