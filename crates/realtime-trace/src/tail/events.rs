// SPDX-License-Identifier: MPL-2.0

//! Events of the wire, and what they tell.

use super::notice::{Notice, Speaker, What};
use crate::latency::Latency;
use crate::pricing;
use crate::trace::{Body, Event, Line};
use crate::words::heard_words;
use openai_protocol::items::{ContentPart, ItemKind, PartKind, Status};
use openai_protocol::session::AudioFormat;
use openai_protocol::{ClientEvent, Item, Response, ServerEvent, Session};
use std::collections::HashMap;

/// What the events tell, one after the other.
#[derive(Debug, Default)]
pub struct Events {
    model: String,
    format: AudioFormat,
    cost: f64,
    /// The model's messages that sound or are written: by item.
    spoken: HashMap<String, Spoken>,
    /// Names of called functions, by call.
    calls: HashMap<String, String>,
    turn: Turn,
}

/// A message of the model.
#[derive(Debug, Default)]
struct Spoken {
    words: String,
    seconds: f64,
}

/// When the stages of the turn that waits for its answer were reached.
#[derive(Debug, Default)]
struct Turn {
    stopped: Option<f64>,
    committed: Option<f64>,
    response: Option<f64>,
}

impl Events {
    /// What a line of a trace tells.
    pub fn notices(&mut self, line: &Line) -> Vec<Notice> {
        let what = match line.event() {
            Some(Ok(Event::Client(event))) => self.client(event),
            Some(Ok(Event::Server(event))) => self.server(event, line.time),
            Some(Err(error)) => vec![What::Error(format!("line {}: {}", line.number, error.plain()))],
            None => match &line.body {
                Body::Close { code, reason } => {
                    vec![What::Closed(format!("code {code} {reason}").trim_end().to_owned())]
                }
                _ => Vec::new(),
            },
        };
        what.into_iter().map(|what| Notice { time: Some(line.time), what }).collect()
    }

    fn client(&mut self, event: ClientEvent) -> Vec<What> {
        match event {
            ClientEvent::ConversationItemCreate(event) => self.created_item(event.item),
            ClientEvent::ConversationItemTruncate(event) => {
                let heard = event.audio_end_ms as f64 / 1000.0;
                let spoken = self.spoken.get(&event.item_id);
                let words = spoken.map(|spoken| heard_words(&spoken.words, heard, spoken.seconds).to_owned());
                vec![What::Interrupted { heard, words }]
            }
            _ => Vec::new(),
        }
    }

    /// An item that the client puts into the conversation.
    fn created_item(&mut self, item: Item) -> Vec<What> {
        if item.kind == ItemKind::FunctionCallOutput {
            let name = item.call_id.and_then(|call| self.calls.remove(&call)).unwrap_or_default();
            let output = item.output.map(|output| output.as_str().map_or(output.to_string(), str::to_owned));
            return vec![What::Output { name, output: output.unwrap_or_default() }];
        }
        let parts = item.content.as_deref().unwrap_or_default();
        let pictures = parts.iter().filter_map(|part| What::Picture(picture_bytes(part)?).into());
        let mut what: Vec<_> = pictures.collect();
        let text: Vec<_> = parts.iter().filter_map(|part| part.text.as_deref()).collect();
        if let Some(speaker) = item.role.as_ref().and_then(Speaker::of).filter(|_| !text.is_empty()) {
            what.push(What::Message { speaker, item: item.id().to_owned(), text: text.join(" ") });
        }
        what
    }

    fn server(&mut self, event: ServerEvent, now: f64) -> Vec<What> {
        match event {
            ServerEvent::SessionCreated(event) => {
                self.session(&event.session);
                return vec![What::Ready { model: self.model.clone() }];
            }
            ServerEvent::SessionUpdated(event) => self.session(&event.session),
            ServerEvent::InputAudioBufferSpeechStarted(_) => self.turn = Turn::default(),
            ServerEvent::InputAudioBufferSpeechStopped(_) => self.turn.stopped = Some(now),
            ServerEvent::InputAudioBufferCommitted(_) => self.turn.committed = Some(now),
            ServerEvent::TranscriptionDelta(event) => {
                return vec![What::Piece { speaker: Speaker::User, item: event.item_id, text: event.delta }];
            }
            ServerEvent::TranscriptionCompleted(event) => {
                let (speaker, item) = (Speaker::User, event.item_id);
                return vec![What::Message { speaker, item, text: event.transcript }];
            }
            ServerEvent::TranscriptionFailed(event) => {
                return vec![What::Error(format!(
                    "what the user said could not be written down: {}",
                    event.error.message
                ))];
            }
            ServerEvent::ResponseCreated(_) => self.turn.response = self.turn.response.or(Some(now)),
            ServerEvent::ResponseOutputAudioDelta(event) => return self.audio(event.item_id, event.delta.0.len(), now),
            ServerEvent::ResponseOutputAudioTranscriptDelta(event) => return self.piece(event.item_id, event.delta),
            ServerEvent::ResponseOutputTextDelta(event) => return self.piece(event.item_id, event.delta),
            ServerEvent::ResponseOutputAudioTranscriptDone(event) => {
                return self.whole(event.item_id, event.transcript);
            }
            ServerEvent::ResponseOutputTextDone(event) => return self.whole(event.item_id, event.text),
            ServerEvent::ResponseOutputItemDone(event) => return self.finished_item(event.item),
            ServerEvent::ResponseDone(event) => return self.response(&event.response),
            ServerEvent::Error(event) => return vec![What::Error(event.error.message)],
            _ => {}
        }
        Vec::new()
    }

    fn session(&mut self, session: &Session) {
        self.model = session.model.clone().unwrap_or_else(|| std::mem::take(&mut self.model));
        self.format = session.output_format().unwrap_or_else(|| std::mem::take(&mut self.format));
    }

    /// Sound of the model. The first of a turn ends its wait.
    fn audio(&mut self, item: String, bytes: usize, now: f64) -> Vec<What> {
        self.spoken.entry(item).or_default().seconds += crate::audio::seconds(&self.format, bytes);
        let turn = std::mem::take(&mut self.turn);
        let mut latency = Latency::default();
        latency.reached("end of turn", turn.stopped);
        latency.reached("committed", turn.committed);
        latency.reached("response", turn.response);
        latency.reached("first audio", Some(now));
        if latency.total().is_some() { vec![What::Latency(latency)] } else { Vec::new() }
    }

    fn piece(&mut self, item: String, text: String) -> Vec<What> {
        self.spoken.entry(item.clone()).or_default().words.push_str(&text);
        vec![What::Piece { speaker: Speaker::Model, item, text }]
    }

    fn whole(&mut self, item: String, text: String) -> Vec<What> {
        self.spoken.entry(item.clone()).or_default().words.clone_from(&text);
        vec![What::Message { speaker: Speaker::Model, item, text }]
    }

    /// A finished item of a response: calls are told here, with all their arguments.
    fn finished_item(&mut self, item: Item) -> Vec<What> {
        let (name, arguments) = (item.name.unwrap_or_default(), item.arguments.unwrap_or_default());
        match item.kind {
            ItemKind::FunctionCall => {
                self.calls.insert(item.call_id.unwrap_or_default(), name.clone());
                vec![What::Call { name, arguments }]
            }
            ItemKind::McpCall => {
                let output =
                    item.output.as_ref().map(|output| output.as_str().map_or(output.to_string(), str::to_owned));
                let call = What::Call { name: name.clone(), arguments };
                [Some(call), output.map(|output| What::Output { name, output })].into_iter().flatten().collect()
            }
            _ => Vec::new(),
        }
    }

    fn response(&mut self, response: &Response) -> Vec<What> {
        let mut what = Vec::new();
        // A response that was cut off has sent words that no other event sums up.
        if let Some(status @ (Status::Failed | Status::Incomplete)) = &response.status {
            let details = response.status_details.as_ref();
            let error = details.and_then(|details| Some(details.error.as_ref()?.message.clone()));
            let why = error.or_else(|| details?.reason.clone()).unwrap_or_default();
            let state = if *status == Status::Failed { "failed" } else { "incomplete" };
            what.push(What::NotCompleted(state.into(), why));
        }
        if let Some(cost) = response.usage.as_ref().and_then(|usage| pricing::cost(&self.model, usage)) {
            self.cost += cost;
            what.push(What::Cost(self.cost));
        }
        what
    }
}

/// Bytes of the picture in a part of a message, if it holds one.
fn picture_bytes(part: &ContentPart) -> Option<u64> {
    let url = part.image_url.as_ref().filter(|_| part.kind == PartKind::InputImage)?;
    let base64 = url.split_once("base64,").map_or("", |(_, base64)| base64).trim_end_matches('=');
    Some(base64.len() as u64 * 3 / 4)
}
