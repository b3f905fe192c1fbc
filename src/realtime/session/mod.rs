// SPDX-License-Identifier: MPL-2.0

//! The session task: it owns the conversation and its WebSocket.
//!
//! It connects, reads, writes, and sleeps until the conversation wants to be woken. It decides nothing about the
//! conversation itself. What the pads hand over comes in through a bounded [`InputQueue`]; what is to be played goes out
//! through a bounded [`Playout`]; what is to be told goes out as [`BusEvent`]s, in order.

pub(crate) mod dialler;
pub(crate) mod driver;
pub(crate) mod input_queue;
pub(crate) mod left_out_fields;
pub(crate) mod standby;
pub(crate) mod trace;

pub use crate::net::endpoint::{Endpoint, EndpointConfig};
pub use crate::net::secret::Secret;
pub use crate::queue::playout::Playout;
pub use crate::realtime::session::input_queue::InputQueue;

use crate::error::Error;
use crate::net::clock::Clock;
use crate::net::runtime::SharedRuntime;
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

/// Posts that wait for the application at most; then the session waits as well.
pub const BUS_QUEUE_LEN: usize = 1024;
/// A session that is stopped says good-bye, if that takes no longer.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// What goes to the application's side, in order.
#[derive(Debug)]
pub enum BusEvent {
    /// To be told.
    Event(Event),
    /// For the pads of text.
    Text(TimedText),
    /// No text of this speaker begins before this running time.
    TextGap(Speaker, Duration),
    /// An event of the wire.
    Trace(TraceEvent),
    /// The session has failed. Up to this place on the input, all turns are written down and answered.
    Fail(Error, Option<Duration>),
    /// All is said and told; the stream ends there.
    Finished(Duration),
}

/// How patiently a connection is tried.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// For everything until the session is ready.
    pub timeout: Duration,
    /// Further tries.
    pub tries: u32,
    /// Before the first of them.
    pub delay: Duration,
}

/// What a session needs.
pub struct Setup {
    /// Where to: the first server, and those that stand by, in their order. There is one at least.
    pub targets: Vec<Endpoint>,
    /// What the session is.
    pub config: Config,
    /// How patiently.
    pub retry_policy: RetryPolicy,
    /// The way in.
    pub input_queue: Arc<InputQueue>,
    /// The way out.
    pub playout: Arc<Playout>,
    /// What is told.
    pub bus_tx: mpsc::Sender<BusEvent>,
    /// Whether every event of the wire is told; it may be switched at any time.
    pub traces: Arc<AtomicBool>,
    /// The time.
    pub clock: Clock,
}

/// A running session. It ends when it is stopped or dropped.
#[derive(Debug)]
pub struct Session {
    stop: Arc<Notify>,
    done: Arc<Done>,
    input_queue: Arc<InputQueue>,
    _runtime: Arc<SharedRuntime>,
}

/// Tells when the task is gone.
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
    /// Begins a session. Returns at once; what becomes of it is posted.
    pub fn start(setup: Setup) -> std::io::Result<Self> {
        let runtime = SharedRuntime::get()?;
        let stop = Arc::new(Notify::new());
        let done = Arc::new(Done::default());
        let input_queue = setup.input_queue.clone();
        let set_done = SetDone(done.clone());
        let stopped = stop.clone();
        runtime.handle().spawn(async move {
            let _set_done = set_done;
            run(setup, stopped).await;
        });
        Ok(Self { stop, done, input_queue, _runtime: runtime })
    }
}

impl Drop for Session {
    /// Ends the session. Waits for its task, which never waits for the network for longer than its good-bye.
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

/// Closes a connection. Whether that is taken any more is the server's matter.
async fn close_politely(socket: &mut WebSocket) {
    let _ = timeout(CLOSE_TIMEOUT, socket.close()).await;
}

#[cfg(test)]
mod tests;
