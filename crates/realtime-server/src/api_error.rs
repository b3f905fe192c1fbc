// SPDX-License-Identifier: MPL-2.0

//! What is said no to: the `error` event in the making, with OpenAI's codes and wording.
//!
//! A refusal never ends a session. It knows nothing of the event that it answers; the name of that event is added when
//! the refusal is sent.

use openai_protocol::ServerEvent;
use openai_protocol::response::ServerError;
use openai_protocol::server::Error;
use serde_json::{Value, json};
use std::fmt::Display;

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    kind: &'static str,
    code: Option<&'static str>,
    message: String,
    param: Option<String>,
}

impl ApiError {
    /// A refusal with a code and a sentence for people.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::without_code(message) }
    }

    /// A refusal that OpenAI gives no code.
    pub fn without_code(message: impl Into<String>) -> Self {
        Self { kind: "invalid_request_error", code: None, message: message.into(), param: None }
    }

    /// Something that is not the client's fault.
    pub fn server_error(message: impl Into<String>) -> Self {
        Self { kind: "server_error", code: Some("server_error"), ..Self::without_code(message) }
    }

    /// Its code; empty where it has none.
    pub fn code(&self) -> &'static str {
        self.code.unwrap_or_default()
    }

    /// Names the field at fault.
    pub fn at(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// A word that is none of the known ones.
    pub fn unknown_word(param: &str, word: impl Display, known: &[&str]) -> Self {
        let list = match known {
            [] => "none".into(),
            [only] => format!("'{only}'"),
            [first, second] => format!("'{first}' and '{second}'"),
            [most @ .., last] => format!("'{}', and '{last}'", most.join("', '")),
        };
        let message = format!("Invalid value: '{word}'. Supported values are: {list}.");
        Self::new("invalid_value", message).at(param)
    }

    /// The body of a refused request.
    pub fn body(&self) -> Value {
        json!({"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}})
    }

    /// The event that tells the client, naming its own event where that had a name.
    pub fn event(self, event_id: Option<&str>) -> ServerEvent {
        let mut error = ServerError {
            kind: self.kind.into(),
            code: self.code.map(Into::into),
            message: self.message,
            param: self.param,
            event_id: event_id.map(Into::into),
            ..Default::default()
        };
        if event_id.is_none() {
            // The word is left out where it is empty, but OpenAI says it.
            error.extra.insert("event_id".into(), Value::Null);
        }
        Error { error, ..Default::default() }.into()
    }
}
