// SPDX-License-Identifier: MPL-2.0

//! WebSocket of a session with a send queue and liveness checks.
//!
//! One future reads and writes, so that neither starves the other, and a message stays queued if that future is dropped. On a
//! thread that has brought input it only writes, see [`session_task`](crate::net::session_task).

use crate::net::clock::{Clock, DeadlineTimer};
use crate::net::handshake::Socket;
use crate::net::liveness::{Check, Liveness};
use crate::net::round_trip::RoundTrip;
use crate::net::session_task::is_inline;
use futures_util::{SinkExt, StreamExt};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

/// Length of the send queue above which the connection counts as congested.
const MAX_SEND_QUEUE: usize = 256 << 10;
/// Reason that tungstenite gives for a close code that must not be sent.
const ILLEGAL_CODE_REASON: &str = "Protocol violation";

/// Event of a WebSocket.
#[derive(Debug)]
pub enum SocketEvent {
    /// The send queue is empty, after it was congested.
    Written,
    /// A text message.
    Text(Utf8Bytes),
    /// A ping was answered after this time.
    RoundTrip(Duration),
    /// A binary message, which the API does not have.
    Binary(Bytes),
    /// The server has been silent for this long in spite of a ping.
    Gone(Duration),
    /// The connection was closed or broke.
    Closed {
        /// Close code, if there was a close frame.
        code: Option<u16>,
        /// Reason of the close frame, or the I/O error.
        reason: String,
    },
}

/// A WebSocket with its send queue.
pub struct WebSocket {
    socket: Socket,
    queue: VecDeque<Message>,
    queued: usize,
    unflushed: bool,
    /// The send queue was congested and has not been empty since.
    was_behind: bool,
    /// What arrives wakes the task.
    awaits_data: bool,
    clock: Clock,
    liveness: Liveness,
    liveness_timer: DeadlineTimer,
    round_trip: RoundTrip,
}

impl WebSocket {
    /// Takes over an open socket.
    pub fn new(socket: Socket, clock: Clock) -> Self {
        let now = clock.now();
        Self {
            socket,
            queue: VecDeque::new(),
            queued: 0,
            unflushed: false,
            was_behind: false,
            awaits_data: false,
            liveness: Liveness::new(now),
            liveness_timer: DeadlineTimer::new(clock.clone()),
            round_trip: RoundTrip::new(now),
            clock,
        }
    }

    /// Queues a message, and now and then a ping before it.
    pub fn send(&mut self, text: String) {
        if self.queue.is_empty() && self.round_trip.is_due(self.clock.now()) {
            self.queue_ping();
        }
        self.queued += text.len();
        self.was_behind |= self.is_behind();
        self.queue.push_back(Message::text(text));
    }

    fn queue_ping(&mut self) {
        let payload = self.round_trip.ping(self.clock.now());
        self.queue.push_back(Message::Ping(Bytes::copy_from_slice(&payload)));
    }

    /// Whether the send queue is congested.
    pub fn is_behind(&self) -> bool {
        self.queued > MAX_SEND_QUEUE
    }

    /// Time of the last data.
    pub fn last_heard(&self) -> Instant {
        self.liveness.last_heard()
    }

    /// Waits for the next event; reads only if `read` is true. `owed`: a response of the server is due.
    pub async fn next(&mut self, read: bool, owed: bool) -> SocketEvent {
        if !read {
            // Silence means nothing while nothing is read.
            self.liveness.heard(self.clock.now());
        }
        loop {
            if let Some(event) = poll_fn(|cx| self.poll_event(cx, read, owed)).await {
                return event;
            }
        }
    }

    /// Writes the send queue, unless the connection breaks.
    pub async fn flush(&mut self) {
        let written = poll_fn(|cx| self.poll_write(cx)).await;
        drop(written);
    }

    /// Sends a close frame.
    pub async fn close(&mut self) -> Result<(), Error> {
        let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
        self.socket.close(Some(frame)).await
    }

    /// The next event, or what follows from silence.
    fn poll_event(&mut self, cx: &mut Context<'_>, read: bool, owed: bool) -> Poll<Option<SocketEvent>> {
        if let Poll::Ready(event) = self.poll_next(cx, read) {
            return Poll::Ready(event);
        }
        let check = read.then(|| self.liveness.deadline(owed));
        self.liveness_timer.poll_reached(cx, check).map(|()| match self.liveness.check(self.clock.now()) {
            Check::Gone(silent) => Some(SocketEvent::Gone(silent)),
            Check::Ping => {
                self.queue_ping();
                None
            }
        })
    }

    /// `None` for a frame without an event, such as a ping.
    fn poll_next(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Option<SocketEvent>> {
        if !self.queue.is_empty() || self.unflushed {
            match self.poll_write(cx) {
                Poll::Ready(Ok(())) if std::mem::take(&mut self.was_behind) => {
                    return Poll::Ready(Some(SocketEvent::Written));
                }
                Poll::Ready(Ok(())) => {}
                // Read before reporting an error of a write: the server's last message explains it better.
                Poll::Ready(Err(error)) if !read => return Poll::Ready(Some(closed(error))),
                Poll::Ready(Err(_)) => self.awaits_data = false,
                Poll::Pending => {}
            }
        }
        if !read {
            return Poll::Pending;
        }
        if is_inline() {
            if !self.awaits_data {
                // To be read by the runtime.
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        let message = self.socket.poll_next_unpin(cx);
        self.awaits_data = message.is_pending();
        message.map(|message| {
            if matches!(message, Some(Ok(_))) {
                self.liveness.heard(self.clock.now());
            }
            match message {
                Some(Ok(Message::Text(text))) => Some(SocketEvent::Text(text)),
                Some(Ok(Message::Binary(data))) => Some(SocketEvent::Binary(data)),
                // A close code that must not be sent counts as none.
                Some(Ok(Message::Close(Some(frame))))
                    if frame.code == CloseCode::Protocol && frame.reason.as_str() == ILLEGAL_CODE_REASON =>
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
                Some(Ok(Message::Pong(payload))) => {
                    self.round_trip.pong(&payload, self.clock.now()).map(SocketEvent::RoundTrip)
                }
                Some(Ok(Message::Ping(_) | Message::Frame(_))) => None,
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
