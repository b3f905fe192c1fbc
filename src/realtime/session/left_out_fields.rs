// SPDX-License-Identifier: MPL-2.0

//! Fields of server events that could not be parsed; there is one warning about each.

use crate::error::Warning;
use std::collections::HashSet;

/// Maximum number of fields that are warned of.
const MAX_FIELDS: usize = 64;

/// Fields that were left out so far.
#[derive(Debug, Default)]
pub struct LeftOutFields {
    fields: HashSet<String>,
    new_fields: Vec<String>,
}

impl LeftOutFields {
    /// Adds the fields of an event that could not be parsed.
    pub fn add(&mut self, event: &str, fields: Vec<String>) {
        for field in fields {
            let place = format!("{event}: {field}");
            if self.fields.len() < MAX_FIELDS && self.fields.insert(place.clone()) {
                self.new_fields.push(place);
            }
        }
    }

    /// The warning about new fields.
    pub fn warning(&mut self) -> Option<Warning> {
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
    fn each_field_is_told_of_once() {
        let mut left_out = LeftOutFields::default();
        left_out.add("response.done", vec!["response.usage".into(), "response.output[]".into()]);
        let warning = left_out.warning().expect("it is there");
        assert!(warning.message.contains("response.done: response.usage, response.done: response.output[]"));
        left_out.add("response.done", vec!["response.usage".into()]);
        assert_eq!(left_out.warning(), None);
    }
}
