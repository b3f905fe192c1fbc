// SPDX-License-Identifier: MPL-2.0

//! The one way to end early: SIGTERM, SIGINT, and the death of the parent. What is done by then is written down.

use std::process::exit;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How long an orderly end may take before the process just ends.
const GRACE: Duration = Duration::from_secs(10);

/// Exit status of a process that did not manage to end in order; nothing more is known of its recording.
const STUCK: i32 = 3;

/// Tells those who wait that they are to stop.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    raised: Condvar,
    notify: Notify,
}

#[derive(Debug, Default)]
struct State {
    is_raised: bool,
    bus: Option<gst::Bus>,
}

impl Interrupt {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on everybody who waits stops.
    pub fn raise(&self) {
        let bus = {
            let mut state = self.state();
            state.is_raised = true;
            state.bus.clone()
        };
        self.0.raised.notify_all();
        self.0.notify.notify_waiters();
        if let Some(bus) = bus {
            // A bus that is flushing belongs to a pipeline that has ended.
            let _ = bus.post(gst::message::Application::new(gst::Structure::new_empty("interrupt")));
        }
    }

    /// Whether the process is to end.
    pub fn is_raised(&self) -> bool {
        self.state().is_raised
    }

    /// Posts an application message on this bus when the process is to end, at once if that is so already.
    pub fn watch_bus(&self, bus: &gst::Bus) {
        self.state().bus = Some(bus.clone());
        if self.is_raised() {
            self.raise();
        }
    }

    /// Waits until the process is to end.
    pub async fn wait(&self) {
        loop {
            let notified = self.0.notify.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.is_raised() {
                return;
            }
            notified.await;
        }
    }

    /// Signals end the process in order, and one that is stuck after [`GRACE`] in any case.
    pub fn listen(&self) -> std::io::Result<()> {
        self.listen_to_signals()?;
        let interrupt = self.clone();
        std::thread::Builder::new().name("watchdog".into()).spawn(move || {
            let mut state = interrupt.state();
            while !state.is_raised {
                state = interrupt.0.raised.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            drop(state);
            std::thread::sleep(GRACE);
            exit(STUCK);
        })?;
        Ok(())
    }

    #[cfg(unix)]
    fn listen_to_signals(&self) -> std::io::Result<()> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT])?;
        let interrupt = self.clone();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for _ in signals.forever() {
                interrupt.raise();
            }
        })?;
        Ok(())
    }

    #[cfg(not(unix))]
    fn listen_to_signals(&self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bus_and_a_task_learn_of_it_however_late_they_come() {
        gst::init().expect("GStreamer");
        let (interrupt, bus) = (Interrupt::default(), gst::Bus::new());
        assert!(!interrupt.is_raised());
        interrupt.raise();
        interrupt.watch_bus(&bus);
        assert_eq!(bus.pop().map(|message| message.type_()), Some(gst::MessageType::Application));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(interrupt.wait());
    }
}
