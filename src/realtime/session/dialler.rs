// SPDX-License-Identifier: MPL-2.0

//! Connection attempts, for the first session and for every later one: retries with back-off, and fail-over to the next
//! server. Whether a retry makes sense is known from types and codes, never from the text of an error.

use crate::error::{Error, ErrorKind};
use crate::net::backoff::{Backoff, MAX_RETRY_AFTER};
use crate::net::clock::Clock;
use crate::net::connect::ConnectError;
use crate::net::handshake::Socket;
use crate::realtime::conversation::Event;
use crate::realtime::conversation::io::SessionEvent;
use crate::realtime::session::{BusEvent, Endpoint, RetryPolicy};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Servers, and the state of the attempts.
pub struct Dialler {
    /// The first server, and those for fail-over.
    targets: Vec<Endpoint>,
    current: usize,
    retry_policy: RetryPolicy,
    backoff: Backoff,
    clock: Clock,
    bus_tx: mpsc::Sender<BusEvent>,
    /// Number of attempts since the last session or the last fail-over.
    attempt: u32,
    /// When the first session has to be ready.
    deadline: Option<Instant>,
    /// Whether there was a session, so that a final error means that it is lost.
    had_session: bool,
    /// Error of the last attempt or of the lost session.
    last: Option<ConnectError>,
}

impl Dialler {
    /// Before the first attempt.
    pub fn new(
        targets: Vec<Endpoint>,
        retry_policy: RetryPolicy,
        clock: Clock,
        bus_tx: mpsc::Sender<BusEvent>,
    ) -> Self {
        Self {
            targets,
            current: 0,
            backoff: Backoff::new(retry_policy.delay, retry_policy.tries),
            deadline: Some(clock.now() + retry_policy.timeout),
            retry_policy,
            clock,
            bus_tx,
            attempt: 0,
            had_session: false,
            last: None,
        }
    }

    /// The current server.
    pub fn endpoint(&self) -> &Endpoint {
        &self.targets[self.current]
    }

    /// Redacts the secrets of all servers in a text.
    pub fn redact(&self, text: &mut String) {
        self.targets.iter().for_each(|endpoint| endpoint.redact(text));
    }

    /// A message of a server without secrets, or `None` if it holds none.
    pub fn scrub_frame(&self, text: &str) -> Option<String> {
        let mut scrubbed: Option<String> = None;
        for endpoint in &self.targets {
            if let Some(next) = endpoint.scrub_frame(scrubbed.as_deref().unwrap_or(text)) {
                scrubbed = Some(next);
            }
        }
        scrubbed
    }

    /// The error as it is shown to the user: without secrets, and with a hint.
    pub fn user_error(&self, error: Error) -> Error {
        self.endpoint().user_error(error).redacted(|text| self.redact(text))
    }

    /// Whether there is a further server.
    pub fn has_standby(&self) -> bool {
        self.current + 1 < self.targets.len()
    }

    /// Time that is left until the session has to be ready.
    pub fn time_left(&self) -> Duration {
        let left = |deadline: Instant| deadline.saturating_duration_since(self.clock.now());
        self.deadline.map_or(self.retry_policy.timeout, |deadline| left(deadline).min(self.retry_policy.timeout))
    }

    /// The session is ready.
    pub fn ready(&mut self) {
        self.deadline = None;
        self.had_session = true;
        self.attempt = 0;
    }

    /// The session was of use: retries are counted from zero.
    pub fn reset_retries(&mut self) {
        self.backoff.reset();
    }

    /// The session was lost or did not become ready. `again`: whether a retry with the same server makes sense.
    pub fn failed(&mut self, failure: Error, again: bool) {
        self.last = Some(ConnectError { failure, again, retry_after: None });
    }

    /// The standby connection is used.
    pub fn on_standby_used(&mut self) {
        self.last = None;
    }

    /// Connects, with retries and fail-over.
    pub async fn connect(&mut self) -> Result<Socket, Error> {
        loop {
            let (delay, reason) = match self.last.take() {
                None => (Duration::ZERO, None),
                Some(error) => match self.delay_after(&error) {
                    Some(delay) => (delay, Some(error.failure.to_string())),
                    None if self.has_standby() => {
                        self.change_target();
                        (Duration::ZERO, Some(error.failure.to_string()))
                    }
                    None => return Err(self.final_failure(error)),
                },
            };
            self.attempt += 1;
            let at = self.clock.now() + delay;
            self.report_attempt(delay, reason).await?;
            self.clock.sleep_until(at).await;
            self.last = Some(match self.clock.timeout(self.time_left(), self.endpoint().connect(&self.clock)).await {
                Some(Ok(socket)) => return Ok(socket),
                Some(Err(error)) => error,
                None => {
                    let (name, timeout) = (self.endpoint().name(), self.retry_policy.timeout);
                    let failure = Error::connect(format!("{name} did not answer within {timeout:.1?}"));
                    ConnectError { failure, again: true, retry_after: None }
                }
            });
        }
    }

    fn delay_after(&mut self, error: &ConnectError) -> Option<Duration> {
        if !error.again {
            return None;
        }
        let delay = self.backoff.next(error.retry_after)?;
        let fits = |deadline: Instant| delay < deadline.saturating_duration_since(self.clock.now());
        self.deadline.is_none_or(fits).then_some(delay)
    }

    /// Fails over to the next server, with retries and a deadline of its own.
    fn change_target(&mut self) {
        self.current += 1;
        self.attempt = 0;
        self.backoff.reset();
        self.deadline = self.deadline.map(|_| self.clock.now() + self.retry_policy.timeout);
    }

    async fn report_attempt(&self, delay: Duration, reason: Option<String>) -> Result<(), Error> {
        let reason = reason.map(|mut reason| {
            self.redact(&mut reason);
            reason
        });
        let uri = Some(self.endpoint().name());
        let connecting = SessionEvent::Connecting { attempt: self.attempt, delay, uri, reason };
        let sent = self.bus_tx.send(BusEvent::Event(Event::Session(connecting))).await;
        sent.map_err(|_| Error::connect("stopped"))
    }

    /// The error after the last attempt.
    fn final_failure(&self, error: ConnectError) -> Error {
        let asks = error
            .retry_after
            .filter(|after| *after > MAX_RETRY_AFTER || self.deadline.is_some() && *after >= self.time_left());
        let asks = asks.map(|after| format!("; it asks to be tried again in {} s, which is too long", after.as_secs()));
        let failure = error.failure.map_message(|text| format!("{text}{}", asks.unwrap_or_default()));
        match failure {
            failure if !self.had_session => failure,
            // The reason is known, and it is not the connection.
            failure if !error.again && failure.kind() != ErrorKind::Connect => failure,
            failure => failure
                .with_kind(ErrorKind::Lost)
                .map_message(|text| format!("the connection was lost and not to be had back: {text}")),
        }
    }
}
