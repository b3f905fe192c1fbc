// SPDX-License-Identifier: MPL-2.0

//! Settings of an endpoint, from properties and the environment, and the URL, headers and credentials that follow from them.

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

/// Shorter values of headers and of the URL are not redacted.
const MIN_SECRET_LEN: usize = 8;

/// Provider of the service, which decides on the URL and the authentication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// By the host name.
    #[default]
    Auto,
    /// OpenAI or a compatible server.
    OpenAi,
    /// Azure OpenAI.
    Azure,
}

/// Settings of an endpoint.
#[derive(Clone, Debug, Default)]
pub struct EndpointConfig {
    pub api: Api,
    /// Base URL or full URL.
    pub uri: Option<String>,
    pub provider: Provider,
    /// Model, or for Azure the deployment.
    pub model: String,
    /// Selects Azure's preview API.
    pub api_version: Option<String>,
    /// Key; takes precedence over the file.
    pub api_key: Option<Secret>,
    /// File with the key.
    pub api_key_file: Option<PathBuf>,
    /// Application that is asked for the key first.
    pub credentials: Option<CredentialsProvider>,
    /// Further servers, for fail-over.
    pub fallback_uris: Vec<String>,
    /// `OpenAI-Organization`
    pub organization: Option<String>,
    /// `OpenAI-Project`
    pub project: Option<String>,
    /// Additional headers.
    pub headers: Vec<(String, String)>,
    /// File with additional trusted certificates.
    pub ca_file: Option<PathBuf>,
    /// Whether an unencrypted connection may leave this machine.
    pub allow_insecure: bool,
    /// Whether it is a transcription session.
    pub transcription: bool,
    /// Dialect of the protocol; `None` = by the URL.
    pub dialect: Option<Dialect>,
}

impl EndpointConfig {
    /// Makes the endpoint. `env` returns environment variables.
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

    /// The endpoint and those of `fallback_uris`, in order.
    pub fn targets(&self, env: impl Fn(&str) -> Option<String>) -> Result<Vec<Endpoint>, Error> {
        let first = self.endpoint(&env)?;
        let others = self.fallback_uris.iter().map(|uri| {
            let standby = self.standby(uri, first.is_azure());
            standby.endpoint(&env).map_err(|error| error.map_message(|text| format!("fallback-uris: {text}")))
        });
        let others = others.collect::<Result<Vec<_>, _>>()?;
        Ok(std::iter::once(first).chain(others).collect())
    }

    /// Settings of a further server. The key in the properties is that of the first server's provider, and goes to no other.
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

    /// The URL, and whether it is Azure's.
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
        // It cannot fail between these schemes, which are all "special".
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

    /// Completes path and query.
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
            // The full URL of a conversation names the server of a translation as well.
            let base = match self.api {
                Api::Translation => base.trim_end_matches(Api::Realtime.path()),
                _ => base,
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

    /// Name of the Azure deployment: the model, or else the environment's.
    fn deployment(&self, env: &impl Fn(&str) -> Option<String>) -> String {
        let named = (self.model != self.api.default_model()).then(|| self.model.clone());
        named.or_else(|| env("AZURE_OPENAI_DEPLOYMENT")).unwrap_or_else(|| self.model.clone())
    }

    /// Source of the key: the property, then the file, then the environment.
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

/// The last word, which is the secret in a header such as `Bearer …`.
fn last_word(text: &str) -> &str {
    text.rsplit(char::is_whitespace).next().unwrap_or_default()
}
