// SPDX-License-Identifier: MPL-2.0

//! The session task of `openaichat`: it owns the conversation, and a task for each request in flight.
//!
//! Input of the pads comes through a bounded [`InputQueue`], answers from the tasks (`request`); output audio goes to a bounded
//! [`Playout`], and everything else for the element is a [`BusEvent`], in order.

pub(crate) mod input_queue;
mod request;

use crate::chat::conversation::Conversation;
use crate::chat::conversation::config::Config;
use crate::chat::conversation::io::{AnswerEvent, Event, Input, Output, RequestError, Target};
use crate::chat::session::input_queue::InputQueue;
use crate::chat::session::request::{RequestContext, RequestUpdate};
use crate::error::{Error, Warning};
use crate::net::clock::Clock;
use crate::net::connection_pool::ConnectionPool;
use crate::net::endpoint::Endpoint;
use crate::net::runtime::SharedRuntime;
use crate::queue::playout::Playout;
use crate::types::{TimedText, TraceEvent};
use openai_protocol::chat::ErrorBody;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinError, JoinHandle, JoinSet};

/// Capacity of the queue of bus events; when it is full, the session waits for the application.
pub const BUS_QUEUE_LEN: usize = 256;
/// Capacity of the queue of events of answers; when it is full, their sockets are not read.
const UPDATES_LEN: usize = 64;
/// Number of inputs that are taken before answers get their turn.
const INPUT_BATCH: usize = 64;

/// Event for the element, handled in order by its bus task.
#[derive(Debug)]
pub enum BusEvent {
    /// An event for the application.
    Event(Event),
    /// Text for `text_src`.
    Text(TimedText),
    /// No text starts before this running time.
    TextGap(Duration),
    /// A request or an event of an answer, for `event_src`.
    Trace(TraceEvent),
    /// The run has failed.
    Fail(Error),
    /// All input was answered; it ended at this running time.
    Finished(Duration),
}

/// Time limits of a request.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the connection.
    pub connect: Duration,
    /// From the request to the end of the answer.
    pub request: Duration,
}

/// Parts of a session.
pub struct Setup {
    pub endpoint: Endpoint,
    pub vision_endpoint: Option<Endpoint>,
    pub config: Config,
    pub timeouts: Timeouts,
    pub input_queue: Arc<InputQueue>,
    pub playout: Arc<Playout>,
    pub bus_tx: mpsc::Sender<BusEvent>,
    /// Whether requests and answers are traced; it may change at any time.
    pub traces: Arc<AtomicBool>,
    pub clock: Clock,
}

/// A running session, which ends with all its requests when it is dropped.
pub struct Session {
    task: JoinHandle<()>,
    _runtime: Arc<SharedRuntime>,
}

impl Session {
    /// Starts the task.
    pub fn start(setup: Setup, runtime: Arc<SharedRuntime>) -> Self {
        let task = runtime.handle().spawn(Driver::new(setup).run());
        Self { task, _runtime: runtime }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Driver {
    setup: Setup,
    conversation: Conversation,
    /// Tasks of the requests in flight, aborted when dropped.
    tasks: JoinSet<()>,
    requests: HashMap<u64, AbortHandle>,
    connections: Arc<ConnectionPool>,
    updates_tx: mpsc::Sender<RequestUpdate>,
    updates: mpsc::Receiver<RequestUpdate>,
    started: Instant,
    run: u64,
}

impl Driver {
    fn new(setup: Setup) -> Self {
        let (updates_tx, updates) = mpsc::channel(UPDATES_LEN);
        let started = setup.clock.now();
        let conversation = Conversation::new(setup.config.clone(), started);
        Self {
            setup,
            conversation,
            tasks: JoinSet::new(),
            requests: HashMap::new(),
            connections: Arc::default(),
            updates_tx,
            updates,
            started,
            run: run_number(),
        }
    }

    async fn run(mut self) {
        loop {
            self.take_input();
            if self.flush_outputs().await.is_err() || self.conversation.has_ended() {
                // Ends the waits of streaming threads.
                self.setup.input_queue.close();
                return;
            }
            let full = self.setup.playout.is_full();
            let deadline = self.conversation.deadline();
            let sleep = async {
                match deadline {
                    Some(at) => self.setup.clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.setup.input_queue.arrived() => {}
                () = self.setup.playout.room(), if full => {}
                () = sleep => {
                    let now = self.setup.clock.now();
                    self.conversation.wake(now, unix_time());
                }
                Some(update) = self.updates.recv(), if !full => self.on_update(update).await,
                Some(ended) = self.tasks.join_next_with_id() => self.on_task_ended(ended),
            }
        }
    }

    /// Hands queued input to the conversation, while it takes it.
    fn take_input(&mut self) {
        for _ in 0..INPUT_BATCH {
            let Some(input) = self.setup.input_queue.take(self.conversation.wants_input()) else { return };
            self.conversation.handle(input, self.setup.clock.now(), unix_time());
        }
        // More may be queued.
        self.setup.input_queue.wake();
    }

    async fn on_update(&mut self, update: RequestUpdate) {
        match update {
            RequestUpdate::Trace(event) => {
                // If the receiver is gone, the next output ends the session.
                let _ = self.setup.bus_tx.send(BusEvent::Trace(event)).await;
            }
            RequestUpdate::Answer(id, event) => {
                self.conversation.handle(Input::Answer(id, event), self.setup.clock.now(), unix_time());
            }
        }
    }

    /// A task has ended. Unless it panicked, it has reported the end of its request.
    fn on_task_ended(&mut self, ended: Result<(tokio::task::Id, ()), JoinError>) {
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, ())| *task);
        let Some(id) = self.requests.iter().find(|(_, request)| request.id() == task).map(|(id, _)| *id) else {
            return;
        };
        self.requests.remove(&id);
        if ended.is_err_and(|error| error.is_panic()) {
            let failure = Error::lost("a request ended unexpectedly");
            let error =
                RequestError { failure, again: false, retry_after: None, status: None, body: ErrorBody::default() };
            self.conversation.handle(
                Input::Answer(id, AnswerEvent::Failed(error)),
                self.setup.clock.now(),
                unix_time(),
            );
        }
    }

    /// Carries out the outputs of the conversation. An error means that the session is being stopped.
    async fn flush_outputs(&mut self) -> Result<(), mpsc::error::SendError<BusEvent>> {
        let dropped = self.setup.input_queue.take_dropped();
        if dropped > 0 {
            let message = format!(
                "requests take longer than the input: {dropped} of the oldest buffers are dropped. Raise max-requests \
                 or segment-duration"
            );
            self.setup.bus_tx.send(BusEvent::Event(Event::Warning(Warning::new("input-dropped", message)))).await?;
        }
        while let Some(output) = self.conversation.poll() {
            match output {
                Output::Send { id, target, key, body } => self.send(id, target, key, body),
                Output::Abort(id) => {
                    if let Some(request) = self.requests.remove(&id) {
                        request.abort();
                    }
                }
                Output::Play(audio) => self.setup.playout.play(audio),
                Output::Text(text) => self.setup.bus_tx.send(BusEvent::Text(text)).await?,
                Output::Quiet(until) => {
                    self.setup.playout.gap_until(until);
                    self.setup.bus_tx.send(BusEvent::TextGap(until)).await?;
                }
                Output::Event(event) => self.setup.bus_tx.send(BusEvent::Event(event)).await?,
                Output::Fail(failure) => self.setup.bus_tx.send(BusEvent::Fail(failure)).await?,
                Output::Finished(at) => self.setup.bus_tx.send(BusEvent::Finished(at)).await?,
            }
        }
        Ok(())
    }

    fn send(&mut self, id: u64, target: Target, key: String, body: bytes::Bytes) {
        let endpoint = match (target, &self.setup.vision_endpoint) {
            (Target::Vision, Some(endpoint)) => endpoint,
            _ => &self.setup.endpoint,
        };
        let context = RequestContext {
            id,
            endpoint: endpoint.clone(),
            key: format!("{key}-{:x}", self.run),
            timeouts: self.setup.timeouts,
            connections: self.connections.clone(),
            clock: self.setup.clock.clone(),
            traces: self.setup.traces.clone(),
            updates: self.updates_tx.clone(),
            started: self.started,
        };
        self.requests.insert(id, self.tasks.spawn(context.run(body)));
    }
}

/// A number that no other run has, for idempotency keys.
fn run_number() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn unix_time() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}
