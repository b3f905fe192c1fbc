// SPDX-License-Identifier: MPL-2.0

//! The words of the wire against the published shapes: every event that the official package knows is read into its
//! type, written again, and has lost nothing; what no version knows yet survives as well.

mod damage;
#[path = "../../../../tests/support/examples.rs"]
mod examples;
mod published;
#[path = "../../../../tests/support/schema.rs"]
mod schema;
mod spellings;
mod translation;

use examples::examples;
use openai_protocol::{ClientEvent, ReadError, ServerEvent};
use schema::Schema;
use serde_json::Value;

/// What both enums of events can do.
trait Words: Sized + PartialEq + std::fmt::Debug {
    const NAMES: &[&str];
    const FROM_SERVER: bool;
    fn schema() -> &'static Schema;
    fn read(text: &str) -> Result<Self, ReadError>;
    fn write(&self) -> String;
    fn name(&self) -> &str;
    fn is_unknown(&self) -> bool;
}

macro_rules! words {
    ($Event:ty, $schema:path, $from_server:literal) => {
        impl Words for $Event {
            const NAMES: &[&str] = <$Event>::NAMES;
            const FROM_SERVER: bool = $from_server;
            fn schema() -> &'static Schema {
                $schema()
            }
            fn read(text: &str) -> Result<Self, ReadError> {
                Self::from_json(text)
            }
            fn write(&self) -> String {
                self.to_json()
            }
            fn name(&self) -> &str {
                self.name()
            }
            fn is_unknown(&self) -> bool {
                matches!(self, Self::Unknown(_))
            }
        }
    };
}
words!(ClientEvent, schema::client, false);
words!(ServerEvent, schema::server, true);
words!(openai_protocol::translation::ClientEvent, schema::translation_client, false);
words!(openai_protocol::translation::ServerEvent, schema::translation_server, true);

#[track_caller]
fn read<E: Words>(event: &Value) -> E {
    E::read(&event.to_string()).unwrap_or_else(|error| panic!("{error}\nin {event:#}"))
}

#[track_caller]
fn written(event: &impl Words) -> Value {
    serde_json::from_str(&event.write()).expect("what is written is JSON")
}

fn all_examples<E: Words>() -> Vec<Value> {
    E::NAMES.iter().flat_map(|name| examples(E::schema(), name)).collect()
}
