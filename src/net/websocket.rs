// SPDX-License-Identifier: MPL-2.0

//! The socket of a session: writes what is queued while it reads, and notices when the other side is gone.
//!
//! Reading and writing go on in one place, so neither can starve the other, and whatever was queued is sent even when
//! the wait for it was given up in between.

use crate::net::clock::Clock;
use crate::net::handshake::Socket;
use crate::net::liveness::{Check, Liveness};
use futures_util::{SinkExt, StreamExt};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

/// More than this in the queue, and the link is behind.
const MAX_BACKLOG: usize = 256 << 10;
/// What our library says in place of a close code that none may send.
const ILLEGAL: &str = "Protocol violation";

/// What happens on a socket.
#[derive(Debug)]
pub enum SocketEvent {
    /// Everything that was queued is written.
    Written,
    /// A message.
    Text(Utf8Bytes),
    /// A message of bytes, which the protocol does not know.
    Binary(Bytes),
    /// It has given no sign of life for so long, although it was asked for one.
    Gone(Duration),
    /// It is closed or broken.
    Closed {
        /// The close code, where there was one.
        code: Option<u16>,
        /// Why.
        reason: String,
    },
}

/// A socket with its queue.
pub struct WebSocket {
    socket: Socket,
    queue: VecDeque<Message>,
    queued: usize,
    unflushed: bool,
    clock: Clock,
    liveness: Liveness,
}

impl WebSocket {
    /// Takes over an open socket.
    pub fn new(socket: Socket, clock: Clock) -> Self {
        let liveness = Liveness::new(clock.now());
        Self { socket, queue: VecDeque::new(), queued: 0, unflushed: false, clock, liveness }
    }

    /// Queues a message.
    pub fn send(&mut self, text: String) {
        self.queued += text.len();
        self.queue.push_back(Message::text(text));
    }

    /// True when the network takes less than is queued.
    pub fn is_behind(&self) -> bool {
        self.queued > MAX_BACKLOG
    }

    /// When the other side gave its last sign of life.
    pub fn last_heard(&self) -> Instant {
        self.liveness.last_heard()
    }

    /// Waits for the next thing to happen; reads only with `read`. With `owed`, the server is not to be silent.
    pub async fn next(&mut self, read: bool, owed: bool) -> SocketEvent {
        if !read {
            // Who does not listen cannot say that nobody speaks.
            self.liveness.heard(self.clock.now());
        }
        let clock = self.clock.clone();
        loop {
            let check = self.liveness.deadline(owed);
            tokio::select! {
                biased;
                event = poll_fn(|cx| self.poll_next(cx, read)) => match event {
                    Some(event) => return event,
                    None => continue,
                },
                () = clock.sleep_until(check), if read => {}
            }
            match self.liveness.check(self.clock.now()) {
                Check::Gone(silent) => return SocketEvent::Gone(silent),
                Check::Ping => self.queue.push_back(Message::Ping(Bytes::new())),
            }
        }
    }

    /// Writes out what is queued; a broken connection ends that as well.
    pub async fn flush(&mut self) {
        let written = poll_fn(|cx| self.poll_write(cx)).await;
        drop(written);
    }

    /// Says good-bye.
    pub async fn close(&mut self) -> Result<(), Error> {
        let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
        self.socket.close(Some(frame)).await
    }

    /// `None` where something was read that is nobody's concern.
    fn poll_next(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Option<SocketEvent>> {
        if !self.queue.is_empty() || self.unflushed {
            match self.poll_write(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Some(SocketEvent::Written)),
                // What the server said last explains the error better than the error does: read first.
                Poll::Ready(Err(error)) if !read => return Poll::Ready(Some(closed(error))),
                Poll::Ready(Err(_)) | Poll::Pending => {}
            }
        }
        if !read {
            return Poll::Pending;
        }
        self.socket.poll_next_unpin(cx).map(|message| {
            if matches!(message, Some(Ok(_))) {
                self.liveness.heard(self.clock.now());
            }
            match message {
                Some(Ok(Message::Text(text))) => Some(SocketEvent::Text(text)),
                Some(Ok(Message::Binary(data))) => Some(SocketEvent::Binary(data)),
                // A code that none may send is none.
                Some(Ok(Message::Close(Some(frame))))
                    if frame.code == CloseCode::Protocol && frame.reason.as_str() == ILLEGAL =>
                {
                    Some(SocketEvent::Closed {
                        code: None,
                        reason: "the server closed with a code that none may send".into(),
                    })
                }
                Some(Ok(Message::Close(frame))) => Some(SocketEvent::Closed {
                    code: frame.as_ref().map(|frame| frame.code.into()),
                    reason: frame.map(|frame| frame.reason.to_string()).unwrap_or_default(),
                }),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => None,
                Some(Err(error)) => Some(closed(error)),
                None => Some(SocketEvent::Closed { code: None, reason: "the connection ended without a word".into() }),
            }
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.queue.is_empty() {
            std::task::ready!(self.socket.poll_ready_unpin(cx))?;
            if let Some(message) = self.queue.pop_front() {
                self.queued = self.queued.saturating_sub(message.len());
                self.unflushed = true;
                self.socket.start_send_unpin(message)?;
            }
        }
        std::task::ready!(self.socket.poll_flush_unpin(cx))?;
        self.unflushed = false;
        self.liveness.sent(self.clock.now());
        Poll::Ready(Ok(()))
    }
}

fn closed(error: Error) -> SocketEvent {
    let code = matches!(error, Error::Capacity(_)).then_some(1009);
    SocketEvent::Closed { code, reason: error.to_string() }
}
