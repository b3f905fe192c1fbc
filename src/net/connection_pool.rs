// SPDX-License-Identifier: MPL-2.0

//! Idle HTTP connections, which later requests use again without the round trips of TCP and TLS.

use crate::net::clock::Clock;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use url::{Origin, Url};

/// How long an idle connection is kept. Servers close theirs after five seconds to some minutes, and a router that forgets
/// one does not say so.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum number of idle connections.
const MAX_IDLE: usize = 8;

/// An open connection; it is closed when this is dropped.
pub(crate) struct Connection {
    pub sender: SendRequest<Full<Bytes>>,
    /// Task that drives the connection.
    pub task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Idle {
    origin: Origin,
    connection: Connection,
    since: Instant,
}

/// The idle connections of a session, which are closed with it.
#[derive(Default)]
pub(crate) struct ConnectionPool(Mutex<Vec<Idle>>);

impl ConnectionPool {
    /// An idle connection to the origin of a URL: the last one used, which the server is least likely to have closed.
    pub(crate) fn take(&self, url: &Url, clock: &Clock) -> Option<Connection> {
        let (now, origin) = (clock.now(), url.origin());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|idle| {
            !idle.connection.sender.is_closed() && now.saturating_duration_since(idle.since) < IDLE_TIMEOUT
        });
        let index = all.iter().rposition(|idle| idle.origin == origin)?;
        Some(all.remove(index).connection)
    }

    /// Keeps a connection whose response was read to its end, unless the server closes it.
    pub(crate) async fn give(&self, url: &Url, mut connection: Connection, clock: &Clock) {
        if connection.sender.ready().await.is_err() {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == MAX_IDLE {
            all.remove(0);
        }
        all.push(Idle { origin: url.origin(), connection, since: clock.now() });
    }
}
