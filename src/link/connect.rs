//! The way to a target: addresses, TLS, the handshake, and what their errors mean.

use super::target::Target;
use crate::conversation::Failure;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Error};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

/// A connection as the pipeline sees it.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Both official SDKs lift their libraries' limits: retrieved items and large deltas exceed a megabyte.
const LARGEST_MESSAGE: usize = 64 << 20;

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
        let mut request = self.url().as_str().into_client_request().map_err(|error| self.error(error))?;
        request.headers_mut().extend(self.headers().clone());
        let connector = match self.url().scheme() {
            "wss" => {
                let ca_file = self.ca_file().map(Path::to_owned);
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
        let host = self.url().host_str().unwrap_or_default().trim_matches(['[', ']']);
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
