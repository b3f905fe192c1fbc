// SPDX-License-Identifier: MPL-2.0

//! The WebSocket under a session, and the TCP connection under that, which only a script may maltreat.

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::Shutdown;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, error::CapacityError};

/// The longest message that is taken.
pub const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// A client's WebSocket.
pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The WebSocket of a connection that was upgraded.
pub async fn open(upgraded: Upgraded) -> Socket {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await
}

/// A close frame. A reason that is too long for one is cut.
pub fn close_frame(code: u16, reason: &str) -> CloseFrame {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    CloseFrame { code: code.into(), reason: reason[..end].into() }
}

/// What to tell a client whose message could not be read; `None` where it cannot be told anything any more.
pub fn close_for(error: &Error) -> Option<(u16, &'static str)> {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Some((1009, "The message is too big.")),
        Error::Utf8(_) => Some((1007, "The text is not valid UTF-8.")),
        Error::Protocol(_) => Some((1002, "The frames are not valid.")),
        _ => None,
    }
}

/// Ends what the server says, and takes what the client was saying until it has gone. Without that the rest of what it
/// sends would destroy the close that waits for it.
pub async fn hear_out(mut socket: Socket) {
    let io = socket.get_mut();
    if io.shutdown().await.is_ok()
        && let Err(error) = tokio::io::copy(io, &mut tokio::io::sink()).await
    {
        tracing::debug!("a client broke off: {error}");
    }
}

/// A second handle on a client's TCP connection, below TLS and HTTP.
#[derive(Debug)]
pub struct Wire(socket2::Socket);

impl Wire {
    /// Splits off a second handle.
    pub fn split(stream: TcpStream) -> io::Result<(TcpStream, Self)> {
        let stream = stream.into_std()?;
        let second = stream.try_clone()?;
        Ok((TcpStream::from_std(stream)?, Self(second.into())))
    }

    /// Ends what the server says with a FIN, at once.
    pub fn finish(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }

    /// Takes nothing more from the client, so that whoever reads sees the end.
    pub fn stop_reading(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Read)
    }

    /// Lets the connection end with a reset when the last handle goes.
    pub fn reset_on_drop(&self) -> io::Result<()> {
        self.0.set_linger(Some(Duration::ZERO))
    }
}
