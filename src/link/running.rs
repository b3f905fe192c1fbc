//! A session with a connection: what arrives is handed to the conversation, and what that decides is carried out.

use super::backoff::Backoff;
use super::socket::{Event, Link};
use super::spare::Spare;
use super::unreadable::Unreadable;
use super::{Mailbox, Patience, Playout, Post, Setup, Target, WireEvent, connect, good_bye, wire};
use crate::conversation::events::SessionNotice;
use crate::conversation::{Conversation, Failure, Input, Notice, Output, Warning};
use crate::protocol::ServerEvent;
use crate::protocol::client::PictureMessage;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// A session that lasted so long was a good one: if it is lost, the tries are counted from the first.
const STEADY: Duration = Duration::from_secs(30);
/// Warnings of one kind are not repeated sooner.
const WARN_AGAIN: Duration = Duration::from_secs(10);

/// A session with an open socket.
pub struct Running {
    target: Target,
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
    patience: Patience,
    /// The tries of a row of short sessions.
    backoff: Backoff,
    /// Whether the conversation was told that the network takes less than is sent.
    is_behind: bool,
    dropped: Duration,
    warned: Option<Instant>,
    warned_of_lost: bool,
    unreadable: Unreadable,
    /// When what is being handled came.
    received: Option<Instant>,
}

impl Running {
    pub fn new(setup: Setup) -> Self {
        Self {
            target: setup.target,
            conversation: Conversation::new(setup.config, now()),
            mailbox: setup.mailbox,
            playout: setup.playout,
            posts: setup.posts,
            traces: setup.traces,
            began: Instant::now(),
            over: false,
            is_lost: false,
            spare: Spare::default(),
            backoff: Backoff::new(setup.patience.delay, setup.patience.tries),
            patience: setup.patience,
            is_behind: false,
            dropped: Duration::ZERO,
            warned: None,
            warned_of_lost: false,
            unreadable: Unreadable::default(),
            received: None,
        }
    }

    /// Goes on until the conversation is over, over as many connections as it takes.
    pub async fn go_on(&mut self, link: &mut Link, patience: Duration) {
        let mut patience = patience;
        loop {
            self.converse(link, patience).await;
            if !std::mem::take(&mut self.is_lost) || self.over {
                return;
            }
            patience = self.patience.timeout;
            let next = match self.spare.take() {
                Some(spare) => spare,
                None => match self.reconnect().await {
                    Ok(socket) => Link::new(socket),
                    Err(failure) => {
                        let done = self.conversation.done_until();
                        return self.post(Post::Fail(failure, done)).await;
                    }
                },
            };
            self.began = Instant::now();
            let mut before = std::mem::replace(link, next);
            // The next one need not wait for it.
            tokio::spawn(async move { good_bye(&mut before).await });
        }
    }

    async fn converse(&mut self, link: &mut Link, patience: Duration) {
        self.conversation.handle(Input::Connected { patience }, now());
        self.carry_out(link).await;
        while !self.over && !self.is_lost {
            self.take_mail(link).await;
            if self.over || self.is_lost {
                break;
            }
            let deadline = self.conversation.deadline().map(Instant::from_std);
            let full = self.playout.is_full();
            tokio::select! {
                event = link.next(!full) => self.react(event, link).await,
                there = self.spare.changed() => {
                    self.conversation.handle(Input::Spare(there), now());
                    self.carry_out(link).await;
                }
                () = self.mailbox.arrived() => {}
                () = self.playout.room(), if full => {}
                () = sleep_until(deadline.unwrap_or_else(far_away)), if deadline.is_some() => {
                    self.conversation.wake(now());
                    self.carry_out(link).await;
                }
            }
            self.warn_of_drops().await;
        }
        if self.over {
            link.flush().await;
        }
    }

    /// Tries until there is a connection again, or no use in trying. Sound waits meanwhile, as far as it is worth it.
    async fn reconnect(&mut self) -> Result<connect::Socket, Failure> {
        if self.began.elapsed() > STEADY {
            self.backoff = Backoff::new(self.patience.delay, self.patience.tries);
        }
        let mut last = Failure::Lost("the server ended the session again and again".into());
        let mut retry_after = None;
        let mut attempt = 0;
        while let Some(delay) = self.backoff.next(retry_after) {
            attempt += 1;
            self.post(Post::Notice(Notice::Session(SessionNotice::Connecting { attempt }))).await;
            sleep(delay).await;
            let error = match timeout(self.patience.timeout, self.target.connect()).await {
                Ok(Ok(socket)) => return Ok(socket),
                Ok(Err(error)) => error,
                Err(_) => continue,
            };
            if !error.again {
                return Err(error.failure);
            }
            (last, retry_after) = (
                Failure::Lost(format!("the connection was lost and not to be had back: {}", error.failure)),
                error.retry_after,
            );
        }
        Err(last)
    }

    /// Takes over what has arrived, as long as the socket keeps up.
    async fn take_mail(&mut self, link: &mut Link) {
        while !self.over {
            let stream = !link.is_behind() && self.conversation.wants_sound(now());
            let frames = self.conversation.wants_frames(now());
            let Some(input) = self.mailbox.take(stream, frames) else { return };
            if self.conversation.may_interrupt(&input) {
                self.look_at_playout();
            }
            self.received = Some(Instant::now());
            self.conversation.handle(input, now());
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
            Event::Closed { code, reason } => self.conversation.handle(Input::Closed { code, reason }, now()),
        }
        self.carry_out(link).await;
    }

    /// The server said something.
    async fn hear(&mut self, text: &str) {
        self.received = Some(Instant::now());
        match ServerEvent::read(text) {
            Ok((event, left_out)) => {
                self.trace(true, event.name(), text).await;
                self.unreadable.left_out(event.name(), left_out);
                let input = Input::Server(Box::new(event));
                if self.conversation.may_interrupt(&input) {
                    self.look_at_playout();
                }
                self.conversation.handle(input, now());
                if let Some(warning) = self.unreadable.warning_of_fields() {
                    self.post(Post::Notice(Notice::Warning(warning))).await;
                }
            }
            Err(error) => self.warn_of_unreadable(format!("something that cannot be read: {error}")).await,
        }
    }

    async fn warn_of_unreadable(&mut self, what: String) {
        if let Some(warning) = self.unreadable.warning_of_event(&what, now()) {
            self.post(Post::Notice(Notice::Warning(warning))).await;
        }
    }

    /// The conversation is about to decide about what was heard.
    fn look_at_playout(&mut self) {
        if let Some((position, items)) = self.playout.heard() {
            self.conversation.handle(Input::Played { now: position, items }, now());
        }
    }

    /// Does what the conversation has decided.
    async fn carry_out(&mut self, link: &mut Link) {
        while let Some(output) = self.conversation.poll() {
            match output {
                Output::Send(event) => {
                    let (text, lost) = wire::write(&event, self.target.dialect());
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
                Output::Notify(notice) => self.post(Post::Notice(notice)).await,
                Output::Spare => self.spare.dial(self.target.clone(), self.patience.timeout),
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
            self.conversation.handle(Input::Behind(is_behind), now());
        }
    }

    /// Silences the model. A sink may take its time to be flushed, which is nothing for a thread that others need.
    fn cut(&self) {
        let since = self.received.map_or_else(now, Instant::into_std);
        if self.playout.cut(since) {
            let playout = self.playout.clone();
            tokio::task::spawn_blocking(move || playout.silence(since));
        }
    }

    async fn post(&mut self, mut post: Post) {
        let scrub = |text: &mut String| self.target.scrub(text);
        match &mut post {
            Post::Notice(Notice::Warning(warning)) => scrub(&mut warning.message),
            Post::Notice(Notice::Response(response)) => response.error_message.iter_mut().for_each(scrub),
            Post::Notice(Notice::Session(SessionNotice::Reconnecting { reason })) => scrub(reason),
            Post::Event(event) => scrub(&mut event.json),
            Post::Fail(failure, _) => *failure = self.target.told(failure.clone()),
            Post::Notice(_) | Post::Text(_) | Post::TextQuiet(..) | Post::Finished(_) => {}
        }
        // Nobody listens any more only when the session is being stopped.
        if self.posts.send(post).await.is_err() {
            self.over = true;
        }
    }

    /// Tells an event of the wire, where somebody wants to know.
    async fn trace(&mut self, from_server: bool, name: &str, text: &str) {
        if self.traces.load(Ordering::Relaxed) {
            let json = wire::without_secrets(name, text);
            let event = WireEvent { from_server, time: self.began.elapsed(), name: name.to_owned(), json };
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
        if !dropped.is_zero() {
            self.post(Post::Notice(Notice::Aligned { dropped, inserted: Duration::ZERO })).await;
        }
        self.dropped += dropped;
        if self.dropped.is_zero() || self.warned.is_some_and(|at| at.elapsed() < WARN_AGAIN) {
            return;
        }
        let warning = drop_warning(std::mem::take(&mut self.dropped));
        self.warned = Some(Instant::now());
        self.post(Post::Notice(Notice::Warning(warning))).await;
    }
}

fn drop_warning(dropped: Duration) -> Warning {
    let message = format!(
        "more than 10 s of sound was waiting to be sent: {dropped:.1?} of the oldest sound is dropped; either the server \
         or the network does not keep up, or the input comes faster than real time (then timing=offline)"
    );
    Warning::new("audio-dropped", message)
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// For a branch that is switched off.
fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_that_is_dropped_is_not_nothing() {
        for (dropped, told) in [(20, "20.0ms"), (1_250, "1.2s"), (61_000, "61.0s")] {
            let message = drop_warning(Duration::from_millis(dropped)).message;
            assert!(message.contains(&format!(": {told} of the oldest sound")), "{message}");
        }
    }
}
