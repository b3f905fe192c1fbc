//! Where to connect and how: the URL, the headers, the key, and the encrypted way there.
//!
//! Everything that can be known to be wrong is found before the network is touched. Sources: the API reference for
//! the URL and headers, Azure's documentation for its two forms of URL.

use super::secret::{REDACTED, Secret};
use crate::conversation::Failure;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Error};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};
use url::{Host, Url};

/// A connection as the pipeline sees it.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Both official SDKs lift their libraries' limits: retrieved items and large deltas exceed a megabyte.
const LARGEST_MESSAGE: usize = 64 << 20;

/// How long one of several addresses of a host may take.
const ADDRESS: Duration = Duration::from_secs(3);

/// Shorter words than this are not taken for secrets, unless they are the key.
const LEAST_SECRET: usize = 8;

/// The model that is asked for when none is named.
pub const DEFAULT_MODEL: &str = "gpt-realtime-2.1";

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
pub struct Connection {
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
}

/// A place that can be connected to.
#[derive(Clone)]
pub struct Target {
    url: Url,
    headers: HeaderMap,
    ca_file: Option<PathBuf>,
    /// The key and what else may be one, to keep it out of every text.
    secrets: Vec<Secret>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name())
    }
}

/// Why a try to connect failed, and whether another one makes sense.
#[derive(Debug)]
pub struct ConnectError {
    /// What to tell the user.
    pub failure: Failure,
    /// Whether it may go better in a moment.
    pub again: bool,
    /// When the server wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl Connection {
    /// Finds the place to connect to. `env` gives the environment's variables.
    pub fn target(&self, env: impl Fn(&str) -> Option<String>) -> Result<Target, Failure> {
        let env = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        let (url, azure) = self.url(&env)?;
        let secret = self.secret(azure, &url, &env)?;
        let headers = self.request_headers(azure, secret.as_ref(), &env)?;
        let extra = self.headers.iter().flat_map(|(_, value)| [value.as_str(), last_word(value)]);
        let query: Vec<String> =
            url.query_pairs().filter(|(name, _)| !is_told(name)).map(|(_, value)| value.into()).collect();
        let secrets = extra.chain(query.iter().map(String::as_str)).filter(|value| value.len() >= LEAST_SECRET);
        let secrets = secret.into_iter().chain(secrets.filter_map(Secret::new)).collect();
        Ok(Target { url, headers, ca_file: self.ca_file.clone(), secrets })
    }

    fn is_azure(&self, url: &Url) -> bool {
        match self.provider {
            Provider::Azure => true,
            Provider::OpenAi => false,
            Provider::Auto => url.host_str().is_some_and(|host| {
                [".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"]
                    .iter()
                    .any(|suffix| host.ends_with(suffix))
            }),
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
            "http" | "ws" => "ws",
            "https" | "wss" => "wss",
            other => return Err(wrong(format!("the scheme '{other}' is none of ws, wss, http, https"))),
        };
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
        if scheme == "ws" && !self.allow_insecure && !is_loopback(&url) {
            return Err(wrong(
                "an unencrypted connection would leave this machine; use wss:// or set allow-insecure=true".into(),
            ));
        }
        let azure = from == "AZURE_OPENAI_ENDPOINT" || self.is_azure(&url);
        self.complete(&mut url, azure, env);
        Ok((url, azure))
    }

    /// Adds what is missing to the path and the query.
    fn complete(&self, url: &mut Url, azure: bool, env: &impl Fn(&str) -> Option<String>) {
        let preview = azure && (self.api_version.is_some() || url.query_pairs().any(|(key, _)| key == "api-version"));
        let path = url.path().trim_end_matches('/').to_owned();
        if !path.ends_with("/realtime") {
            let base = match path.as_str() {
                "" if preview => "/openai",
                "" if azure => "/openai/v1",
                "" => "/v1",
                path => path,
            };
            url.set_path(&format!("{base}/realtime"));
        }
        let has = |url: &Url, name: &str| url.query_pairs().any(|(key, _)| key == name);
        let chosen = ["model", "deployment", "intent", "call_id"].iter().any(|name| has(url, name));
        if preview
            && !has(url, "api-version")
            && let Some(version) = &self.api_version
        {
            url.query_pairs_mut().append_pair("api-version", version);
        }
        if chosen {
            return;
        }
        if self.transcription {
            url.query_pairs_mut().append_pair("intent", "transcription");
        } else if azure {
            let named = (self.model != DEFAULT_MODEL).then(|| self.model.clone());
            let deployment = named.or_else(|| env("AZURE_OPENAI_DEPLOYMENT")).unwrap_or_else(|| self.model.clone());
            url.query_pairs_mut().append_pair(if preview { "deployment" } else { "model" }, &deployment);
        } else {
            url.query_pairs_mut().append_pair("model", &self.model);
        }
    }

    /// The key: the property, then the file, then the environment.
    fn secret(&self, azure: bool, url: &Url, env: &impl Fn(&str) -> Option<String>) -> Result<Option<Secret>, Failure> {
        if let Some(key) = &self.api_key {
            return Ok(Some(key.clone()));
        }
        if let Some(path) = &self.api_key_file {
            let text = std::fs::read_to_string(path).map(zeroize::Zeroizing::new).map_err(|error| {
                Failure::NotAuthorized(format!("api-key-file {} cannot be read: {error}", path.display()))
            })?;
            return Secret::new(&text)
                .map(Some)
                .ok_or_else(|| Failure::NotAuthorized(format!("api-key-file {} is empty", path.display())));
        }
        let name = if azure { "AZURE_OPENAI_API_KEY" } else { "OPENAI_API_KEY" };
        match env(name).as_deref().and_then(Secret::new) {
            Some(key) => Ok(Some(key)),
            None if is_loopback(url) => Ok(None),
            None => Err(Failure::NotAuthorized(format!(
                "no key for {}: set the environment variable {name}, or the property api-key-file or api-key",
                url.host_str().unwrap_or_default()
            ))),
        }
    }

    fn request_headers(
        &self,
        azure: bool,
        secret: Option<&Secret>,
        env: &impl Fn(&str) -> Option<String>,
    ) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        if let Some(secret) = secret {
            // An Entra token is a JWT and goes as a bearer token even to Azure.
            let (name, value) = match azure && !secret.expose().starts_with("eyJ") {
                true => ("api-key", secret.expose().to_owned()),
                false => ("authorization", format!("Bearer {}", secret.expose())),
            };
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| Failure::NotAuthorized("the key holds characters that no key has".into()))?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
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

/// The last word: of a header such as `Bearer …` what counts.
fn last_word(text: &str) -> &str {
    text.rsplit(char::is_whitespace).next().unwrap_or_default()
}

/// A `uri` as it may be shown: without a user's name and password, and without what stands in its query, but for what
/// is known to be harmless. The text need not be a URL.
pub fn shown_uri(uri: &str) -> String {
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
            Some((name, value)) if is_told(name) => format!("{name}={value}{end}"),
            Some((name, _)) => format!("{name}={REDACTED}{end}"),
            None if pair.is_empty() => end.to_owned(),
            None => format!("{REDACTED}{end}"),
        }
    });
    std::iter::once(place).chain(shown).collect()
}

/// What a URL's query holds that is nobody's secret.
fn is_told(name: &str) -> bool {
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

impl Target {
    /// The place without anything that could be secret.
    pub fn name(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}{}", self.url.scheme(), self.url.host_str().unwrap_or_default(), self.url.path())
    }

    /// The full URL, for tests.
    #[cfg(test)]
    fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The text without the key and what else may be one.
    pub fn scrub(&self, text: &mut String) {
        self.secrets.iter().for_each(|secret| secret.scrub(text));
    }

    /// Tries to connect once.
    pub async fn connect(&self) -> Result<Socket, ConnectError> {
        let mut request = self.url.as_str().into_client_request().map_err(|error| self.error(error))?;
        request.headers_mut().extend(self.headers.clone());
        let connector = match self.url.scheme() {
            "wss" => {
                let ca_file = self.ca_file.clone();
                // It reads files, and on some systems asks a service: not a thing for a thread that others need.
                let config = tokio::task::spawn_blocking(move || tls(ca_file.as_deref())).await;
                let config = config.map_err(|error| permanent(Failure::Connect(format!("TLS: {error}"))))?;
                Connector::Rustls(config.map_err(permanent)?)
            }
            _ => Connector::Plain,
        };
        let stream = self.reach().await?;
        stream.set_nodelay(true).map_err(|error| self.error(error.into()))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST_MESSAGE))
            .max_frame_size(Some(LARGEST_MESSAGE))
            .read_buffer_size(32 << 10)
            .write_buffer_size(0);
        tokio_tungstenite::client_async_tls_with_config(request, stream, Some(config), Some(connector))
            .await
            .map(|(socket, _)| socket)
            .map_err(|error| self.error(error))
    }

    /// Connects to the first address of the host that takes it.
    async fn reach(&self) -> Result<TcpStream, ConnectError> {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = self.url.port_or_known_default().unwrap_or(443);
        let addresses = tokio::net::lookup_host((host, port))
            .await
            .map_err(|error| permanent(Failure::Connect(format!("the host '{host}' cannot be resolved: {error}"))))?;
        let mut addresses = addresses.peekable();
        while let Some(address) = addresses.next() {
            let connecting = TcpStream::connect(address);
            let error = match addresses.peek() {
                // An address that leads nowhere must not use up the time of the next one.
                Some(_) => match timeout(ADDRESS, connecting).await {
                    Ok(Ok(stream)) => return Ok(stream),
                    Ok(Err(_)) | Err(_) => continue,
                },
                None => match connecting.await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => error,
                },
            };
            let failure = Failure::Connect(format!("cannot connect to {}: {error}", self.name()));
            return Err(ConnectError { failure, again: true, retry_after: None });
        }
        Err(permanent(Failure::Connect(format!("the host '{host}' has no address"))))
    }

    /// What a failed handshake means.
    fn error(&self, error: Error) -> ConnectError {
        match error {
            Error::Http(response) => self.http_error(&response),
            Error::Tls(error) => permanent(Failure::Connect(format!("TLS to {} failed: {error}", self.name()))),
            Error::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
                permanent(Failure::Connect(format!("TLS to {} failed: {error}", self.name())))
            }
            Error::Io(_) | Error::Protocol(ProtocolError::HandshakeIncomplete) | Error::ConnectionClosed => {
                ConnectError {
                    failure: Failure::Connect(format!("no session with {}: {error}", self.name())),
                    again: true,
                    retry_after: None,
                }
            }
            error => permanent(Failure::Connect(format!("no session with {}: {error}", self.name()))),
        }
    }

    fn http_error(&self, response: &tungstenite::http::Response<Option<Vec<u8>>>) -> ConnectError {
        let status = response.status();
        let said =
            response.body().as_deref().and_then(said_in_body).map(|said| format!(": {said}")).unwrap_or_default();
        let message = format!("{} answered {status}{said}", self.name());
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let again = matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504);
        let failure = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failure::NotAuthorized(format!("{message}; check the key"))
            }
            StatusCode::NOT_FOUND => Failure::NotFound(format!("{message}; check uri and model")),
            _ => Failure::Connect(message),
        };
        ConnectError { failure, again, retry_after }
    }
}

/// An explicit provider and configuration: nothing process-wide is touched.
fn tls(ca_file: Option<&Path>) -> Result<Arc<rustls::ClientConfig>, Failure> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let wrong = |why: String| Failure::Settings(format!("ca-file {}: {why}", path.display()));
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
        let before = roots.len();
        for certificate in certificates {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
        if roots.len() == before {
            return Err(wrong("no certificate in it".into()));
        }
    }
    if roots.is_empty() {
        return Err(Failure::Connect("this system has no trusted certificates; install them or set ca-file".into()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Connect(format!("TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn permanent(failure: Failure) -> ConnectError {
    ConnectError { failure, again: false, retry_after: None }
}

/// The message in an API's error body, shortened.
fn said_in_body(body: &[u8]) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    let message = json["error"]["message"].as_str().or_else(|| json["message"].as_str())?;
    Some(message.chars().take(300).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(uri: Option<&str>) -> Connection {
        Connection { uri: uri.map(Into::into), model: "gpt-realtime-2.1".into(), ..Default::default() }
    }

    fn env(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    fn url(connection: &Connection, pairs: &'static [(&str, &str)]) -> String {
        connection.target(env(pairs)).expect("a target").url().to_owned()
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
        let preview = Connection {
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
        let header = |connection: &Connection, name: &str| {
            let target = connection.target(env(KEY)).expect("a target");
            target.headers.get(name).map(|value| (value.to_str().expect("ascii").to_owned(), value.is_sensitive()))
        };
        assert_eq!(header(&connection(None), "authorization"), Some(("Bearer sk-test".into(), true)));
        let property = Connection { api_key: Secret::new("sk-mine"), ..connection(None) };
        assert_eq!(header(&property, "authorization"), Some(("Bearer sk-mine".into(), true)));
        let azure = connection(Some("https://my.openai.azure.com"));
        assert_eq!(header(&azure, "api-key"), Some(("azure-key".into(), true)));
        let entra = Connection { api_key: Secret::new("eyJhbGciOi"), ..azure };
        assert_eq!(header(&entra, "authorization"), Some(("Bearer eyJhbGciOi".into(), true)));
    }

    #[test]
    fn what_is_wrong_is_said_before_connecting() {
        let failure = |connection: &Connection, pairs| connection.target(env(pairs)).expect_err("refused");
        let no_key = failure(&connection(None), &[]);
        assert!(matches!(&no_key, Failure::NotAuthorized(text) if text.contains("OPENAI_API_KEY")), "{no_key}");
        for uri in
            ["no url", "ftp://host/v1", "ws://example.com/v1", "wss://user:pass@host/v1", "wss://host/v1?api-key=pass@"]
        {
            let wrong = failure(&connection(Some(uri)), KEY);
            assert!(matches!(&wrong, Failure::Settings(text) if text.starts_with("uri ")), "{uri}: {wrong}");
            assert!(!wrong.to_string().contains("pass@"));
        }
        let file = Connection { api_key_file: Some("/nowhere/key".into()), ..connection(None) };
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
            assert_eq!(shown_uri(uri), shown);
        }
    }

    #[test]
    fn headers_and_queries_are_kept_out_of_texts() {
        let connection = Connection {
            headers: vec![("Authorization".into(), "Bearer 12345678".into()), ("X-Team".into(), "seven".into())],
            ..connection(Some("ws://localhost/v1?token=abcdefgh"))
        };
        let target = connection.target(env(&[])).expect("a target");
        let mut text = "seven 12345678 abcdefgh gpt-realtime-2.1".to_owned();
        target.scrub(&mut text);
        assert_eq!(text, "seven [redacted] [redacted] gpt-realtime-2.1");
    }

    #[test]
    fn a_loopback_server_needs_no_key_and_names_are_free_of_secrets() {
        let target = connection(Some("ws://[::1]:7/v1?session=hush")).target(env(&[])).expect("a target");
        assert_eq!(format!("{target:?}"), "ws://[::1]:7/v1/realtime");
        assert!(target.headers.is_empty());
    }
}
