// SPDX-License-Identifier: MPL-2.0

//! Other names for names.

use std::collections::HashMap;

/// Kinds of names that servers and the element make, which say nothing else.
const KINDS: [&str; 12] =
    ["call", "conv", "event", "evt", "item", "list", "mcp", "mcpl", "mcpr", "msg", "resp", "sess"];

/// The names so far.
#[derive(Debug, Default)]
pub struct Names {
    names: HashMap<String, String>,
    counts: HashMap<String, usize>,
}

impl Names {
    /// The other name of a name that stands in a field.
    pub fn of(&mut self, field: &str, name: &str) -> String {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let told = name.split_once('_').map(|(kind, _)| kind).filter(|kind| KINDS.contains(kind));
        let kind = told.unwrap_or(field.strip_suffix("_id").unwrap_or(field)).to_owned();
        let count = self.counts.entry(kind.clone()).or_default();
        *count += 1;
        let new = format!("{kind}_{count}");
        self.names.insert(name.to_owned(), new.clone());
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_one_other_name_of_its_kind() {
        let mut names = Names::default();
        assert_eq!(names.of("item_id", "item_a"), "item_1");
        assert_eq!(names.of("id", "item_b"), "item_2");
        assert_eq!(names.of("previous_item_id", "item_a"), "item_1");
        assert_eq!(names.of("call_id", "chosen by the user"), "call_1");
        assert_eq!(names.of("name", "open_door"), "name_1");
    }
}
