// SPDX-License-Identifier: MPL-2.0

//! Task of one request: sends it, reads the answer to its end, and reports its events in order.

use crate::chat::conversation::io::{AnswerEvent, RequestError};
use crate::chat::session::Timeouts;
use crate::error::Error;
use crate::net::clock::Clock;
use crate::net::connect::again;
use crate::net::connection_pool::ConnectionPool;
use crate::net::endpoint::Endpoint;
use crate::net::http::{HttpError, HttpResponse};
use crate::types::TraceEvent;
use bytes::Bytes;
use openai_protocol::chat::{Completion, StreamEvent};
use openai_protocol::sse::SseReader;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::sync::mpsc;

/// Maximum length of an answer; a minute of speech is 4 MB.
const MAX_ANSWER_LEN: usize = 256 << 20;
/// Maximum length of an event of a stream; some servers send minutes of audio in one.
const MAX_EVENT_LEN: usize = 64 << 20;
/// How much of an unexpected body goes into the error.
const MAX_SHOWN_LEN: usize = 200;

/// What a task reports.
pub enum RequestUpdate {
    /// For `event_src`.
    Trace(TraceEvent),
    /// For the conversation.
    Answer(u64, AnswerEvent),
}

/// Parts of a request.
pub struct RequestContext {
    pub id: u64,
    pub endpoint: Endpoint,
    /// Idempotency key, the same for all retries.
    pub key: String,
    pub timeouts: Timeouts,
    pub connections: Arc<ConnectionPool>,
    pub clock: Clock,
    pub traces: Arc<AtomicBool>,
    pub updates: mpsc::Sender<RequestUpdate>,
    pub started: Instant,
}

/// The session does not need the answer any more.
struct Abandoned;

impl RequestContext {
    /// Sends the request and reads the answer.
    pub async fn run(self, body: Bytes) {
        let clock = self.clock.clone();
        let mut read = None;
        let result = clock.timeout(self.timeouts.request, self.exchange(body, &mut read)).await;
        let result = result.unwrap_or_else(|| {
            let limit = self.timeouts.request;
            let name = self.endpoint.name();
            Ok(Err(
                again(Error::lost(format!("no whole answer from {name} within {limit:.0?} (request-timeout)"))).into()
            ))
        });
        match result {
            // The session is over.
            Err(Abandoned) => {}
            Ok(Ok(done)) => {
                // Before the end is reported, so that the next request can use the connection.
                if let Some(response) = read {
                    response.release(&self.connections, &clock).await;
                }
                drop(self.answer(AnswerEvent::Ended { done }).await);
            }
            Ok(Err(error)) => drop(self.answer(AnswerEvent::Failed(self.user_error(error))).await),
        }
    }

    /// Returns whether the server has said that the answer is complete, and leaves the response in `read`.
    async fn exchange(
        &self,
        body: Bytes,
        read: &mut Option<HttpResponse>,
    ) -> Result<Result<bool, HttpError>, Abandoned> {
        self.trace(false, "chat.completion.request", || String::from_utf8_lossy(&body).into_owned()).await?;
        let posted = self.endpoint.post(body, &self.key, self.timeouts.connect, &self.connections, &self.clock).await;
        let response = match posted {
            Ok(response) => read.insert(response),
            Err(error) => return Ok(Err(error)),
        };
        if response.is_event_stream { self.read_stream(response).await } else { self.read_whole(response).await }
    }

    async fn read_stream(&self, response: &mut HttpResponse) -> Result<Result<bool, HttpError>, Abandoned> {
        let (mut reader, mut events, mut received) = (SseReader::new(MAX_EVENT_LEN), Vec::new(), 0);
        loop {
            let piece = response.next().await;
            let is_end = matches!(piece, Ok(None) | Err(_));
            let pushed = match &piece {
                Ok(Some(piece)) => {
                    received += piece.len();
                    reader.push(piece, &mut events)
                }
                Ok(None) => {
                    reader.finish(&mut events);
                    Ok(())
                }
                // A truncated event is left out.
                Err(_) => Ok(()),
            };
            let count = events.len();
            for (index, data) in events.drain(..).enumerate() {
                let data = self.endpoint.scrub_frame(&data).unwrap_or(data);
                match StreamEvent::read(&data) {
                    Ok((StreamEvent::Done, _)) => return Ok(Ok(true)),
                    Ok((StreamEvent::Chunk(chunk), left_out)) => {
                        self.trace(true, "chat.completion.chunk", || data).await?;
                        self.answer(AnswerEvent::Chunk(chunk, left_out)).await?;
                    }
                    // The last event may be truncated; then the answer has no end, which the conversation notices.
                    Err(_) if is_end && index + 1 == count => {}
                    Err(error) => {
                        let why = format!("sent what is no piece of an answer: {}: {}", error.plain(), shown(&data));
                        return Ok(Err(self.broken(&why, false)));
                    }
                }
            }
            match (piece, pushed) {
                (_, Err(error)) => return Ok(Err(self.broken(&error.to_string(), false))),
                (Ok(None), _) => return Ok(Ok(false)),
                (Err(why), _) => return Ok(Err(self.broken(&why, true))),
                _ if received > MAX_ANSWER_LEN => return Ok(Err(self.broken("sent an answer without end", false))),
                _ => {}
            }
        }
    }

    async fn read_whole(&self, response: &mut HttpResponse) -> Result<Result<bool, HttpError>, Abandoned> {
        let mut text = Vec::new();
        loop {
            match response.next().await {
                Ok(Some(piece)) => text.extend_from_slice(&piece),
                Ok(None) => break,
                Err(why) => return Ok(Err(self.broken(&why, true))),
            }
            if text.len() > MAX_ANSWER_LEN {
                return Ok(Err(self.broken("sent an answer without end", false)));
            }
        }
        let text = String::from_utf8_lossy(&text);
        let text = self.endpoint.scrub_frame(&text).unwrap_or_else(|| text.into_owned());
        match Completion::read(&text) {
            Ok((completion, left_out)) => {
                self.trace(true, "chat.completion", || text).await?;
                self.answer(AnswerEvent::Whole(Box::new(completion), left_out)).await?;
                Ok(Ok(true))
            }
            Err(error) => {
                let why = format!("sent what is no answer: {}: {}", error.plain(), shown(&text));
                Ok(Err(self.broken(&why, false)))
            }
        }
    }

    fn broken(&self, why: &str, retry: bool) -> HttpError {
        let mut error = again(Error::lost(format!("{}: {why}", self.endpoint.name())));
        error.again = retry;
        error.into()
    }

    /// The error as it is shown to the user: without secrets, and with a hint.
    fn user_error(&self, error: HttpError) -> RequestError {
        let HttpError { error, status, mut body } = error;
        let redact = |text: &mut String| self.endpoint.redact(text);
        redact(&mut body.message);
        [&mut body.kind, &mut body.param, &mut body.code].into_iter().flatten().for_each(redact);
        let failure = self.endpoint.user_error(error.failure);
        RequestError { failure, again: error.again, retry_after: error.retry_after, status, body }
    }

    async fn answer(&self, event: AnswerEvent) -> Result<(), Abandoned> {
        self.updates.send(RequestUpdate::Answer(self.id, event)).await.map_err(|_| Abandoned)
    }

    async fn trace(&self, from_server: bool, name: &str, json: impl FnOnce() -> String) -> Result<(), Abandoned> {
        if !self.traces.load(Ordering::Relaxed) {
            return Ok(());
        }
        let time = self.clock.now().saturating_duration_since(self.started);
        let event = TraceEvent { from_server, time, name: name.to_owned(), json: on_one_line(json()) };
        self.updates.send(RequestUpdate::Trace(event)).await.map_err(|_| Abandoned)
    }
}

/// JSON without line breaks, because a trace is JSON lines.
fn on_one_line(json: String) -> String {
    if !json.contains(['\n', '\r']) {
        return json;
    }
    // It was parsed as JSON before.
    serde_json::from_str::<serde_json::Value>(&json).map_or(json, |value| value.to_string())
}

/// The beginning of a text, for an error.
fn shown(text: &str) -> String {
    let begin: String = text.chars().take(MAX_SHOWN_LEN).collect();
    if begin.len() < text.len() { format!("{begin:?} …") } else { format!("{begin:?}") }
}
