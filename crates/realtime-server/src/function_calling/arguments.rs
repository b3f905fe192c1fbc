// SPDX-License-Identifier: MPL-2.0

//! Fills a function's arguments from what the user said. Only values that were said are used; a missing required
//! argument is reported by name, so that the user can be asked for it.

use crate::function_calling::parameter::{Param, Said, is_free, is_string, params};
use crate::function_calling::string_argument::{replied, texts};
use crate::function_calling::tokens;
use crate::function_calling::tokens::{Number, Word, of_name, stem};
use serde_json::{Map, Value};

/// Maximum nesting of object parameters.
const MAX_DEPTH: usize = 3;
/// Units of time in seconds.
const UNITS: &[(&str, f64)] =
    &[("second", 1.0), ("minut", 60.0), ("hour", 3600.0), ("day", 86_400.0), ("week", 604_800.0)];

/// The arguments found.
#[derive(Debug, Default, PartialEq)]
pub struct Filled {
    /// The values.
    pub arguments: Map<String, Value>,
    /// Required parameters without a value.
    pub missing: Vec<String>,
    /// A parameter that takes one value and got several; the first one is among the arguments.
    pub others: Option<(String, Vec<String>)>,
}

/// Finds values for the parameters.
pub fn fill(schema: &Value, said: &Said<'_>) -> Filled {
    fill_object(schema, said, MAX_DEPTH)
}

fn fill_object(schema: &Value, said: &Said<'_>, depth: usize) -> Filled {
    let params = params(schema);
    let mut filled = Filled::default();
    let numbers = said_numbers(&params, said);
    let takes_text =
        |param: &&Param<'_>| is_string(param) && (param.required || is_free(param)) || param.kind() == "array";
    let only = params.iter().filter(takes_text).count() == 1;
    for param in &params {
        let number = numbers.iter().find(|(name, _)| *name == param.name).map(|(_, value)| value.clone());
        let mut values = match param.kind() {
            _ if param.schema["enum"].is_array() || param.schema.get("const").is_some() => {
                one_of(param, said).into_iter().collect()
            }
            "integer" | "number" => number.into_iter().collect(),
            "boolean" => yes_or_no(param, said).into_iter().collect(),
            "array" => several(param, said).into_iter().collect(),
            "object" if depth > 0 => {
                let inner = fill_object(param.schema, said, depth - 1);
                if inner.missing.is_empty() && !inner.arguments.is_empty() {
                    vec![Value::Object(inner.arguments)]
                } else {
                    Vec::new()
                }
            }
            "string" => {
                texts(param, said, only && param.required && is_free(param)).into_iter().map(Value::String).collect()
            }
            _ => Vec::new(),
        };
        if values.is_empty() && param.required {
            values.extend(
                replied(param, said, filled.missing.is_empty()).or_else(|| param.schema.get("default").cloned()),
            );
        }
        if values.is_empty() {
            if param.required {
                filled.missing.push(param.name.into());
            }
            continue;
        }
        filled.arguments.insert(param.name.into(), values.remove(0));
        let others: Vec<String> = values.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if !others.is_empty() {
            filled.others = Some((param.name.into(), others));
        }
    }
    filled
}

/// Assigns numbers to numeric parameters: first by the words around a number, then in order.
fn said_numbers<'a>(params: &[Param<'a>], said: &Said<'_>) -> Vec<(&'a str, Value)> {
    let mut numbers = tokens::numbers(said.own);
    let mut open: Vec<&Param<'a>> = params
        .iter()
        .filter(|param| matches!(param.kind(), "integer" | "number") && param.schema["enum"].is_null())
        .collect();
    let mut found = Vec::new();
    for by_name in [true, false] {
        open.retain(|param| {
            let fits = |number: &Number| {
                (!by_name || is_beside(param, number, said.own)) && number_for(param, number, said.own).is_some()
            };
            let Some(index) = numbers.iter().position(fits) else { return true };
            let number = numbers.remove(index);
            found.extend(number_for(param, &number, said.own).map(|value| (param.name, value)));
            false
        });
    }
    found
}

/// Whether the words next to a number name the parameter.
fn is_beside(param: &Param<'_>, number: &Number, words: &[Word<'_>]) -> bool {
    let behind = words.get(number.until);
    let before = words[..number.from].iter().rev().take(3).filter(|word| !word.is_empty());
    before.chain(behind).any(|word| param.title.contains(&word.stem))
}

/// Converts a number to the parameter's unit of time, type and bounds.
fn number_for(param: &Param<'_>, number: &Number, words: &[Word<'_>]) -> Option<Value> {
    let unit = |stem: &str| UNITS.iter().find(|(name, _)| *name == stem).map(|(_, seconds)| *seconds);
    let said = words.get(number.until).and_then(|word| unit(&word.stem));
    let wanted = param.title.iter().chain(&param.about).find_map(|stem| unit(stem));
    let value = match (said, wanted) {
        (Some(said), Some(wanted)) => number.value * said / wanted,
        _ => number.value,
    };
    let bound = |name: &str| param.schema[name].as_f64();
    if bound("minimum").is_some_and(|least| value < least) || bound("maximum").is_some_and(|most| value > most) {
        return None;
    }
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Some(Value::from(value as i64));
    }
    (param.kind() == "number").then(|| Value::from(value))
}

/// The value of an enumeration that was said, trying longer ones first.
fn one_of(param: &Param<'_>, said: &Said<'_>) -> Option<Value> {
    if let Some(only) = param.schema.get("const") {
        return Some(only.clone());
    }
    let values = param.schema["enum"].as_array()?;
    said_values(values, said.own).or_else(|| said_values(values, said.all))
}

fn said_values(values: &[Value], words: &[Word<'_>]) -> Option<Value> {
    let numbers = tokens::numbers(words);
    let said = |value: &&Value| match value {
        Value::Number(number) => numbers.iter().any(|said| Some(said.value) == number.as_f64()),
        Value::String(text) => {
            let stems: Vec<String> = of_name(text).iter().map(|word| stem(word)).collect();
            !stems.is_empty()
                && words.windows(stems.len()).any(|window| window.iter().map(|word| &word.stem).eq(&stems))
        }
        _ => false,
    };
    values.iter().filter(said).max_by_key(|value| value.as_str().map_or(0, str::len)).cloned()
}

fn yes_or_no(param: &Param<'_>, said: &Said<'_>) -> Option<Value> {
    let has = |words: &[&str]| said.own.iter().any(|word| word.is_any(words));
    if has(&["off", "not", "no", "don't", "disable", "disabled", "without", "false", "never", "stop"]) {
        return Some(false.into());
    }
    let named = said.own.iter().any(|word| !word.is_empty() && param.title.contains(&word.stem));
    (named || has(&["on", "yes", "enable", "enabled", "true", "always"])).then(|| true.into())
}

/// The items of a list.
fn several(param: &Param<'_>, said: &Said<'_>) -> Option<Value> {
    let items = &param.schema["items"];
    let inner = Param { schema: items, title: param.title.clone(), about: param.about.clone(), ..*param };
    let values: Vec<Value> = match inner.kind() {
        _ if items["enum"].is_array() => {
            let values = items["enum"].as_array()?;
            values
                .iter()
                .filter(|value| said_values(std::slice::from_ref(value), said.own).is_some())
                .cloned()
                .collect()
        }
        "integer" | "number" => {
            tokens::numbers(said.own).iter().filter_map(|number| number_for(&inner, number, said.own)).collect()
        }
        "string" => texts(&inner, said, false).into_iter().map(Value::String).collect(),
        _ => Vec::new(),
    };
    (!values.is_empty()).then_some(Value::Array(values))
}
