// SPDX-License-Identifier: MPL-2.0

//! The way to a target: addresses, TLS, the handshake, and what their errors mean.

use crate::error::{Error, ErrorKind};
use crate::net::backoff;
use crate::net::clock::Clock;
use crate::net::credentials::KeyHeader;
use crate::net::endpoint::{Endpoint, is_plain};
use crate::net::handshake::{Socket, upgrade};
use crate::net::proxy::Proxy;
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

/// How long one of several addresses of a host may take.
const PER_ADDRESS_TIMEOUT: Duration = Duration::from_secs(3);
/// So often a server may send the client on to another place of its own.
pub(crate) const REDIRECTS: usize = 5;
/// What was sent and is not acknowledged by the other machine for so long ends the connection.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// So many bytes wait in the system to be sent. With more, nobody could tell a slow network from one that is gone.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT: u32 = 128 << 10;

/// Why a try to connect failed, and whether another one makes sense.
#[derive(Debug)]
pub struct ConnectError {
    /// What to tell the user.
    pub failure: Error,
    /// Whether it may go better in a moment.
    pub again: bool,
    /// When the server wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl Endpoint {
    /// Tries to connect once.
    pub async fn connect(&self, clock: &Clock) -> Result<Socket, ConnectError> {
        let key = self.current_key(clock).await?;
        let mut url = self.url().clone();
        for _ in 0..=REDIRECTS {
            let stream = self.open(&url).await?;
            match upgrade(stream, &url, self.headers(), key.clone()).await {
                Ok(socket) => return Ok(socket),
                Err(tungstenite::Error::Http(response)) if response.status().is_redirection() => {
                    url = self.redirected(&url, &response)?;
                }
                Err(error) => return Err(self.error(error)),
            }
        }
        Err(permanent(Error::connect(format!("{} redirects more than {REDIRECTS} times", self.name()))))
    }

    /// The header with the key as it is now, for the next connection or request.
    pub(crate) async fn current_key(&self, clock: &Clock) -> Result<Option<KeyHeader>, ConnectError> {
        let asked = self.key().ask(clock).await.map_err(again)?;
        let endpoint = self.clone();
        // Files are read, and on some systems a service is asked: not a thing for a thread that others need.
        let key = tokio::task::spawn_blocking(move || endpoint.key_header(asked)).await;
        // A file that cannot be read may be being written.
        key.map_err(|error| permanent(Error::connect(error.to_string())))?.map_err(again)
    }

    /// A stream to a place, encrypted where that is wished.
    pub(crate) async fn open(&self, url: &Url) -> Result<MaybeTlsStream<TcpStream>, ConnectError> {
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

    /// Where a server sends the client. It may be another place of the same host, which gets the same key.
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

    /// Connects to the first address of the host that takes it.
    async fn reach(&self, host: &str, port: u16, loopback: bool, name: &str) -> Result<TcpStream, ConnectError> {
        // The system's words for why a name is not resolved are in the user's language, and a network that is out for
        // a moment cannot be told from a name that does not exist.
        let addresses = tokio::net::lookup_host((host, port)).await.map_err(|error| {
            again(Error::connect(format!("the host '{host}' cannot be resolved: {error}")).with_source(error))
        })?;
        let mut addresses = permitted(addresses.collect(), loopback, host)?.into_iter().peekable();
        while let Some(address) = addresses.next() {
            let connecting = TcpStream::connect(address);
            let error = match addresses.peek() {
                // An address that leads nowhere must not use up the time of the next one.
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

    /// What a failed handshake means.
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
        let said = said_in_body(&body).map(|said| format!(": {said}")).unwrap_or_default();
        let message = format!("{} answered {status}{said}", self.name());
        let retry_after = backoff::retry_after(response.headers(), SystemTime::now());
        // It comes with the status of a server that is busy for the moment.
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

/// An explicit provider and configuration: nothing process-wide is touched.
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

/// A name says nothing of where it leads: an unencrypted connection that may not leave this machine goes to none but
/// its own addresses.
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

/// What the system is told about a connection.
fn configure(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        let socket = socket2::SockRef::from(stream);
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
        socket.set_tcp_notsent_lowat(UNSENT)?;
    }
    Ok(())
}

async fn tunnel(proxy: &Proxy, stream: &mut TcpStream, host: &str, port: u16) -> Result<(), ConnectError> {
    let opened = proxy.tunnel(stream, host, port).await;
    opened.map_err(|(failure, again)| ConnectError { failure, again, retry_after: None })
}

/// The message in an API's error body, shortened.
fn said_in_body(body: &Value) -> Option<String> {
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
