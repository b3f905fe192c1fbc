// SPDX-License-Identifier: MPL-2.0

//! The parameters of a function, and the text that their values are taken from.

use crate::rules::words::{Word, stem, stems};
use serde_json::Value;

/// Names of parameters for places.
pub const PLACES: &str = "city location place country town address region area destination origin state room station \
    airport where";
/// Names of parameters for names.
pub const PERSONS: &str = "name person recipient contact who user to receiver friend";
/// Names of parameters for free text.
pub const TEXTS: &str = "message text content body note query question prompt input sentence phrase description search \
    command expression comment task";

/// The text that arguments are taken from.
pub struct Said<'a> {
    /// The whole text.
    pub text: &'a str,
    /// Its words, without those that request nothing of this function.
    pub all: &'a [Word<'a>],
    /// The words that belong to this function; all of them when there is no other.
    pub own: &'a [Word<'a>],
    /// Stems of function names, which are not values.
    pub known: &'a [String],
    /// The answer to a question for a missing argument, where this is one.
    pub reply: Option<&'a str>,
}

/// A parameter.
pub struct Param<'a> {
    pub name: &'a str,
    /// Its JSON Schema.
    pub schema: &'a Value,
    pub required: bool,
    /// The stems of its name.
    pub title: Vec<String>,
    /// The stems of its description.
    pub about: Vec<String>,
}

impl Param<'_> {
    /// The type of its values, or "enum".
    pub fn kind(&self) -> &str {
        match &self.schema["type"] {
            _ if self.schema["enum"].is_array() || self.schema.get("const").is_some() => "enum",
            Value::String(kind) => kind,
            Value::Array(kinds) => {
                kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("string")
            }
            _ if self.schema["properties"].is_object() => "object",
            _ => "string",
        }
    }

    /// Whether its name contains one of these words.
    pub fn is_any(&self, list: &str) -> bool {
        list.split_whitespace().any(|name| self.title.contains(&stem(name)))
    }

    /// Whether it takes free text rather than a place or a name.
    pub fn is_free(&self) -> bool {
        self.kind() == "string" && !self.is_any(PLACES) && (!self.is_any(PERSONS) || self.is_any(TEXTS))
    }
}

/// The parameters, required ones first, in their order.
pub fn params(schema: &Value) -> Vec<Param<'_>> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let mut params: Vec<Param<'_>> = properties
        .map(|(name, schema)| Param {
            name,
            schema,
            required: required.contains(&name.as_str()),
            title: stems(name),
            about: stems(schema["description"].as_str().unwrap_or_default()),
        })
        .collect();
    params.sort_by_key(|param| required.iter().position(|name| *name == param.name).unwrap_or(usize::MAX));
    params
}
