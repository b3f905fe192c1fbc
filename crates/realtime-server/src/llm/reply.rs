// SPDX-License-Identifier: MPL-2.0

//! An answer as it streams in: its text, cut where it can be spoken or shown, then its calls and what they cost.

mod text;

use crate::endpoint::{Endpoint, EndpointError, Fault};
use crate::engine::{Call, ResponsePart, SpeechChunk};
use crate::llm::events::{Events, unreadable};
use crate::llm::reply::text::{Reasoning, Text};
use openai_protocol::Usage;
use openai_protocol::chat::{Completion, StreamEvent, ToolCallDelta};
use std::collections::VecDeque;
use std::sync::Arc;

/// The longest answer, in bytes: an hour of speech. A model that repeats itself for ever is stopped there.
const MAX_ANSWER: usize = 64 << 10;

/// An answer in the making.
pub struct Reply {
    endpoint: Arc<Endpoint>,
    /// `None` when nothing more is wanted.
    events: Option<Events>,
    ready: VecDeque<ResponsePart>,
    reasoning: Reasoning,
    text: Text,
    calls: Vec<(u32, Call)>,
    parallel: bool,
    length: usize,
    finish_reason: Option<String>,
    usage: Option<Usage>,
}

impl Reply {
    /// The answer in these events, to be spoken or not, with one call at most unless they may be parallel.
    pub fn new(endpoint: Arc<Endpoint>, events: Events, speak: bool, parallel: bool) -> Self {
        Self {
            endpoint,
            events: Some(events),
            ready: VecDeque::new(),
            reasoning: Reasoning::default(),
            text: if speak { Text::spoken() } else { Text::written() },
            calls: Vec::new(),
            parallel,
            length: 0,
            finish_reason: None,
            usage: None,
        }
    }

    /// The next part.
    pub async fn next(&mut self) -> Result<Option<ResponsePart>, EndpointError> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                return Ok(Some(part));
            }
            let Some(events) = &mut self.events else { return Ok(None) };
            match events.next(&self.endpoint).await? {
                Some(data) => self.take(&data)?,
                // Some endpoints leave out the event that ends the stream.
                None if self.finish_reason.is_some() => self.end(),
                None => return Err(self.endpoint.error(Fault::BrokenOff(" before its end".into()))),
            }
        }
    }

    fn take(&mut self, data: &str) -> Result<(), EndpointError> {
        let bad = |_| self.endpoint.error(unreadable(self.endpoint.quote(data)));
        match StreamEvent::read(data).map_err(bad)?.0 {
            StreamEvent::Chunk(chunk) => self.take_chunk(*chunk),
            StreamEvent::Done => {
                self.end();
                Ok(())
            }
        }
    }

    fn take_chunk(&mut self, chunk: Completion) -> Result<(), EndpointError> {
        if let Some(error) = chunk.error {
            return Err(self.endpoint.error(Fault::Reported(self.endpoint.quote(&error.message))));
        }
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            for text in [choice.message.content, choice.message.refusal].into_iter().flatten() {
                self.take_text(&text);
            }
            choice.message.tool_calls.into_iter().for_each(|delta| self.take_call(delta));
            self.finish_reason = choice.finish_reason.or(self.finish_reason.take());
        }
        self.usage = chunk.usage.map(|usage| usage.to_usage()).or(self.usage.take());
        if self.length > MAX_ANSWER {
            self.finish_reason = Some("length".into());
            self.end();
        }
        Ok(())
    }

    fn take_text(&mut self, text: &str) {
        self.length += text.len();
        let text = self.reasoning.push(text);
        let pieces = self.text.push(&text);
        self.say(pieces);
    }

    fn say(&mut self, pieces: Vec<String>) {
        self.ready.extend(pieces.into_iter().map(|text| ResponsePart::Speech(SpeechChunk { text, sound: None })));
    }

    /// Adds a piece to its call. Some endpoints send whole calls without an index: one with another name is another.
    fn take_call(&mut self, delta: ToolCallDelta) {
        let (name, arguments) = (delta.function.name, delta.function.arguments.unwrap_or_default());
        self.length += arguments.len();
        let last = self.calls.last().map(|(index, _)| *index);
        let index = delta.index.unwrap_or_else(|| match (&name, last) {
            (Some(_), last) => last.map_or(0, |last| last + 1),
            (None, last) => last.unwrap_or(0),
        });
        if let Some((_, call)) = self.calls.iter_mut().find(|(of, _)| *of == index) {
            call.arguments.push_str(&arguments);
        } else {
            self.calls.push((index, Call { name: name.unwrap_or_default(), arguments }));
        }
    }

    /// Nothing follows: what was held back is complete.
    fn end(&mut self) {
        self.events = None;
        let rest = self.reasoning.finish();
        let mut pieces = self.text.push(&rest);
        pieces.extend(self.text.finish());
        self.say(pieces);
        let is_cut = self.finish_reason.as_deref() == Some("length");
        let most = if self.parallel { usize::MAX } else { 1 };
        for (_, mut call) in std::mem::take(&mut self.calls).into_iter().take(most) {
            if call.arguments.trim().is_empty() {
                call.arguments = "{}".into();
            }
            // Half a call must not be made.
            let is_whole = !is_cut || serde_json::from_str::<serde_json::Value>(&call.arguments).is_ok();
            if is_whole && !call.name.is_empty() {
                self.ready.push_back(ResponsePart::Call(call));
            }
        }
        self.ready.extend(self.usage.take().map(ResponsePart::Usage));
        match self.finish_reason.as_deref() {
            Some("length") => self.ready.push_back(ResponsePart::Incomplete("max_output_tokens")),
            Some("content_filter") => self.ready.push_back(ResponsePart::Incomplete("content_filter")),
            _ => {}
        }
    }
}
