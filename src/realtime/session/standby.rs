// SPDX-License-Identifier: MPL-2.0

//! Another connection beside the one in use, made before that one ends, so that nobody has to wait for it then.

use crate::net::clock::Clock;
use crate::net::handshake::Socket;
use crate::net::websocket::{SocketEvent, WebSocket};
use crate::realtime::session::Endpoint;
use std::time::Duration;
use tokio::task::JoinSet;

/// The connection, or the way to it.
pub struct Standby {
    /// A task of its own, because a handshake takes a while of computing. It ends when it is dropped.
    dialling: JoinSet<Option<Socket>>,
    socket: Option<WebSocket>,
    clock: Clock,
}

impl Standby {
    /// No connection yet.
    pub fn new(clock: Clock) -> Self {
        Self { dialling: JoinSet::new(), socket: None, clock }
    }

    /// Begins to connect.
    pub fn dial(&mut self, endpoint: Endpoint, retry_policy: Duration) {
        let clock = self.clock.clone();
        // A failure is no reason to worry anybody as long as there is the other connection.
        self.dialling.spawn(async move { clock.timeout(retry_policy, endpoint.connect(&clock)).await?.ok() });
    }

    /// Waits until it is there, or until it is not any more or will not be.
    pub async fn changed(&mut self) -> bool {
        if let Some(socket) = &mut self.socket {
            // Nothing is said yet but a greeting.
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

    /// The connection, if it is there. What is on its way is given up.
    pub fn take(&mut self) -> Option<WebSocket> {
        self.dialling.abort_all();
        self.dialling = JoinSet::new();
        self.socket.take()
    }
}
