// SPDX-License-Identifier: MPL-2.0

//! A session with a connection: what arrives is handed to the conversation, and what that decides is carried out.

use crate::error::warning_limit::WarningLimit;
use crate::error::{Error, Warning};
use crate::net::clock::Clock;
use crate::net::websocket::{SocketEvent, WebSocket};
use crate::realtime::conversation::io::SessionEvent;
use crate::realtime::conversation::{Conversation, Event, Input, Output};
use crate::realtime::session::dialler::Dialler;
use crate::realtime::session::left_out_fields::LeftOutFields;
use crate::realtime::session::standby::Standby;
use crate::realtime::session::trace as wire;
use crate::realtime::session::{BusEvent, InputQueue, Playout, Setup, close_politely};
use crate::types::TraceEvent;
use openai_protocol::ServerEvent;
use openai_protocol::client::PictureMessage;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// A session that lasted so long was a good one, as is one that carried a turn: if it is lost, the tries are counted
/// from the first.
const STABLE_SESSION: Duration = Duration::from_secs(5);

/// Whether a session that was ready for so long was of use, so that the tries begin anew.
pub(crate) fn is_good(lasted: Option<Duration>, carried_turn: bool) -> bool {
    lasted.is_some_and(|lasted| lasted >= STABLE_SESSION || carried_turn)
}

/// A conversation, and the connection that it has at the time.
pub struct Driver {
    dialler: Dialler,
    clock: Clock,
    conversation: Conversation,
    input_queue: Arc<InputQueue>,
    playout: Arc<Playout>,
    bus_tx: mpsc::Sender<BusEvent>,
    traces: Arc<AtomicBool>,
    began: Instant,
    over: bool,
    /// The connection is gone, and another one is wanted.
    is_lost: bool,
    /// Another connection, for when this session ends.
    standby: Standby,
    /// Longest time until a connection is made.
    connect_timeout: Duration,
    /// Since when the session is ready.
    ready: Option<Instant>,
    /// Whether the conversation was told that the network takes less than is sent.
    is_behind: bool,
    warnings: WarningLimit,
    warned_of_lost: bool,
    left_out: LeftOutFields,
    /// When what is being handled came.
    received: Option<Instant>,
}

impl Driver {
    pub fn new(setup: Setup) -> Self {
        let Setup { targets, config, retry_policy, input_queue, playout, bus_tx, traces, clock } = setup;
        let mut conversation = Conversation::new(config, clock.now());
        conversation.set_standby(targets.len() > 1);
        Self {
            dialler: Dialler::new(targets, retry_policy, clock.clone(), bus_tx.clone()),
            conversation,
            input_queue,
            playout,
            bus_tx,
            traces,
            began: clock.now(),
            over: false,
            is_lost: false,
            standby: Standby::new(clock.clone()),
            connect_timeout: retry_policy.timeout,
            ready: None,
            is_behind: false,
            warnings: WarningLimit::default(),
            warned_of_lost: false,
            left_out: LeftOutFields::default(),
            received: None,
            clock,
        }
    }

    /// Goes on until the conversation is over, over as many connections as it takes.
    pub async fn run(&mut self, socket: &mut Option<WebSocket>) {
        loop {
            let next = match self.standby.take() {
                Some(standby) => {
                    self.dialler.has_spare();
                    standby
                }
                None => match self.dialler.connect().await {
                    Ok(socket) => WebSocket::new(socket, self.clock.clone()),
                    Err(failure) => return self.fail(failure).await,
                },
            };
            self.began = self.clock.now();
            self.conversation.set_standby(self.dialler.has_standby());
            self.run_connection(socket.insert(next)).await;
            if !std::mem::take(&mut self.is_lost) || self.over {
                return self.tell_left_out(true).await;
            }
            if let Some(mut before) = socket.take() {
                // The next one need not wait for it.
                tokio::spawn(async move { close_politely(&mut before).await });
            }
            self.look_back();
        }
    }

    /// The session is over, and there is to be another one. How the last one went decides how that is had.
    fn look_back(&mut self) {
        self.input_queue.set_connected(false);
        let ready = self.ready.take();
        let lasted = ready.map(|ready| self.clock.now().saturating_duration_since(ready));
        if is_good(lasted, self.conversation.carried_turn()) {
            self.dialler.worked();
        }
        if let Some(loss) = self.conversation.take_loss() {
            self.dialler.failed(loss.failure.into(), loss.again);
        }
    }

    /// There is no session to be had.
    async fn fail(&mut self, failure: Error) {
        self.warn_of_dropped_audio().await;
        self.tell_left_out(true).await;
        let done = self.conversation.done_until();
        self.post(BusEvent::Fail(failure, done)).await;
    }

    async fn run_connection(&mut self, socket: &mut WebSocket) {
        let retry_policy = self.dialler.time_left();
        self.conversation.handle(Input::Connected { timeout: retry_policy }, self.clock.now());
        self.flush_outputs(socket).await;
        let clock = self.clock.clone();
        while !self.over && !self.is_lost {
            self.drain_input(socket).await;
            if self.over || self.is_lost {
                break;
            }
            self.conversation.server_heard(socket.last_heard());
            let deadline = self.conversation.deadline();
            let left_out = self.warnings.deadline();
            let full = self.playout.is_full();
            let owed = self.conversation.awaits_server();
            tokio::select! {
                event = socket.next(!full, owed) => self.on_socket_event(event, socket).await,
                there = self.standby.changed() => {
                    self.conversation.handle(Input::StandbyReady(there), self.clock.now());
                    self.flush_outputs(socket).await;
                }
                () = self.input_queue.arrived() => {}
                () = self.playout.room(), if full => {}
                () = clock.sleep_until(deadline.unwrap_or_else(|| far_away(&clock))), if deadline.is_some() => {
                    self.conversation.wake(self.clock.now());
                    self.flush_outputs(socket).await;
                }
                () = clock.sleep_until(left_out.unwrap_or_else(|| far_away(&clock))), if left_out.is_some() => {
                    self.tell_left_out(false).await;
                }
            }
            self.warn_of_dropped_audio().await;
        }
        if self.over {
            socket.flush().await;
        }
    }

    /// Takes over what has arrived, as long as the socket keeps up.
    async fn drain_input(&mut self, socket: &mut WebSocket) {
        while !self.over {
            let stream = !socket.is_behind() && self.conversation.wants_sound(self.clock.now());
            let frames = self.conversation.wants_frames(self.clock.now());
            let Some(input) = self.input_queue.take(stream, frames) else { return };
            if self.conversation.may_interrupt(&input) {
                self.update_playback_position();
            }
            self.received = Some(self.clock.now());
            self.conversation.handle(input, self.clock.now());
            self.flush_outputs(socket).await;
        }
    }

    async fn on_socket_event(&mut self, event: SocketEvent, socket: &mut WebSocket) {
        match event {
            SocketEvent::Written => self.tell_behind(socket),
            SocketEvent::Text(text) => self.hear(&text).await,
            // Some proxies pass the text on as bytes.
            SocketEvent::Binary(data) => match std::str::from_utf8(&data) {
                Ok(text) => self.hear(text).await,
                Err(_) => {
                    let length = data.len();
                    self.warn_of_unreadable(format!("{length} bytes of binary data, which mean nothing here")).await;
                }
            },
            SocketEvent::Gone(silent) => self.conversation.handle(Input::Gone { silent }, self.clock.now()),
            SocketEvent::Closed { code, mut reason } => {
                self.dialler.redact(&mut reason);
                self.conversation.handle(Input::Closed { code, reason }, self.clock.now());
            }
        }
        self.flush_outputs(socket).await;
    }

    /// The server said something.
    async fn hear(&mut self, text: &str) {
        self.received = Some(self.clock.now());
        // Before anything is read out of it, so that no field of it can hold a key.
        let scrubbed = self.dialler.scrub_frame(text);
        let text = scrubbed.as_deref().unwrap_or(text);
        match ServerEvent::read(text) {
            Ok((event, left_out)) => {
                self.trace(true, event.name(), text).await;
                self.left_out.add(event.name(), left_out);
                let input = Input::Server(Box::new(event));
                if self.conversation.may_interrupt(&input) {
                    self.update_playback_position();
                }
                self.conversation.handle(input, self.clock.now());
                if let Some(warning) = self.left_out.warning() {
                    self.post(BusEvent::Event(Event::Warning(warning))).await;
                }
            }
            Err(error) => self.warn_of_unreadable(format!("something that cannot be read: {error}")).await,
        }
    }

    async fn warn_of_unreadable(&mut self, what: String) {
        let warning = Warning::new("unreadable-event", format!("the server sent {what}"));
        self.post(BusEvent::Event(Event::Warning(warning))).await;
    }

    /// The conversation is about to decide about what was heard.
    fn update_playback_position(&mut self) {
        if let Some((position, items)) = self.playout.heard() {
            self.conversation.handle(Input::Played { now: position, items }, self.clock.now());
        }
    }

    /// Does what the conversation has decided.
    async fn flush_outputs(&mut self, socket: &mut WebSocket) {
        while let Some(output) = self.conversation.poll() {
            match output {
                Output::Send(event) => {
                    let (text, lost) = wire::write(&event, self.dialler.endpoint().dialect());
                    self.trace(false, event.name(), &text).await;
                    socket.send(text);
                    self.tell_behind(socket);
                    self.warn_of_discarded_audio(&lost).await;
                }
                Output::SendPicture(picture) => {
                    let text = picture.to_json();
                    drop(picture);
                    self.trace(false, PictureMessage::NAME, &text).await;
                    socket.send(text);
                    self.tell_behind(socket);
                }
                Output::Play(speech) => self.playout.play(speech),
                Output::GapUntil(until) => self.playout.gap_until(until),
                Output::FlushAudio => self.cut(),
                Output::Text(text) => self.post(BusEvent::Text(text)).await,
                Output::TextGapUntil(speaker, until) => self.post(BusEvent::TextGap(speaker, until)).await,
                Output::Event(event) => {
                    if matches!(event, Event::Session(SessionEvent::Ready { .. })) {
                        self.ready = Some(self.clock.now());
                        self.dialler.ready();
                        self.input_queue.set_connected(true);
                    }
                    self.post(BusEvent::Event(event)).await;
                }
                Output::Preconnect => self.standby.dial(self.dialler.endpoint().clone(), self.connect_timeout),
                Output::Reconnect => self.is_lost = true,
                Output::Fail(failure) => {
                    self.over = true;
                    let done = self.conversation.done_until();
                    self.post(BusEvent::Fail(failure.into(), done)).await;
                }
                Output::Finished { at } => {
                    self.over = true;
                    self.post(BusEvent::Finished(at)).await;
                }
            }
        }
    }

    /// The conversation knows whether the network keeps up, so that pictures are sent only if it does.
    fn tell_behind(&mut self, socket: &WebSocket) {
        let is_behind = socket.is_behind();
        if std::mem::replace(&mut self.is_behind, is_behind) != is_behind {
            self.conversation.handle(Input::Behind(is_behind), self.clock.now());
        }
    }

    /// Silences the model. A sink may take its time to be flushed, which is nothing for a thread that others need.
    fn cut(&self) {
        let since = self.received.unwrap_or_else(|| self.clock.now());
        if self.playout.cut(since) {
            let playout = self.playout.clone();
            tokio::task::spawn_blocking(move || playout.flush_downstream(since));
        }
    }

    /// Tells something. Of warnings, what is one too many of its kind is left out and told later.
    async fn post(&mut self, post: BusEvent) {
        let post = match post {
            BusEvent::Event(Event::Warning(warning)) => match self.warnings.take(warning, self.clock.now()) {
                Some(warning) => BusEvent::Event(Event::Warning(warning)),
                None => return,
            },
            post => post,
        };
        self.post_at_once(post).await;
    }

    async fn post_at_once(&mut self, mut post: BusEvent) {
        // What the server says was scrubbed when it came. A key that is a word is left in it there.
        let redact = |text: &mut String| self.dialler.redact(text);
        match &mut post {
            BusEvent::Event(Event::Warning(warning)) => redact(&mut warning.message),
            BusEvent::Event(Event::Response(response)) => response.error_message.iter_mut().for_each(redact),
            BusEvent::Event(Event::Session(SessionEvent::Reconnecting { reason })) => redact(reason),
            BusEvent::Trace(event) => redact(&mut event.json),
            BusEvent::Fail(failure, _) => *failure = self.dialler.user_error(failure.clone()),
            BusEvent::Event(_) | BusEvent::Text(_) | BusEvent::TextGap(..) | BusEvent::Finished(_) => {}
        }
        // Nobody listens any more only when the session is being stopped.
        if self.bus_tx.send(post).await.is_err() {
            self.over = true;
        }
    }

    /// Tells the warnings that were left out, if it is time or if there will be none.
    async fn tell_left_out(&mut self, all: bool) {
        let now = self.clock.now();
        let warnings = if all { self.warnings.rest(now) } else { self.warnings.due(now) };
        for warning in warnings {
            self.post_at_once(BusEvent::Event(Event::Warning(warning))).await;
        }
    }

    /// Tells an event of the wire, where somebody wants to know.
    async fn trace(&mut self, from_server: bool, name: &str, text: &str) {
        if self.traces.load(Ordering::Relaxed) {
            let json = wire::redact_event(name, text);
            let event = TraceEvent {
                from_server,
                time: self.clock.now().saturating_duration_since(self.began),
                name: name.to_owned(),
                json,
            };
            self.post(BusEvent::Trace(event)).await;
        }
    }

    /// The dialect of the server has no word for something.
    async fn warn_of_discarded_audio(&mut self, lost: &[String]) {
        if !lost.is_empty() && !std::mem::replace(&mut self.warned_of_lost, true) {
            let message = format!("the server's dialect has no word for {}, which is left out", lost.join(", "));
            self.post(BusEvent::Event(Event::Warning(Warning::new("dialect", message)))).await;
        }
    }

    async fn warn_of_dropped_audio(&mut self) {
        let dropped = self.input_queue.take_dropped();
        for (length, connected) in [(dropped.connected, true), (dropped.unconnected, false)] {
            if !length.is_zero() {
                self.post(BusEvent::Event(Event::Aligned { dropped: length, inserted: Duration::ZERO })).await;
                self.post(BusEvent::Event(Event::Warning(drop_warning(length, connected)))).await;
            }
        }
    }
}

fn drop_warning(dropped: Duration, connected: bool) -> Warning {
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

/// For a branch that is switched off.
fn far_away(clock: &Clock) -> Instant {
    clock.now() + Duration::from_secs(3600)
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
