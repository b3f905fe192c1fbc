// SPDX-License-Identifier: MPL-2.0

//! HTTP POST requests to an endpoint, with its TLS, proxy and key, over connections that are kept alive.
//!
//! A body is returned as it arrives, decompressed if the server has compressed it unasked. Dropping a response closes its
//! connection, which cancels the request; [`HttpResponse::release`] keeps the connection.

use crate::error::{Error, ErrorKind};
use crate::net::clock::Clock;
use crate::net::connect::{ConnectError, MAX_REDIRECTS, again, permanent};
use crate::net::connection_pool::{Connection, ConnectionPool};
use crate::net::credentials::KeyHeader;
use crate::net::endpoint::Endpoint;
use bytes::Bytes;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use openai_protocol::chat::ErrorBody;
use serde_json::Value;
use std::io::Write;
use std::time::Duration;
use url::{Position, Url};

/// Limits for reading the body of a refusal.
const MAX_ERROR_LEN: usize = 64 << 10;
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// Limits for reading the rest of a body in order to keep the connection. After the last event of a stream there is only its
/// end, mostly in the same packet.
const MAX_LEFT_LEN: usize = 64 << 10;
const LEFT_TIMEOUT: Duration = Duration::from_millis(100);

/// A request without a response, or a refusal.
#[derive(Debug)]
pub struct HttpError {
    /// The error, and whether a retry may succeed.
    pub error: ConnectError,
    /// Status, if there was a response.
    pub status: Option<u16>,
    /// The API's error object.
    pub body: ErrorBody,
}

impl From<ConnectError> for HttpError {
    fn from(error: ConnectError) -> Self {
        Self { error, status: None, body: ErrorBody::default() }
    }
}

/// A successful response, whose body is still arriving.
pub struct HttpResponse {
    body: Incoming,
    decoder: Decoder,
    /// Whether the body is a stream of server-sent events.
    pub is_event_stream: bool,
    url: Url,
    connection: Connection,
}

impl HttpResponse {
    /// Reads the rest of the body and keeps the connection for the next request. If there is too much, or it takes too long,
    /// the connection is closed.
    pub(crate) async fn release(mut self, pool: &ConnectionPool, clock: &Clock) {
        let mut left = 0;
        let read = async {
            while let Some(frame) = self.body.frame().await {
                left += frame.ok()?.data_ref().map_or(0, Bytes::len);
                if left > MAX_LEFT_LEN {
                    return None;
                }
            }
            Some(())
        };
        if clock.timeout(LEFT_TIMEOUT, read).await.flatten().is_some() {
            pool.give(&self.url, self.connection, clock).await;
        }
    }

    /// The next part of the body, or `None` at its end. An error means that the body is incomplete.
    pub async fn next(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            let Some(frame) = self.body.frame().await else {
                return self.decoder.finish().map(|rest| Some(rest).filter(|rest| !rest.is_empty()));
            };
            let frame = frame.map_err(|error| with_causes(&error))?;
            // Trailers are of no use.
            let Ok(data) = frame.into_data() else { continue };
            let data = self.decoder.decode(data)?;
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }
}

/// Decompresses a body.
enum Decoder {
    Identity,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Deflate(Box<ZlibDecoder<Vec<u8>>>),
    Ended,
}

impl Decoder {
    fn of(encoding: Option<&HeaderValue>) -> Result<Self, String> {
        let encoding = encoding.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase());
        match encoding.as_deref() {
            None | Some("" | "identity") => Ok(Self::Identity),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))),
            Some("deflate") => Ok(Self::Deflate(Box::new(ZlibDecoder::new(Vec::new())))),
            Some(other) => Err(format!("its answer is compressed with '{other}', which was not asked for")),
        }
    }

    fn decode(&mut self, data: Bytes) -> Result<Bytes, String> {
        let damaged = |error: std::io::Error| format!("the compressed answer is damaged: {error}");
        match self {
            Self::Identity | Self::Ended => Ok(data),
            Self::Gzip(decoder) => {
                decoder.write_all(&data).and_then(|()| decoder.flush()).map_err(damaged)?;
                Ok(std::mem::take(decoder.get_mut()).into())
            }
            Self::Deflate(decoder) => {
                decoder.write_all(&data).and_then(|()| decoder.flush()).map_err(damaged)?;
                Ok(std::mem::take(decoder.get_mut()).into())
            }
        }
    }

    fn finish(&mut self) -> Result<Bytes, String> {
        let rest = match std::mem::replace(self, Self::Ended) {
            Self::Identity | Self::Ended => return Ok(Bytes::new()),
            Self::Gzip(mut decoder) => decoder.try_finish().map(|()| std::mem::take(decoder.get_mut())),
            Self::Deflate(mut decoder) => decoder.try_finish().map(|()| std::mem::take(decoder.get_mut())),
        };
        rest.map(Bytes::from).map_err(|error| format!("the compressed answer breaks off: {error}"))
    }
}

/// An error with its causes, without which hyper's errors say little.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

impl Endpoint {
    /// Sends a JSON body and waits for the head of the response. Redirects are followed within the same host, and only those
    /// that keep method and body. A retry with the same `idempotency_key` gets the same response from a server that honours
    /// it.
    pub(crate) async fn post(
        &self,
        body: Bytes,
        idempotency_key: &str,
        connect_timeout: Duration,
        pool: &ConnectionPool,
        clock: &Clock,
    ) -> Result<HttpResponse, HttpError> {
        let key = self.current_key(clock).await?;
        let mut url = self.url().clone();
        for _ in 0..=MAX_REDIRECTS {
            let request = self.request(&url, body.clone(), idempotency_key, key.clone())?;
            let (response, connection) = self.exchange(&url, request, connect_timeout, pool, clock).await?;
            let status = response.status();
            if matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
                let (parts, _) = response.into_parts();
                url = self.redirected(&url, &Response::from_parts(parts, None))?;
                continue;
            }
            if !status.is_success() {
                return Err(self.refusal(&url, response).await);
            }
            let headers = response.headers();
            let is_event_stream = headers
                .get(header::CONTENT_TYPE)
                .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"));
            let decoder = Decoder::of(headers.get(header::CONTENT_ENCODING))
                .map_err(|why| permanent(Error::connect(format!("{}: {why}", self.name()))))?;
            return Ok(HttpResponse { body: response.into_body(), decoder, is_event_stream, url, connection });
        }
        Err(permanent(Error::connect(format!("{} redirects more than {MAX_REDIRECTS} times", self.name()))).into())
    }

    /// The request. Headers of the user replace those of the same name.
    fn request(
        &self,
        url: &Url,
        body: Bytes,
        idempotency_key: &str,
        key: Option<KeyHeader>,
    ) -> Result<Request<Full<Bytes>>, ConnectError> {
        let wrong = |error: hyper::http::Error| permanent(Error::connect(format!("{}: {error}", self.name())));
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&url[Position::BeforePath..Position::AfterQuery])
            .header(header::HOST, &url[Position::BeforeHost..Position::AfterPort])
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream")
            .header(header::ACCEPT_ENCODING, "identity")
            .header(header::USER_AGENT, concat!("gst-openairealtime/", env!("CARGO_PKG_VERSION")))
            .header("idempotency-key", idempotency_key)
            .body(Full::new(body))
            .map_err(wrong)?;
        let headers = request.headers_mut();
        if let Some((name, key)) = key {
            let mut value = HeaderValue::from_str(key.expose()).map_err(|error| wrong(error.into()))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        for (name, value) in self.headers() {
            headers.insert(name, value.clone());
        }
        Ok(request)
    }

    /// Sends one request and reads the head of its response.
    async fn exchange(
        &self,
        url: &Url,
        request: Request<Full<Bytes>>,
        connect_timeout: Duration,
        pool: &ConnectionPool,
        clock: &Clock,
    ) -> Result<(Response<Incoming>, Connection), ConnectError> {
        let lost = |error: hyper::Error| {
            again(Error::lost(format!("no answer from {}: {}", self.name(), with_causes(&error))))
        };
        if let Some(mut kept) = pool.take(url, clock) {
            // The server may close a kept connection at this moment; then a new one is made.
            if let Ok(response) = kept.sender.send_request(request.clone()).await {
                return Ok((response, kept));
            }
        }
        let stream = clock.timeout(connect_timeout, self.open(url)).await.unwrap_or_else(|| {
            let why = format!("no connection to {} within {connect_timeout:.0?} (connect-timeout)", self.name());
            Err(again(Error::connect(why)))
        })?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
        // Its errors are those of the request or of the body.
        let task = tokio::spawn(async move { drop(connection.await) });
        let mut connection = Connection { sender, task };
        let response = connection.sender.send_request(request).await.map_err(lost)?;
        Ok((response, connection))
    }

    /// Error of a status other than 2xx.
    async fn refusal(&self, url: &Url, response: Response<Incoming>) -> HttpError {
        let (parts, mut body) = response.into_parts();
        if parts.status.is_redirection() {
            let response = Response::from_parts(parts, None);
            // A redirect that would turn the POST into a GET is not followed.
            let error = match self.redirected(url, &response) {
                Ok(_) => self.http_error(&response),
                Err(error) => error,
            };
            return HttpError {
                error: ConnectError { again: false, ..error },
                status: None,
                body: ErrorBody::default(),
            };
        }
        let mut text = Vec::new();
        let decoder = Decoder::of(parts.headers.get(header::CONTENT_ENCODING));
        let read = async {
            let mut decoder = decoder.unwrap_or(Decoder::Identity);
            while let Some(Ok(frame)) = body.frame().await {
                let Ok(data) = frame.into_data() else { continue };
                let Ok(data) = decoder.decode(data) else { break };
                text.extend_from_slice(&data[..data.len().min(MAX_ERROR_LEN - text.len())]);
                if text.len() == MAX_ERROR_LEN {
                    break;
                }
            }
        };
        // A truncated body may be enough for the error text.
        let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT, read).await;
        let value: Value = serde_json::from_slice(&text).unwrap_or_default();
        let said = ErrorBody::read(&value["error"]).unwrap_or_default();
        let status = parts.status;
        let mut error = self.http_error(&Response::from_parts(parts, Some(text)));
        match status.as_u16() {
            400 | 413 | 415 | 422 => {
                error.failure = error.failure.with_kind(ErrorKind::Settings);
            }
            409 | 500..=599 => error.again |= error.failure.kind() != ErrorKind::Quota,
            _ => {}
        }
        HttpError { error, status: Some(status.as_u16()), body: said }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: &str, pieces: &[&[u8]]) -> Result<Vec<u8>, String> {
        let mut decoder = Decoder::of(Some(&HeaderValue::from_str(encoding).expect("a value")))?;
        let mut all = Vec::new();
        for piece in pieces {
            all.extend(decoder.decode(Bytes::copy_from_slice(piece))?);
        }
        all.extend(decoder.finish()?);
        Ok(all)
    }

    #[test]
    fn compressed_bodies_are_read_wherever_they_are_cut() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        let text = b"data: one\n\ndata: two\n\n".repeat(20);
        gzip.write_all(&text).expect("memory");
        zlib.write_all(&text).expect("memory");
        for (encoding, file) in [("gzip", gzip.finish()), ("deflate", zlib.finish())] {
            let file = file.expect("memory");
            for cut in 0..file.len() {
                assert_eq!(decoded(encoding, &[&file[..cut], &file[cut..]]).as_deref(), Ok(&text[..]), "{cut}");
            }
            assert!(decoded(encoding, &[&file[..file.len() / 2]]).is_err(), "{encoding} breaks off");
        }
        assert_eq!(decoded("identity", &[b"a", b"b"]).as_deref(), Ok(&b"ab"[..]));
        assert!(decoded("br", &[]).is_err_and(|why| why.contains("'br'")));
    }
}
