// SPDX-License-Identifier: MPL-2.0

//! Where to connect and as whom: the URL, the headers, the key.
//!
//! Everything that can be known to be wrong is found here, before the network is touched. Sources: the API reference
//! for the URL and headers, Azure's documentation for its two forms of URL.

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

/// The model that is asked for when none is named.
pub const DEFAULT_MODEL: &str = "gpt-realtime-2.1";

/// The same for Chat Completions.
pub const DEFAULT_CHAT_MODEL: &str = "gpt-audio-1.5";

/// Which API is spoken at an endpoint, which decides the path and where the model is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// A WebSocket at `…/realtime?model=…`.
    #[default]
    Realtime,
    /// Requests to `…/chat/completions`, with the model in the body.
    ChatCompletions,
}

impl Api {
    /// The path behind the base.
    fn path(self) -> &'static str {
        match self {
            Self::Realtime => "/realtime",
            Self::ChatCompletions => "/chat/completions",
        }
    }

    /// The scheme of URLs, as it is shown too.
    fn scheme(self, is_encrypted: bool) -> &'static str {
        match (self, is_encrypted) {
            (Self::Realtime, true) => "wss",
            (Self::Realtime, false) => "ws",
            (Self::ChatCompletions, true) => "https",
            (Self::ChatCompletions, false) => "http",
        }
    }

    fn default_model(self) -> &'static str {
        match self {
            Self::Realtime => DEFAULT_MODEL,
            Self::ChatCompletions => DEFAULT_CHAT_MODEL,
        }
    }
}

/// A place that can be connected to.
#[derive(Clone)]
pub struct Endpoint {
    url: Url,
    /// The model; for Azure the deployment.
    model: String,
    /// Without the key, which may be another one for each connection.
    headers: HeaderMap,
    key: Credentials,
    ca_file: Option<PathBuf>,
    dialect: Dialect,
    /// Whether an unencrypted connection may leave this machine.
    allow_insecure: bool,
    proxy: Option<Proxy>,
    /// What may be keys as well, to keep it out of every text.
    secrets: Vec<Secret>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name())
    }
}

impl Endpoint {
    /// The place without anything that could be secret.
    pub fn name(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}{}", self.url.scheme(), self.url.host_str().unwrap_or_default(), self.url.path())
    }

    /// The text without the key and what else may be one.
    pub fn redact(&self, text: &mut String) {
        self.key.redact(text);
        self.secrets.iter().for_each(|secret| secret.redact(text));
    }

    /// What a server sent, without what is secret in it beyond doubt; nothing where none of that is there.
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

    /// The model to ask for; for Azure the deployment.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// The full URL, with whatever is in its query.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The request's headers but for the key's.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The key's header, unless the user has said another one. A file may be read for it.
    pub(crate) fn key_header(&self, asked: Option<Secret>) -> Result<Option<KeyHeader>, Error> {
        Ok(self.key.header(asked)?.filter(|(name, _)| !self.headers.contains_key(*name)))
    }

    /// The key, to ask for it.
    pub(crate) fn key(&self) -> &Credentials {
        &self.key
    }

    fn is_azure(&self) -> bool {
        self.key.is_azure()
    }

    /// What the connection goes through.
    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// Whether an unencrypted connection may leave this machine.
    pub(crate) fn allows_insecure(&self) -> bool {
        self.allow_insecure
    }

    /// Extra trust roots.
    pub(crate) fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// The generation of the protocol that is spoken there.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }
}
