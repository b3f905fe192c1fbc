// SPDX-License-Identifier: MPL-2.0

//! The tokio runtime that all sessions of a process share: one worker thread, as long as there is a session.

use crate::net::sigpipe;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::runtime::{Builder, Handle, Runtime};

static SHARED: Mutex<Weak<SharedRuntime>> = Mutex::new(Weak::new());

/// A reference to the runtime, which ends with the last one.
#[derive(Debug)]
pub struct SharedRuntime(Option<Runtime>);

impl SharedRuntime {
    /// The current runtime, or a new one.
    pub fn get() -> std::io::Result<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = shared.upgrade() {
            return Ok(runtime);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("openairealtime")
            .on_thread_start(sigpipe::block_on_this_thread)
            .enable_io()
            .enable_time()
            .build()?;
        let runtime = Arc::new(Self(Some(runtime)));
        *shared = Arc::downgrade(&runtime);
        Ok(runtime)
    }

    /// Handle for spawning tasks.
    pub fn handle(&self) -> &Handle {
        self.0.as_ref().unwrap_or_else(|| unreachable!("taken only when dropped")).handle()
    }
}

impl Drop for SharedRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Does not block, so it may run on a thread of an application's runtime.
            runtime.shutdown_background();
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use nix::sys::signal::{SigSet, Signal};
    use std::sync::mpsc;

    /// The tests' own process ignores the signal, so what counts is that it cannot reach these threads.
    #[test]
    fn a_connection_that_breaks_ends_no_process() {
        let runtime = SharedRuntime::get().expect("a runtime");
        let (tell, told) = mpsc::channel();
        let is_blocked = || SigSet::thread_get_mask().expect("a mask").contains(Signal::SIGPIPE);
        for spawn in [true, false] {
            let tell = tell.clone();
            let look = move || tell.send(is_blocked()).expect("the test waits");
            if spawn {
                drop(runtime.handle().spawn(async move { look() }));
            } else {
                drop(runtime.handle().spawn_blocking(look));
            }
            assert!(told.recv().expect("an answer"));
        }
    }
}
