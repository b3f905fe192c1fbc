// SPDX-License-Identifier: MPL-2.0

//! The endpoint as the user sets it, by properties and the environment, and how its URL, headers and key follow from that.

use super::uri::{dialect_of, is_azure_host, is_loopback, is_plain, is_public_parameter};
use super::{Api, Endpoint};
use crate::error::Error;
use crate::net::credentials::{self, CredentialSource, Credentials, CredentialsProvider};
use crate::net::proxy::Proxy;
use crate::net::secret::Secret;
use openai_protocol::dialect::Dialect;
use std::path::PathBuf;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

/// Shorter words than this are not taken for secrets, unless they are the key.
const MIN_SECRET_LEN: usize = 8;

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

impl EndpointConfig {
    /// Finds the place to connect to. `env` gives the environment's variables.
    pub fn endpoint(&self, env: impl Fn(&str) -> Option<String>) -> Result<Endpoint, Error> {
        let env = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        let (url, azure) = self.url(&env)?;
        let key = Credentials::new(self.key(azure, &url, &env)?, azure, self.credentials.clone())?;
        let dialect = self.dialect.unwrap_or_else(|| dialect_of(&url, azure));
        let headers = self.request_headers(azure, dialect, &env)?;
        let extra = self.headers.iter().flat_map(|(_, value)| [value.as_str(), last_word(value)]);
        let query: Vec<String> =
            url.query_pairs().filter(|(name, _)| !is_public_parameter(name)).map(|(_, value)| value.into()).collect();
        let secrets = extra.chain(query.iter().map(String::as_str)).filter(|value| value.len() >= MIN_SECRET_LEN);
        let proxy = if is_loopback(&url) { None } else { Proxy::of(&url, &env)? };
        let password = proxy.as_ref().and_then(|proxy| proxy.password.clone());
        let secrets = secrets.filter_map(Secret::new).chain(password).collect();
        let (ca_file, allow_insecure) = (self.ca_file.clone(), self.allow_insecure);
        let model = if azure { self.deployment(&env) } else { self.model.clone() };
        Ok(Endpoint { url, model, headers, key, ca_file, dialect, allow_insecure, proxy, secrets })
    }

    /// The first place and those that stand by, in their order.
    pub fn targets(&self, env: impl Fn(&str) -> Option<String>) -> Result<Vec<Endpoint>, Error> {
        let first = self.endpoint(&env)?;
        let others = self.fallback_uris.iter().map(|uri| {
            let standby = self.standby(uri, first.is_azure());
            standby.endpoint(&env).map_err(|error| error.map_message(|text| format!("fallback-uris: {text}")))
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
        if host.ends_with(".openai.com") || is_azure_host(host) {
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
            Provider::Auto => url.host_str().is_some_and(is_azure_host),
        }
    }

    /// The URL, and whether Azure is behind it.
    fn url(&self, env: &impl Fn(&str) -> Option<String>) -> Result<(Url, bool), Error> {
        let azure_endpoint = || (self.provider != Provider::OpenAi).then(|| env("AZURE_OPENAI_ENDPOINT")).flatten();
        let openai_base = || (self.provider != Provider::Azure).then(|| env("OPENAI_BASE_URL")).flatten();
        let (text, from) = if let Some(uri) = self.uri.clone().filter(|uri| !uri.trim().is_empty()) {
            (uri, "uri")
        } else if let Some(base) = openai_base() {
            (base, "OPENAI_BASE_URL")
        } else if let Some(endpoint) = azure_endpoint() {
            (endpoint, "AZURE_OPENAI_ENDPOINT")
        } else if self.provider == Provider::Azure {
            return Err(Error::settings("provider=azure needs uri or AZURE_OPENAI_ENDPOINT"));
        } else {
            ("https://api.openai.com/v1".into(), "uri")
        };
        let wrong = |why: String| Error::settings(format!("{from} is not usable: {why}"));
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
    fn key(&self, azure: bool, url: &Url, env: &impl Fn(&str) -> Option<String>) -> Result<CredentialSource, Error> {
        if let Some(key) = &self.api_key {
            return Ok(CredentialSource::Property(key.clone()));
        }
        if let Some(path) = &self.api_key_file {
            return CredentialSource::file(path);
        }
        match env(credentials::variable(azure)).as_deref().and_then(Secret::new) {
            Some(key) => Ok(CredentialSource::Environment(key)),
            None if is_loopback(url) => Ok(CredentialSource::None),
            None if self.credentials.is_some() => Ok(CredentialSource::Application),
            None => Err(Error::not_authorized(format!(
                "no key for {}: {}",
                url.host_str().unwrap_or_default(),
                credentials::how_to_set_key(azure)
            ))),
        }
    }

    fn request_headers(
        &self,
        azure: bool,
        dialect: Dialect,
        env: &impl Fn(&str) -> Option<String>,
    ) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        if self.api == Api::Realtime && dialect == Dialect::Beta && !azure {
            headers.insert("openai-beta", HeaderValue::from_static("realtime=v1"));
        }
        let organization = self.organization.clone().or_else(|| env("OPENAI_ORG_ID"));
        let project = self.project.clone().or_else(|| env("OPENAI_PROJECT_ID"));
        let own = [("openai-organization", organization), ("openai-project", project)];
        let own = own.into_iter().filter(|_| !azure).filter_map(|(name, value)| Some((name.to_owned(), value?)));
        for (name, value) in own.chain(self.headers.iter().cloned()) {
            let wrong = || Error::settings(format!("headers: '{name}' is no valid header"));
            let header = HeaderName::try_from(&name).map_err(|_| wrong())?;
            let mut value = HeaderValue::try_from(&value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(headers)
    }
}

/// The last word: of a header such as `Bearer …` what counts.
fn last_word(text: &str) -> &str {
    text.rsplit(char::is_whitespace).next().unwrap_or_default()
}
