// SPDX-License-Identifier: MPL-2.0

//! JSON values that keep the order of their fields and the spelling of numbers, so that they can be read out.

use crate::function_calling::tokens::of_name;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Maximum number of facts that are said; the rest is only counted.
const MAX_FACTS: usize = 12;
/// Field names that add nothing to their value.
const PLAIN: &[&str] = &["message", "text", "answer", "summary", "description", "content"];
/// The text for an error without a message.
const UNKNOWN: &str = "there was an error";

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// `null`.
    Nothing,
    /// A boolean.
    Bool(bool),
    /// A number as it was written.
    Number(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Fact>),
    /// An object.
    Fields(Vec<(String, Fact)>),
}

impl Fact {
    fn get(&self, names: &[&str]) -> Option<&Self> {
        let Self::Fields(fields) = self else { return None };
        names.iter().find_map(|name| fields.iter().find(|(field, _)| field == name)).map(|(_, fact)| fact)
    }

    /// The error message, if the value reports an error.
    pub fn error(&self) -> Option<String> {
        if let Self::Text(text) = self {
            let rest =
                text.get(5..).filter(|_| text.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("error")))?;
            let rest = rest.trim_start_matches([':', ' ']);
            return Some(if rest.is_empty() { UNKNOWN.into() } else { rest.into() });
        }
        let why = || self.get(&["message", "reason", "detail"]).map_or_else(|| UNKNOWN.into(), Self::say);
        let told = match self.get(&["error", "errors"]) {
            None | Some(Self::Nothing | Self::Bool(false)) => None,
            Some(Self::Text(text)) if text.is_empty() => None,
            Some(Self::Bool(true)) => Some(why()),
            Some(error) => Some(error.get(&["message"]).unwrap_or(error).say()),
        };
        let status =
            |fact: &Self| matches!(fact, Self::Text(word) if ["error", "failed", "failure"].contains(&word.as_str()));
        let failed =
            self.get(&["success", "ok"]) == Some(&Self::Bool(false)) || self.get(&["status"]).is_some_and(status);
        told.or_else(|| failed.then(why))
    }

    /// The value in words.
    pub fn say(&self) -> String {
        let mut facts = Vec::new();
        match self {
            Self::Bool(true) => return "yes, that is done".into(),
            Self::Bool(false) => return "no".into(),
            Self::Number(number) => return format!("the result is {number}"),
            Self::Text(text) if text.eq_ignore_ascii_case("ok") => {}
            Self::Text(text) => facts.push(text.clone()),
            Self::List(list) if list.is_empty() => return "there is nothing".into(),
            Self::Fields(fields) if fields.len() == 1 && PLAIN.contains(&fields[0].0.as_str()) => {
                return fields[0].1.say();
            }
            Self::Nothing | Self::List(_) | Self::Fields(_) => self.collect("", &mut facts),
        }
        let more = facts.len().saturating_sub(MAX_FACTS);
        facts.truncate(MAX_FACTS);
        let said = facts.join(", ");
        match more {
            _ if said.is_empty() => "it is done".into(),
            0 => said,
            more => format!("{said}, and {more} more"),
        }
    }

    /// Its facts, such as "wind speed is 5".
    fn collect(&self, name: &str, facts: &mut Vec<String>) {
        match self {
            Self::Fields(fields) => {
                // An empty error field is not worth mentioning.
                let says = |(field, fact): &&(String, Self)| *fact != Self::Nothing || !field.starts_with("error");
                for (field, fact) in fields.iter().filter(says) {
                    fact.collect(format!("{name} {}", of_name(field).join(" ")).trim(), facts);
                }
            }
            Self::List(list) if list.iter().any(|fact| matches!(fact, Self::List(_) | Self::Fields(_))) => {
                for (index, fact) in list.iter().enumerate() {
                    fact.collect(format!("{name} {}", index + 1).trim(), facts);
                }
            }
            Self::List(list) if !list.is_empty() => {
                let words: Vec<String> = list.iter().map(Self::word).collect();
                let list = match words.split_last() {
                    Some((last, most)) if !most.is_empty() => format!("{} and {last}", most.join(", ")),
                    _ => words.concat(),
                };
                facts.push(if name.is_empty() { list } else { format!("{name}: {list}") });
            }
            Self::Nothing if name.is_empty() => {}
            fact => facts.push(if name.is_empty() { fact.word() } else { format!("{name} is {}", fact.word()) }),
        }
    }

    fn word(&self) -> String {
        match self {
            Self::Nothing => "not known".into(),
            Self::Bool(yes) => yes.to_string(),
            Self::Number(text) | Self::Text(text) => text.clone(),
            Self::List(_) | Self::Fields(_) => "empty".into(),
        }
    }
}

impl<'de> Deserialize<'de> for Fact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Fact;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Fact, E> {
        Ok(Fact::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Fact, E> {
        Ok(Fact::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Fact, E> {
        Ok(Fact::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Fact, E> {
        Ok(Fact::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Fact, E> {
        Ok(Fact::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Fact, E> {
        Ok(Fact::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Fact, A::Error> {
        let mut list = Vec::new();
        while let Some(fact) = entries.next_element()? {
            list.push(fact);
        }
        Ok(Fact::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fact, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = entries.next_entry()? {
            fields.push(field);
        }
        Ok(Fact::Fields(fields))
    }
}
