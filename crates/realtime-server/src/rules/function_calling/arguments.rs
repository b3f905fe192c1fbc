// SPDX-License-Identifier: MPL-2.0

//! Fills a function's arguments from what the user said. Only values that were said are used; a missing required
//! argument is reported by name, so that the user can be asked for it.

use crate::rules::function_calling::parameters::{Param, Said, params, texts};
use crate::rules::function_calling::phrase::bare;
use crate::rules::numbers::{Number, numbers};
use crate::rules::words::{Word, is_in, position, read, stems};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::slice;

/// Units of time in seconds.
const UNITS: &[(&str, f64)] =
    &[("second", 1.0), ("minut", 60.0), ("hour", 3600.0), ("day", 86_400.0), ("week", 604_800.0)];

/// The arguments found.
#[derive(Default)]
pub struct Filled {
    pub arguments: Map<String, Value>,
    /// Required parameters without a value.
    pub missing: Vec<String>,
    /// A parameter that takes one value and got several; the first one is among the arguments.
    pub others: Option<(String, Vec<Value>)>,
}

/// Finds values for the parameters.
pub fn fill(schema: &Value, said: &Said<'_>) -> Filled {
    let params = params(schema);
    let mut numbers = said_numbers(&params, said);
    let takes_text = |param: &&Param<'_>| match param.kind() {
        "string" => param.required || param.is_free(),
        kind => kind == "array",
    };
    let only = params.iter().filter(takes_text).count() == 1;
    let mut filled = Filled::default();
    for param in &params {
        let value = match param.kind() {
            "enum" => one_of(param.schema, said),
            "integer" | "number" => numbers.remove(param.name),
            "boolean" => yes_or_no(param, said),
            "array" => several(param, said),
            "object" => Some(fill(param.schema, said))
                .filter(|inner| inner.missing.is_empty() && !inner.arguments.is_empty())
                .map(|inner| Value::Object(inner.arguments)),
            _ => None,
        };
        let is_text = param.kind() == "string";
        let texts = if is_text { texts(param, said, only && param.required && param.is_free()) } else { Vec::new() };
        let mut values: Vec<Value> = value.into_iter().chain(texts.into_iter().map(Value::String)).collect();
        if values.is_empty() && param.required {
            let reply = said.reply.filter(|_| is_text && filled.missing.is_empty());
            let reply = reply.and_then(|reply| bare(reply, &read(reply))).map(Value::from);
            values.extend(reply.or_else(|| param.schema.get("default").cloned()));
        }
        let mut values = values.into_iter();
        if let Some(value) = values.next() {
            filled.arguments.insert(param.name.into(), value);
        } else if param.required {
            filled.missing.push(param.name.into());
        }
        if values.len() > 0 {
            filled.others = Some((param.name.into(), values.collect()));
        }
    }
    filled
}

/// Assigns numbers to numeric parameters: first by the words around a number, then in order.
fn said_numbers<'a>(params: &[Param<'a>], said: &Said<'_>) -> HashMap<&'a str, Value> {
    let mut numbers = numbers(said.own);
    let mut found = HashMap::new();
    for by_name in [true, false] {
        for param in params.iter().filter(|param| is_in(param.kind(), "integer number")) {
            let value = |number: &Number| {
                number_for(param, number, said.own).filter(|_| !by_name || is_beside(param, number, said.own))
            };
            let first = numbers.iter().enumerate().find_map(|(index, number)| Some((index, value(number)?)));
            if let Some((index, value)) = first.filter(|_| !found.contains_key(param.name)) {
                numbers.remove(index);
                found.insert(param.name, value);
            }
        }
    }
    found
}

/// Whether the words next to a number name the parameter.
fn is_beside(param: &Param<'_>, number: &Number, words: &[Word<'_>]) -> bool {
    let behind = words.get(number.until);
    let before = words[..number.from].iter().rev().take(3).filter(|word| !word.is_stop_word());
    before.chain(behind).any(|word| param.title.contains(&word.stem))
}

/// Converts a number to the parameter's unit of time, type and bounds.
fn number_for(param: &Param<'_>, number: &Number, words: &[Word<'_>]) -> Option<Value> {
    let unit = |stem: &String| UNITS.iter().find(|(name, _)| name == stem).map(|(_, seconds)| *seconds);
    let said = words.get(number.until).and_then(|word| unit(&word.stem));
    let wanted = param.title.iter().chain(&param.about).find_map(unit);
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

/// The value of an enumeration that was said.
fn one_of(schema: &Value, said: &Said<'_>) -> Option<Value> {
    let values = schema["enum"].as_array().map(Vec::as_slice).unwrap_or_default();
    let said = || said_value(values, said.own).or_else(|| said_value(values, said.all));
    schema.get("const").or_else(said).cloned()
}

/// The longest of these values that was said.
fn said_value<'a>(values: &'a [Value], words: &[Word<'_>]) -> Option<&'a Value> {
    let numbers = numbers(words);
    let is_said = |value: &&Value| match value {
        Value::Number(number) => numbers.iter().any(|said| Some(said.value) == number.as_f64()),
        Value::String(text) => position(words, &stems(text)).is_some(),
        _ => false,
    };
    values.iter().filter(is_said).max_by_key(|value| value.as_str().map_or(0, str::len))
}

fn yes_or_no(param: &Param<'_>, said: &Said<'_>) -> Option<Value> {
    let has = |list: &str| said.own.iter().any(|word| word.is_any(list));
    if has("off not no don't disable disabled without false never stop") {
        return Some(false.into());
    }
    let named = said.own.iter().any(|word| !word.is_stop_word() && param.title.contains(&word.stem));
    (named || has("on yes enable enabled true always")).then(|| true.into())
}

/// The items of a list.
fn several(param: &Param<'_>, said: &Said<'_>) -> Option<Value> {
    let items = &param.schema["items"];
    let item = Param { schema: items, title: param.title.clone(), about: param.about.clone(), ..*param };
    let values: Vec<Value> = match item.kind() {
        "enum" => {
            let values = items["enum"].as_array().into_iter().flatten();
            values.filter(|value| said_value(slice::from_ref(value), said.own).is_some()).cloned().collect()
        }
        "integer" | "number" => {
            numbers(said.own).iter().filter_map(|number| number_for(&item, number, said.own)).collect()
        }
        "string" => texts(&item, said, false).into_iter().map(Value::String).collect(),
        _ => Vec::new(),
    };
    (!values.is_empty()).then_some(Value::Array(values))
}
