// SPDX-License-Identifier: MPL-2.0

//! Settings of an element with their defaults, and values that need more than their type: durations, and JSON that may be
//! in a file.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Declares the settings of an element: a line for each property with its type and its default.
macro_rules! settings {
    ($(#[$meta:meta])* pub struct $name:ident { $($field:ident: $type:ty = $default:expr,)* }) => {
        $(#[$meta])*
        pub struct $name { $(pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}
pub(crate) use settings;

/// Upper limit of durations, because not every system's clock can represent times further away.
const MAX_WAIT: Duration = Duration::from_secs(365 * 86_400);

/// Nanoseconds of a property as a duration, at most a year.
pub fn time(nanoseconds: u64) -> Duration {
    Duration::from_nanos(nanoseconds).min(MAX_WAIT)
}

/// A property that holds JSON, or `@` and a file with the JSON, because quoting JSON in a shell is difficult. The file is
/// read once for each setting of the property and each run.
#[derive(Clone, Debug)]
pub struct JsonText {
    /// The value as it was set.
    pub given: String,
    read: Arc<OnceLock<Result<String, String>>>,
}

impl<T: Into<String>> From<T> for JsonText {
    fn from(given: T) -> Self {
        Self { given: given.into(), read: Arc::default() }
    }
}

impl JsonText {
    /// The JSON, or `None` if the property is empty.
    pub fn text(&self) -> Result<Option<&str>, String> {
        let read = self.read.get_or_init(|| match self.given.trim().strip_prefix('@') {
            Some(path) => std::fs::read_to_string(path).map_err(|error| format!("the file {path}: {error}")),
            None => Ok(self.given.clone()),
        });
        let text = read.as_ref().map_err(Clone::clone)?;
        Ok(Some(text.as_str()).filter(|_| !self.given.trim().is_empty()))
    }

    /// The same value, whose file will be read again.
    pub fn reloaded(&self) -> Self {
        self.given.clone().into()
    }
}
