// SPDX-License-Identifier: MPL-2.0

//! A TCP connection that can be written to on any thread.

use std::io::Result;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection whose writes raise no SIGPIPE, not even on a thread that does not block the signal, such as an application's.
///
/// One piece is written with `MSG_NOSIGNAL` (on macOS the socket has `SO_NOSIGPIPE`). For several at once (`writev`) there is
/// no such flag, so [`AsyncWrite::poll_write_vectored`] is left at its default, which writes the first.
#[derive(Debug)]
pub struct TcpConnection(pub TcpStream);

impl AsyncRead for TcpConnection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, data)
    }
}

impl AsyncWrite for TcpConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
