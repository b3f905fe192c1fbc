// SPDX-License-Identifier: MPL-2.0

//! Thread of a run that posts messages: synchronous handlers of an application may be slow.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

#[derive(Debug, Default)]
enum State {
    /// Not started, or ended.
    #[default]
    Stopped,
    Starting,
    Running(ThreadId),
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

/// The bus thread of one run.
#[derive(Debug, Default)]
pub struct BusThread(Arc<Shared>);

impl BusThread {
    /// Starts the thread. It counts as ended once `work` is dropped, so that no reference outlives an element that has waited
    /// for it.
    pub fn start(&self, name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        self.0.set(State::Starting);
        let shared = self.0.clone();
        let spawned = std::thread::Builder::new().name(name.into()).spawn(move || {
            shared.set(State::Running(std::thread::current().id()));
            work();
            shared.set(State::Stopped);
        });
        spawned.map(drop).inspect_err(|_| self.0.set(State::Stopped))
    }

    /// Waits until the thread has ended, for a limited time: a handler of the application may be busy with a message.
    /// Called by such a handler, on the thread itself, it does not wait.
    pub fn wait(&self, limit: Duration) {
        let state = self.0.state();
        if matches!(*state, State::Running(thread) if thread == std::thread::current().id()) {
            return;
        }
        let runs = |state: &mut State| !matches!(state, State::Stopped);
        drop(self.0.changed.wait_timeout_while(state, limit, runs));
    }
}
