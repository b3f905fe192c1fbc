// SPDX-License-Identifier: MPL-2.0

//! What a session reports to the element: in order, warnings limited by kind, and every text without keys.

use crate::error::Warning;
use crate::error::warning_limit::WarningLimit;
use crate::net::clock::Clock;
use crate::realtime::conversation::Event;
use crate::realtime::conversation::io::SessionEvent;
use crate::realtime::session::BusEvent;
use crate::realtime::session::dialler::Dialler;
use crate::realtime::session::trace;
use crate::types::TraceEvent;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Sends bus events to the element.
pub struct Reporter {
    bus_tx: mpsc::Sender<BusEvent>,
    clock: Clock,
    warnings: WarningLimit,
    /// Whether wire events are reported; it may change at any time.
    traces: Arc<AtomicBool>,
    /// Nobody receives events any more, because the session is being stopped.
    is_closed: bool,
}

impl Reporter {
    /// Nothing was reported.
    pub fn new(bus_tx: mpsc::Sender<BusEvent>, traces: Arc<AtomicBool>, clock: Clock) -> Self {
        Self { bus_tx, clock, warnings: WarningLimit::default(), traces, is_closed: false }
    }

    /// Whether the session is being stopped.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// When warnings that were left out are due.
    pub fn deadline(&self) -> Option<Instant> {
        self.warnings.deadline()
    }

    /// Reports an event. A warning may be left out now and reported later.
    pub async fn report(&mut self, event: BusEvent, dialler: &Dialler) {
        let event = match event {
            BusEvent::Event(Event::Warning(warning)) => match self.warnings.take(warning, self.clock.now()) {
                Some(warning) => BusEvent::Event(Event::Warning(warning)),
                None => return,
            },
            event => event,
        };
        self.send(event, dialler).await;
    }

    /// Reports the warnings that were left out: those that are due, or all.
    pub async fn report_left_out(&mut self, all: bool, dialler: &Dialler) {
        let now = self.clock.now();
        let warnings = if all { self.warnings.rest(now) } else { self.warnings.due(now) };
        for warning in warnings {
            self.send(BusEvent::Event(Event::Warning(warning)), dialler).await;
        }
    }

    /// Reports a wire event, if there is a use for it. `began` is when the connection was made.
    pub async fn trace(&mut self, from_server: bool, name: &str, text: &str, began: Instant, dialler: &Dialler) {
        if self.traces.load(Ordering::Relaxed) {
            let json = trace::redact_event(name, text);
            let time = self.clock.now().saturating_duration_since(began);
            let event = TraceEvent { from_server, time, name: name.to_owned(), json };
            self.send(BusEvent::Trace(event), dialler).await;
        }
    }

    async fn send(&mut self, mut event: BusEvent, dialler: &Dialler) {
        // Texts of the server were redacted when they came, but for keys that are ordinary words.
        let redact = |text: &mut String| dialler.redact(text);
        match &mut event {
            BusEvent::Event(Event::Warning(warning)) => redact(&mut warning.message),
            BusEvent::Event(Event::Response(response)) => response.error_message.iter_mut().for_each(redact),
            BusEvent::Event(Event::Session(SessionEvent::Reconnecting { reason })) => redact(reason),
            BusEvent::Trace(event) => redact(&mut event.json),
            BusEvent::Fail(error, _) => *error = dialler.user_error(error.clone()),
            BusEvent::Event(_) | BusEvent::Text(_) | BusEvent::TextGap(..) | BusEvent::Finished(_) => {}
        }
        self.is_closed |= self.bus_tx.send(event).await.is_err();
    }
}

/// The warning about audio that the input queue has dropped, with a session or without one.
pub fn drop_warning(dropped: Duration, connected: bool) -> Warning {
    let message = if connected {
        format!(
            "more than 10 s of sound was waiting to be sent: {dropped:.1?} of the oldest sound is dropped; either the \
             server or the network does not keep up, or the input comes faster than real time (then timing=offline)"
        )
    } else {
        format!(
            "there was no session for longer than reconnect-buffer: {dropped:.1?} of the oldest sound that was waiting \
             is dropped, and what was said in it is not answered"
        )
    };
    Warning::new("audio-dropped", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_that_is_dropped_is_not_nothing() {
        for (dropped, told) in [(20, "20.0ms"), (1_250, "1.2s"), (61_000, "61.0s")] {
            let message = drop_warning(Duration::from_millis(dropped), true).message;
            assert!(message.contains(&format!(": {told} of the oldest sound")), "{message}");
        }
    }
}
