// SPDX-License-Identifier: MPL-2.0

//! The parameters of a function, and the text that their values are taken from.

use crate::function_calling::tokens::{Word, of_name, stem};
use serde_json::Value;

/// Names of parameters for places.
pub const PLACES: &[&str] = &[
    "city",
    "location",
    "place",
    "country",
    "town",
    "address",
    "region",
    "area",
    "destination",
    "origin",
    "state",
    "room",
    "station",
    "airport",
    "where",
];
/// Names of parameters for names.
pub const PERSONS: &[&str] = &["name", "person", "recipient", "contact", "who", "user", "to", "receiver", "friend"];
/// Names of parameters for free text.
pub const TEXTS: &[&str] = &[
    "message",
    "text",
    "content",
    "body",
    "note",
    "query",
    "question",
    "prompt",
    "input",
    "sentence",
    "phrase",
    "description",
    "search",
    "command",
    "expression",
    "comment",
    "task",
];
/// The text that arguments are taken from.
pub struct Said<'a> {
    /// The whole text.
    pub text: &'a str,
    /// Its words, without those that request nothing of this function.
    pub all: &'a [Word<'a>],
    /// Some words were left out for that reason.
    pub partly: bool,
    /// The words that belong to this function; all of them when there is no other.
    pub own: &'a [Word<'a>],
    /// Stems of function names, which are not values.
    pub known: &'a [String],
    /// The answer to a question for a missing argument, where this is one.
    pub reply: Option<&'a str>,
}

/// A parameter.
pub struct Param<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its JSON Schema.
    pub schema: &'a Value,
    /// The function's schema requires it.
    pub required: bool,
    /// The stems of its name.
    pub title: Vec<String>,
    /// The stems of its description.
    pub about: Vec<String>,
}

impl Param<'_> {
    /// The type of its values.
    pub fn kind(&self) -> &str {
        match &self.schema["type"] {
            Value::String(kind) => kind,
            // A list of types: the first one other than null.
            Value::Array(kinds) => {
                kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("string")
            }
            _ if self.schema["properties"].is_object() => "object",
            _ => "string",
        }
    }

    /// Whether its name contains one of these words.
    pub fn is_one_of(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.title.contains(&stem(name)))
    }
}

/// The parameters, required ones first, in their order.
pub fn params(schema: &Value) -> Vec<Param<'_>> {
    let Some(properties) = schema["properties"].as_object() else { return Vec::new() };
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let stems = |text: &str| of_name(text).iter().map(|word| stem(word)).collect();
    let mut params: Vec<Param<'_>> = properties
        .iter()
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

/// Whether it takes a string without an enumeration.
pub fn is_string(param: &Param<'_>) -> bool {
    param.kind() == "string" && param.schema["enum"].is_null() && param.schema.get("const").is_none()
}

/// Whether it takes free text rather than a place or a name.
pub fn is_free(param: &Param<'_>) -> bool {
    let names = param.is_one_of(PLACES) || (param.is_one_of(PERSONS) && !param.is_one_of(TEXTS));
    is_string(param) && !names
}
