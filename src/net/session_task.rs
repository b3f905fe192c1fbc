// SPDX-License-Identifier: MPL-2.0

//! A task of the runtime that a streaming thread may run as well.
//!
//! To hand a buffer to another thread costs more than to send it: context switches, and what they do to caches. So the thread
//! that brings input runs the task itself ([`wake_inline`]), if the task waits. What the task may not do there is to read from
//! the server ([`is_inline`]), which would keep that thread for as long as the server has something to say.

use async_task::Runnable;
use std::cell::RefCell;
use std::future::Future;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// What the current thread does with a task that is woken on it.
enum Inline {
    /// Leaves it to the runtime.
    No,
    /// Keeps it, to run it next.
    Waking(Option<(Runnable, Handle)>),
    /// Runs one. What is woken meanwhile is left to the runtime.
    Running,
}

thread_local! {
    static INLINE: RefCell<Inline> = const { RefCell::new(Inline::No) };
}

/// Ends the special treatment of what is woken on this thread, also when a task panics.
struct Reset;

impl Drop for Reset {
    fn drop(&mut self) {
        INLINE.set(Inline::No);
    }
}

/// Spawns a future that is run by the runtime, or by a thread that wakes it with [`wake_inline`].
pub fn spawn(runtime: &Handle, future: impl Future<Output = ()> + Send + 'static) {
    let (woken_tx, mut woken) = mpsc::unbounded_channel::<Runnable>();
    let handle = runtime.clone();
    let schedule = move |runnable| {
        if let Some(runnable) = keep(runnable, &handle) {
            // The receiver is gone only with the runtime, and then the future is dropped here.
            drop(woken_tx.send(runnable));
        }
    };
    let (runnable, task) = async_task::spawn(future, schedule);
    task.detach();
    runnable.schedule();
    // Ends when the future has ended and nothing can wake it any more.
    runtime.spawn(async move {
        while let Some(runnable) = woken.recv().await {
            runnable.run();
        }
    });
}

/// Keeps a task that was woken on this thread, if it is to be run here; otherwise returns it.
fn keep(runnable: Runnable, handle: &Handle) -> Option<Runnable> {
    INLINE.with_borrow_mut(|inline| match inline {
        Inline::Waking(kept @ None) => {
            *kept = Some((runnable, handle.clone()));
            None
        }
        _ => Some(runnable),
    })
}

/// Calls `wake`, and then runs the task that it has woken on the current thread, until it waits again. A task that runs on
/// another thread, or that the runtime is about to run, is left there. Blocks only for the locks that the task takes.
pub fn wake_inline(wake: impl FnOnce()) {
    INLINE.set(Inline::Waking(None));
    let _reset = Reset;
    wake();
    if let Inline::Waking(Some((runnable, handle))) = INLINE.replace(Inline::Running) {
        let _runtime = handle.enter();
        runnable.run();
    }
}

/// Whether the current thread runs a task for [`wake_inline`], and so may not read.
pub fn is_inline() -> bool {
    INLINE.with_borrow(|inline| matches!(inline, Inline::Running))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::runtime::SharedRuntime;
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Mutex};
    use tokio::runtime::{Builder, Runtime};
    use tokio::sync::Notify;

    /// A runtime that runs tasks only while the test asks it to.
    fn runtime() -> Runtime {
        Builder::new_current_thread().build().expect("a runtime")
    }

    /// Runs what is to be run.
    fn run(runtime: &Runtime) {
        runtime.block_on(async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        });
    }

    #[test]
    fn the_thread_that_brings_input_runs_a_task_that_waits() {
        let runtime = runtime();
        let (input, (runs_tx, runs)) = (Arc::new(Notify::new()), channel());
        let notified = input.clone();
        spawn(runtime.handle(), async move {
            while runs_tx.send(is_inline()).is_ok() {
                notified.notified().await;
            }
        });
        let wake = || input.notify_one();
        wake_inline(wake);
        assert!(runs.try_recv().is_err(), "the runtime is about to run it");
        run(&runtime);
        assert_eq!(runs.try_iter().collect::<Vec<_>>(), [false, false], "its start, and the input that came before");
        wake_inline(wake);
        assert_eq!(runs.try_iter().collect::<Vec<_>>(), [true], "here, without the runtime");
        wake();
        wake_inline(wake);
        assert!(runs.try_recv().is_err(), "left to the runtime, which is about to run it");
        run(&runtime);
        assert_eq!(runs.try_iter().collect::<Vec<_>>(), [false, false]);
        assert!(!is_inline());
    }

    #[test]
    fn what_is_woken_while_a_task_runs_inline_is_left_to_the_runtime() {
        let runtime = runtime();
        let (input, (runs_tx, runs)) = (Arc::new(Notify::new()), channel());
        let notified = input.clone();
        spawn(runtime.handle(), async move {
            loop {
                notified.notified().await;
                runs_tx.send(is_inline()).expect("the test waits");
                tokio::task::yield_now().await;
                runs_tx.send(is_inline()).expect("the test waits");
            }
        });
        run(&runtime);
        wake_inline(|| input.notify_one());
        assert_eq!(runs.try_iter().collect::<Vec<_>>(), [true]);
        run(&runtime);
        assert_eq!(runs.try_iter().collect::<Vec<_>>(), [false]);
    }

    #[test]
    fn no_input_of_many_threads_is_lost() {
        let runtime = SharedRuntime::get().expect("a runtime");
        let input = Arc::new((Notify::new(), Mutex::new(0_u32)));
        let (total_tx, total) = channel();
        let taken = input.clone();
        spawn(runtime.handle(), async move {
            let mut sum = 0;
            while sum < 4 * 5_000 {
                taken.0.notified().await;
                sum += std::mem::take(&mut *taken.1.lock().expect("no panic"));
            }
            total_tx.send(sum).expect("the test waits");
        });
        std::thread::scope(|scope| {
            for inline in [true, true, false, true] {
                let input = &input;
                scope.spawn(move || {
                    for _ in 0..5_000 {
                        *input.1.lock().expect("no panic") += 1;
                        match inline {
                            true => wake_inline(|| input.0.notify_one()),
                            false => input.0.notify_one(),
                        }
                    }
                });
            }
        });
        assert_eq!(total.recv(), Ok(20_000));
    }

    #[test]
    fn a_task_that_panics_ends_and_leaves_the_thread_as_it_was() {
        let runtime = runtime();
        let input = Arc::new(Notify::new());
        let notified = input.clone();
        spawn(runtime.handle(), async move {
            notified.notified().await;
            panic!("for the test");
        });
        run(&runtime);
        let wake = std::panic::AssertUnwindSafe(|| wake_inline(|| input.notify_one()));
        std::panic::catch_unwind(wake).expect_err("the panic");
        assert!(!is_inline());
        assert_eq!(Arc::strong_count(&input), 1, "the future was dropped");
    }
}
