//! A session with a connection: what arrives is handed to the conversation, and what that decides is carried out.

use crate::net::clock::Clock;
use crate::realtime::session::dialler::Dialler;
use crate::net::websocket::{Event, Link};
use crate::realtime::session::standby::Spare;
use crate::realtime::session::left_out_fields::LeftOutFields;
use crate::realtime::session::warning_limit::Warnings;
use crate::realtime::session::trace as wire;
use crate::realtime::session::{Mailbox, Playout, Post, Setup, WireEvent, good_bye};
use crate::realtime::conversation::io::SessionNotice;
use crate::realtime::conversation::{Conversation, Failure, Input, Notice, Output, Warning};
use openai_protocol::ServerEvent;
use openai_protocol::client::PictureMessage;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// A session that lasted so long was a good one, as is one that carried a turn: if it is lost, the tries are counted
/// from the first.
const STEADY: Duration = Duration::from_secs(5);

/// A conversation, and the connection that it has at the time.
pub struct Running {
    dialler: Dialler,
    clock: Clock,
    conversation: Conversation,
    mailbox: Arc<Mailbox>,
    playout: Arc<Playout>,
    posts: mpsc::Sender<Post>,
    traces: Arc<AtomicBool>,
    began: Instant,
    over: bool,
    /// The connection is gone, and another one is wanted.
    is_lost: bool,
    /// Another connection, for when this session ends.
    spare: Spare,
    /// Longest time until a connection is made.
    connect_timeout: Duration,
    /// Since when the session is ready.
    ready: Option<Instant>,
    /// Whether the conversation was told that the network takes less than is sent.
    is_behind: bool,
    warnings: Warnings,
    warned_of_lost: bool,
    left_out: LeftOutFields,
    /// When what is being handled came.
    received: Option<Instant>,
}

impl Running {
    pub fn new(setup: Setup) -> Self {
        let Setup { targets, config, patience, mailbox, playout, posts, traces, clock } = setup;
        let mut conversation = Conversation::new(config, clock.now());
        conversation.set_standby(targets.len() > 1);
        Self {
            dialler: Dialler::new(targets, patience, clock.clone(), posts.clone()),
            conversation,
            mailbox,
            playout,
            posts,
            traces,
            began: clock.now(),
            over: false,
            is_lost: false,
            spare: Spare::new(clock.clone()),
            connect_timeout: patience.timeout,
            ready: None,
            is_behind: false,
            warnings: Warnings::default(),
            warned_of_lost: false,
            left_out: LeftOutFields::default(),
            received: None,
            clock,
        }
    }

    /// Goes on until the conversation is over, over as many connections as it takes.
    pub async fn go_on(&mut self, link: &mut Option<Link>) {
        loop {
            let next = match self.spare.take() {
                Some(spare) => {
                    self.dialler.has_spare();
                    spare
                }
                None => match self.dialler.connect().await {
                    Ok(socket) => Link::new(socket, self.clock.clone()),
                    Err(failure) => return self.fail(failure).await,
                },
            };
            self.began = self.clock.now();
            self.conversation.set_standby(self.dialler.has_standby());
            self.converse(link.insert(next)).await;
            if !std::mem::take(&mut self.is_lost) || self.over {
                return self.tell_left_out(true).await;
            }
            if let Some(mut before) = link.take() {
                // The next one need not wait for it.
                tokio::spawn(async move { good_bye(&mut before).await });
            }
            self.look_back();
        }
    }

    /// The session is over, and there is to be another one. How the last one went decides how that is had.
    fn look_back(&mut self) {
        self.mailbox.set_connected(false);
        let ready = self.ready.take();
        let lasted = ready.map(|ready| self.clock.now().saturating_duration_since(ready));
        if lasted.is_some_and(|lasted| lasted >= STEADY || self.conversation.carried_turn()) {
            self.dialler.worked();
        }
        if let Some(loss) = self.conversation.take_loss() {
            self.dialler.failed(loss.failure, loss.again);
        }
    }

    /// There is no session to be had.
    async fn fail(&mut self, failure: Failure) {
        self.warn_of_drops().await;
        self.tell_left_out(true).await;
        let done = self.conversation.done_until();
        self.post(Post::Fail(failure, done)).await;
    }

    async fn converse(&mut self, link: &mut Link) {
        let patience = self.dialler.time_left();
        self.conversation.handle(Input::Connected { patience }, self.clock.now());
        self.carry_out(link).await;
        let clock = self.clock.clone();
        while !self.over && !self.is_lost {
            self.take_mail(link).await;
            if self.over || self.is_lost {
                break;
            }
            let deadline = self.conversation.deadline();
            let left_out = self.warnings.deadline();
            let full = self.playout.is_full();
            let owed = self.conversation.awaits_server();
            tokio::select! {
                event = link.next(!full, owed) => self.react(event, link).await,
                there = self.spare.changed() => {
                    self.conversation.handle(Input::Spare(there), self.clock.now());
                    self.carry_out(link).await;
                }
                () = self.mailbox.arrived() => {}
                () = self.playout.room(), if full => {}
                () = clock.sleep_until(deadline.unwrap_or_else(|| far_away(&clock))), if deadline.is_some() => {
                    self.conversation.wake(self.clock.now());
                    self.carry_out(link).await;
                }
                () = clock.sleep_until(left_out.unwrap_or_else(|| far_away(&clock))), if left_out.is_some() => {
                    self.tell_left_out(false).await;
                }
            }
            self.warn_of_drops().await;
        }
        if self.over {
            link.flush().await;
        }
    }

    /// Takes over what has arrived, as long as the socket keeps up.
    async fn take_mail(&mut self, link: &mut Link) {
        while !self.over {
            let stream = !link.is_behind() && self.conversation.wants_sound(self.clock.now());
            let frames = self.conversation.wants_frames(self.clock.now());
            let Some(input) = self.mailbox.take(stream, frames) else { return };
            if self.conversation.may_interrupt(&input) {
                self.look_at_playout();
            }
            self.received = Some(self.clock.now());
            self.conversation.handle(input, self.clock.now());
            self.carry_out(link).await;
        }
    }

    async fn react(&mut self, event: Event, link: &mut Link) {
        match event {
            Event::Written => self.tell_behind(link),
            Event::Text(text) => self.hear(&text).await,
            // Some proxies pass the text on as bytes.
            Event::Binary(data) => match std::str::from_utf8(&data) {
                Ok(text) => self.hear(text).await,
                Err(_) => {
                    let length = data.len();
                    self.warn_of_unreadable(format!("{length} bytes of binary data, which mean nothing here")).await;
                }
            },
            Event::Gone(silent) => self.conversation.handle(Input::Gone { silent }, self.clock.now()),
            Event::Closed { code, mut reason } => {
                self.dialler.scrub(&mut reason);
                self.conversation.handle(Input::Closed { code, reason }, self.clock.now());
            }
        }
        self.carry_out(link).await;
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
                    self.look_at_playout();
                }
                self.conversation.handle(input, self.clock.now());
                if let Some(warning) = self.left_out.warning() {
                    self.post(Post::Notice(Notice::Warning(warning))).await;
                }
            }
            Err(error) => self.warn_of_unreadable(format!("something that cannot be read: {error}")).await,
        }
    }

    async fn warn_of_unreadable(&mut self, what: String) {
        let warning = Warning::new("unreadable-event", format!("the server sent {what}"));
        self.post(Post::Notice(Notice::Warning(warning))).await;
    }

    /// The conversation is about to decide about what was heard.
    fn look_at_playout(&mut self) {
        if let Some((position, items)) = self.playout.heard() {
            self.conversation.handle(Input::Played { now: position, items }, self.clock.now());
        }
    }

    /// Does what the conversation has decided.
    async fn carry_out(&mut self, link: &mut Link) {
        while let Some(output) = self.conversation.poll() {
            match output {
                Output::Send(event) => {
                    let (text, lost) = wire::write(&event, self.dialler.target().dialect());
                    self.trace(false, event.name(), &text).await;
                    link.send(text);
                    self.tell_behind(link);
                    self.warn_of_lost(&lost).await;
                }
                Output::SendPicture(picture) => {
                    let text = picture.to_json();
                    drop(picture);
                    self.trace(false, PictureMessage::NAME, &text).await;
                    link.send(text);
                    self.tell_behind(link);
                }
                Output::Play(speech) => self.playout.play(speech),
                Output::Quiet(until) => self.playout.quiet_until(until),
                Output::Cut => self.cut(),
                Output::Text(text) => self.post(Post::Text(text)).await,
                Output::TextQuiet(speaker, until) => self.post(Post::TextQuiet(speaker, until)).await,
                Output::Notify(notice) => {
                    if matches!(notice, Notice::Session(SessionNotice::Ready { .. })) {
                        self.ready = Some(self.clock.now());
                        self.dialler.ready();
                        self.mailbox.set_connected(true);
                    }
                    self.post(Post::Notice(notice)).await;
                }
                Output::Spare => self.spare.dial(self.dialler.target().clone(), self.connect_timeout),
                Output::Reconnect => self.is_lost = true,
                Output::Fail(failure) => {
                    self.over = true;
                    let done = self.conversation.done_until();
                    self.post(Post::Fail(failure, done)).await;
                }
                Output::Finished { at } => {
                    self.over = true;
                    self.post(Post::Finished(at)).await;
                }
            }
        }
    }

    /// The conversation knows whether the network keeps up, so that pictures are sent only if it does.
    fn tell_behind(&mut self, link: &Link) {
        let is_behind = link.is_behind();
        if std::mem::replace(&mut self.is_behind, is_behind) != is_behind {
            self.conversation.handle(Input::Behind(is_behind), self.clock.now());
        }
    }

    /// Silences the model. A sink may take its time to be flushed, which is nothing for a thread that others need.
    fn cut(&self) {
        let since = self.received.unwrap_or_else(|| self.clock.now());
        if self.playout.cut(since) {
            let playout = self.playout.clone();
            tokio::task::spawn_blocking(move || playout.silence(since));
        }
    }

    /// Tells something. Of warnings, what is one too many of its kind is left out and told later.
    async fn post(&mut self, post: Post) {
        let post = match post {
            Post::Notice(Notice::Warning(warning)) => match self.warnings.take(warning, self.clock.now()) {
                Some(warning) => Post::Notice(Notice::Warning(warning)),
                None => return,
            },
            post => post,
        };
        self.post_at_once(post).await;
    }

    async fn post_at_once(&mut self, mut post: Post) {
        // What the server says was scrubbed when it came. A key that is a word is left in it there.
        let scrub = |text: &mut String| self.dialler.scrub(text);
        match &mut post {
            Post::Notice(Notice::Warning(warning)) => scrub(&mut warning.message),
            Post::Notice(Notice::Response(response)) => response.error_message.iter_mut().for_each(scrub),
            Post::Notice(Notice::Session(SessionNotice::Reconnecting { reason })) => scrub(reason),
            Post::Event(event) => scrub(&mut event.json),
            Post::Fail(failure, _) => *failure = self.dialler.told(failure.clone()),
            Post::Notice(_) | Post::Text(_) | Post::TextQuiet(..) | Post::Finished(_) => {}
        }
        // Nobody listens any more only when the session is being stopped.
        if self.posts.send(post).await.is_err() {
            self.over = true;
        }
    }

    /// Tells the warnings that were left out, if it is time or if there will be none.
    async fn tell_left_out(&mut self, all: bool) {
        let now = self.clock.now();
        let warnings = if all { self.warnings.rest(now) } else { self.warnings.due(now) };
        for warning in warnings {
            self.post_at_once(Post::Notice(Notice::Warning(warning))).await;
        }
    }

    /// Tells an event of the wire, where somebody wants to know.
    async fn trace(&mut self, from_server: bool, name: &str, text: &str) {
        if self.traces.load(Ordering::Relaxed) {
            let json = wire::without_secrets(name, text);
            let event = WireEvent {
                from_server,
                time: self.clock.now().saturating_duration_since(self.began),
                name: name.to_owned(),
                json,
            };
            self.post(Post::Event(event)).await;
        }
    }

    /// The dialect of the server has no word for something.
    async fn warn_of_lost(&mut self, lost: &[String]) {
        if !lost.is_empty() && !std::mem::replace(&mut self.warned_of_lost, true) {
            let message = format!("the server's dialect has no word for {}, which is left out", lost.join(", "));
            self.post(Post::Notice(Notice::Warning(Warning::new("dialect", message)))).await;
        }
    }

    async fn warn_of_drops(&mut self) {
        let dropped = self.mailbox.take_dropped();
        for (length, connected) in [(dropped.connected, true), (dropped.unconnected, false)] {
            if !length.is_zero() {
                self.post(Post::Notice(Notice::Aligned { dropped: length, inserted: Duration::ZERO })).await;
                self.post(Post::Notice(Notice::Warning(drop_warning(length, connected)))).await;
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
