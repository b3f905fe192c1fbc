// SPDX-License-Identifier: MPL-2.0

//! Examples of events, built from their schemas: small, the same in every run, and of every kind that a schema allows.

use super::schema::Schema;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Examples of an event: without its optional fields, with all of them, and then with each choice taken that the
/// first of them did not take, `null` among them.
pub fn examples(schema: &Schema, name: &str) -> Vec<Value> {
    let definition = schema.definition(name);
    let build = |full, choices| {
        let mut builder = Builder { schema, full, choices, sites: BTreeMap::new(), count: 0 };
        (builder.build(definition, ""), builder.choices, builder.sites)
    };
    let mut examples = vec![build(false, BTreeMap::new()).0];
    let mut seen = BTreeSet::new();
    let mut waiting = VecDeque::from([BTreeMap::new()]);
    while let Some(choices) = waiting.pop_front() {
        let (event, choices, sites) = build(true, choices);
        examples.push(event);
        for (site, kinds) in sites {
            for kind in 1..kinds {
                if seen.insert((site.clone(), kind)) {
                    let mut more = choices.clone();
                    more.insert(site.clone(), kind);
                    waiting.push_back(more);
                }
            }
        }
    }
    for event in &examples {
        schema.check_as(name, event);
    }
    examples
}

/// Builds an event out of its schema. Where a value may be of several kinds, `choices` says which; the places where
/// there was a choice are told in `sites`. Every text and number is another one, so that a mix-up shows.
struct Builder<'a> {
    schema: &'a Schema,
    /// With the optional fields, or without.
    full: bool,
    choices: BTreeMap<String, usize>,
    sites: BTreeMap<String, usize>,
    count: u64,
}

impl Builder<'_> {
    fn build(&mut self, schema: &Value, path: &str) -> Value {
        if let Some(reference) = schema.get("$ref") {
            return self.build(self.schema.resolve(reference), path);
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(values) = schema["enum"].as_array() {
            return values[self.choose(path, values.len())].clone();
        }
        if let Some(kinds) = schema["anyOf"].as_array() {
            let kind = self.choose(path, kinds.len());
            return self.build(&kinds[kind], path);
        }
        self.count += 1;
        match schema["type"].as_str() {
            Some("object") => self.object(schema, path),
            Some("array") if self.full || schema["minItems"].as_u64() > Some(0) => {
                json!([self.build(&schema["items"], &format!("{path}/0"))])
            }
            Some("array") => json!([]),
            // Eight letters and digits: different each time, and base64 where that is asked for.
            Some("string") => json!(format!("text{:04}", self.count)),
            Some("integer") => json!(self.count.max(schema["minimum"].as_u64().unwrap_or(0))),
            Some("number") => match schema["maximum"].as_f64() {
                Some(maximum) => json!(maximum - 0.25),
                None => json!(self.count as f64 + 0.25),
            },
            Some("boolean") => json!(self.choose(path, 2) == 0),
            Some("null") => Value::Null,
            None => json!({"anything": [self.count, "at all", null]}),
            Some(other) => panic!("{path}: the generator does not know the type {other}"),
        }
    }

    fn object(&mut self, schema: &Value, path: &str) -> Value {
        let Some(properties) = schema["properties"].as_object() else {
            return match &schema["additionalProperties"] {
                Value::Object(_) => json!({"key": self.build(&schema["additionalProperties"], &format!("{path}/key"))}),
                _ => json!({"anything": self.count}),
            };
        };
        let required =
            |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|each| each == name));
        let mut object = Map::new();
        for (name, property) in properties {
            if self.full || required(name) {
                object.insert(name.clone(), self.build(property, &format!("{path}/{name}")));
            }
        }
        object.into()
    }

    fn choose(&mut self, path: &str, kinds: usize) -> usize {
        let mut site = path.to_owned();
        while self.sites.contains_key(&site) {
            site.push('?');
        }
        let choice = self.choices.get(&site).copied().unwrap_or(0);
        self.sites.insert(site, kinds);
        choice
    }
}
