// SPDX-License-Identifier: MPL-2.0

//! Kinds of field that the API's events share: base64 bytes, settings that can be switched off, and the keeping of
//! what is not known.

use base64::Engine;
use bytes::Bytes;
use serde::de::{self, DeserializeOwned, Deserializer, Error as _, IgnoredAny, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use std::fmt;

/// The standard alphabet with padding, by vectors where the processor has them.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) static STANDARD: std::sync::LazyLock<base64::engine::simd::Simd> =
    std::sync::LazyLock::new(|| base64::engine::simd::Simd::standard(base64::engine::general_purpose::PAD));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) use base64::engine::general_purpose::STANDARD;

/// Fields that this version does not know, kept so that nothing is lost between reading and writing.
pub type Extra = serde_json::Map<String, serde_json::Value>;

/// Bytes that stand as base64 in the JSON. They are decoded while the JSON is read, with no copy in between.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Base64(pub Bytes);

impl Base64 {
    /// Writes the bytes as base64 text at the end of `text`.
    pub fn encode_into(bytes: &[u8], text: &mut String) {
        STANDARD.encode_string(bytes, text);
    }
}

impl fmt::Debug for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

impl From<Vec<u8>> for Base64 {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Decode;
        impl Visitor<'_> for Decode {
            type Value = Base64;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("base64 text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Base64, E> {
                let bytes = STANDARD.decode(text).map_err(|error| E::custom(format_args!("base64: {error}")))?;
                Ok(Base64(bytes.into()))
            }
        }
        deserializer.deserialize_str(Decode)
    }
}

/// A field of an update: left out it stays as it is, `null` switches it off, a value sets it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Setting<T> {
    /// Not part of the update.
    #[default]
    Keep,
    /// `null` on the wire.
    Off,
    /// A value.
    Set(T),
}

impl<T> Setting<T> {
    /// True where the field is left out.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// The value, where there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Off => None,
        }
    }
}

impl<T> From<Option<T>> for Setting<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Off, Self::Set)
    }
}

impl<T: Serialize> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::from)
    }
}

/// Takes the `type` out of an event on reading, so that it does not count as an unknown field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tag;

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Puts the `type` before the fields of an event on writing.
#[derive(Serialize)]
pub struct Tagged<'a, T> {
    /// The `type`.
    #[serde(rename = "type")]
    pub name: &'static str,
    /// The event.
    #[serde(flatten)]
    pub event: &'a T,
}

/// Reads `null` as the default, for fields that servers leave empty in either way.
pub fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads an object with duplicate keys as the official clients do: the last one counts.
pub fn last_duplicate_key<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    serde_json::from_value(Value::deserialize(deserializer)?).map_err(D::Error::custom)
}
