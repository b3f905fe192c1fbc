// SPDX-License-Identifier: MPL-2.0

//! Where to connect and as whom: the URL, the headers, the key.
//!
//! Everything that can be known to be wrong is found here, before the network is touched. Sources: the API reference
//! for the URL and headers, Azure's documentation for its two forms of URL.

use crate::error::Failure;
use crate::net::credentials::CredentialSource;
use crate::net::credentials::{Credentials, CredentialsProvider, KeyHeader};
use crate::net::proxy::Proxy;
use crate::net::secret::{REDACTED, Secret};
use openai_protocol::dialect::Dialect;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, HeaderValue};
use url::{Host, Url};

/// Shorter words than this are not taken for secrets, unless they are the key.
const MIN_SECRET_LEN: usize = 8;

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

/// Whether a connection to this URL is not encrypted.
pub fn is_plain(url: &Url) -> bool {
    matches!(url.scheme(), "ws" | "http")
}

/// Who the server belongs to, which decides the URL and how to authenticate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// By the host's name.
    #[default]
    Auto,
    /// OpenAI, or a server that is like it.
    OpenAi,
    /// Azure OpenAI.
    Azure,
}

/// What the user said about the connection.
#[derive(Clone, Debug, Default)]
pub struct EndpointConfig {
    /// The API that is spoken there.
    pub api: Api,
    /// A base or a full URL.
    pub uri: Option<String>,
    /// Whose server it is.
    pub provider: Provider,
    /// The model; for Azure the deployment.
    pub model: String,
    /// Azure preview URLs only.
    pub api_version: Option<String>,
    /// The key itself.
    pub api_key: Option<Secret>,
    /// A file with the key in it.
    pub api_key_file: Option<PathBuf>,
    /// An application that is asked for the key first.
    pub credentials: Option<CredentialsProvider>,
    /// Where to connect when the first place is not to be had any more.
    pub fallback_uris: Vec<String>,
    /// Routing.
    pub organization: Option<String>,
    /// Routing.
    pub project: Option<String>,
    /// Extra request headers.
    pub headers: Vec<(String, String)>,
    /// Extra trust roots.
    pub ca_file: Option<PathBuf>,
    /// Whether an unencrypted connection may leave this machine.
    pub allow_insecure: bool,
    /// Whether the session only writes down what is said.
    pub transcription: bool,
    /// The generation of the protocol; `None` where the URL tells.
    pub dialect: Option<Dialect>,
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

impl EndpointConfig {
    /// Finds the place to connect to. `env` gives the environment's variables.
    pub fn endpoint(&self, env: impl Fn(&str) -> Option<String>) -> Result<Endpoint, Failure> {
        let env = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        let (url, azure) = self.url(&env)?;
        let key = Credentials::new(self.key(azure, &url, &env)?, azure, self.credentials.clone())?;
        let dialect = self.dialect.unwrap_or_else(|| dialect_of(&url, azure));
        let headers = self.request_headers(azure, dialect, &env)?;
        let extra = self.headers.iter().flat_map(|(_, value)| [value.as_str(), last_word(value)]);
        let query: Vec<String> =
            url.query_pairs().filter(|(name, _)| !is_public(name)).map(|(_, value)| value.into()).collect();
        let secrets = extra.chain(query.iter().map(String::as_str)).filter(|value| value.len() >= MIN_SECRET_LEN);
        let proxy = if is_loopback(&url) { None } else { Proxy::of(&url, &env)? };
        let password = proxy.as_ref().and_then(|proxy| proxy.password.clone());
        let secrets = secrets.filter_map(Secret::new).chain(password).collect();
        let (ca_file, allow_insecure) = (self.ca_file.clone(), self.allow_insecure);
        let model = if azure { self.deployment(&env) } else { self.model.clone() };
        Ok(Endpoint { url, model, headers, key, ca_file, dialect, allow_insecure, proxy, secrets })
    }

    /// The first place and those that stand by, in their order.
    pub fn targets(&self, env: impl Fn(&str) -> Option<String>) -> Result<Vec<Endpoint>, Failure> {
        let first = self.endpoint(&env)?;
        let others = self.fallback_uris.iter().map(|uri| {
            let standby = self.standby(uri, first.is_azure());
            standby.endpoint(&env).map_err(|failure| failure.map(|text| format!("fallback-uris: {text}")))
        });
        let others = others.collect::<Result<Vec<_>, _>>()?;
        Ok(std::iter::once(first).chain(others).collect())
    }

    /// The same for another place. Its key is its provider's: what the properties hold is meant for the first one, and
    /// goes to no other provider.
    fn standby(&self, uri: &str, first_is_azure: bool) -> Self {
        let mut standby = Self { uri: Some(uri.to_owned()), ..self.clone() };
        let url = Url::parse(uri.trim()).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        if host.ends_with(".openai.com") || is_azures(host) {
            standby.provider = Provider::Auto;
        }
        let is_azure = url.as_ref().is_some_and(|url| standby.is_azure(url));
        if is_azure != first_is_azure {
            (standby.api_key, standby.api_key_file) = (None, None);
        }
        standby
    }

    fn is_azure(&self, url: &Url) -> bool {
        match self.provider {
            Provider::Azure => true,
            Provider::OpenAi => false,
            Provider::Auto => url.host_str().is_some_and(is_azures),
        }
    }

    /// The URL, and whether Azure is behind it.
    fn url(&self, env: &impl Fn(&str) -> Option<String>) -> Result<(Url, bool), Failure> {
        let azure_endpoint = || (self.provider != Provider::OpenAi).then(|| env("AZURE_OPENAI_ENDPOINT")).flatten();
        let openai_base = || (self.provider != Provider::Azure).then(|| env("OPENAI_BASE_URL")).flatten();
        let (text, from) = if let Some(uri) = self.uri.clone().filter(|uri| !uri.trim().is_empty()) {
            (uri, "uri")
        } else if let Some(base) = openai_base() {
            (base, "OPENAI_BASE_URL")
        } else if let Some(endpoint) = azure_endpoint() {
            (endpoint, "AZURE_OPENAI_ENDPOINT")
        } else if self.provider == Provider::Azure {
            return Err(Failure::Settings("provider=azure needs uri or AZURE_OPENAI_ENDPOINT".into()));
        } else {
            ("https://api.openai.com/v1".into(), "uri")
        };
        let wrong = |why: String| Failure::Settings(format!("{from} is not usable: {why}"));
        let mut url = Url::parse(text.trim()).map_err(|error| wrong(format!("{error}")))?;
        let scheme = match url.scheme() {
            "http" | "ws" => self.api.scheme(false),
            "https" | "wss" => self.api.scheme(true),
            other => return Err(wrong(format!("the scheme '{other}' is none of ws, wss, http, https"))),
        };
        // All four are special schemes, between which the library changes.
        let _ = url.set_scheme(scheme);
        if url.host().is_none() {
            return Err(wrong("it names no host".into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it carries a user name or password; use api-key or OPENAI_API_KEY".into()));
        }
        if url.query_pairs().any(|(name, _)| name == "api-key") {
            return Err(wrong(
                "it carries a key in its query, where everybody can see it; use api-key or the environment".into(),
            ));
        }
        if is_plain(&url) && !self.allow_insecure && !is_loopback(&url) {
            let encrypted = self.api.scheme(true);
            return Err(wrong(format!(
                "an unencrypted connection would leave this machine; use {encrypted}:// or set allow-insecure=true"
            )));
        }
        let azure = from == "AZURE_OPENAI_ENDPOINT" || self.is_azure(&url);
        self.complete(&mut url, azure, env);
        Ok((url, azure))
    }

    /// Adds what is missing to the path and the query.
    fn complete(&self, url: &mut Url, azure: bool, env: &impl Fn(&str) -> Option<String>) {
        let preview = azure && (self.api_version.is_some() || url.query_pairs().any(|(key, _)| key == "api-version"));
        let path = url.path().trim_end_matches('/').to_owned();
        if !path.ends_with(self.api.path()) {
            let base = match path.as_str() {
                "" | "/openai" if preview && self.api == Api::ChatCompletions => {
                    &format!("/openai/deployments/{}", self.deployment(env))
                }
                "" if preview => "/openai",
                "" if azure => "/openai/v1",
                "" => "/v1",
                path => path,
            };
            url.set_path(&format!("{base}{}", self.api.path()));
        }
        let has = |url: &Url, name: &str| url.query_pairs().any(|(key, _)| key == name);
        let chosen = ["model", "deployment", "intent", "call_id"].iter().any(|name| has(url, name));
        if preview
            && !has(url, "api-version")
            && let Some(version) = &self.api_version
        {
            url.query_pairs_mut().append_pair("api-version", version);
        }
        if chosen || self.api == Api::ChatCompletions {
            return;
        }
        if self.transcription {
            url.query_pairs_mut().append_pair("intent", "transcription");
        } else if azure {
            url.query_pairs_mut().append_pair(if preview { "deployment" } else { "model" }, &self.deployment(env));
        } else {
            url.query_pairs_mut().append_pair("model", &self.model);
        }
    }

    /// Azure's name for a model: the one that was set, or else the environment's.
    fn deployment(&self, env: &impl Fn(&str) -> Option<String>) -> String {
        let named = (self.model != self.api.default_model()).then(|| self.model.clone());
        named.or_else(|| env("AZURE_OPENAI_DEPLOYMENT")).unwrap_or_else(|| self.model.clone())
    }

    /// The key: the property, then the file, then the environment.
    fn key(&self, azure: bool, url: &Url, env: &impl Fn(&str) -> Option<String>) -> Result<CredentialSource, Failure> {
        if let Some(key) = &self.api_key {
            return Ok(CredentialSource::Property(key.clone()));
        }
        if let Some(path) = &self.api_key_file {
            return CredentialSource::file(path);
        }
        match env(crate::net::credentials::variable(azure)).as_deref().and_then(Secret::new) {
            Some(key) => Ok(CredentialSource::Environment(key)),
            None if is_loopback(url) => Ok(CredentialSource::None),
            None if self.credentials.is_some() => Ok(CredentialSource::Application),
            None => Err(Failure::NotAuthorized(format!(
                "no key for {}: {}",
                url.host_str().unwrap_or_default(),
                crate::net::credentials::how_to_set_key(azure)
            ))),
        }
    }

    fn request_headers(
        &self,
        azure: bool,
        dialect: Dialect,
        env: &impl Fn(&str) -> Option<String>,
    ) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        if self.api == Api::Realtime && dialect == Dialect::Beta && !azure {
            headers.insert("openai-beta", HeaderValue::from_static("realtime=v1"));
        }
        let organization = self.organization.clone().or_else(|| env("OPENAI_ORG_ID"));
        let project = self.project.clone().or_else(|| env("OPENAI_PROJECT_ID"));
        let own = [("openai-organization", organization), ("openai-project", project)];
        let own = own.into_iter().filter(|_| !azure).filter_map(|(name, value)| Some((name.to_owned(), value?)));
        for (name, value) in own.chain(self.headers.iter().cloned()) {
            let wrong = || Failure::Settings(format!("headers: '{name}' is no valid header"));
            let header = HeaderName::try_from(&name).map_err(|_| wrong())?;
            let mut value = HeaderValue::try_from(&value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(headers)
    }
}

fn is_azures(host: &str) -> bool {
    let suffixes = [".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"];
    suffixes.iter().any(|suffix| host.ends_with(suffix))
}

/// The last word: of a header such as `Bearer …` what counts.
fn last_word(text: &str) -> &str {
    text.rsplit(char::is_whitespace).next().unwrap_or_default()
}

/// A `uri` as it may be shown: without a user's name and password, and without what stands in its query, but for what
/// is known to be harmless. The text need not be a URL.
pub fn redacted_uri(uri: &str) -> String {
    let (place, query) = uri.find(['?', '#']).map_or((uri, ""), |at| uri.split_at(at));
    let place = match place.rfind('@') {
        Some(at) => {
            let begin = place.find(':').map_or(0, |colon| colon + 1);
            let begin = begin + place[begin..].bytes().take_while(|byte| b"/\\".contains(byte)).count();
            format!("{}{REDACTED}{}", &place[..begin.min(at)], &place[at..])
        }
        None => place.to_owned(),
    };
    let shown = query.split_inclusive(['?', '&', '#']).map(|part| {
        let (pair, end) = part.split_at(part.trim_end_matches(['?', '&', '#']).len());
        match pair.split_once('=') {
            Some((name, value)) if is_public(name) => format!("{name}={value}{end}"),
            Some((name, _)) => format!("{name}={REDACTED}{end}"),
            None if pair.is_empty() => end.to_owned(),
            None => format!("{REDACTED}{end}"),
        }
    });
    std::iter::once(place).chain(shown).collect()
}

/// The dialect of a place, as far as its URL tells: Azure's preview API and Azure Voice Live speak beta.
fn dialect_of(url: &Url, azure: bool) -> Dialect {
    let preview = azure && url.query_pairs().any(|(name, _)| name == "api-version");
    if preview || url.path().contains("/voice-live/") { Dialect::Beta } else { Dialect::Ga }
}

/// What a URL's query holds that is nobody's secret.
fn is_public(name: &str) -> bool {
    ["model", "deployment", "intent", "api-version", "call_id"].contains(&name)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name.ends_with(".localhost")
                || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        None => false,
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

    /// The failure as it may be told: without them, and with advice.
    pub fn told(&self, failure: Failure) -> Failure {
        let hint = self.hint(&failure);
        failure.map(|mut text| {
            self.redact(&mut text);
            match hint {
                Some(hint) => format!("{}; {hint}", text.trim_end_matches('.')),
                None => text,
            }
        })
    }

    /// What helps against a failure that does not say so itself.
    fn hint(&self, failure: &Failure) -> Option<String> {
        match failure {
            // What is wrong with a file is said with its name.
            Failure::NotAuthorized(text) if text.contains("api-key-file") => None,
            Failure::NotAuthorized(_) if KEY_HEADERS.iter().any(|name| self.headers.contains_key(*name)) => {
                Some("check the key (from headers)".into())
            }
            Failure::NotAuthorized(_) => Some(self.key.hint()),
            _ => None,
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
    pub(crate) fn key_header(&self, asked: Option<Secret>) -> Result<Option<KeyHeader>, Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(uri: Option<&str>) -> EndpointConfig {
        EndpointConfig { uri: uri.map(Into::into), model: "gpt-realtime-2.1".into(), ..Default::default() }
    }

    fn env(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    fn url(connection: &EndpointConfig, pairs: &'static [(&str, &str)]) -> String {
        connection.endpoint(env(pairs)).expect("a target").url().to_string()
    }

    const KEY: &[(&str, &str)] = &[("OPENAI_API_KEY", "sk-test"), ("AZURE_OPENAI_API_KEY", "azure-key")];

    #[test]
    fn urls_are_completed_as_the_sdks_do() {
        let cases = [
            (None, "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"),
            (Some("https://eu.api.openai.com/v1"), "wss://eu.api.openai.com/v1/realtime?model=gpt-realtime-2.1"),
            (Some("ws://127.0.0.1:8080/v1/"), "ws://127.0.0.1:8080/v1/realtime?model=gpt-realtime-2.1"),
            (Some("ws://127.0.0.1:8080"), "ws://127.0.0.1:8080/v1/realtime?model=gpt-realtime-2.1"),
            (Some("http://localhost:1/a/b/realtime?x=1"), "ws://localhost:1/a/b/realtime?x=1&model=gpt-realtime-2.1"),
            (Some("wss://host/v1/realtime?model=mine"), "wss://host/v1/realtime?model=mine"),
            (
                Some("https://my.openai.azure.com"),
                "wss://my.openai.azure.com/openai/v1/realtime?model=gpt-realtime-2.1",
            ),
        ];
        for (uri, expected) in cases {
            assert_eq!(url(&connection(uri), KEY), expected);
        }
    }

    #[test]
    fn azure_preview_names_version_and_deployment() {
        let preview = EndpointConfig {
            api_version: Some("2025-04-01-preview".into()),
            ..connection(Some("https://my.openai.azure.com"))
        };
        assert_eq!(
            url(&preview, KEY),
            "wss://my.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=gpt-realtime-2.1"
        );
    }

    #[test]
    fn the_environment_names_the_server() {
        const BASE: &[(&str, &str)] = &[("OPENAI_BASE_URL", "http://localhost:9/v1")];
        assert_eq!(url(&connection(None), BASE), "ws://localhost:9/v1/realtime?model=gpt-realtime-2.1");
        const AZURE: &[(&str, &str)] = &[
            ("AZURE_OPENAI_ENDPOINT", "https://x.openai.azure.com/"),
            ("AZURE_OPENAI_DEPLOYMENT", "my voice"),
            ("AZURE_OPENAI_API_KEY", "k"),
        ];
        assert_eq!(url(&connection(None), AZURE), "wss://x.openai.azure.com/openai/v1/realtime?model=my+voice");
        const GATEWAY: &[(&str, &str)] =
            &[("AZURE_OPENAI_ENDPOINT", "https://gateway.example"), ("AZURE_OPENAI_API_KEY", "k")];
        assert_eq!(url(&connection(None), GATEWAY), "wss://gateway.example/openai/v1/realtime?model=gpt-realtime-2.1");
    }

    #[test]
    fn keys_come_from_the_property_the_file_and_the_environment() {
        let header = |connection: &EndpointConfig, name: &str| {
            let endpoint = connection.endpoint(env(KEY)).expect("a target");
            let (header, value) = endpoint.key_header(None).expect("it is there").expect("a key");
            assert_eq!(header, name);
            value.expose().to_owned()
        };
        assert_eq!(header(&connection(None), "authorization"), "Bearer sk-test");
        let property = EndpointConfig { api_key: Secret::new("sk-mine"), ..connection(None) };
        assert_eq!(header(&property, "authorization"), "Bearer sk-mine");
        let azure = connection(Some("https://my.openai.azure.com"));
        assert_eq!(header(&azure, "api-key"), "azure-key");
        let entra = EndpointConfig { api_key: Secret::new("eyJhbGciOi"), ..azure };
        assert_eq!(header(&entra, "authorization"), "Bearer eyJhbGciOi");
    }

    #[test]
    fn what_is_wrong_is_said_before_connecting() {
        let failure = |connection: &EndpointConfig, pairs| connection.endpoint(env(pairs)).expect_err("refused");
        let no_key = failure(&connection(None), &[]);
        assert!(matches!(&no_key, Failure::NotAuthorized(text) if text.contains("OPENAI_API_KEY")), "{no_key}");
        for uri in
            ["no url", "ftp://host/v1", "ws://example.com/v1", "wss://user:pass@host/v1", "wss://host/v1?api-key=pass@"]
        {
            let wrong = failure(&connection(Some(uri)), KEY);
            assert!(matches!(&wrong, Failure::Settings(text) if text.starts_with("uri ")), "{uri}: {wrong}");
            assert!(!wrong.to_string().contains("pass@"));
        }
        let file = EndpointConfig { api_key_file: Some("/nowhere/key".into()), ..connection(None) };
        assert!(matches!(failure(&file, KEY), Failure::NotAuthorized(text) if text.contains("/nowhere/key")));
    }

    #[test]
    fn what_a_uri_hides_is_not_shown() {
        for (uri, shown) in [
            ("wss://host/v1", "wss://host/v1"),
            ("wss://host/v1/realtime?model=m&api-version=2", "wss://host/v1/realtime?model=m&api-version=2"),
            ("wss://host/v1?api-key=hush&model=m&sig=hush", "wss://host/v1?api-key=[redacted]&model=m&sig=[redacted]"),
            ("wss://me:hush@host/v1", "wss://[redacted]@host/v1"),
            ("wss:me:hu@sh@host?hush#hush", "wss:[redacted]@host?[redacted]#[redacted]"),
            ("hush@", "[redacted]@"),
            ("", ""),
        ] {
            assert_eq!(redacted_uri(uri), shown);
        }
    }

    #[test]
    fn headers_and_queries_are_kept_out_of_texts() {
        let connection = EndpointConfig {
            headers: vec![("Authorization".into(), "Bearer 12345678".into()), ("X-Team".into(), "seven".into())],
            ..connection(Some("ws://localhost/v1?token=abcdefgh"))
        };
        let endpoint = connection.endpoint(env(&[])).expect("a target");
        let mut text = "seven 12345678 abcdefgh gpt-realtime-2.1".to_owned();
        endpoint.redact(&mut text);
        assert_eq!(text, "seven [redacted] [redacted] gpt-realtime-2.1");
    }

    #[test]
    fn each_provider_gets_its_own_key() {
        let connection = EndpointConfig {
            api_key: Secret::new("sk-mine"),
            fallback_uris: ["https://my.openai.azure.com", "https://eu.api.openai.com/v1", "ws://localhost:1/v1"]
                .map(String::from)
                .to_vec(),
            ..connection(None)
        };
        let targets = connection.targets(env(KEY)).expect("targets");
        let keys = targets.iter().map(|endpoint| endpoint.key_header(None).expect("readable").expect("a key"));
        let keys: Vec<_> = keys.map(|(name, key)| (name, key.expose().to_owned())).collect();
        let expected = [
            ("authorization", "Bearer sk-mine"),
            ("api-key", "azure-key"),
            ("authorization", "Bearer sk-mine"),
            ("authorization", "Bearer sk-mine"),
        ];
        assert_eq!(keys, expected.map(|(name, key)| (name, key.to_owned())));
        let failure = connection.targets(env(&[])).expect_err("no key for Azure").to_string();
        assert!(failure.starts_with("fallback-uris: ") && failure.contains("AZURE_OPENAI_API_KEY"), "{failure}");
    }

    #[test]
    fn an_application_that_gives_the_key_is_a_key() {
        let credentials = Some(CredentialsProvider::new(|| Some("sk-asked".into())));
        let endpoint = EndpointConfig { credentials, ..connection(None) }.endpoint(env(&[])).expect("a target");
        assert!(endpoint.key_header(None).is_err(), "it was not asked");
        let (_, key) = endpoint.key_header(Secret::new("sk-asked")).expect("a key").expect("a header");
        assert_eq!(key.expose(), "Bearer sk-asked");
    }

    #[test]
    fn a_loopback_server_needs_no_key_and_names_are_free_of_secrets() {
        let endpoint = connection(Some("ws://[::1]:7/v1?session=hush")).endpoint(env(&[])).expect("a target");
        assert_eq!(format!("{endpoint:?}"), "ws://[::1]:7/v1/realtime");
        assert!(endpoint.headers.is_empty() && endpoint.key_header(None).is_ok_and(|key| key.is_none()));
    }
}
