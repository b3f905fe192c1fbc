// SPDX-License-Identifier: MPL-2.0

//! The words of the wire: every event of the Realtime API in both directions, and the requests and
//! answers of Chat Completions, as plain serde types.
//!
//! Nothing here decides, waits or counts. It is the only part of the house where the JSON names of the API stand,
//! and it reads tolerantly: a missing field takes its default, an unknown field is kept in `extra`, an unknown event
//! is kept whole, and what cannot be read of a server's event is left out of it. What was read can be written again without loss, so a trace of a session is a faithful one.
//!
//! Source of the names: the published types of the official `openai` packages (version 3.52.0 for Python), which the
//! tests turn into JSON Schemas and check every event against.

pub mod chat;
pub mod client;
pub mod dialect;
mod fields;
pub mod items;
pub mod overlay;
pub mod response;
pub mod server;
pub mod session;
pub mod sse;
mod tolerant;
pub mod translation;
pub mod usage;

pub use client::ClientEvent;
pub use fields::{Base64, Extra, Setting};
pub use items::Item;
pub use response::{Response, ResponseParams};
pub use server::ServerEvent;
pub use session::Session;
pub use usage::Usage;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why a message of the wire could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The text is not JSON, or not an object.
    #[error("not a JSON object: {0}")]
    NotJson(#[source] serde_json::Error),
    /// The object has no string `type`.
    #[error("an event without a `type`")]
    NoType,
    /// A known event has a field of the wrong kind.
    #[error("{name}: {source}")]
    BadField {
        /// The `type` of the event.
        name: String,
        /// What serde found wrong, with its place.
        #[source]
        source: serde_json::Error,
    },
}

impl ReadError {
    /// The same for people, with no word that only this program knows.
    pub fn plain(&self) -> String {
        match self {
            Self::NotJson(error) => format!("not a JSON object: {}", plain(error)),
            Self::NoType => self.to_string(),
            Self::BadField { name, source } => format!("{name}: {}", plain(source)),
        }
    }
}

/// What is wrong with some JSON, in words that name no type of this program.
pub fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let mut words = text.split(' ').peekable();
    let mut plain = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "struct" if words.next().is_some_and(|name| name.ends_with(',')) => plain.push("an object,"),
            "struct" => plain.push("an object"),
            word => plain.push(word),
        }
    }
    plain.join(" ")
}

/// Reads a JSON object. The derived readers would take an array for the fields in their order.
pub fn object<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| plain(&error))?;
    if !value.is_object() {
        return Err("expected a JSON object".into());
    }
    serde_json::from_value(value).map_err(|error| plain(&error))
}

/// An event of a type that this version does not know, kept as it came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UnknownEvent {
    /// The `type` of the event.
    #[serde(rename = "type")]
    pub name: String,
    /// All its other fields.
    #[serde(flatten)]
    pub fields: Extra,
}

/// The `type` of an event, read without looking at the rest.
pub(crate) fn event_name(text: &str) -> Result<String, ReadError> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "type", default)]
        name: Value,
    }
    let head: Head = serde_json::from_str(text).map_err(ReadError::NotJson)?;
    // The derived reader would take an array for the fields in their order.
    if !text.trim_start().starts_with('{') {
        return Err(ReadError::NotJson(serde::de::Error::custom("expected an object")));
    }
    match head.name {
        Value::String(name) => Ok(name),
        _ => Err(ReadError::NoType),
    }
}

/// The `type` of an event that begins with it, as servers write them, so that the event is read only once. `None` where that
/// is not so; then [`event_name`] knows it.
pub(crate) fn leading_event_name(text: &str) -> Option<&str> {
    let value =
        ["{", "\"type\"", ":", "\""].iter().try_fold(text, |text, token| text.trim_start().strip_prefix(token))?;
    let (name, _) = value.split_once('"')?;
    (!name.contains('\\')).then_some(name)
}

/// Declares one struct an event, and the enum over all of them that reads and writes by the `type` on the wire.
macro_rules! events {
    (
        $(#[$meta:meta])*
        pub enum $Enum:ident {
            $( $(#[$doc:meta])* $Name:ident($wire:literal) { $( $(#[$fmeta:meta])* $field:ident: $ty:ty ),* $(,)? } )*
        }
    ) => {
        $(
            $(#[$doc])*
            #[doc = concat!("\n\nOn the wire: `", $wire, "`.")]
            #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
            #[serde(default)]
            #[allow(missing_docs, reason = "the API's own words")]
            pub struct $Name {
                /// The sender's name for this event; an `error` refers to it.
                #[serde(skip_serializing_if = "Option::is_none")]
                pub event_id: Option<String>,
                $( $(#[$fmeta])* pub $field: $ty, )*
                #[doc(hidden)]
                #[serde(rename = "type", skip_serializing)]
                pub tag: $crate::fields::Tag,
                /// Fields that this version does not know.
                #[serde(flatten)]
                pub extra: $crate::Extra,
            }

            impl From<$Name> for $Enum {
                fn from(event: $Name) -> Self {
                    Self::$Name(event)
                }
            }
        )*

        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "the structs of the same names are documented")]
        #[allow(clippy::large_enum_variant, reason = "an event is moved a few times, and matched everywhere")]
        #[non_exhaustive]
        pub enum $Enum {
            $( $Name($Name), )*
            /// An event of a type that this version does not know.
            Unknown($crate::UnknownEvent),
        }

        impl $Enum {
            /// The `type`s that this version knows, in GA spelling.
            pub const NAMES: &[&str] = &[$($wire),*];

            /// The `type` of this event, in GA spelling.
            pub fn name(&self) -> &str {
                match self {
                    $( Self::$Name(_) => $wire, )*
                    Self::Unknown(event) => &event.name,
                }
            }

            /// The sender's name for this event.
            pub fn event_id(&self) -> Option<&str> {
                match self {
                    $( Self::$Name(event) => event.event_id.as_deref(), )*
                    Self::Unknown(event) => event.fields.get("event_id").and_then(|id| id.as_str()),
                }
            }

            /// Names the event, unless it is one of unknown type.
            pub fn set_event_id(&mut self, id: String) {
                match self {
                    $( Self::$Name(event) => event.event_id = Some(id), )*
                    Self::Unknown(event) => {
                        event.fields.insert("event_id".into(), id.into());
                    }
                }
            }

            /// Reads one message of the wire, in GA or beta spelling.
            pub fn from_json(text: &str) -> Result<Self, $crate::ReadError> {
                let name = $crate::event_name(text)?;
                let bad = |source| $crate::ReadError::BadField { name: name.clone(), source };
                match $crate::dialect::ga_event_name(&name) {
                    $( $wire => serde_json::from_str(text).map(Self::$Name).map_err(bad), )*
                    _ => serde_json::from_str(text).map(Self::Unknown).map_err(bad),
                }
            }

            /// Reads one message of the wire as far as it can be read, with the places of what was left out.
            pub fn read(text: &str) -> Result<(Self, Vec<String>), $crate::ReadError> {
                let text = text.trim_start_matches('\u{feff}');
                let name = match $crate::leading_event_name(text) {
                    Some(name) => std::borrow::Cow::Borrowed(name),
                    None => $crate::event_name(text)?.into(),
                };
                match $crate::dialect::ga_event_name(&name) {
                    $( $wire => match serde_json::from_str(text) {
                        Ok(event) => Ok((Self::$Name(event), Vec::new())),
                        Err(_) => {
                            let (event, left_out) = $crate::tolerant::read(text, &name)?;
                            Ok((Self::$Name(event), left_out))
                        }
                    }, )*
                    _ => {
                        let (event, left_out) = $crate::tolerant::read(text, &name)?;
                        Ok((Self::Unknown(event), left_out))
                    }
                }
            }

            /// Writes the event as one line of JSON, `type` first.
            pub fn to_json(&self) -> String {
                serde_json::to_string(self).unwrap_or_else(|error| unreachable!("string keys only: {error}"))
            }
        }

        impl serde::Serialize for $Enum {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $( Self::$Name(event) => $crate::fields::Tagged { name: $wire, event }.serialize(serializer), )*
                    Self::Unknown(event) => event.serialize(serializer),
                }
            }
        }
    };
}
pub(crate) use events;
