// SPDX-License-Identifier: MPL-2.0

//! Commands of the application: text messages, push to talk, responses on demand, function outputs, and raw client
//! events.

use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::io::Command;
use crate::realtime::conversation::response::Initiator;
use crate::realtime::conversation::{Conversation, Phase};
use openai_protocol::client::{ConversationItemCreate, InputAudioBufferClear, ResponseCreate};
use openai_protocol::items::{Item, ItemKind, Role};
use openai_protocol::{ClientEvent, ResponseParams};
use std::time::Duration;

/// Longest text message in bytes; the API refuses longer ones.
const MAX_TEXT_LEN: usize = 256_000;

impl Conversation {
    /// Handles a command. Before the session is ready, it waits.
    pub(crate) fn handle_command(&mut self, command: Command) {
        if !matches!(self.phase, Phase::Ready) {
            self.early.add(command, &mut self.outbox);
            return;
        }
        match command {
            Command::Text { text, respond, at } => self.send_text(text, respond, at),
            Command::Commit => self.commit_requested(),
            Command::Clear => self.clear_requested(),
            Command::CreateResponse(params) => self.response_requested(params.map(|params| *params)),
            Command::CancelResponse => self.interrupt(Initiator::Application),
            Command::FunctionOutput { call_id, output } => self.function_output(&call_id, output),
            Command::Approve { request_id, approve } => {
                if self.approvals.answer(request_id, approve, &mut ctx!(self)) {
                    self.scheduler.request(None);
                }
            }
            Command::SendFrame(frame) => self.frame_requested(frame.map(|frame| *frame)),
            Command::Event(event) => self.send_raw_event(*event),
        }
    }

    /// A text message. Offline, the response is placed at its running time.
    fn send_text(&mut self, text: String, respond: bool, at: Option<Duration>) {
        let length = text.chars().count();
        if length > MAX_TEXT_LEN {
            let message = format!("a text of {length} characters is not sent: the API takes {MAX_TEXT_LEN} at most");
            return self.warn("text-too-long", message);
        }
        self.history.add_item(&Item::message(Role::User, text.as_str()));
        let respond = self.send_text_with_frames(text, respond);
        if respond && self.limits.may_respond(&self.config) {
            self.await_response_from(at.or(self.audio_input.heard().end()));
            self.scheduler.request(None);
        }
    }

    /// `conversation.item.create`; returns the event id.
    pub(crate) fn create_item(&mut self, item: Item) -> String {
        self.send(ConversationItemCreate { item, ..Default::default() })
    }

    /// Push to talk: ends the turn.
    pub(crate) fn commit_requested(&mut self) {
        if self.audio_input.uncommitted() == 0 {
            return self.warn("nothing-to-commit", "there is no sound that could be committed");
        }
        let end = self.audio_input.sent().end();
        if !self.turns.is_speaking() {
            let start = self.audio_input.sent().samples() - self.audio_input.uncommitted();
            self.turns.begin(None, self.audio_input.sent().time_of(start));
            self.turns.end(None, end);
        } else if !matches!(self.config.detection, Detection::Server { .. }) {
            self.end_turn(None, end);
        }
        self.await_response_from(end);
        self.commit();
    }

    fn clear_requested(&mut self) {
        if self.audio_input.uncommitted() > 0 {
            self.forget_turn();
        } else {
            self.send(InputAudioBufferClear::default());
        }
    }

    fn response_requested(&mut self, params: Option<ResponseParams>) {
        let beside = params.as_ref().and_then(|params| params.conversation.as_deref()) == Some("none");
        if !self.limits.may_respond(&self.config) {
            self.warn("no-answers", "no answer is asked for: the session only writes down, or its budget is used up");
        } else if beside {
            // Out-of-band: independent of what the conversation is doing.
            self.send(ResponseCreate { response: params, ..Default::default() });
        } else {
            self.scheduler.turn_ended_unless_known(Some(self.now));
            self.scheduler.request(params);
        }
    }

    /// A raw client event. Those that the conversation keeps track of take the same way as its own.
    fn send_raw_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::ResponseCreate(event) => self.response_requested(event.response),
            ClientEvent::ResponseCancel(event) if event.response_id.is_none() => self.interrupt(Initiator::Application),
            ClientEvent::InputAudioBufferCommit(_) => self.commit_requested(),
            ClientEvent::InputAudioBufferClear(_) => self.clear_requested(),
            ClientEvent::ConversationItemCreate(event) if event.item.kind == ItemKind::FunctionCallOutput => {
                let output = event.item.output.unwrap_or_default();
                let output = output.as_str().map_or_else(|| output.to_string(), str::to_owned);
                self.function_output(&event.item.call_id.unwrap_or_default(), output);
            }
            other => {
                self.send(other);
            }
        }
    }
}
