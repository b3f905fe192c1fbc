// SPDX-License-Identifier: MPL-2.0

//! Posts the messages of a run from the runtime's thread pool: synchronous handlers of an application may be slow, and must
//! not delay a session or a stream. A session that has nothing to post holds no thread.

use crate::net::runtime::SharedRuntime;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;
use tokio::sync::mpsc;

/// Takes the events of a run, one at a time and in order, each on any thread.
pub trait EventHandler: Send + Sync + 'static {
    type Event: Send + 'static;

    fn handle(&self, event: Self::Event);

    /// There are no more events: the session has ended, or handling one has panicked.
    fn end(&self);
}

#[derive(Debug, Default)]
enum State {
    /// Not started, or ended.
    #[default]
    Stopped,
    Waiting,
    Handling(ThreadId),
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.state() = state;
        self.changed.notify_all();
    }
}

/// The bus task of one run.
#[derive(Debug, Default)]
pub struct BusTask(Arc<Shared>);

impl BusTask {
    /// Starts the task. It counts as ended once `handler` is dropped, so that no reference outlives an element that has
    /// waited for it.
    pub fn start<H: EventHandler>(&self, runtime: Arc<SharedRuntime>, handler: H, events: mpsc::Receiver<H::Event>) {
        self.0.set(State::Waiting);
        let end = End { handler: Some(Arc::new(handler)), shared: self.0.clone() };
        let handle = runtime.handle().clone();
        handle.spawn(run(runtime, end, events));
    }

    /// Waits until the task has ended, for a limited time: a handler of the application may be busy with a message.
    /// Called by such a handler, on the thread itself, it does not wait.
    pub fn wait(&self, limit: Duration) {
        let state = self.0.state();
        if matches!(*state, State::Handling(thread) if thread == std::thread::current().id()) {
            return;
        }
        let runs = |state: &mut State| !matches!(state, State::Stopped);
        drop(self.0.changed.wait_timeout_while(state, limit, runs));
    }
}

/// Tells the handler when it is dropped that there are no more events, even where no thread can be had.
struct End<H: EventHandler> {
    handler: Option<Arc<H>>,
    shared: Arc<Shared>,
}

impl<H: EventHandler> Drop for End<H> {
    fn drop(&mut self) {
        if let Some(handler) = self.handler.take() {
            self.shared.set(State::Handling(std::thread::current().id()));
            handler.end();
        }
        self.shared.set(State::Stopped);
    }
}

async fn run<H: EventHandler>(runtime: Arc<SharedRuntime>, end: End<H>, events: mpsc::Receiver<H::Event>) {
    handle_all(&runtime, &end, events).await;
    drop(runtime.handle().spawn_blocking(move || drop(end)).await);
}

/// Returns once there are no more events, or handling one has panicked, which the panic hook has told.
async fn handle_all<H: EventHandler>(
    runtime: &SharedRuntime,
    end: &End<H>,
    mut events: mpsc::Receiver<H::Event>,
) -> Option<()> {
    loop {
        let event = events.recv().await?;
        let (handler, shared) = (end.handler.clone()?, end.shared.clone());
        let handled = runtime.handle().spawn_blocking(move || {
            shared.set(State::Handling(std::thread::current().id()));
            handler.handle(event);
            while let Ok(event) = events.try_recv() {
                handler.handle(event);
            }
            drop(handler);
            shared.set(State::Waiting);
            events
        });
        events = handled.await.ok()?;
    }
}
