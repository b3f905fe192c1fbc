// SPDX-License-Identifier: MPL-2.0

//! Client events whose refusal is no error, because the server may have been faster.

use std::collections::VecDeque;

/// Events remembered; the oldest are forgotten first.
const MAX_EVENTS: usize = 64;

/// Ids of such events.
#[derive(Debug, Default)]
pub(crate) struct ExpectedErrors(VecDeque<String>);

impl ExpectedErrors {
    pub fn add(&mut self, event_id: String) {
        if self.0.len() == MAX_EVENTS {
            self.0.pop_front();
        }
        self.0.push_back(event_id);
    }

    /// Whether an error is an expected one. True once for each event.
    pub fn take(&mut self, event_id: Option<&str>, code: &str) -> bool {
        let known = self.0.iter().position(|id| event_id == Some(id));
        known.and_then(|index| self.0.remove(index)).is_some() || code == "response_cancel_not_active"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_expected_once() {
        let mut expected = ExpectedErrors::default();
        expected.add("e1".into());
        assert!(!expected.take(Some("e2"), "item_truncate_invalid") && !expected.take(None, ""));
        assert!(expected.take(Some("e1"), "item_truncate_invalid"));
        assert!(!expected.take(Some("e1"), "item_truncate_invalid"));
        assert!(expected.take(None, "response_cancel_not_active"));
    }
}
