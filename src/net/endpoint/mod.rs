// SPDX-License-Identifier: MPL-2.0

//! Endpoint of an API: URL, headers, credentials, TLS and proxy. Invalid settings are refused when it is made, before anything
//! is sent.
//!
//! URL and headers follow OpenAI's API reference and Azure's documentation of its two URL schemes.

mod config;
#[cfg(test)]
mod tests;
mod uri;

pub use config::{EndpointConfig, Provider};
pub use uri::{is_plain, redacted_uri};

use crate::error::{Error, ErrorKind};
use crate::net::credentials::{Credentials, KeyError, KeyHeader};
use crate::net::proxy::Proxy;
use crate::net::secret::Secret;
use openai_protocol::dialect::Dialect;
use std::path::{Path, PathBuf};
use tokio_tungstenite::tungstenite::http::HeaderMap;
use url::Url;

/// The headers that carry a key.
const KEY_HEADERS: [&str; 2] = ["authorization", "api-key"];

/// Default model.
pub const DEFAULT_MODEL: &str = "gpt-realtime-2.1";

/// Default model for translation sessions.
pub const DEFAULT_TRANSLATION_MODEL: &str = "gpt-realtime-translate";

/// Default model for Chat Completions.
pub const DEFAULT_CHAT_MODEL: &str = "gpt-audio-1.5";

/// API of an endpoint, which decides on the path and on where the model is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// A WebSocket at `…/realtime?model=…`.
    #[default]
    Realtime,
    /// A WebSocket at `…/realtime/translations?model=…`.
    Translation,
    /// Requests to `…/chat/completions`, with the model in the body.
    ChatCompletions,
}

impl Api {
    /// Path behind the base URL.
    fn path(self) -> &'static str {
        match self {
            Self::Realtime => "/realtime",
            Self::Translation => "/realtime/translations",
            Self::ChatCompletions => "/chat/completions",
        }
    }

    /// Scheme of the URL.
    fn scheme(self, is_encrypted: bool) -> &'static str {
        match (self, is_encrypted) {
            (Self::Realtime | Self::Translation, true) => "wss",
            (Self::Realtime | Self::Translation, false) => "ws",
            (Self::ChatCompletions, true) => "https",
            (Self::ChatCompletions, false) => "http",
        }
    }

    fn default_model(self) -> &'static str {
        match self {
            Self::Realtime => DEFAULT_MODEL,
            Self::Translation => DEFAULT_TRANSLATION_MODEL,
            Self::ChatCompletions => DEFAULT_CHAT_MODEL,
        }
    }
}

/// An endpoint.
#[derive(Clone)]
pub struct Endpoint {
    url: Url,
    /// Model, or for Azure the deployment.
    model: String,
    /// Headers without the key, which may differ for each connection.
    headers: HeaderMap,
    key: Credentials,
    ca_file: Option<PathBuf>,
    dialect: Dialect,
    /// Whether an unencrypted connection may leave this machine.
    allow_insecure: bool,
    proxy: Option<Proxy>,
    /// Values of headers and of the URL that may be secrets, for redaction.
    secrets: Vec<Secret>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name())
    }
}

impl Endpoint {
    /// The URL without secrets.
    pub fn name(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}{}", self.url.scheme(), self.url.host_str().unwrap_or_default(), self.url.path())
    }

    /// Redacts all secrets in a text.
    pub fn redact(&self, text: &mut String) {
        self.key.redact(text);
        self.secrets.iter().for_each(|secret| secret.redact(text));
    }

    /// A message of the server without secrets, or `None` if it holds none. Ordinary words are left, because the message would
    /// be damaged.
    pub fn scrub_frame(&self, text: &str) -> Option<String> {
        let mut scrubbed = self.key.scrubbed_json(text);
        for secret in self.secrets.iter().filter(|secret| secret.is_unmistakable()) {
            scrubbed = secret.scrubbed_json(scrubbed.as_deref().unwrap_or(text)).or(scrubbed);
        }
        scrubbed
    }

    /// The error as it is shown to the user: without secrets, and with a hint where the key was refused.
    pub fn user_error(&self, error: Error) -> Error {
        // An unusable key is an error of its own, which says where the key comes from.
        let is_refused = error.kind() == ErrorKind::NotAuthorized && error.cause::<KeyError>().is_none();
        let error = error.redacted(|text| self.redact(text));
        match is_refused {
            true if KEY_HEADERS.iter().any(|name| self.headers.contains_key(*name)) => {
                error.with_hint("check the key (from headers)")
            }
            true => error.with_hint(self.key.hint()),
            false => error,
        }
    }

    /// Model, or for Azure the deployment.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// The full URL, including secrets.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Headers without the key.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Header with the key, unless the user has set that header. This may read a file.
    pub(crate) fn key_header(&self, asked: Option<Secret>) -> Result<Option<KeyHeader>, Error> {
        Ok(self.key.header(asked)?.filter(|(name, _)| !self.headers.contains_key(*name)))
    }

    /// The source of the key.
    pub(crate) fn key(&self) -> &Credentials {
        &self.key
    }

    fn is_azure(&self) -> bool {
        self.key.is_azure()
    }

    /// The proxy.
    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// Whether an unencrypted connection may leave this machine.
    pub(crate) fn allows_insecure(&self) -> bool {
        self.allow_insecure
    }

    /// File with additional trusted certificates.
    pub(crate) fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// Dialect of the protocol.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }
}
