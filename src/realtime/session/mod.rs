// SPDX-License-Identifier: MPL-2.0

//! The session task: it owns the conversation and its WebSocket, connects, reads, writes, and sleeps until the deadline of the
//! conversation. While there is a session, the thread that brings live audio runs it to send that, see [`session_task`].
//!
//! Input of the pads comes through a bounded [`InputQueue`], output audio goes to a bounded [`Playout`], and everything else
//! for the element is a [`BusEvent`], in order.

pub(crate) mod core;
pub(crate) mod dialler;
pub(crate) mod driver;
pub(crate) mod input_queue;
pub(crate) mod left_out_fields;
pub(crate) mod reporter;
pub(crate) mod standby;
pub(crate) mod trace;

pub use crate::net::endpoint::{Endpoint, EndpointConfig};
pub use crate::net::secret::Secret;
pub use crate::queue::playout::Playout;
pub use crate::realtime::session::input_queue::InputQueue;

use crate::error::Error;
use crate::net::clock::Clock;
use crate::net::runtime::SharedRuntime;
use crate::net::session_task;
use crate::net::websocket::WebSocket;
use crate::realtime::conversation::Event;
use crate::realtime::conversation::config::Config;
use crate::realtime::session::driver::Driver;
use crate::types::TraceEvent;
use crate::types::{Speaker, TimedText};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

/// Capacity of the queue of bus events; when it is full, the session waits for the application.
pub const BUS_QUEUE_LEN: usize = 1024;
/// Time limit for the close frame when a session is stopped.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// Event for the element, handled in order by its bus task.
#[derive(Debug)]
pub enum BusEvent {
    /// An event for the application.
    Event(Event),
    /// Text for `text_src` or `transcript_src`.
    Text(TimedText),
    /// No text of this speaker starts before this running time.
    TextGap(Speaker, Duration),
    /// A wire event.
    Trace(TraceEvent),
    /// The session has failed. All input before this running time was processed.
    Fail(Error, Option<Duration>),
    /// All input was processed; it ended at this running time.
    Finished(Duration),
}

/// Limits for retries of a connection.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Time until the session is ready, including retries.
    pub timeout: Duration,
    /// Maximum number of retries.
    pub tries: u32,
    /// Delay before the first retry.
    pub delay: Duration,
}

/// Parts of a session.
pub struct Setup {
    /// The server, and those for fail-over; at least one.
    pub targets: Vec<Endpoint>,
    pub config: Config,
    pub retry_policy: RetryPolicy,
    pub input_queue: Arc<InputQueue>,
    pub playout: Arc<Playout>,
    pub bus_tx: mpsc::Sender<BusEvent>,
    /// Whether wire events are reported; it may change at any time.
    pub traces: Arc<AtomicBool>,
    pub clock: Clock,
}

/// A running session, which ends when it is dropped.
#[derive(Debug)]
pub struct Session {
    stop: Arc<Notify>,
    done: Arc<Done>,
    input_queue: Arc<InputQueue>,
    _runtime: Arc<SharedRuntime>,
}

/// Set when the task has ended.
#[derive(Debug, Default)]
struct Done {
    done: Mutex<bool>,
    changed: Condvar,
}

struct SetDone(Arc<Done>);

impl Drop for SetDone {
    fn drop(&mut self) {
        *self.0.done.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }
}

impl Session {
    /// Starts a session without waiting for it; errors are bus events.
    pub fn start(setup: Setup, runtime: Arc<SharedRuntime>) -> Self {
        let stop = Arc::new(Notify::new());
        let done = Arc::new(Done::default());
        let input_queue = setup.input_queue.clone();
        let set_done = SetDone(done.clone());
        let stopped = stop.clone();
        session_task::spawn(runtime.handle(), async move {
            let _set_done = set_done;
            run(setup, stopped).await;
        });
        Self { stop, done, input_queue, _runtime: runtime }
    }
}

impl Drop for Session {
    /// Ends the session and waits for its task, at most [`CLOSE_TIMEOUT`] for the network.
    fn drop(&mut self) {
        self.input_queue.close();
        self.stop.notify_one();
        let done = self.done.done.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.done.changed.wait_while(done, |done| !*done));
    }
}

async fn run(mut setup: Setup, stop: Arc<Notify>) {
    setup.config.time_of_day = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut session = Driver::new(setup);
    let mut socket = None;
    tokio::select! {
        biased;
        () = stop.notified() => {}
        () = session.run(&mut socket) => {}
    }
    if let Some(socket) = &mut socket {
        close_politely(socket).await;
    }
}

/// Closes a connection with a close frame, if the server takes it.
async fn close_politely(socket: &mut WebSocket) {
    let _ = timeout(CLOSE_TIMEOUT, socket.close()).await;
}

#[cfg(test)]
mod tests;
