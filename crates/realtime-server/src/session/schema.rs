// SPDX-License-Identifier: MPL-2.0

//! The shape that a client's JSON must have, checked before anything is read from it.
//!
//! A [`Schema`] is a constant that describes one value; `client_schema.rs` holds those of the API. The check names the exact
//! place and gives the code that OpenAI gives, which is more than a deserializer can do. It stops at the first fault,
//! so an event is either good as a whole or refused as a whole.

use crate::api_error::ApiError;
use serde_json::{Map, Value};

/// What a value must look like.
#[derive(Clone, Copy, Debug)]
pub enum Schema {
    /// Whatever it is.
    Any,
    /// True or false.
    Bool,
    /// Text of at most so many characters.
    Text(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number in this range.
    Int(i64, i64),
    /// A number in this range.
    Number(f64, f64),
    /// An object with these fields and no others.
    Object(&'static [Field]),
    /// An object whose `type` says which fields it has.
    Tagged(&'static [(&'static str, &'static [Field])]),
    /// A list of at most so many.
    List(&'static Schema, usize),
    /// The first of these that takes values of the kind at hand.
    Either(&'static [Schema]),
    /// A list of exactly one of these words.
    Single(&'static [&'static str]),
    /// Pairs of text, as `metadata` has them: at most 16, keys up to 64 and values up to 512 characters.
    Pairs,
}

/// A field of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub(super) name: &'static str,
    pub(super) shape: Schema,
    pub(super) required: bool,
    pub(super) nullable: bool,
}

/// A field that must be there.
pub const fn required(name: &'static str, shape: Schema) -> Field {
    Field { name, shape, required: true, nullable: false }
}

/// A field that may be left out.
pub const fn optional(name: &'static str, shape: Schema) -> Field {
    Field { name, shape, required: false, nullable: false }
}

/// A field that may be left out or `null`.
pub const fn nullable(name: &'static str, shape: Schema) -> Field {
    Field { name, shape, required: false, nullable: true }
}

impl Schema {
    /// Checks a value; `path` is its place in the event.
    pub fn check(&self, value: &Value, path: &str) -> Result<(), ApiError> {
        match (self, value) {
            (Self::Any, _) | (Self::Bool, Value::Bool(_)) => Ok(()),
            (Self::Text(max), Value::String(text)) => check_length(text, *max, path),
            (Self::Word(words), Value::String(word)) => check_word(word, words, path),
            (Self::Int(min, max), Value::Number(number)) => match number.as_i64() {
                Some(int) => check_range("integer", int, *min, *max, path),
                None => Err(wrong_type(self, value, path)),
            },
            (Self::Number(min, max), Value::Number(number)) => {
                check_range("decimal", number.as_f64().unwrap_or_default(), *min, *max, path)
            }
            (Self::Object(fields), Value::Object(map)) => check_fields(map, fields, &[], path),
            (Self::Tagged(kinds), Value::Object(map)) => check_tagged(map, kinds, path),
            (Self::List(shape, max), Value::Array(list)) => check_list(list, shape, *max, path),
            (Self::Single(words), Value::Array(list)) => check_single(list, words, path),
            (Self::Pairs, Value::Object(map)) => check_pairs(map, path),
            (Self::Either(shapes), _) => match shapes.iter().find(|shape| shape.takes(value)) {
                Some(shape) => shape.check(value, path),
                None => Err(wrong_type(self, value, path)),
            },
            _ => Err(wrong_type(self, value, path)),
        }
    }

    /// Removes `null` from optional fields to which it means nothing, so that it is the same as leaving them out. Many
    /// clients write every field of their types. Where `null` switches something off, it stays.
    pub fn drop_nulls(&self, value: &mut Value) {
        match (self, value) {
            (Self::Object(fields), Value::Object(map)) => drop_nulls(map, fields),
            (Self::Tagged(kinds), Value::Object(map)) => {
                let tag = map.get("type").and_then(Value::as_str);
                if let Some((_, fields)) = kinds.iter().find(|(name, _)| Some(*name) == tag) {
                    drop_nulls(map, fields);
                }
            }
            (Self::List(shape, _), Value::Array(list)) => list.iter_mut().for_each(|value| shape.drop_nulls(value)),
            (Self::Either(shapes), value) => {
                if let Some(shape) = shapes.iter().find(|shape| shape.takes(value)) {
                    shape.drop_nulls(value);
                }
            }
            _ => {}
        }
    }

    /// Whether values of this JSON kind are worth looking at closer.
    fn takes(&self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Bool => value.is_boolean(),
            Self::Text(_) | Self::Word(_) => value.is_string(),
            Self::Int(..) => value.is_i64() || value.is_u64(),
            Self::Number(..) => value.is_number(),
            Self::Object(_) | Self::Tagged(_) | Self::Pairs => value.is_object(),
            Self::List(..) | Self::Single(_) => value.is_array(),
            Self::Either(shapes) => shapes.iter().any(|shape| shape.takes(value)),
        }
    }

    /// The kind of value in words, with its article.
    fn kind(&self) -> String {
        match self {
            Self::Any => "a value".into(),
            Self::Bool => "a boolean".into(),
            Self::Text(_) | Self::Word(_) => "a string".into(),
            Self::Int(..) => "an integer".into(),
            Self::Number(..) => "a number".into(),
            Self::Object(_) | Self::Tagged(_) | Self::Pairs => "an object".into(),
            Self::List(..) | Self::Single(_) => "an array".into(),
            Self::Either(shapes) => {
                let kinds: Vec<_> = shapes.iter().map(Self::kind).collect();
                format!("one of {}", kinds.join(" or "))
            }
        }
    }
}

/// The same for the fields of an object.
pub fn drop_nulls(map: &mut Map<String, Value>, fields: &[Field]) {
    let means_nothing =
        |name: &str| fields.iter().any(|field| field.name == name && !field.required && !field.nullable);
    map.retain(|name, value| !(value.is_null() && means_nothing(name)));
    for field in fields {
        if let Some(value) = map.get_mut(field.name) {
            field.shape.drop_nulls(value);
        }
    }
}

/// Checks an object's fields; those of `known` may be there as well and were checked before.
pub fn check_fields(map: &Map<String, Value>, fields: &[Field], known: &[&str], path: &str) -> Result<(), ApiError> {
    let place = |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
    if let Some(field) = fields.iter().find(|field| field.required && !map.contains_key(field.name)) {
        return Err(missing(&place(field.name)));
    }
    for (name, value) in map {
        match fields.iter().find(|field| field.name == name) {
            Some(field) if value.is_null() && field.nullable => {}
            Some(field) => field.shape.check(value, &place(name))?,
            None if known.contains(&name.as_str()) => {}
            None => {
                let place = place(name);
                return Err(ApiError::new("unknown_parameter", format!("Unknown parameter: '{place}'.")).at(place));
            }
        }
    }
    Ok(())
}

fn check_tagged(
    map: &Map<String, Value>,
    kinds: &[(&'static str, &'static [Field])],
    path: &str,
) -> Result<(), ApiError> {
    let place = format!("{path}.type");
    let tag = match map.get("type") {
        Some(Value::String(tag)) => tag,
        Some(other) => return Err(wrong_type(&Schema::Text(0), other, &place)),
        None => return Err(missing(&place)),
    };
    match kinds.iter().find(|(name, _)| name == tag) {
        Some((_, fields)) => check_fields(map, fields, &["type"], path),
        None => Err(ApiError::unknown_word(&place, tag, &kinds.iter().map(|(name, _)| *name).collect::<Vec<_>>())),
    }
}

fn check_list(list: &[Value], shape: &Schema, max: usize, path: &str) -> Result<(), ApiError> {
    check_count("array", "an array", list.len(), max, path)?;
    list.iter().enumerate().try_for_each(|(index, value)| shape.check(value, &format!("{path}[{index}]")))
}

fn check_single(list: &[Value], words: &'static [&'static str], path: &str) -> Result<(), ApiError> {
    for (index, word) in list.iter().enumerate() {
        Schema::Word(words).check(word, &format!("{path}[{index}]"))?;
    }
    if list.len() == 1 {
        return Ok(());
    }
    let given: Vec<_> = list.iter().filter_map(Value::as_str).map(|word| format!("'{word}'")).collect();
    let supported: Vec<_> = words.iter().map(|word| format!("['{word}']")).collect();
    let message =
        format!("Invalid value: [{}]. Supported combinations are: {}.", given.join(", "), supported.join(" and "));
    Err(ApiError::new("invalid_value", message).at(path))
}

fn check_pairs(map: &Map<String, Value>, path: &str) -> Result<(), ApiError> {
    check_count("object", "an object", map.len(), 16, path)?;
    map.iter().try_for_each(|(key, value)| {
        let place = format!("{path}.{key}");
        check_length(key, 64, &place)?;
        Schema::Text(512).check(value, &place)
    })
}

fn check_word(word: &str, words: &[&str], path: &str) -> Result<(), ApiError> {
    if words.contains(&word) { Ok(()) } else { Err(ApiError::unknown_word(path, word, words)) }
}

fn check_length(text: &str, max: usize, path: &str) -> Result<(), ApiError> {
    // Counting characters is only needed where the bytes alone do not settle it.
    let length = if text.len() <= max { text.len() } else { text.chars().count() };
    check_count("string", "a string", length, max, path)
}

fn check_count(kind: &'static str, a_kind: &str, length: usize, max: usize, path: &str) -> Result<(), ApiError> {
    if length <= max {
        return Ok(());
    }
    let code = match kind {
        "string" => "string_above_max_length",
        "array" => "array_above_max_length",
        _ => "object_above_max_properties",
    };
    let message = format!(
        "Invalid '{path}': {kind} too long. Expected {a_kind} with maximum length {max}, but got {a_kind} with length {length} instead."
    );
    Err(ApiError::new(code, message).at(path))
}

fn check_range<T>(kind: &'static str, value: T, min: T, max: T, path: &str) -> Result<(), ApiError>
where
    T: PartialOrd + std::fmt::Display,
{
    let (code, side, sign, limit) = if value < min {
        (
            if kind == "integer" { "integer_below_min_value" } else { "decimal_below_min_value" },
            "below minimum",
            ">=",
            min,
        )
    } else if value > max {
        (
            if kind == "integer" { "integer_above_max_value" } else { "decimal_above_max_value" },
            "above maximum",
            "<=",
            max,
        )
    } else {
        return Ok(());
    };
    let message =
        format!("Invalid '{path}': {kind} {side} value. Expected a value {sign} {limit}, but got {value} instead.");
    Err(ApiError::new(code, message).at(path))
}

fn missing(place: &str) -> ApiError {
    ApiError::new("missing_required_parameter", format!("Missing required parameter: '{place}'.")).at(place)
}

fn wrong_type(shape: &Schema, value: &Value, path: &str) -> ApiError {
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    let message = format!("Invalid type for '{path}': expected {}, but got {got} instead.", shape.kind());
    ApiError::new("invalid_type", message).at(path)
}
