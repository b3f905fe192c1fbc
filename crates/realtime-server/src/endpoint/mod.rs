// SPDX-License-Identifier: MPL-2.0

//! HTTP to an endpoint that speaks one of OpenAI's APIs: one POST for each request, on a connection of its own. Dropping
//! the answer closes the connection at once, which is how an endpoint learns that nobody wants the rest.

mod error;
pub mod settings;

pub use crate::endpoint::error::{EndpointError, Fault};

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, LOCATION};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use openai_protocol::chat::Completion;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::{Position, Url};

/// The most of a refusal that is read, in bytes, and the most of it that is quoted, in characters.
const MAX_REFUSAL: usize = 64 << 10;
const MAX_QUOTED: usize = 500;

/// What an endpoint is for, as errors and warnings name it.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// In words, e.g. `the language model`.
    pub name: &'static str,
    /// What its options begin with, e.g. `--llm`.
    pub option: &'static str,
}

/// The place of a service and the settings of its connections.
pub struct Endpoint {
    service: Service,
    url: Url,
    key: Option<HeaderValue>,
    timeout: Duration,
    tls: Option<TlsConnector>,
}

/// A request's body.
pub struct RequestBody {
    /// Its media type.
    pub content_type: String,
    /// The media type that the answer should have.
    pub accept: &'static str,
    /// The body.
    pub bytes: Bytes,
}

/// A connection, encrypted or not.
trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

impl Endpoint {
    /// The service at this URL, whose scheme is http or https, with the key in this file.
    pub fn new(service: Service, url: &Url, key_file: Option<&Path>, timeout: Duration) -> anyhow::Result<Self> {
        let Service { option, .. } = service;
        if key_file.is_some() && settings::is_exposed(url) {
            let host = url.host_str().unwrap_or_default();
            tracing::warn!(
                "the key of {option}-api-key-file goes to {host} over plain http, where others may read it; use https"
            );
        }
        let bearer = |file| {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", settings::read_key(file, service)?)).ok().with_context(
                    || format!("the key in the file of {option}-api-key-file has characters that no header can hold"),
                )?;
            value.set_sensitive(true);
            anyhow::Ok(value)
        };
        let key = key_file.map(bearer).transpose()?;
        let tls = (url.scheme() == "https").then(|| tls(service)).transpose()?;
        Ok(Self { service, url: url.clone(), key, timeout, tls })
    }

    /// An error at this endpoint. Its words never hold the key, even where the endpoint quotes it.
    pub fn error(&self, fault: Fault) -> EndpointError {
        EndpointError { service: self.service, url: self.url[..Position::AfterPath].to_owned(), fault }
    }

    /// Sends a request; gives its answer, unless it is a refusal.
    pub async fn post(&self, body: RequestBody) -> Result<AnswerBody, EndpointError> {
        let mut connection = JoinSet::new();
        let response = self.within(self.send(body, &mut connection)).await?;
        let status = response.status();
        if !status.is_success() {
            let words = self.refusal(response).await;
            return Err(self.error(Fault::Refused { status: status.to_string(), words }));
        }
        Ok(AnswerBody { body: response.into_body(), _connection: connection })
    }

    async fn send(&self, body: RequestBody, connection: &mut JoinSet<()>) -> Result<Response<Incoming>, EndpointError> {
        let unreachable = |why: String| self.error(Fault::Unreachable(why));
        let io = self.connect().await.map_err(|error| unreachable(error.to_string()))?;
        let (mut sender, driver) =
            http1::handshake(TokioIo::new(io)).await.map_err(|error| unreachable(error.to_string()))?;
        connection.spawn(async move {
            // Its errors reach the request as well.
            let _ = driver.await;
        });
        let mut request = Request::post(&self.url[Position::BeforePath..Position::AfterQuery])
            .header(HOST, &self.url[Position::BeforeHost..Position::AfterPort])
            .header(CONTENT_TYPE, body.content_type)
            .header(ACCEPT, body.accept);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key);
        }
        let request = request.body(Full::new(body.bytes)).map_err(|error| unreachable(error.to_string()))?;
        sender.send_request(request).await.map_err(|error| self.error(Fault::BrokenOff(format!(": {}", cause(&error)))))
    }

    async fn connect(&self) -> std::io::Result<Box<dyn Io>> {
        let invalid = |what| std::io::Error::new(std::io::ErrorKind::InvalidInput, what);
        let host = self.url.host_str().ok_or_else(|| invalid("the URL has no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = self.url.port_or_known_default().ok_or_else(|| invalid("the URL has no port"))?;
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| invalid("the URL's host is no name for TLS"))?;
        Ok(Box::new(tls.connect(name, stream).await?))
    }

    /// Gives up when the endpoint takes too long.
    async fn within<T>(&self, work: impl Future<Output = Result<T, EndpointError>>) -> Result<T, EndpointError> {
        let result = tokio::time::timeout(self.timeout, work).await;
        let silent = || Fault::Silent { after: self.timeout, option: self.service.option };
        result.unwrap_or_else(|_| Err(self.error(silent())))
    }

    /// Why a request is refused, in the endpoint's words, as far as they come: the status is known in any case.
    async fn refusal(&self, response: Response<Incoming>) -> String {
        let place = response.headers().get(LOCATION).and_then(|place| place.to_str().ok()?.split('?').next());
        let moved = place.map(|place| self.quote(&format!("use the URL {place} instead")));
        let mut body = response.into_body();
        let mut bytes = Vec::new();
        let read = async {
            while bytes.len() < MAX_REFUSAL
                && let Some(Ok(frame)) = body.frame().await
            {
                bytes.extend_from_slice(frame.data_ref().map_or(&[], Bytes::as_ref));
            }
        };
        // What came until then is quoted.
        let _ = tokio::time::timeout(self.timeout, read).await;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let words = Completion::read(&text).ok().and_then(|(answer, _)| Some(answer.error?.message));
        let words = words.filter(|words| !words.is_empty()).unwrap_or(text);
        let words = Some(self.quote(&words)).filter(|words| !words.is_empty());
        moved.or(words).unwrap_or_else(|| "without a reason".into())
    }

    /// The words of the endpoint, short enough for a message and without the key.
    pub fn quote(&self, words: &str) -> String {
        let key = self.key.as_ref().and_then(|key| key.to_str().ok()?.strip_prefix("Bearer "));
        let words = key.map_or_else(|| words.to_owned(), |key| words.replace(key, "[redacted]"));
        let short: String = words.trim().chars().take(MAX_QUOTED).collect();
        if short.len() < words.trim().len() { format!("{short}…") } else { short }
    }
}

/// The cause of an HTTP error, whose own text only says in which step it happened.
fn cause(error: &hyper::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn tls(service: Service) -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why: String = found.errors.iter().map(|error| format!(" ({error})")).collect();
        anyhow::bail!(
            "the system has no root certificates to check the endpoint of {} with{why}; install ca-certificates",
            service.option
        );
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()).into())
}

/// The body of an answer, as it comes.
pub struct AnswerBody {
    body: Incoming,
    /// Dropping it closes the connection.
    _connection: JoinSet<()>,
}

impl AnswerBody {
    /// The next bytes; `None` where the body ends.
    pub async fn next(&mut self, endpoint: &Endpoint) -> Result<Option<Bytes>, EndpointError> {
        let frame = endpoint.within(async { Ok(self.body.frame().await) }).await?;
        match frame.transpose() {
            Ok(frame) => Ok(frame.map(|frame| frame.into_data().unwrap_or_default())),
            Err(error) => Err(endpoint.error(Fault::BrokenOff(format!(": {}", cause(&error))))),
        }
    }

    /// All of it; an error where it is longer than `most` bytes.
    pub async fn whole(mut self, endpoint: &Endpoint, most: usize) -> Result<Vec<u8>, EndpointError> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.next(endpoint).await? {
            if whole.len() + bytes.len() > most {
                let got = format!("more than {most} bytes");
                return Err(endpoint.error(Fault::Unreadable { expected: "answer of this kind", got }));
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }
}
