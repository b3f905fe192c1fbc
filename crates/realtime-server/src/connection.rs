// SPDX-License-Identifier: MPL-2.0

//! One client: its socket, its session and the work that is done for it, in one loop.
//!
//! The loop reads, listens and works only as fast as the client takes what comes of it, for the [`Outbox`] between it
//! and the socket is short. So neither a slow client nor one that has vanished makes the server grow.

use crate::api_error::ApiError;
use crate::client_session::ClientSession;
use crate::engine::Engine;
use crate::keepalive::Pings;
use crate::metrics::SessionMeter;
use crate::send_queue::{GOODBYE, Outbox};
use crate::session::{Job, Output, Work};
use crate::socket::{Socket, close_for, close_frame};
use crate::state::App;
use crate::trace::{Close, Recording, Side};
use futures_util::stream::SplitStream;
use futures_util::{SinkExt, StreamExt};
use openai_protocol::ServerEvent;
use openai_protocol::session::SessionKind;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};

/// Results of work that wait for the session.
const RESULTS: usize = 64;
/// Jobs in hand; with more the client is not listened to.
const MAX_JOBS: usize = 32;

/// Why a client is sent away right after the upgrade.
#[derive(Clone, Debug)]
pub struct HandshakeError {
    close: u16,
    error: ApiError,
}

impl HandshakeError {
    /// A close code, an error code and a sentence for people.
    pub fn new(close: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self::refused(close, ApiError::new(code, message))
    }

    /// A close code and a refusal.
    pub fn refused(close: u16, error: ApiError) -> Self {
        Self { close, error }
    }
}

/// Tells a client why it cannot stay.
pub async fn reject(mut socket: Socket, fatal: &HandshakeError) {
    let reason = format!("invalid_request_error.{}", fatal.error.code());
    let event = fatal.error.clone().event(None);
    let goodbye = async {
        socket.send(Message::text(with_id(event).to_json())).await?;
        socket.close(Some(close_frame(fatal.close, &reason))).await?;
        while socket.next().await.transpose()?.is_some() {}
        Ok::<_, Error>(())
    };
    if !matches!(timeout(GOODBYE, goodbye).await, Ok(Ok(()))) {
        tracing::debug!("a client that was sent away did not say goodbye");
    }
}

fn with_id(mut event: ServerEvent) -> ServerEvent {
    event.set_event_id(crate::ids::new("event_"));
    event
}

/// A session that begins.
pub struct NewSession {
    /// The session.
    pub session: Box<dyn ClientSession>,
    /// What it is for.
    pub kind: SessionKind,
    /// What its protocol is called in a trace.
    pub dialect: &'static str,
}

/// Runs a session until one side ends it.
pub async fn run(app: &App, engine: Arc<dyn Engine>, socket: Socket, new: NewSession) {
    let NewSession { session, kind, dialect } = new;
    let (sink, stream) = socket.split();
    let (queue, outbox) = Outbox::new(sink);
    let recording = match &app.recorder {
        Some(recorder) => recorder.begin(dialect).await,
        None => None,
    };
    let (results, work) = mpsc::channel(RESULTS);
    let mut connection = Connection {
        app,
        session,
        engine,
        stream,
        queue,
        recording,
        jobs: JoinSet::new(),
        answers: HashMap::new(),
        results,
        work,
        pings: Pings::new(app.ping_interval),
        meter: SessionMeter::new(&app.metrics, &kind),
    };
    let told = connection.run().await;
    let Connection { stream, queue, .. } = connection;
    drop(queue);
    if told {
        outbox.finish(stream).await;
    }
}

/// Why the loop ends.
enum End {
    /// The client has gone, or cannot be reached any more.
    Gone,
    /// The server closes, or answers a close.
    Closing(Close),
}

struct Connection<'a> {
    app: &'a App,
    session: Box<dyn ClientSession>,
    engine: Arc<dyn Engine>,
    stream: SplitStream<Socket>,
    queue: mpsc::Sender<Message>,
    recording: Option<Recording>,
    jobs: JoinSet<()>,
    answers: HashMap<String, AbortHandle>,
    results: mpsc::Sender<Work>,
    work: mpsc::Receiver<Work>,
    pings: Pings,
    meter: SessionMeter<'a>,
}

impl Connection<'_> {
    /// True where a close waits for the client in the end.
    async fn run(&mut self) -> bool {
        let end = match self.turn_until_end().await {
            Err(end) => end,
            Ok(never) => match never {},
        };
        match end {
            End::Closing(close) => self.say_goodbye(&close).await,
            End::Gone => false,
        }
    }

    async fn turn_until_end(&mut self) -> Result<std::convert::Infallible, End> {
        let end = tokio::time::Instant::now() + self.app.max_session;
        loop {
            self.flush().await?;
            if self.session.listen(Instant::now()) {
                self.take_finished_work();
                tokio::task::yield_now().await;
                continue;
            }
            let may_read = self.jobs.len() < MAX_JOBS;
            tokio::select! {
                message = self.stream.next(), if may_read => self.take(message).await?,
                Some(work) = self.work.recv() => self.session.work(work, Instant::now()),
                Some(done) = self.jobs.join_next() => self.clear_away(done),
                () = self.pings.tick() => self.ping(may_read).await?,
                () = sleep_until(end) => self.session.expire(self.app.max_session),
            }
        }
    }

    /// Does what the session wants.
    async fn flush(&mut self) -> Result<(), End> {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Send(text) => self.send(text).await?,
                Output::Start(job) => self.start(job),
                Output::Stop(response_id) => {
                    if let Some(answer) = self.answers.remove(&response_id) {
                        answer.abort();
                    }
                }
                Output::Close(code, reason) => return Err(End::Closing(Close { code, reason })),
            }
        }
        Ok(())
    }

    async fn send(&mut self, text: String) -> Result<(), End> {
        if let Some(recording) = &mut self.recording {
            recording.message(Side::Server, &text).await;
        }
        self.meter.sent(&text, Instant::now());
        self.queue.send(Message::text(text)).await.map_err(|_| End::Gone)
    }

    fn start(&mut self, job: Job) {
        let response_id = match &job {
            Job::Answer { response_id, .. } => Some(response_id.clone()),
            Job::Transcribe { .. } | Job::TranscribePart { .. } | Job::Listen { .. } => None,
        };
        let work = self.app.workers.clone().perform(self.engine.clone(), job, self.results.clone());
        let handle = self.jobs.spawn(work);
        if let Some(id) = response_id {
            self.answers.insert(id, handle);
        }
    }

    /// Forgets jobs that are done.
    fn clear_away(&mut self, done: Result<(), tokio::task::JoinError>) {
        if let Err(error) = done
            && error.is_panic()
        {
            tracing::error!("a job failed: {error}");
        }
        self.answers.retain(|_, answer| !answer.is_finished());
    }

    fn take_finished_work(&mut self) {
        while let Ok(work) = self.work.try_recv() {
            self.session.work(work, Instant::now());
        }
    }

    /// Takes what the socket gave.
    async fn take(&mut self, message: Option<Result<Message, Error>>) -> Result<(), End> {
        self.pings.heard();
        match message {
            Some(Ok(Message::Text(text))) => {
                if let Some(recording) = &mut self.recording {
                    recording.message(Side::Client, &text).await;
                }
                self.meter.received(&text);
                if text.contains("image_url") {
                    let workers = self.app.workers.clone();
                    workers.decode(|| self.session.handle(&text, Instant::now())).await;
                } else {
                    self.session.handle(&text, Instant::now());
                }
                Ok(())
            }
            Some(Ok(Message::Binary(_))) => {
                self.session.handle_binary();
                Ok(())
            }
            Some(Ok(Message::Close(frame))) => {
                let close = frame.map(|frame| Close { code: frame.code.into(), reason: frame.reason.to_string() });
                let close = close.unwrap_or(Close { code: 1005, reason: String::new() });
                if let Some(recording) = &mut self.recording {
                    recording.close(Side::Client, &close).await;
                }
                // The socket answers a close by itself; reading on lets it.
                self.read_to_the_end().await;
                Err(End::Gone)
            }
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => {
                tracing::debug!("cannot read: {error}");
                let close = close_for(&error).map(|(code, reason)| Close { code, reason: reason.into() });
                Err(close.map_or(End::Gone, End::Closing))
            }
            None => Err(End::Gone),
        }
    }

    async fn ping(&mut self, is_heard: bool) -> Result<(), End> {
        if !self.pings.count(is_heard) {
            tracing::info!("a client is silent: giving it up");
            return Err(End::Gone);
        }
        self.queue.send(Message::Ping(Default::default())).await.map_err(|_| End::Gone)
    }

    /// Puts the close behind everything else. False: the client cannot be reached.
    async fn say_goodbye(&mut self, close: &Close) -> bool {
        if let Some(recording) = &mut self.recording {
            recording.close(Side::Server, close).await;
        }
        let message = Message::Close(Some(close_frame(close.code, &close.reason)));
        self.queue.send(message).await.is_ok()
    }

    /// Lets the socket finish the closing, for as long as that may take.
    async fn read_to_the_end(&mut self) {
        let rest = async { while let Some(Ok(_)) = self.stream.next().await {} };
        if timeout(GOODBYE, rest).await.is_err() {
            tracing::debug!("a client did not finish the closing");
        }
    }
}
