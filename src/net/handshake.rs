// SPDX-License-Identifier: MPL-2.0

//! WebSocket handshake over HTTP/1.1.
//!
//! It is not left to tungstenite, which returns a refusal without the part of its body that comes after the head, and the
//! reason is in the body.

use crate::net::credentials::KeyHeader;
use crate::net::tcp::TcpConnection;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::{Response, generate_key};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::http::{HeaderMap, StatusCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use url::{Position, Url};
use zeroize::Zeroizing;

/// An open WebSocket.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpConnection>>;

/// Both official SDKs lift their libraries' limits: retrieved items and large deltas exceed a megabyte.
const MAX_MESSAGE_SIZE: usize = 64 << 20;
/// Maximum length of a response: its head and the body of a refusal.
const MAX_RESPONSE_LEN: usize = 16 << 10;
/// Time limit for the body of a refusal.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// Does the handshake. A refusal is an `Error::Http` with its body.
pub async fn upgrade(
    mut stream: MaybeTlsStream<TcpConnection>,
    url: &Url,
    headers: &HeaderMap,
    key: Option<KeyHeader>,
) -> Result<Socket, Error> {
    let nonce = generate_key();
    stream.write_all(&request(url, headers, key, &nonce)).await?;
    stream.flush().await?;
    let mut read = Vec::with_capacity(4 << 10);
    let (head, mut response) = loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(ProtocolError::HandshakeIncomplete.into());
        }
        if let Some(parsed) = Response::try_parse(&read)? {
            break parsed;
        }
        if read.len() > MAX_RESPONSE_LEN {
            return Err(Error::AttackAttempt);
        }
    };
    let mut rest = read.split_off(head);
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        // A truncated body may be enough for the error text.
        let _ = timeout(ERROR_BODY_TIMEOUT, read_body(&mut stream, response.headers(), &mut rest)).await;
        *response.body_mut() = Some(if is_chunked(response.headers()) { joined(&rest) } else { rest });
        return Err(Error::Http(response.into()));
    }
    let accepted = response.headers().get("sec-websocket-accept");
    if accepted.is_none_or(|accepted| accepted.as_bytes() != derive_accept_key(nonce.as_bytes()).as_bytes()) {
        return Err(ProtocolError::SecWebSocketAcceptKeyMismatch.into());
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_SIZE))
        .max_frame_size(Some(MAX_MESSAGE_SIZE))
        .read_buffer_size(8 << 10)
        .write_buffer_size(0);
    Ok(WebSocketStream::from_partially_read(stream, rest, Role::Client, Some(config)).await)
}

/// The request, in which the user's headers replace those of the same name.
fn request(url: &Url, headers: &HeaderMap, key: Option<KeyHeader>, nonce: &str) -> Zeroizing<Vec<u8>> {
    // Large enough never to be reallocated, which would leave copies of secrets in memory.
    let mut request = Zeroizing::new(Vec::with_capacity(MAX_RESPONSE_LEN));
    let line = format!("GET {} HTTP/1.1\r\n", &url[Position::BeforePath..Position::AfterQuery]);
    request.extend_from_slice(line.as_bytes());
    let mut add = |name: &str, value: &[u8]| {
        [name.as_bytes(), b": ", value, b"\r\n"].iter().for_each(|part| request.extend_from_slice(part));
    };
    // Some servers compare the names case-sensitively.
    for (name, value) in [
        ("Host", &url[Position::BeforeHost..Position::AfterPort]),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", nonce),
    ] {
        if !headers.contains_key(name) {
            add(name, value.as_bytes());
        }
    }
    headers.iter().for_each(|(name, value)| add(name.as_str(), value.as_bytes()));
    key.iter().for_each(|(name, key)| add(name, key.expose().as_bytes()));
    request.extend_from_slice(b"\r\n");
    request
}

fn is_chunked(headers: &HeaderMap) -> bool {
    headers.get("transfer-encoding").is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
}

/// Reads the rest of the body.
async fn read_body(stream: &mut MaybeTlsStream<TcpConnection>, headers: &HeaderMap, body: &mut Vec<u8>) {
    let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.trim().parse().ok());
    let length = length.unwrap_or(usize::MAX).min(MAX_RESPONSE_LEN);
    let is_chunked = is_chunked(headers);
    while body.len() < length && !(is_chunked && body.ends_with(b"0\r\n\r\n")) {
        // A truncated body is only used for the error text.
        if !matches!(stream.read_buf(body).await, Ok(1..)) {
            return;
        }
    }
}

/// Decodes a chunked body, which may be truncated.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = chunks.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&chunks[..line]).unwrap_or_default().split(';').next().unwrap_or_default();
        let Ok(size @ 1..) = usize::from_str_radix(size.trim(), 16) else { break };
        let chunk = &chunks[line + 2..];
        body.extend_from_slice(&chunk[..size.min(chunk.len())]);
        chunks = chunk.get(size.saturating_add(2)..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::session::Secret;

    #[test]
    fn a_request_says_everything_once() {
        let url = Url::parse("wss://me:secret@host:8443/v1/realtime?model=m#x").expect("a URL");
        let mut headers = HeaderMap::new();
        headers.insert("upgrade", "WebSocket".parse().expect("a value"));
        headers.insert("x-team", "seven".parse().expect("a value"));
        let expected = "GET /v1/realtime?model=m HTTP/1.1\r\nHost: host:8443\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: abc\r\nupgrade: WebSocket\r\nx-team: seven\r\n\
            api-key: k\r\n\r\n";
        let key = Secret::new("k").map(|key| ("api-key", key));
        assert_eq!(String::from_utf8_lossy(&request(&url, &headers, key, "abc")), expected);
    }

    #[test]
    fn chunks_are_joined_as_far_as_they_are_there() {
        assert_eq!(joined(b"4\r\nabcd\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"), b"abcd0123456789");
        assert_eq!(joined(b"4\r\nabcd\r\n5\r\n01"), b"abcd01");
        for nothing in ["", "\r\n", "x\r\nabc", "ffffffffffffffff", "0\r\n\r\n"] {
            assert_eq!(joined(nothing.as_bytes()), b"", "{nothing:?}");
        }
        assert_eq!(joined(b"ffffffffffffffff\r\nabc"), b"abc");
    }
}
