// SPDX-License-Identifier: MPL-2.0

//! The events of a streamed answer.

use crate::endpoint::{AnswerBody, Endpoint, EndpointError, Fault};
use openai_protocol::sse::SseReader;
use std::collections::VecDeque;

/// The longest event of an answer: some hundred times what a model says at once.
const MAX_EVENT_LEN: usize = 4 << 20;

/// The events of an answer, as they come.
pub struct Events {
    body: AnswerBody,
    reader: SseReader,
    ready: VecDeque<String>,
    has_ended: bool,
}

impl Events {
    /// The events in a body.
    pub fn of(body: AnswerBody) -> Self {
        Self { body, reader: SseReader::new(MAX_EVENT_LEN), ready: VecDeque::new(), has_ended: false }
    }

    /// The data of the next event; `None` where the stream ends.
    pub async fn next(&mut self, endpoint: &Endpoint) -> Result<Option<String>, EndpointError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if self.has_ended {
                return Ok(None);
            }
            let Some(bytes) = self.body.next(endpoint).await? else {
                self.reader.finish(&mut self.ready);
                self.has_ended = true;
                continue;
            };
            self.reader
                .push(&bytes, &mut self.ready)
                .map_err(|_| endpoint.error(unreadable("an event without end".into())))?;
        }
    }
}

/// The answer is no stream of events.
pub fn unreadable(got: String) -> Fault {
    Fault::Unreadable { expected: "stream of Chat Completions", got }
}
