// SPDX-License-Identifier: MPL-2.0

//! Connecting to an endpoint: name resolution, proxy, TCP, TLS, handshake, and the meaning of their errors.

use crate::error::{Error, ErrorKind};
use crate::net::backoff;
use crate::net::clock::Clock;
use crate::net::credentials::KeyHeader;
use crate::net::endpoint::{Endpoint, is_plain};
use crate::net::handshake::{Socket, upgrade};
use crate::net::proxy::Proxy;
use crate::net::tcp::TcpConnection;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::{Response, StatusCode};
use url::Url;

/// Time limit for each address of a host but the last.
const PER_ADDRESS_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum number of redirects within a host.
pub(crate) const MAX_REDIRECTS: usize = 5;
/// TCP_USER_TIMEOUT: data that is not acknowledged for this long ends the connection.
#[cfg(any(target_os = "android", target_os = "linux"))]
const ACK_TIMEOUT: Duration = Duration::from_secs(10);
/// TCP_NOTSENT_LOWAT: with more in the system's buffer, a slow network could not be told from one that is gone.
#[cfg(any(target_os = "android", target_os = "linux"))]
const MAX_UNSENT: u32 = 128 << 10;

/// A failed attempt to connect.
#[derive(Debug)]
pub struct ConnectError {
    /// For the user.
    pub failure: Error,
    /// Whether a retry may succeed.
    pub again: bool,
    /// `Retry-After` of the server.
    pub retry_after: Option<Duration>,
}

impl Endpoint {
    /// Makes one attempt to connect.
    pub async fn connect(&self, clock: &Clock) -> Result<Socket, ConnectError> {
        let key = self.current_key(clock).await?;
        let mut url = self.url().clone();
        for _ in 0..=MAX_REDIRECTS {
            let stream = self.open(&url).await?;
            match upgrade(stream, &url, self.headers(), key.clone()).await {
                Ok(socket) => return Ok(socket),
                Err(tungstenite::Error::Http(response)) if response.status().is_redirection() => {
                    url = self.redirected(&url, &response)?;
                }
                Err(error) => return Err(self.error(error)),
            }
        }
        Err(permanent(Error::connect(format!("{} redirects more than {MAX_REDIRECTS} times", self.name()))))
    }

    /// The header with the current key, for a connection or a request.
    pub(crate) async fn current_key(&self, clock: &Clock) -> Result<Option<KeyHeader>, ConnectError> {
        let asked = self.key().ask(clock).await.map_err(again)?;
        let endpoint = self.clone();
        // Reading files blocks.
        let key = tokio::task::spawn_blocking(move || endpoint.key_header(asked)).await;
        // A key file that cannot be read may be being replaced, so that is retried.
        key.map_err(|error| permanent(Error::connect(error.to_string())))?.map_err(again)
    }

    /// A TCP or TLS stream to the host of a URL, through the proxy if there is one.
    pub(crate) async fn open(&self, url: &Url) -> Result<MaybeTlsStream<TcpConnection>, ConnectError> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        let is_plain = is_plain(url);
        let mut stream = match self.proxy() {
            Some(proxy) => self.reach(&proxy.host, proxy.port, false, &proxy.name()).await?,
            None => self.reach(&host, port, is_plain && !self.allows_insecure(), &self.name()).await?,
        };
        configure(&stream).map_err(|error| self.error(error.into()))?;
        if let Some(proxy) = self.proxy() {
            tunnel(proxy, &mut stream, &host, port).await?;
        }
        let stream = TcpConnection(stream);
        if is_plain {
            return Ok(MaybeTlsStream::Plain(stream));
        }
        let ca_file = self.ca_file().map(Path::to_owned);
        let config = tokio::task::spawn_blocking(move || tls(ca_file.as_deref())).await;
        let config = config.map_err(|error| permanent(Error::connect(error.to_string())))?.map_err(permanent)?;
        let name = ServerName::try_from(host).map_err(|error| self.error(std::io::Error::other(error).into()))?;
        let encrypted = TlsConnector::from(config).connect(name, stream).await;
        encrypted.map(MaybeTlsStream::Rustls).map_err(|error| self.error(error.into()))
    }

    /// Target of a redirect. It is followed within the same host only, because it gets the key.
    pub(crate) fn redirected(&self, url: &Url, response: &Response<Option<Vec<u8>>>) -> Result<Url, ConnectError> {
        let location = response.headers().get("location").and_then(|location| location.to_str().ok());
        let Some(mut to) = location.and_then(|location| url.join(location).ok()) else {
            return Err(self.http_error(response));
        };
        let of_websocket = url.scheme().starts_with("ws");
        let scheme = match to.scheme() {
            "http" | "ws" if of_websocket => "ws",
            "http" | "ws" => "http",
            _ if of_websocket => "wss",
            _ => "https",
        };
        let _ = to.set_scheme(scheme);
        if to.host_str() == url.host_str() && (is_plain(url) || !is_plain(&to)) {
            return Ok(to);
        }
        let mut shown = to;
        shown.set_query(None);
        shown.set_fragment(None);
        let _ = (shown.set_username(""), shown.set_password(None));
        let (name, status) = (self.name(), response.status());
        let message =
            format!("{name} answered {status}: it redirects to {shown}, which is not followed; set uri to it");
        Err(permanent(Error::connect(message)))
    }

    /// Connects to the first address of the host that accepts.
    async fn reach(&self, host: &str, port: u16, loopback: bool, name: &str) -> Result<TcpStream, ConnectError> {
        // Always retried: a network that is down for a moment cannot be told from a name that does not exist, except by the
        // text of the error, which is in the user's language.
        let addresses = tokio::net::lookup_host((host, port)).await.map_err(|error| {
            again(Error::connect(format!("the host '{host}' cannot be resolved: {error}")).with_source(error))
        })?;
        let mut addresses = permitted(addresses.collect(), loopback, host)?.into_iter().peekable();
        while let Some(address) = addresses.next() {
            let connecting = TcpStream::connect(address);
            let error = match addresses.peek() {
                // An unreachable address must not use up the time of the next one.
                Some(_) => match timeout(PER_ADDRESS_TIMEOUT, connecting).await {
                    Ok(Ok(stream)) => return Ok(stream),
                    Ok(Err(_)) | Err(_) => continue,
                },
                None => match connecting.await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => error,
                },
            };
            return Err(again(Error::connect(format!("cannot connect to {name}: {error}")).with_source(error)));
        }
        Err(again(Error::connect(format!("the host '{host}' has no address"))))
    }

    /// Error of a failed handshake.
    fn error(&self, error: tungstenite::Error) -> ConnectError {
        match error {
            tungstenite::Error::Http(response) => self.http_error(&response),
            tungstenite::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(tls) => {
                    let failure = Error::connect(format!("TLS to {} failed: {error}", self.name()));
                    let hint = tls_hint(tls);
                    let failure = failure.with_source(error);
                    permanent(match hint {
                        Some(hint) => failure.with_hint(hint),
                        None => failure,
                    })
                }
                None => again(self.no_session(tungstenite::Error::Io(error))),
            },
            error @ (tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete)
            | tungstenite::Error::ConnectionClosed) => again(self.no_session(error)),
            error => permanent(self.no_session(error)),
        }
    }

    fn no_session(&self, error: tungstenite::Error) -> Error {
        Error::connect(format!("no session with {}: {error}", self.name())).with_source(error)
    }

    pub(crate) fn http_error(&self, response: &Response<Option<Vec<u8>>>) -> ConnectError {
        let status = response.status();
        let body: Value =
            response.body().as_deref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let said = message_in_body(&body).map(|said| format!(": {said}")).unwrap_or_default();
        let message = format!("{} answered {status}{said}", self.name());
        let retry_after = backoff::retry_after(response.headers(), SystemTime::now());
        // It has status 429 like a rate limit, but a retry does not help.
        let quota = ["code", "type"].iter().any(|field| body["error"][field] == "insufficient_quota");
        let again = !quota && matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504);
        let failure = match status {
            _ if quota => Error::new(ErrorKind::Quota, format!("{message} (insufficient_quota)")),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::not_authorized(message),
            StatusCode::NOT_FOUND => Error::new(ErrorKind::NotFound, message).with_hint("check uri and model"),
            _ => Error::connect(message),
        };
        ConnectError { failure, again, retry_after }
    }
}

/// TLS configuration with an explicit crypto provider: a plugin must not install a process-wide one.
fn tls(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let wrong = |why: &dyn std::fmt::Display| Error::settings(format!("ca-file {}: {why}", path.display()));
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error).with_source(error))?;
        let before = roots.len();
        for certificate in certificates {
            let certificate = certificate.map_err(|error| wrong(&error).with_source(error))?;
            roots.add(certificate).map_err(|error| wrong(&error).with_source(error))?;
        }
        if roots.len() == before {
            return Err(wrong(&"no certificate in it"));
        }
    }
    if roots.is_empty() {
        return Err(Error::connect("this system has no trusted certificates; install them or set ca-file"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::connect(format!("TLS: {error}")).with_source(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A hint for an error whose text is for those who know TLS.
fn tls_hint(error: &rustls::Error) -> Option<&'static str> {
    use rustls::{CertificateError, Error, InvalidMessage};
    let is_ca = |other: &rustls::OtherError| {
        matches!(other.0.downcast_ref::<webpki::Error>(), Some(webpki::Error::CaUsedAsEndEntity))
    };
    Some(match error {
        Error::InvalidCertificate(CertificateError::Other(other)) if is_ca(other) => {
            "the server shows a certificate that is made to sign others: make one with \
             basicConstraints=critical,CA:FALSE, or let that one sign the server's"
        }
        // The signature is bad if another issuer has the name of a trusted one.
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "nobody whom this system trusts has signed the server's certificate: if it is yours, set ca-file"
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what answers there speaks no TLS: is its address one with ws:// or http://?"
        }
        _ => return None,
    })
}

pub(crate) fn permanent(failure: Error) -> ConnectError {
    ConnectError { failure, again: false, retry_after: None }
}

pub(crate) fn again(failure: Error) -> ConnectError {
    ConnectError { failure, again: true, retry_after: None }
}

/// The addresses that a connection may use. A name like `localhost` may resolve to any address, so an unencrypted connection
/// that must stay on this machine uses its loopback addresses only.
fn permitted(addresses: Vec<SocketAddr>, loopback: bool, host: &str) -> Result<Vec<SocketAddr>, ConnectError> {
    if !loopback {
        return Ok(addresses);
    }
    let (own, others): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.ip().is_loopback());
    if own.is_empty() && !others.is_empty() {
        let message = format!(
            "the host '{host}' is not on this machine, and an unencrypted connection would leave it; use wss:// or set \
             allow-insecure=true"
        );
        return Err(permanent(Error::settings(message)));
    }
    Ok(own)
}

/// Sets the socket options.
fn configure(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        let socket = socket2::SockRef::from(stream);
        socket.set_tcp_user_timeout(Some(ACK_TIMEOUT))?;
        socket.set_tcp_notsent_lowat(MAX_UNSENT)?;
    }
    Ok(())
}

async fn tunnel(proxy: &Proxy, stream: &mut TcpStream, host: &str, port: u16) -> Result<(), ConnectError> {
    let opened = proxy.tunnel(stream, host, port).await;
    opened.map_err(|(failure, again)| ConnectError { failure, again, retry_after: None })
}

/// The message in the body of an error, shortened.
fn message_in_body(body: &Value) -> Option<String> {
    let places = [&body["error"]["message"], &body["error"], &body["message"]];
    let message = places.into_iter().find_map(Value::as_str)?;
    Some(message.chars().take(300).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_elsewhere_is_not_believed() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect::<Vec<_>>();
        let both = addresses(&["192.0.2.2:9", "127.0.0.1:9", "[::1]:9"]);
        assert_eq!(permitted(both.clone(), true, "x.localhost").expect("some"), addresses(&["127.0.0.1:9", "[::1]:9"]));
        assert_eq!(permitted(both, false, "x.localhost").expect("all").len(), 3);
        let error = permitted(addresses(&["192.0.2.2:9"]), true, "evil.localhost").expect_err("refused");
        assert!(error.failure.says(ErrorKind::Settings, "evil.localhost"), "{error:?}");
        assert!(!error.again);
    }
}
