// SPDX-License-Identifier: MPL-2.0

//! The published shapes of the protocol, as JSON Schemas: `tests/schemas/generate.py` makes them from the types of the
//! official package. Whoever sends or receives an event in a test holds it against them here.

#![allow(dead_code, reason = "every test takes what it needs")]

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static CLIENT: LazyLock<Schema> = LazyLock::new(|| Schema::parse(include_str!("../schemas/ga-client.json")));
static SERVER: LazyLock<Schema> = LazyLock::new(|| Schema::parse(include_str!("../schemas/ga-server.json")));
static BETA_CLIENT: LazyLock<Schema> = LazyLock::new(|| Schema::parse(include_str!("../schemas/beta-client.json")));
static BETA_SERVER: LazyLock<Schema> = LazyLock::new(|| Schema::parse(include_str!("../schemas/beta-server.json")));

static TRANSLATION_CLIENT: LazyLock<Schema> =
    LazyLock::new(|| Schema::parse(include_str!("../schemas/translation-client.json")));
static TRANSLATION_SERVER: LazyLock<Schema> =
    LazyLock::new(|| Schema::parse(include_str!("../schemas/translation-server.json")));
static TRANSLATION_SECRETS: LazyLock<Schema> =
    LazyLock::new(|| Schema::parse(include_str!("../schemas/translation-secrets.json")));
static CHAT: LazyLock<Schema> = LazyLock::new(|| Schema::parse(include_str!("../schemas/chat.json")));

/// The shapes of Chat Completions: `request`, `response`, `chunk`.
pub fn chat() -> &'static Schema {
    &CHAT
}

/// The shapes of what a client says in a translation session.
pub fn translation_client() -> &'static Schema {
    &TRANSLATION_CLIENT
}

/// The shapes of what a server says in a translation session.
pub fn translation_server() -> &'static Schema {
    &TRANSLATION_SERVER
}

/// The shapes of client secrets of translation sessions: `request`, `response`.
pub fn translation_secrets() -> &'static Schema {
    &TRANSLATION_SECRETS
}

/// The shapes of what a client says in the beta.
pub fn beta_client() -> &'static Schema {
    &BETA_CLIENT
}

/// The shapes of what a server says in the beta.
pub fn beta_server() -> &'static Schema {
    &BETA_SERVER
}

/// The shapes of what a client says.
pub fn client() -> &'static Schema {
    &CLIENT
}

/// The shapes of what a server says.
pub fn server() -> &'static Schema {
    &SERVER
}

/// The shapes of all events of one direction.
pub struct Schema {
    document: Value,
    events: BTreeMap<String, Validator>,
}

impl Schema {
    fn parse(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).expect("a generated schema is JSON");
        let compile = |(name, reference): (&String, &Value)| {
            let schema = json!({"$schema": document["$schema"], "$ref": reference, "$defs": document["$defs"]});
            (name.clone(), jsonschema::validator_for(&schema).expect("a generated schema is one"))
        };
        let events = document["x-events"].as_object().expect("the list of events").iter().map(compile).collect();
        Self { document, events }
    }

    /// The types of all events, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.events.keys().map(String::as_str)
    }

    /// The definition of an event, as it stands in the file.
    pub fn definition(&self, name: &str) -> &Value {
        self.resolve(&self.document["x-events"][name])
    }

    /// What a reference of the file refers to.
    pub fn resolve(&self, reference: &Value) -> &Value {
        let pointer = reference.as_str().and_then(|text| text.strip_prefix('#')).expect("a local reference");
        self.document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not in the schema"))
    }

    /// What is wrong with an event: one line each, which names the event, the place in it and the reason.
    pub fn errors(&self, event: &Value) -> Vec<String> {
        let Some(name) = event["type"].as_str() else {
            return vec![format!("an event without a type: {event}")];
        };
        self.errors_as(name, event)
    }

    /// The same for what has no type of its own.
    pub fn errors_as(&self, name: &str, event: &Value) -> Vec<String> {
        let Some(validator) = self.events.get(name) else {
            return vec![format!("{name}: no such event")];
        };
        let mut lines = Vec::new();
        for error in validator.iter_errors(event) {
            explain(name, &error, &mut lines);
        }
        lines
    }

    /// Fails the test where an event is not of its published shape.
    #[track_caller]
    pub fn check(&self, event: &Value) {
        Self::assert_none(&self.errors(event), event);
    }

    /// The same for what has no type of its own.
    #[track_caller]
    pub fn check_as(&self, name: &str, event: &Value) {
        Self::assert_none(&self.errors_as(name, event), event);
    }

    #[track_caller]
    fn assert_none(errors: &[String], event: &Value) {
        assert!(errors.is_empty(), "not of the published shape:\n  {}\nin {event:#}", errors.join("\n  "));
    }
}

/// Says what is wrong. Where none of several shapes fits, that is what keeps it from the one that was meant.
fn explain(name: &str, error: &ValidationError, lines: &mut Vec<String>) {
    let here = error.instance_path().as_str();
    if let ValidationErrorKind::AnyOf { context } = error.kind() {
        let misfit = |branch: &&Vec<ValidationError<'static>>| {
            let is_tag = |error: &ValidationError| {
                let place = error.instance_path().as_str().strip_prefix(here).unwrap_or_default();
                ["", "/type", "/role", "/object"].contains(&place)
                    && matches!(
                        error.kind(),
                        ValidationErrorKind::Constant { .. }
                            | ValidationErrorKind::Enum { .. }
                            | ValidationErrorKind::Type { .. }
                    )
            };
            (branch.iter().filter(|error| is_tag(error)).count(), branch.len())
        };
        if let Some(nearest) = context.iter().min_by_key(misfit).filter(|branch| misfit(branch).0 == 0) {
            return nearest.iter().for_each(|error| explain(name, error, lines));
        }
    }
    lines.push(format!("{name} at {}: {error}", if here.is_empty() { "/" } else { here }));
}
