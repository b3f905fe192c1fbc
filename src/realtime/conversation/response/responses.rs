// SPDX-License-Identifier: MPL-2.0

//! Responses of the model and their audio.

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

/// Longest time from a response's audio to its playback.
const MAX_PLAYBACK_DELAY: Duration = Duration::from_secs(1);

/// Responses.
#[derive(Debug, Default)]
pub(crate) struct Responses {
    pub spoken: VecDeque<AudioPart>,
    /// Last playback position.
    pub listener: Duration,
    /// Responses whose further audio is dropped.
    muted: VecDeque<String>,
    /// Client events whose refusal is no error, because the server may have been faster.
    expected_errors: VecDeque<String>,
    /// Offline: end of the turn that is answered next.
    not_before: Duration,
    /// Offline: end of the output so far.
    end: Duration,
    pub(crate) records: Records,
    /// Format of the server's audio, if it is not the requested one.
    pub(crate) format: Option<AudioFormat>,
    /// The wrong output format that a warning was posted about.
    pub(crate) output_format_warned: Option<AudioFormat>,
    /// Responses whose end was posted without a `response.done`.
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

    /// Playback of an item begins at this running time.
    pub fn began(&mut self, item_id: &str, at: Duration, now: Instant) {
        for spoken in self.spoken.iter_mut().filter(|spoken| spoken.item_id == item_id) {
            spoken.starts.get_or_insert(at);
            spoken.began.get_or_insert(now);
        }
    }

    /// Offline: running time of a response without audio.
    pub fn next_from(&self) -> Duration {
        self.not_before.max(self.end)
    }

    /// The next response answers a turn that ended there.
    pub fn response_from(&mut self, turn_end: Duration) {
        self.not_before = self.not_before.max(turn_end);
    }

    /// The time line begins at 0 again.
    pub fn forget_time(&mut self) {
        (self.not_before, self.end) = (Duration::ZERO, Duration::ZERO);
    }

    /// No more audio will come of what is under way.
    pub fn give_up(&mut self) {
        self.spoken.iter_mut().for_each(|spoken| spoken.growing = false);
    }

    /// When playback ends of what has come, which may be over. What is not played yet begins soon after it came.
    pub fn plays_until(&self, rate: u32, now: Instant, last_progress: Instant) -> Option<Instant> {
        let end = |part: &AudioPart| match part.began {
            Some(began) => began + samples_to_time(part.received, rate),
            None if part.received > part.heard => last_progress + MAX_PLAYBACK_DELAY,
            None => now,
        };
        self.spoken.iter().map(end).max()
    }

    /// Offline: end of the output so far.
    pub fn end(&self) -> Duration {
        self.end
    }

    /// Whether an error is an expected one. True once for each.
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

    /// The audio part of an item.
    pub fn get(&self, item_id: &str, content_index: u32) -> Option<&AudioPart> {
        self.spoken.iter().rev().find(|s| s.content_index == content_index && s.item_id == item_id)
    }

    pub fn find(&mut self, item_id: &str, content_index: u32) -> Option<&mut AudioPart> {
        self.spoken.iter_mut().rev().find(|s| s.content_index == content_index && s.item_id == item_id)
    }

    /// Appends audio to the time line. Returns its part.
    fn append(
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

/// Servers cut audio at any byte. Prepends the rest of the last delta, and splits off an incomplete sample.
fn whole_samples(data: &mut Bytes, rest: Vec<u8>, size: usize) -> Vec<u8> {
    if !rest.is_empty() {
        *data = [&rest, &data[..]].concat().into();
    }
    data.split_off(data.len() / size * size).into()
}

impl Conversation {
    /// Playback of an item has begun at this running time.
    pub(crate) fn playback_began(&mut self, item_id: &str, at: Duration) {
        self.responses.began(item_id, at, self.now);
        if let Some(part) = self.responses.spoken.iter().rev().find(|part| part.item_id == item_id) {
            self.turn_latency.playing(&part.response_id, at, self.now);
            self.turn_latency.post_complete(&mut self.outbox);
        }
    }

    /// `response.output_audio.done`
    pub(crate) fn on_audio_done(&mut self, event: &ResponseOutputAudioDone) {
        if let Some(part) = self.responses.find(&event.item_id, event.content_index) {
            part.growing = false;
        }
        self.advance_captions();
    }

    /// `response.created`
    pub(crate) fn on_response_created(&mut self, response: Response) {
        // The one before it may have no `response.done`.
        self.release_held();
        let id = response.id().to_owned();
        // Out-of-band responses have no `conversation_id`; but some servers never send one.
        let out_of_band =
            response.conversation_id.is_none() && response.metadata.is_some() && !self.scheduler.expects();
        let is_called_off = !out_of_band && self.scheduler.take_cancelled();
        if !out_of_band {
            self.supersede(&id);
            self.scheduler.created(&id);
            self.turn_latency.response_created(&id, self.now);
        }
        let turn_ended = if out_of_band || is_called_off { None } else { self.scheduler.turn_ended.take() };
        let format = response.audio_format();
        let record = self.responses.records.entry(&id);
        (record.created, record.freed, record.out_of_band, record.format) = (true, false, out_of_band, format.clone());
        record.turn_ended = record.turn_ended.or(turn_ended);
        self.check_output_format(format.as_ref());
        self.notify(Event::Response(ResponseEvent {
            state: "created".into(),
            response_id: id.clone(),
            metadata: response.metadata,
            ..Default::default()
        }));
        if out_of_band {
            return;
        }
        if !self.turns.speaking {
            self.calls.are_answered();
        }
        if is_called_off {
            self.cancel(&id, Initiator::Application);
        } else if self.turns.speaking && self.may_be_interrupted() {
            // It began in a pause, and the user goes on speaking. A server's VAD decides what becomes of it.
            if !matches!(self.config.detection, Detection::Server { .. }) {
                self.cancel(&id, Initiator::User);
            } else if !self.scheduler.is_ours() || !self.server_responds() {
                self.hold_while_user_speaks(&id);
            }
        }
    }

    /// `response.output_item.added`
    pub(crate) fn on_item_added(&mut self, event: &ResponseOutputItemAdded) {
        match event.item.kind {
            ItemKind::McpCall => self.responses.records.calls_tool(event.item.id(), true),
            ItemKind::FunctionCall => self.call_arguments.call_added(&event.response_id, &event.item),
            _ => {}
        }
    }

    /// The server is done with a response and free for the next, though events of it may still wait. A request that is sent
    /// after this is not what has ended here.
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
            // The turn is answered by the response to the outputs.
            self.scheduler.turn_ended = self.scheduler.turn_ended.or(turn_ended);
        } else {
            self.turn_latency.response_done(&id);
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
        // Its end was posted already if it comes too late.
        if !self.responses.finished_locally.contains(&id) {
            self.notify(Event::Response(event));
        }
        if let Some(usage) = response.usage {
            self.record_usage(usage);
        }
        self.calls_of_response_done(&id, cut_off);
        self.turn_latency.post_complete(&mut self.outbox);
        self.updater.response_done(self.now);
        if let Some(failure) = quota {
            self.fail(failure);
        }
    }

    /// The first audio of a response.
    pub(crate) fn first_audio_received(&mut self, response_id: &str) {
        let now = self.now;
        self.turn_latency.first_delta(response_id, now);
        let record = self.responses.records.entry(response_id);
        if record.first_audio.is_none() {
            let ended = record.turn_ended.take();
            // Some servers send no `response.created`.
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
        self.first_audio_received(&event.response_id);
        let offline = self.config.timing == Timing::Offline;
        let spoken = self.responses.append(&event, samples, length, offline);
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
