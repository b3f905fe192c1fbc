// SPDX-License-Identifier: MPL-2.0

//! Driver of a session: hands what arrives from the element and from the server to its core, and carries out its outputs,
//! over as many connections as it takes.

use crate::error::{Error, Warning};
use crate::net::clock::{Clock, DeadlineTimer};
use crate::net::websocket::{SocketEvent, WebSocket};
use crate::realtime::conversation::io::SessionEvent;
use crate::realtime::conversation::{Event, Input, Output};
use crate::realtime::session::core::{Core, Message};
use crate::realtime::session::dialler::Dialler;
use crate::realtime::session::left_out_fields::LeftOutFields;
use crate::realtime::session::reporter::{Reporter, drop_warning};
use crate::realtime::session::standby::Standby;
use crate::realtime::session::trace;
use crate::realtime::session::{BusEvent, InputQueue, Playout, Setup, close_politely};
use openai_protocol::client::PictureMessage;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A session that lasted this long resets the retry counter, as does one that carried a turn.
const STABLE_SESSION: Duration = Duration::from_secs(5);

/// Whether a session that was ready for this long resets the retry counter.
pub(crate) fn is_good(lasted: Option<Duration>, carried_turn: bool) -> bool {
    lasted.is_some_and(|lasted| lasted >= STABLE_SESSION || carried_turn)
}

/// The core of a session and its connection.
pub struct Driver {
    dialler: Dialler,
    clock: Clock,
    core: Core,
    core_timer: DeadlineTimer,
    warning_timer: DeadlineTimer,
    input_queue: Arc<InputQueue>,
    playout: Arc<Playout>,
    reporter: Reporter,
    /// When the connection was made.
    began: Instant,
    over: bool,
    /// The connection is lost, and the core wants another one.
    is_lost: bool,
    /// Connection for the rollover before the session's end.
    standby: Standby,
    connect_timeout: Duration,
    /// Since when the session is ready.
    ready: Option<Instant>,
    /// Whether the core knows that the send queue is congested.
    is_behind: bool,
    /// The warning about fields that the server's dialect lacks was posted.
    warned_of_dialect: bool,
    left_out: LeftOutFields,
    /// When the input that is being handled arrived.
    received: Option<Instant>,
}

impl Driver {
    pub fn new(setup: Setup) -> Self {
        let Setup { targets, config, retry_policy, input_queue, playout, bus_tx, traces, clock } = setup;
        let mut core = Core::new(config, clock.now());
        core.set_standby(targets.len() > 1);
        Self {
            dialler: Dialler::new(targets, retry_policy, clock.clone(), bus_tx.clone()),
            core,
            core_timer: DeadlineTimer::new(clock.clone()),
            warning_timer: DeadlineTimer::new(clock.clone()),
            input_queue,
            playout,
            reporter: Reporter::new(bus_tx, traces, clock.clone()),
            began: clock.now(),
            over: false,
            is_lost: false,
            standby: Standby::new(clock.clone()),
            connect_timeout: retry_policy.timeout,
            ready: None,
            is_behind: false,
            warned_of_dialect: false,
            left_out: LeftOutFields::default(),
            received: None,
            clock,
        }
    }

    /// Runs until the core is over.
    pub async fn run(&mut self, socket: &mut Option<WebSocket>) {
        loop {
            let next = match self.standby.take() {
                Some(standby) => {
                    self.dialler.on_standby_used();
                    standby
                }
                None => match self.dialler.connect().await {
                    Ok(socket) => WebSocket::new(socket, self.clock.clone()),
                    Err(failure) => return self.fail(failure).await,
                },
            };
            self.began = self.clock.now();
            self.core.set_standby(self.dialler.has_standby());
            self.run_connection(socket.insert(next)).await;
            if !std::mem::take(&mut self.is_lost) || self.over {
                return self.report_left_out(true).await;
            }
            if let Some(mut before) = socket.take() {
                // The next connection does not wait for it.
                tokio::spawn(async move { close_politely(&mut before).await });
            }
            self.on_connection_lost();
        }
    }

    /// The session is lost. How it went decides how the next one is tried.
    fn on_connection_lost(&mut self) {
        self.input_queue.set_connected(false);
        let ready = self.ready.take();
        let lasted = ready.map(|ready| self.clock.now().saturating_duration_since(ready));
        if is_good(lasted, self.core.carried_turn()) {
            self.dialler.reset_retries();
        }
        if let Some(loss) = self.core.take_loss() {
            self.dialler.failed(loss.failure, loss.again);
        }
    }

    /// No connection can be made.
    async fn fail(&mut self, failure: Error) {
        self.warn_of_dropped_audio().await;
        self.report_left_out(true).await;
        let done = self.core.done_until();
        self.report(BusEvent::Fail(failure, done)).await;
    }

    async fn run_connection(&mut self, socket: &mut WebSocket) {
        let retry_policy = self.dialler.time_left();
        self.core.handle(Input::Connected { timeout: retry_policy }, self.clock.now());
        self.flush_outputs(socket).await;
        let clock = self.clock.clone();
        while !self.over && !self.is_lost {
            self.drain_input(socket).await;
            if self.over || self.is_lost {
                break;
            }
            self.core.server_heard(socket.last_heard());
            let deadline = self.core.deadline();
            let left_out = self.reporter.deadline();
            let full = self.playout.is_full();
            let owed = self.core.awaits_server();
            tokio::select! {
                event = socket.next(!full, owed) => self.on_socket_event(event, socket).await,
                there = self.standby.changed() => {
                    self.core.handle(Input::StandbyReady(there), self.clock.now());
                    self.flush_outputs(socket).await;
                }
                () = self.input_queue.arrived(&clock) => {}
                () = self.playout.room(), if full => {}
                () = self.core_timer.reached(deadline) => {
                    if self.core.wants_playback_position(self.clock.now()) {
                        self.update_playback_position();
                    }
                    self.core.wake(self.clock.now());
                    self.flush_outputs(socket).await;
                }
                () = self.warning_timer.reached(left_out) => {
                    self.report_left_out(false).await;
                }
            }
            self.warn_of_dropped_audio().await;
        }
        if self.over {
            socket.flush().await;
        }
    }

    /// Hands queued input to the core, while the socket and the core take it.
    async fn drain_input(&mut self, socket: &mut WebSocket) {
        while !self.over {
            let stream = !socket.is_behind() && self.core.wants_sound(self.clock.now());
            let frames = self.core.wants_frames(self.clock.now());
            let Some(input) = self.input_queue.take(stream, frames) else { return };
            if self.core.needs_playback_position(&input, self.clock.now()) {
                self.update_playback_position();
            }
            self.received = Some(self.clock.now());
            self.core.handle(input, self.clock.now());
            self.flush_outputs(socket).await;
        }
    }

    async fn on_socket_event(&mut self, event: SocketEvent, socket: &mut WebSocket) {
        match event {
            SocketEvent::Written => self.update_congestion(socket),
            SocketEvent::Text(text) => self.on_text(&text).await,
            // Some proxies pass the text on as bytes.
            SocketEvent::Binary(data) => match std::str::from_utf8(&data) {
                Ok(text) => self.on_text(text).await,
                Err(_) => {
                    let length = data.len();
                    self.warn_of_unreadable(format!("{length} bytes of binary data, which mean nothing here")).await;
                }
            },
            SocketEvent::RoundTrip(time) => self.report(BusEvent::Event(Event::RoundTrip(time))).await,
            SocketEvent::Gone(silent) => self.core.handle(Input::Gone { silent }, self.clock.now()),
            SocketEvent::Closed { code, mut reason } => {
                self.dialler.redact(&mut reason);
                self.core.handle(Input::Closed { code, reason }, self.clock.now());
            }
        }
        self.flush_outputs(socket).await;
    }

    /// A message of the server.
    async fn on_text(&mut self, text: &str) {
        self.received = Some(self.clock.now());
        // Before it is parsed, so that no field can hold a key.
        let scrubbed = self.dialler.scrub_frame(text);
        let text = scrubbed.as_deref().unwrap_or(text);
        match self.core.read(text) {
            Ok(Message { input, left_out }) => {
                self.trace(true, Core::name(&input), text).await;
                self.left_out.add(Core::name(&input), left_out);
                if self.core.needs_playback_position(&input, self.clock.now()) {
                    self.update_playback_position();
                }
                self.core.handle(input, self.clock.now());
                if let Some(warning) = self.left_out.warning() {
                    self.warn(warning).await;
                }
            }
            Err(error) => self.warn_of_unreadable(format!("something that cannot be read: {error}")).await,
        }
    }

    async fn warn_of_unreadable(&mut self, what: String) {
        self.warn(Warning::new("unreadable-event", format!("the server sent {what}"))).await;
    }

    /// Tells the core what was played, on which it is about to decide.
    fn update_playback_position(&mut self) {
        if let Some((position, items)) = self.playout.heard() {
            self.core.handle(Input::Played { now: position, items }, self.clock.now());
        }
    }

    /// Carries out the outputs of the core.
    async fn flush_outputs(&mut self, socket: &mut WebSocket) {
        while let Some(output) = self.core.poll() {
            match output {
                Output::Send(event) => {
                    let (text, lost) = trace::write(&event, self.dialler.endpoint().dialect());
                    self.trace(false, event.name(), &text).await;
                    socket.send(text);
                    self.update_congestion(socket);
                    self.warn_of_dialect(&lost).await;
                }
                Output::SendPicture(picture) => {
                    let text = picture.to_json();
                    drop(picture);
                    self.trace(false, PictureMessage::NAME, &text).await;
                    socket.send(text);
                    self.update_congestion(socket);
                }
                Output::SendJson { name, text } => {
                    self.trace(false, &name, &text).await;
                    socket.send(text);
                    self.update_congestion(socket);
                }
                Output::Play(speech) => self.playout.play(speech),
                Output::GapUntil(until) => self.playout.gap_until(until),
                Output::FlushAudio => self.flush_audio(),
                Output::Text(text) => self.report(BusEvent::Text(text)).await,
                Output::TextGapUntil(speaker, until) => self.report(BusEvent::TextGap(speaker, until)).await,
                Output::Event(event) => {
                    if matches!(event, Event::Session(SessionEvent::Ready { .. })) {
                        self.ready = Some(self.clock.now());
                        self.dialler.ready();
                        self.input_queue.set_connected(true);
                    }
                    self.report(BusEvent::Event(event)).await;
                }
                Output::Preconnect => self.standby.dial(self.dialler.endpoint().clone(), self.connect_timeout),
                Output::Reconnect => self.is_lost = true,
                Output::Fail(failure) => {
                    self.over = true;
                    let done = self.core.done_until();
                    self.report(BusEvent::Fail(failure, done)).await;
                }
                Output::Finished { at } => {
                    self.over = true;
                    self.report(BusEvent::Finished(at)).await;
                }
            }
        }
    }

    /// Tells the core whether the send queue is congested; images are sent only if it is not.
    fn update_congestion(&mut self, socket: &WebSocket) {
        let is_behind = socket.is_behind();
        if std::mem::replace(&mut self.is_behind, is_behind) != is_behind {
            self.core.handle(Input::Behind(is_behind), self.clock.now());
        }
    }

    /// Drops queued audio and flushes downstream, on another thread because a sink may block.
    fn flush_audio(&self) {
        let since = self.received.unwrap_or_else(|| self.clock.now());
        if self.playout.cut(since) {
            let playout = self.playout.clone();
            tokio::task::spawn_blocking(move || playout.flush_downstream(since));
        }
    }

    async fn report(&mut self, event: BusEvent) {
        self.reporter.report(event, &self.dialler).await;
        self.over |= self.reporter.is_closed();
    }

    async fn warn(&mut self, warning: Warning) {
        self.report(BusEvent::Event(Event::Warning(warning))).await;
    }

    async fn report_left_out(&mut self, all: bool) {
        self.reporter.report_left_out(all, &self.dialler).await;
        self.over |= self.reporter.is_closed();
    }

    async fn trace(&mut self, from_server: bool, name: &str, text: &str) {
        self.reporter.trace(from_server, name, text, self.began, &self.dialler).await;
        self.over |= self.reporter.is_closed();
    }

    /// Warns, once, of fields that the dialect of the server does not have.
    async fn warn_of_dialect(&mut self, lost: &[String]) {
        if !lost.is_empty() && !std::mem::replace(&mut self.warned_of_dialect, true) {
            let message = format!("the server's dialect has no word for {}, which is left out", lost.join(", "));
            self.warn(Warning::new("dialect", message)).await;
        }
    }

    async fn warn_of_dropped_audio(&mut self) {
        let dropped = self.input_queue.take_dropped();
        for (length, connected) in [(dropped.connected, true), (dropped.unconnected, false)] {
            if !length.is_zero() {
                self.report(BusEvent::Event(Event::Aligned { dropped: length, inserted: Duration::ZERO })).await;
                self.warn(drop_warning(length, connected)).await;
            }
        }
    }
}
