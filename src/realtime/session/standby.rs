// SPDX-License-Identifier: MPL-2.0

//! Standby connection for a rollover, which is made before the current session ends.

use crate::net::clock::Clock;
use crate::net::handshake::Socket;
use crate::net::websocket::{SocketEvent, WebSocket};
use crate::realtime::session::Endpoint;
use std::time::Duration;
use tokio::task::JoinSet;

/// The connection, or the attempt to make it.
pub struct Standby {
    /// A task, because a TLS handshake takes CPU time. It is aborted when dropped.
    dialling: JoinSet<Option<Socket>>,
    socket: Option<WebSocket>,
    clock: Clock,
}

impl Standby {
    /// No connection yet.
    pub fn new(clock: Clock) -> Self {
        Self { dialling: JoinSet::new(), socket: None, clock }
    }

    /// Starts an attempt.
    pub fn dial(&mut self, endpoint: Endpoint, retry_policy: Duration) {
        let clock = self.clock.clone();
        // An error is not reported, because the current connection still works.
        self.dialling.spawn(async move { clock.timeout(retry_policy, endpoint.connect(&clock)).await?.ok() });
    }

    /// Waits until it is open (true), or has failed or was closed (false).
    pub async fn changed(&mut self) -> bool {
        if let Some(socket) = &mut self.socket {
            // The server sends nothing but `session.created` before a `session.update`.
            while !matches!(socket.next(true, false).await, SocketEvent::Closed { .. } | SocketEvent::Gone(_)) {}
            self.socket = None;
            return false;
        }
        match self.dialling.join_next().await {
            Some(dialled) => {
                self.socket = dialled.ok().flatten().map(|socket| WebSocket::new(socket, self.clock.clone()));
                self.socket.is_some()
            }
            None => std::future::pending().await,
        }
    }

    /// Takes the connection if it is open; a current attempt is aborted.
    pub fn take(&mut self) -> Option<WebSocket> {
        self.dialling.abort_all();
        self.dialling = JoinSet::new();
        self.socket.take()
    }
}
