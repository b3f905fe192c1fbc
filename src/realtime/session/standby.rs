//! Another connection beside the one in use, made before that one ends, so that nobody has to wait for it then.

use crate::realtime::session::Target;
use crate::net::clock::Clock;
use crate::net::connect::Socket;
use crate::net::websocket::{Event, Link};
use std::time::Duration;
use tokio::task::JoinSet;

/// The connection, or the way to it.
pub struct Spare {
    /// A task of its own, because a handshake takes a while of computing. It ends when it is dropped.
    dialling: JoinSet<Option<Socket>>,
    link: Option<Link>,
    clock: Clock,
}

impl Spare {
    /// No connection yet.
    pub fn new(clock: Clock) -> Self {
        Self { dialling: JoinSet::new(), link: None, clock }
    }

    /// Begins to connect.
    pub fn dial(&mut self, target: Target, patience: Duration) {
        let clock = self.clock.clone();
        // A failure is no reason to worry anybody as long as there is the other connection.
        self.dialling.spawn(async move { clock.timeout(patience, target.connect(&clock)).await?.ok() });
    }

    /// Waits until it is there, or until it is not any more or will not be.
    pub async fn changed(&mut self) -> bool {
        if let Some(link) = &mut self.link {
            // Nothing is said yet but a greeting.
            while !matches!(link.next(true, false).await, Event::Closed { .. } | Event::Gone(_)) {}
            self.link = None;
            return false;
        }
        match self.dialling.join_next().await {
            Some(dialled) => {
                self.link = dialled.ok().flatten().map(|socket| Link::new(socket, self.clock.clone()));
                self.link.is_some()
            }
            None => std::future::pending().await,
        }
    }

    /// The connection, if it is there. What is on its way is given up.
    pub fn take(&mut self) -> Option<Link> {
        self.dialling.abort_all();
        self.dialling = JoinSet::new();
        self.link.take()
    }
}
