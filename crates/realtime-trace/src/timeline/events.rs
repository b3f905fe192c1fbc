// SPDX-License-Identifier: MPL-2.0

//! What each event of the wire means on the time line.

use super::builder::Builder;
use super::{Call, Interruption, PIECE, Picture, Response, Session};
use crate::{audio, pricing};
use openai_protocol::items::{ItemKind, PartKind, Role, Status};
use openai_protocol::{ClientEvent, Item, Response as WireResponse, ServerEvent, Session as WireSession};

impl Builder {
    pub(super) fn client(&mut self, event: ClientEvent, now: f64) {
        match event {
            ClientEvent::SessionUpdate(event) => self.formats.set(&event.session),
            ClientEvent::InputAudioBufferAppend(event) => {
                let seconds = audio::seconds(&self.formats.input, event.audio.0.len());
                let position = self.axis.append(now, seconds);
                self.timeline.user.seconds += seconds;
                self.timeline.user.add(position, &audio::peaks(&self.formats.input, &event.audio.0, PIECE));
            }
            ClientEvent::InputAudioBufferCommit(_) => self.turns.commit_sent(now),
            ClientEvent::ConversationItemCreate(event) => self.item_created(event.item, now),
            ClientEvent::ConversationItemTruncate(event) => {
                self.truncated(event.item_id, event.audio_end_ms as f64 / 1000.0, now);
            }
            _ => {}
        }
    }

    fn item_created(&mut self, item: Item, now: f64) {
        let position = self.axis.position(now);
        if item.kind == ItemKind::FunctionCallOutput {
            let id = item.call_id.as_deref().unwrap_or_default();
            if let Some(call) = self.timeline.calls.iter_mut().rev().find(|call| call.id == id) {
                call.output = item.output.map(|output| output.as_str().map_or(output.to_string(), str::to_owned));
                call.seconds = Some(position - call.position);
            }
            return;
        }
        let parts = item.content.as_deref().unwrap_or_default();
        let pictures = parts.iter().filter(|part| part.kind == PartKind::InputImage);
        let urls = pictures.filter_map(|part| part.image_url.clone());
        self.timeline.pictures.extend(urls.map(|url| Picture { position, url }));
        let words: Vec<_> = parts.iter().filter_map(|part| part.text.as_deref()).collect();
        if item.role == Some(Role::User) && !words.is_empty() {
            self.turns.text(item.id().to_owned(), words.join(" "), position, now);
        }
    }

    fn truncated(&mut self, item: String, heard: f64, now: f64) {
        let now_position = self.axis.position(now);
        let position = self.playout.cut(&item, heard, now_position).unwrap_or(now_position);
        let response = self.playout.message(&item).map(|message| message.response);
        if let Some(response) = response.and_then(|index| self.timeline.responses.get_mut(index)) {
            response.end = Some(position);
        }
        let latency = self.turns.since_speech(now);
        self.timeline.interruptions.push(Interruption { position, heard, item, response, latency });
    }

    pub(super) fn server(&mut self, event: ServerEvent, now: f64) {
        match event {
            ServerEvent::SessionCreated(event) => self.session_created(&event.session, now),
            ServerEvent::SessionUpdated(event) => self.session(&event.session),
            ServerEvent::InputAudioBufferSpeechStarted(event) => {
                self.turns.speech_started(event.item_id, event.audio_start_ms, &self.axis, now);
            }
            ServerEvent::InputAudioBufferSpeechStopped(event) => {
                self.turns.speech_stopped(&event.item_id, event.audio_end_ms, &self.axis, now);
            }
            ServerEvent::InputAudioBufferCommitted(event) => {
                self.turns.committed(event.item_id, self.axis.position(now), now);
            }
            ServerEvent::TranscriptionDelta(event) => self.turns.words(&event.item_id, &event.delta, false),
            ServerEvent::TranscriptionCompleted(event) => self.turns.words(&event.item_id, &event.transcript, true),
            ServerEvent::TranscriptionFailed(event) => {
                self.problem(now, format!("no transcript: {}", event.error.message))
            }
            ServerEvent::ResponseCreated(event) => self.response_created(&event.response, now),
            ServerEvent::ResponseOutputAudioDelta(event) => {
                self.sound(&event.response_id, &event.item_id, &event.delta.0, now);
            }
            ServerEvent::ResponseOutputAudioTranscriptDelta(event) => self.words(&event.response_id, &event.delta),
            ServerEvent::ResponseOutputAudioTranscriptDone(event) => {
                self.all_words(&event.response_id, event.transcript)
            }
            ServerEvent::ResponseOutputTextDone(event) => self.all_words(&event.response_id, event.text),
            ServerEvent::ResponseOutputTextDelta(event) => {
                self.turns.output(now);
                self.words(&event.response_id, &event.delta);
                self.written(&event.response_id, now);
            }
            ServerEvent::ResponseOutputItemDone(event) => self.item_done(event.item, now),
            ServerEvent::ResponseDone(event) => self.response_done(&event.response, now),
            ServerEvent::Error(event) => self.problem(now, event.error.message),
            _ => {}
        }
    }

    fn session_created(&mut self, session: &WireSession, now: f64) {
        self.session(session);
        self.axis.session_begins();
        let id = session.id.clone().unwrap_or_default();
        let position = self.axis.position(now);
        self.timeline.sessions.push(Session { position, id, model: self.model.clone() });
    }

    fn session(&mut self, session: &WireSession) {
        self.formats.set(session);
        if let Some(model) = &session.model {
            self.model.clone_from(model);
        }
    }

    fn response_created(&mut self, response: &WireResponse, now: f64) {
        let index = self.timeline.responses.len();
        let (id, position) = (response.id().to_owned(), self.axis.position(now));
        self.responses.insert(id.clone(), index);
        self.timeline.responses.push(Response { id, position, ..Response::default() });
        self.turns.response_created(index, now);
    }

    fn response(&mut self, id: &str) -> Option<&mut Response> {
        self.timeline.responses.get_mut(*self.responses.get(id)?)
    }

    fn sound(&mut self, response: &str, item: &str, bytes: &[u8], now: f64) {
        self.turns.output(now);
        let Some(&index) = self.responses.get(response) else { return };
        let seconds = audio::seconds(&self.formats.output, bytes.len());
        let peaks = audio::peaks(&self.formats.output, bytes, PIECE);
        let end = self.playout.add(item, index, self.axis.position(now), seconds, &peaks);
        if let Some(response) = self.timeline.responses.get_mut(index) {
            response.seconds += seconds;
            response.begin.get_or_insert(end - seconds);
            response.end = Some(end);
        }
    }

    fn words(&mut self, response: &str, words: &str) {
        if let Some(response) = self.response(response) {
            response.words.push_str(words);
        }
    }

    /// All words of a part, for servers that sent no pieces of it.
    fn all_words(&mut self, response: &str, words: String) {
        if let Some(response) = self.response(response).filter(|response| response.words.is_empty()) {
            response.words = words;
        }
    }

    fn written(&mut self, response: &str, now: f64) {
        let position = self.axis.position(now);
        if let Some(response) = self.response(response) {
            response.begin.get_or_insert(position);
            response.end = Some(position);
        }
    }

    fn item_done(&mut self, item: Item, now: f64) {
        if !matches!(item.kind, ItemKind::FunctionCall | ItemKind::McpCall) {
            return;
        }
        self.timeline.calls.push(Call {
            position: self.axis.position(now),
            id: item.call_id.or(item.id).unwrap_or_default(),
            name: item.name.unwrap_or_default(),
            arguments: item.arguments.unwrap_or_default(),
            output: item.output.map(|output| output.as_str().map_or(output.to_string(), str::to_owned)),
            seconds: None,
        });
    }

    fn response_done(&mut self, done: &WireResponse, now: f64) {
        let model = self.model.clone();
        let position = self.axis.position(now);
        let Some(response) = self.response(done.id()) else { return };
        response.status = done.status.as_ref().map(status_name).unwrap_or_default();
        let details = done.status_details.as_ref();
        let error = details.and_then(|details| Some(details.error.as_ref()?.message.clone()));
        response.reason = error.or_else(|| details?.reason.clone()).unwrap_or_default();
        response.usage.clone_from(&done.usage);
        response.cost = done.usage.as_ref().and_then(|usage| pricing::cost(&model, usage));
        if response.status == "failed" {
            let text = format!("response failed: {}", response.reason);
            self.timeline.problems.push(super::Problem { position, text });
        }
    }
}

fn status_name(status: &Status) -> String {
    serde_json::to_value(status).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
