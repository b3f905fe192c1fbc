// SPDX-License-Identifier: MPL-2.0

//! Responses of the model from `response.created` to `response.done`, and those whose end the server does not tell.

use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::io::ResponseEvent;
use crate::realtime::conversation::response::Initiator;
use crate::realtime::conversation::server_error;
use crate::realtime::conversation::{Conversation, Event};
use crate::types::Timing;
use openai_protocol::Response;
use openai_protocol::items::{ItemKind, Status};
use openai_protocol::response::StatusDetails;
use openai_protocol::server::{ResponseOutputAudioDone, ResponseOutputItemAdded, ResponseOutputItemDone};
use std::time::{Duration, Instant};

/// The state of a response that is done, as it is posted.
fn state_of(status: Option<Status>) -> String {
    match status {
        Some(Status::Other(name)) => name,
        Some(Status::Cancelled) => "cancelled".into(),
        Some(Status::Incomplete) => "incomplete".into(),
        Some(Status::Failed) => "failed".into(),
        Some(Status::Completed | Status::InProgress) | None => "completed".into(),
    }
}

impl Conversation {
    /// `response.created`
    pub(crate) fn on_response_created(&mut self, response: Response) {
        // The one before it may have no `response.done`.
        self.release_held();
        let id = response.id().to_owned();
        // Out-of-band responses have no `conversation_id`; but some servers never send one.
        let out_of_band =
            response.conversation_id.is_none() && response.metadata.is_some() && !self.scheduler.expects();
        let is_cancelled = !out_of_band && self.scheduler.take_cancelled();
        if !out_of_band {
            self.supersede(&id);
            self.scheduler.created(&id);
            self.turn_latency.response_created(&id, self.now);
        }
        let turn_ended = if out_of_band || is_cancelled { None } else { self.scheduler.take_turn_ended() };
        let format = response.audio_format();
        self.formats.check_output(format.as_ref(), &mut ctx!(self));
        self.records.created(&id, out_of_band, format, turn_ended);
        self.notify(Event::Response(ResponseEvent {
            state: "created".into(),
            response_id: id.clone(),
            metadata: response.metadata,
            ..Default::default()
        }));
        if out_of_band {
            return;
        }
        if !self.turns.is_speaking() {
            self.calls.are_answered();
        }
        if is_cancelled {
            self.cancel(&id, Initiator::Application);
        } else if self.turns.is_speaking() && self.may_be_interrupted() {
            // It began in a pause, and the user goes on speaking. A server's VAD decides what becomes of it.
            if !matches!(self.config.detection, Detection::Server { .. }) {
                self.cancel(&id, Initiator::User);
            } else if !self.scheduler.is_ours() || !self.server_responds() {
                self.floor.hold(&id, self.now);
            }
        }
    }

    /// `response.output_item.added`
    pub(crate) fn on_item_added(&mut self, event: &ResponseOutputItemAdded) {
        match event.item.kind {
            ItemKind::McpCall => self.records.calls_tool(event.item.id(), true),
            ItemKind::FunctionCall => self.call_arguments.call_added(&event.response_id, &event.item),
            _ => {}
        }
    }

    /// `response.output_item.done`
    pub(crate) fn on_item_done(&mut self, event: &ResponseOutputItemDone) {
        self.records.calls_tool(event.item.id(), false);
        self.item_done(&event.response_id, &event.item);
    }

    /// The first audio of a response.
    pub(crate) fn first_audio_received(&mut self, response_id: &str) {
        self.turn_latency.first_delta(response_id, self.now);
        self.records.first_audio(response_id, || self.scheduler.take_turn_ended(), self.now);
    }

    /// `response.output_audio.done`
    pub(crate) fn on_audio_done(&mut self, event: &ResponseOutputAudioDone) {
        self.responses.audio_done(&event.item_id, event.content_index);
        self.advance_captions();
    }

    /// Playback of an item has begun at this running time.
    pub(crate) fn playback_began(&mut self, item_id: &str, at: Duration, pushed: Instant) {
        if let Some(response_id) = self.responses.began(item_id, at, self.now) {
            let heard = (self.config.timing == Timing::Live).then_some(at);
            self.turn_latency.playing(response_id, heard, pushed);
            self.turn_latency.post_complete(&mut self.outbox);
        }
    }

    /// Posts the turn whose answer was played to its end: until then the user may interrupt it.
    pub(crate) fn advance_turn_playback(&mut self) {
        let Some(response_id) = self.turn_latency.played_response() else { return };
        match self.responses.expected_end(response_id, self.config.output.rate(), self.now) {
            Some(expected) => self.turn_latency.check_again(expected, self.now),
            None => self.turn_latency.played_to_end(&mut self.outbox),
        }
    }

    /// The server is done with a response and free for the next, though events of it may still wait. A request that is sent
    /// after this is not what has ended here.
    pub(crate) fn scheduler_done(&mut self, id: &str) {
        if let Some(unseen) = self.records.free(id) {
            self.scheduler.done(id, unseen);
        }
    }

    /// `response.done`
    pub(crate) fn on_response_done(&mut self, response: Response) {
        let id = response.id().to_owned();
        self.scheduler_done(&id);
        self.records.done(&id);
        for item in &response.output {
            self.item_done(&id, item);
        }
        self.calls_by_arguments(&id);
        let details = response.status_details.unwrap_or_default();
        if response.status.is_none() || response.status == Some(Status::Completed) {
            self.losses.carried();
        }
        if response.status == Some(Status::Cancelled) {
            self.cancelled_by_server(&id, details.reason.as_deref());
        }
        self.responses.response_done(&id);
        let quota = details.error.as_ref().and_then(server_error::quota);
        let state = state_of(response.status);
        let cut_off = matches!(state.as_str(), "cancelled" | "failed");
        let event = ResponseEvent { state, response_id: id.clone(), metadata: response.metadata, ..Default::default() };
        self.post_response_done(event, details);
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

    fn post_response_done(&mut self, mut event: ResponseEvent, details: StatusDetails) {
        let id = event.response_id.as_str();
        let error = details.error.unwrap_or_default();
        if event.state == "failed" {
            let code = error.code.as_deref().unwrap_or("response-failed");
            self.outbox.warn(code, format!("the model could not answer: {}", error.message));
        }
        self.transcripts_of_response_done(id);
        let (first_audio, turn_ended) = self.records.take_latency(id);
        let is_cut_off = matches!(event.state.as_str(), "cancelled" | "failed");
        if first_audio.is_none() && !is_cut_off && self.calls.of_response(id) {
            // The turn is answered by the response to the outputs.
            self.scheduler.turn_ended_unless_known(turn_ended);
        } else {
            self.turn_latency.response_done(id);
        }
        // Its end was posted already if it comes too late.
        if !self.responses.is_finished_locally(id) {
            (event.reason, event.first_audio) = (details.reason, first_audio);
            (event.error_code, event.error_message) =
                (error.code, Some(error.message).filter(|message| !message.is_empty()));
            self.notify(Event::Response(event));
        }
    }

    /// Another response begins without the end of the one before it: that will not come any more.
    fn supersede(&mut self, next: &str) {
        let Some(before) = self.scheduler.active().filter(|active| *active != next).map(str::to_owned) else { return };
        if self.responses.is_muted(&before) {
            self.finish_locally(&before, "cancelled", None);
        } else {
            self.finish_locally(&before, "incomplete", Some("superseded"));
        }
    }

    /// A response timed out; it may be played if it comes late.
    pub(crate) fn response_timed_out(&mut self, response_id: &str) {
        self.finish_locally(response_id, "incomplete", Some("timeout"));
        self.records.timed_out(response_id);
    }

    /// A response that timed out goes on: it is played if nothing else is under way.
    pub(crate) fn resume_late_response(&mut self, response_id: &str) {
        self.records.goes_on(response_id);
        let is_other = self.scheduler.active().is_some_and(|active| active != response_id);
        if is_other || self.scheduler.expects() || self.turns.is_speaking() && self.may_be_interrupted() {
            return self.responses.mute(response_id);
        }
        self.responses.goes_on(response_id);
        self.scheduler.created(response_id);
    }

    /// Ends a response whose end the server will not tell.
    pub(crate) fn finish_locally(&mut self, response_id: &str, state: &str, reason: Option<&str>) {
        self.release_held();
        self.transcripts_of_response_done(response_id);
        self.records.forget_tools(response_id);
        self.calls.hand_over(response_id);
        self.responses.finish_locally(response_id, state, reason, &mut ctx!(self));
    }
}
