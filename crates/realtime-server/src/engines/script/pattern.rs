// SPDX-License-Identifier: MPL-2.0

//! Patterns: JSON that an event must contain, with names for what is not known before.
//!
//! In a pattern a string `"$name"` stands for any value and gives it a name; where the name is known already, the
//! value must be the same. In an event that is sent, `"$name"` stands for that value, and `"$name.a.b"` for a part of
//! it. `"$_"` is any value without a name, `"$$x"` is the text `$x`.

use serde_json::Value;
use std::collections::HashMap;

/// The named values of a connection.
#[derive(Debug, Default)]
pub struct Names(HashMap<String, Value>);

impl Names {
    /// Gives a value a name.
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.into(), value);
    }

    /// Whether a value contains the pattern. Names are only given if it does as a whole.
    pub fn matches(&mut self, pattern: &Value, value: &Value) -> bool {
        let mut new = HashMap::new();
        let matches = self.compare(pattern, Some(value), &mut new);
        if matches {
            self.0.extend(new);
        }
        matches
    }

    fn compare(&self, pattern: &Value, value: Option<&Value>, new: &mut HashMap<String, Value>) -> bool {
        let value = value.unwrap_or(&Value::Null);
        match pattern {
            Value::String(text) => match text.strip_prefix('$') {
                None => value == pattern,
                Some("_") => !value.is_null(),
                Some(literal) if literal.starts_with('$') => value == literal,
                Some(name) => match self.0.get(name).or_else(|| new.get(name)) {
                    Some(known) => known == value,
                    None => {
                        new.insert(name.into(), value.clone());
                        !value.is_null()
                    }
                },
            },
            Value::Object(map) => map.iter().all(|(name, part)| self.compare(part, value.get(name), new)),
            Value::Array(list) => {
                value.as_array().is_some_and(|values| values.len() == list.len())
                    && list.iter().enumerate().all(|(index, part)| self.compare(part, value.get(index), new))
            }
            _ => number_or_value(pattern) == number_or_value(value),
        }
    }

    /// Puts values in the place of their names. `Err`: a name that is not known.
    pub fn fill(&self, value: &mut Value) -> Result<(), String> {
        match value {
            Value::String(text) => {
                let Some(name) = text.strip_prefix('$') else { return Ok(()) };
                let filled = match name.strip_prefix('$') {
                    Some(literal) => Value::String(format!("${literal}")),
                    None => self.get(name).ok_or_else(|| format!("nothing is named '${name}'"))?,
                };
                *value = filled;
                Ok(())
            }
            Value::Array(list) => list.iter_mut().try_for_each(|part| self.fill(part)),
            Value::Object(map) => map.values_mut().try_for_each(|part| self.fill(part)),
            _ => Ok(()),
        }
    }

    fn get(&self, path: &str) -> Option<Value> {
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        let value = self.0.get(name)?;
        if rest.is_empty() {
            return Some(value.clone());
        }
        value.pointer(&format!("/{}", rest.replace('.', "/"))).cloned()
    }
}

/// Numbers are compared as numbers: 1 is 1.0.
fn number_or_value(value: &Value) -> (Option<f64>, Option<&Value>) {
    match value.as_f64() {
        Some(number) => (Some(number), None),
        None => (None, Some(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pattern_is_contained() {
        let mut names = Names::default();
        let event = json!({"item": {"id": "item_1", "content": [{"text": "hi", "n": 1}], "status": null}});
        assert!(names.matches(&json!({"item": {"content": [{"n": 1.0}]}}), &event));
        assert!(names.matches(&json!({"item": {"status": null, "role": null}}), &event));
        assert!(!names.matches(&json!({"item": {"content": []}}), &event));
        assert!(!names.matches(&json!({"item": {"role": "$_"}}), &event));
    }

    #[test]
    fn names_are_given_once_and_then_hold() {
        let mut names = Names::default();
        assert!(names.matches(&json!({"id": "$id", "x": {"y": "$y"}}), &json!({"id": "a", "x": {"y": {"z": [5]}}})));
        assert!(names.matches(&json!({"id": "$id"}), &json!({"id": "a"})));
        assert!(!names.matches(&json!({"id": "$id"}), &json!({"id": "b"})));
        let mut event = json!({"a": "$id", "b": ["$y.z.0"], "c": "$$id", "d": "plain"});
        assert_eq!(names.fill(&mut event), Ok(()));
        assert_eq!(event, json!({"a": "a", "b": [5], "c": "$id", "d": "plain"}));
        assert!(names.fill(&mut json!({"a": "$other"})).is_err());
    }
}
