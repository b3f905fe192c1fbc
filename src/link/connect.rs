//! The way to a target: addresses, TLS, the handshake, and what their errors mean.

use super::key::KeyHeader;
use super::target::Target;
use super::upgrade::upgrade;
use crate::conversation::Failure;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::{Response, StatusCode};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// A connection as the pipeline sees it.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long one of several addresses of a host may take.
const ADDRESS: Duration = Duration::from_secs(3);

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

impl Target {
    /// Tries to connect once.
    pub async fn connect(&self) -> Result<Socket, ConnectError> {
        let target = self.clone();
        // Files are read, and on some systems a service is asked: not a thing for a thread that others need.
        let prepared = tokio::task::spawn_blocking(move || target.prepare()).await;
        let (key, config) = prepared.map_err(|error| permanent(Failure::Connect(error.to_string())))??;
        let stream = self.reach().await?;
        stream.set_nodelay(true).map_err(|error| self.error(error.into()))?;
        let stream = match config {
            Some(config) => self.encrypt(stream, config).await.map_err(|error| self.error(error.into()))?,
            None => MaybeTlsStream::Plain(stream),
        };
        upgrade(stream, self.url(), self.headers(), key).await.map_err(|error| self.error(error))
    }

    /// The key's header, and what TLS needs where it is wished.
    fn prepare(&self) -> Result<(Option<KeyHeader>, Option<Arc<ClientConfig>>), ConnectError> {
        // A file that cannot be read may be being written.
        let key = self.key_header().map_err(|failure| ConnectError { failure, again: true, retry_after: None })?;
        let config = (self.url().scheme() == "wss").then(|| tls(self.ca_file())).transpose();
        Ok((key, config.map_err(permanent)?))
    }

    async fn encrypt(
        &self,
        stream: TcpStream,
        config: Arc<ClientConfig>,
    ) -> std::io::Result<MaybeTlsStream<TcpStream>> {
        let name = ServerName::try_from(self.host().to_owned()).map_err(std::io::Error::other)?;
        TlsConnector::from(config).connect(name, stream).await.map(MaybeTlsStream::Rustls)
    }

    /// The host as the system's resolver takes it.
    fn host(&self) -> &str {
        self.url().host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// Connects to the first address of the host that takes it.
    async fn reach(&self) -> Result<TcpStream, ConnectError> {
        let host = self.host();
        let port = self.url().port_or_known_default().unwrap_or(443);
        let addresses = tokio::net::lookup_host((host, port)).await.map_err(|error| ConnectError {
            // What is only out of order for the moment may be mended in the next one.
            again: error.to_string().contains("emporary"),
            failure: Failure::Connect(format!("the host '{host}' cannot be resolved: {error}")),
            retry_after: None,
        })?;
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
            Error::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
                let error = error.to_string();
                let advice = tls_advice(&error).map(|advice| format!("; {advice}")).unwrap_or_default();
                permanent(Failure::Connect(format!("TLS to {} failed: {error}{advice}", self.name())))
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

    fn http_error(&self, response: &Response<Option<Vec<u8>>>) -> ConnectError {
        let status = response.status();
        let body: Value =
            response.body().as_deref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let said = said_in_body(&body).map(|said| format!(": {said}")).unwrap_or_default();
        let message = format!("{} answered {status}{said}", self.name());
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        // It comes with the status of a server that is busy for the moment.
        let quota = ["code", "type"].iter().any(|field| body["error"][field] == "insufficient_quota");
        let again = !quota && matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504);
        let failure = match status {
            _ if quota => Failure::Quota(format!("{message} (insufficient_quota)")),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::NotAuthorized(message),
            StatusCode::NOT_FOUND => Failure::NotFound(format!("{message}; check uri and model")),
            _ => Failure::Connect(message),
        };
        ConnectError { failure, again, retry_after }
    }
}

/// An explicit provider and configuration: nothing process-wide is touched.
fn tls(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Failure> {
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
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Connect(format!("TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// What to do about an error whose own words are for those who know TLS.
fn tls_advice(error: &str) -> Option<&'static str> {
    let unknown = "nobody whom this system trusts has signed the server's certificate: if it is yours, set ca-file";
    let advice = [
        (
            "CaUsedAsEndEntity",
            "the server shows a certificate that is made to sign others: make one with \
             basicConstraints=critical,CA:FALSE, or let that one sign the server's",
        ),
        ("UnknownIssuer", unknown),
        // By somebody of the same name.
        ("BadSignature", unknown),
        ("InvalidContentType", "what answers there speaks no TLS: is its address one with ws:// or http://?"),
    ];
    advice.into_iter().find(|(word, _)| error.contains(word)).map(|(_, advice)| advice)
}

fn permanent(failure: Failure) -> ConnectError {
    ConnectError { failure, again: false, retry_after: None }
}

/// The message in an API's error body, shortened.
fn said_in_body(body: &Value) -> Option<String> {
    let places = [&body["error"]["message"], &body["error"], &body["message"]];
    let message = places.into_iter().find_map(Value::as_str)?;
    Some(message.chars().take(300).collect())
}
