// SPDX-License-Identifier: MPL-2.0

//! The model's side: answers as they come, and their sound.

use crate::audio::format_converter::Converter;
use crate::audio::sample_clock::samples_to_time;
use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::io::ResponseEvent;
use crate::realtime::conversation::response::Initiator;
use crate::realtime::conversation::response::audio_part::{AudioPart, MAX_AUDIO_PARTS};
use crate::realtime::conversation::response::records::Records;
use crate::realtime::conversation::server_error;
use crate::realtime::conversation::{Conversation, Event, Output};
use crate::types::PlayedPart;
use crate::types::{OutputAudio, Timing};
use bytes::Bytes;
use openai_protocol::Response;
use openai_protocol::items::{ItemKind, Status};
use openai_protocol::server::{
    ResponseOutputAudioDelta, ResponseOutputAudioDone, ResponseOutputItemAdded, ResponseOutputItemDone,
};
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The model's answers.
#[derive(Debug, Default)]
pub(crate) struct Responses {
    pub spoken: VecDeque<AudioPart>,
    /// Where the play-out was last.
    pub listener: Duration,
    /// Responses whose further sound is not wanted.
    muted: VecDeque<String>,
    /// Requests of ours that a server may refuse without harm, because it was faster.
    expected_errors: VecDeque<String>,
    /// Offline: the end of the turn that is answered next.
    not_before: Duration,
    /// Offline: the end of all sound so far on the output.
    end: Duration,
    pub(crate) records: Records,
    /// The format of the server's sound, where it is another one than was asked for.
    pub(crate) format: Option<AudioFormat>,
    /// The user was told that the server's sound has this format.
    pub(crate) format_told: Option<AudioFormat>,
    /// Responses whose end was told although the server had not said it.
    pub(crate) finished_locally: VecDeque<String>,
}

impl Responses {
    pub fn played(&mut self, now: Duration, items: &[PlayedPart]) {
        self.listener = now;
        for played in items {
            if let Some(spoken) = self.find(&played.item_id, played.content_index) {
                spoken.heard = played.heard.min(spoken.received).max(spoken.heard);
            }
        }
    }

    /// An item is being played from now on, beginning at this running time.
    pub fn began(&mut self, item_id: &str, at: Duration, now: Instant) {
        for spoken in self.spoken.iter_mut().filter(|spoken| spoken.item_id == item_id) {
            spoken.starts.get_or_insert(at);
            spoken.began.get_or_insert(now);
        }
    }

    /// Offline: where an answer without sound stands.
    pub fn next_from(&self) -> Duration {
        self.not_before.max(self.end)
    }

    /// The next answer belongs to a turn that ended there.
    pub fn response_from(&mut self, turn_end: Duration) {
        self.not_before = self.not_before.max(turn_end);
    }

    /// The timeline begins anew.
    pub fn forget_time(&mut self) {
        (self.not_before, self.end) = (Duration::ZERO, Duration::ZERO);
    }

    /// Nothing more will come of what is under way.
    pub fn give_up(&mut self) {
        self.spoken.iter_mut().for_each(|spoken| spoken.growing = false);
    }

    /// The end of the output so far, offline.
    pub fn end(&self) -> Duration {
        self.end
    }

    /// Whether an error is one that had to be reckoned with.
    pub fn expected(&mut self, event_id: Option<&str>, code: &str) -> bool {
        let ours = self.expected_errors.iter().position(|id| event_id == Some(id));
        ours.and_then(|index| self.expected_errors.remove(index)).is_some() || code == "response_cancel_not_active"
    }

    pub fn expected_errors(&mut self, event_id: String) {
        if self.expected_errors.len() == MAX_AUDIO_PARTS {
            self.expected_errors.pop_front();
        }
        self.expected_errors.push_back(event_id);
    }

    pub fn is_muted(&self, response_id: &str) -> bool {
        self.muted.iter().any(|id| id == response_id)
    }

    pub fn mute(&mut self, response_id: &str) {
        if !self.is_muted(response_id) {
            if self.muted.len() == MAX_AUDIO_PARTS {
                self.muted.pop_front();
            }
            self.muted.push_back(response_id.to_owned());
        }
    }

    /// A part of a message, as far as its sound goes.
    pub fn get(&self, item_id: &str, content_index: u32) -> Option<&AudioPart> {
        self.spoken.iter().rev().find(|s| s.content_index == content_index && s.item_id == item_id)
    }

    pub fn find(&mut self, item_id: &str, content_index: u32) -> Option<&mut AudioPart> {
        self.spoken.iter_mut().rev().find(|s| s.content_index == content_index && s.item_id == item_id)
    }

    /// Lays so much sound on the timeline, behind all that is there. Gives back the message that it belongs to.
    fn lay(
        &mut self,
        event: &ResponseOutputAudioDelta,
        samples: u64,
        length: Duration,
        offline: bool,
    ) -> &mut AudioPart {
        let found =
            self.spoken.iter().rposition(|s| s.content_index == event.content_index && s.item_id == event.item_id);
        let index = found.unwrap_or_else(|| {
            if self.spoken.len() == MAX_AUDIO_PARTS {
                self.spoken.pop_front();
            }
            let sibling = self.spoken.iter().find(|s| s.response_id == event.response_id);
            self.spoken.push_back(AudioPart {
                response_id: event.response_id.clone(),
                item_id: event.item_id.clone(),
                content_index: event.content_index,
                growing: true,
                not_before: sibling.map_or(self.not_before, |sibling| sibling.not_before),
                ..AudioPart::default()
            });
            self.spoken.len() - 1
        });
        let spoken = &mut self.spoken[index];
        spoken.received += samples;
        if offline {
            let start = self.end.max(spoken.not_before);
            spoken.starts.get_or_insert(start);
            self.end = start + length;
        }
        spoken
    }
}

/// Servers cut sound where they like. Puts before a piece what the last one had too much, and takes off what this one
/// has too much.
fn whole_samples(data: &mut Bytes, rest: Vec<u8>, size: usize) -> Vec<u8> {
    if !rest.is_empty() {
        *data = [&rest, &data[..]].concat().into();
    }
    data.split_off(data.len() / size * size).into()
}

impl Conversation {
    /// `response.output_audio.done`
    pub(crate) fn on_audio_done(&mut self, event: &ResponseOutputAudioDone) {
        if let Some(part) = self.responses.find(&event.item_id, event.content_index) {
            part.growing = false;
        }
        self.advance_captions();
    }

    /// `response.created`
    pub(crate) fn on_response_created(&mut self, response: Response) {
        // One before it may have no end.
        self.let_through();
        let id = response.id().to_owned();
        // Responses beside the conversation have no `conversation_id`; but some servers never tell it.
        let beside = response.conversation_id.is_none() && response.metadata.is_some() && !self.scheduler.expects();
        let is_called_off = !beside && self.scheduler.take_cancelled();
        if !beside {
            self.replaces(&id);
            self.scheduler.created(&id);
        }
        let turn_ended = if beside || is_called_off { None } else { self.scheduler.turn_ended.take() };
        let format = response.audio_format();
        let record = self.responses.records.entry(&id);
        (record.created, record.freed, record.beside, record.format) = (true, false, beside, format.clone());
        record.turn_ended = record.turn_ended.or(turn_ended);
        self.look_at_format(format.as_ref());
        self.notify(Event::Response(ResponseEvent {
            state: "created".into(),
            response_id: id.clone(),
            metadata: response.metadata,
            ..Default::default()
        }));
        if beside {
            return;
        }
        if !self.turns.speaking {
            self.calls.are_answered();
        }
        if is_called_off {
            self.cancel(&id, Initiator::Application);
        } else if self.turns.speaking && self.may_be_interrupted() {
            // Begun in a pause, and the user goes on speaking. A server that finds the turns says what becomes of it.
            if !matches!(self.config.detection, Detection::Server { .. }) {
                self.cancel(&id, Initiator::User);
            } else if !self.scheduler.is_ours() || !self.server_responds() {
                self.hold(&id);
            }
        }
    }

    /// `response.output_item.added`
    pub(crate) fn on_item_added(&mut self, event: &ResponseOutputItemAdded) {
        match event.item.kind {
            ItemKind::McpCall => self.responses.records.calls_tool(event.item.id(), true),
            ItemKind::FunctionCall => self.call_added(&event.response_id, &event.item),
            _ => {}
        }
    }

    /// The server is done with an answer and free for the next, though what it told of it may still wait to be heard. What
    /// is asked for after this is not what has ended here.
    pub(crate) fn scheduler_done(&mut self, id: &str) {
        let record = self.responses.records.entry(id);
        if !std::mem::replace(&mut record.freed, true) {
            let unseen = !record.created;
            self.scheduler.done(id, unseen);
        }
    }

    /// `response.output_item.done`
    pub(crate) fn on_item_done(&mut self, event: &ResponseOutputItemDone) {
        self.responses.records.calls_tool(event.item.id(), false);
        self.item_done(&event.response_id, &event.item);
    }

    /// `response.done`
    pub(crate) fn on_response_done(&mut self, response: Response) {
        let id = response.id().to_owned();
        self.scheduler_done(&id);
        self.responses.records.entry(&id).done = true;
        for item in &response.output {
            self.item_done(&id, item);
        }
        self.calls_by_arguments(&id);
        let details = response.status_details.unwrap_or_default();
        if response.status.is_none() || response.status == Some(Status::Completed) {
            self.has_carried();
        }
        if response.status == Some(Status::Cancelled) {
            self.cancelled_by_server(&id, details.reason.as_deref());
        }
        self.responses.spoken.iter_mut().filter(|s| s.response_id == id).for_each(|s| s.growing = false);
        let state = match response.status {
            Some(Status::Other(name)) => name,
            Some(Status::Cancelled) => "cancelled".into(),
            Some(Status::Incomplete) => "incomplete".into(),
            Some(Status::Failed) => "failed".into(),
            Some(Status::Completed | Status::InProgress) | None => "completed".into(),
        };
        let error = details.error.unwrap_or_default();
        if state == "failed" {
            let code = error.code.as_deref().unwrap_or("response-failed");
            self.warn(code, format!("the model could not answer: {}", error.message));
        }
        let quota = server_error::quota(&error);
        let cut_off = matches!(state.as_str(), "cancelled" | "failed");
        self.transcripts_of_response_done(&id);
        let record = self.responses.records.entry(&id);
        let (first_audio, turn_ended) = (record.first_audio.take(), record.turn_ended.take());
        if first_audio.is_none() && !cut_off && self.calls.of_response(&id) {
            // The turn is answered when its calls are.
            self.scheduler.turn_ended = self.scheduler.turn_ended.or(turn_ended);
        }
        let event = ResponseEvent {
            state,
            response_id: id.clone(),
            reason: details.reason,
            error_code: error.code,
            error_message: Some(error.message).filter(|message| !message.is_empty()),
            first_audio,
            metadata: response.metadata,
        };
        // Its end is told already if it comes too late.
        if !self.responses.finished_locally.contains(&id) {
            self.notify(Event::Response(event));
        }
        if let Some(usage) = response.usage {
            self.record_usage(usage);
        }
        self.calls_of_response_done(&id, cut_off);
        self.resume_updates();
        if let Some(failure) = quota {
            self.fail(failure);
        }
    }

    /// The first sound of an answer is there.
    pub(crate) fn answers_first_audio(&mut self, response_id: &str) {
        let now = self.now;
        let record = self.responses.records.entry(response_id);
        if record.first_audio.is_none() {
            let ended = record.turn_ended.take();
            // The begin of some answers is not told.
            let ended = ended.or_else(|| if record.created { None } else { self.scheduler.turn_ended.take() });
            record.first_audio = ended.map(|ended| now.saturating_duration_since(ended));
        }
    }

    /// `response.output_audio.delta`
    pub(crate) fn on_audio_delta(&mut self, mut event: ResponseOutputAudioDelta) {
        if event.delta.0.is_empty() || self.responses.is_muted(&event.response_id) {
            return;
        }
        let record = self.responses.records.entry(&event.response_id);
        let told = record.format.clone().or_else(|| self.responses.format.clone());
        let told = told.unwrap_or_else(|| self.config.output.clone());
        let size = told.sample_size();
        let rest = self.responses.find(&event.item_id, event.content_index).map(|part| std::mem::take(&mut part.rest));
        let rest = whole_samples(&mut event.delta.0, rest.unwrap_or_default(), size);
        let format = &self.config.output;
        let mut converter = None;
        if told != *format {
            let part = self.responses.find(&event.item_id, event.content_index);
            converter = part.and_then(|part| part.converter.take()).or_else(|| Converter::new(&told, format));
            if let Some(converter) = &mut converter {
                event.delta.0 = converter.convert(&event.delta.0).into();
            }
        }
        let samples = (event.delta.0.len() / format.sample_size()) as u64;
        let length = samples_to_time(samples, format.rate());
        self.has_spoken = true;
        self.answers_first_audio(&event.response_id);
        let offline = self.config.timing == Timing::Offline;
        let spoken = self.responses.lay(&event, samples, length, offline);
        (spoken.session_generation, spoken.rest, spoken.converter) = (self.session_generation, rest, converter);
        if samples == 0 {
            return;
        }
        let not_before = if offline { spoken.not_before } else { Duration::ZERO };
        self.outbox.push(Output::Play(OutputAudio {
            item_id: event.item_id,
            content_index: event.content_index,
            data: event.delta.0,
            not_before,
        }));
    }
}
