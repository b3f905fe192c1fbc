// SPDX-License-Identifier: MPL-2.0

//! The model's side of a session: answers are asked for, written piece by piece, and ended in one way or another.

use crate::api_error::ApiError;
use crate::engine::{Prompt, ResponsePart, SpeechChunk};
use crate::session::beta::Beta;
use crate::session::detector::TICKS;
use crate::session::item::Entry;
use crate::session::response::Writer;
use crate::session::response_config::{Outcome, Plan};
use crate::session::usage::{self, Counts};
use crate::session::{Job, Output, Session, Work};
use openai_protocol::items::{ItemKind, Status};
use openai_protocol::server::{ConversationItemAdded, ConversationItemDone};
use openai_protocol::session::AudioOutput;
use openai_protocol::{Item, ResponseParams, Setting};
use std::time::Instant;

/// How many answers may be in the making, those beside the conversation included.
const MAX_ANSWERS: usize = 16;

impl Session {
    /// Whether an answer of the conversation is in the making.
    pub(super) fn is_answering(&self) -> bool {
        self.writers.iter().any(Writer::in_conversation)
    }

    /// Begins an answer.
    pub(super) fn create_response(&mut self, params: ResponseParams, idle: bool) -> Result<(), ApiError> {
        if self.config.only_transcribes() {
            let message = "A transcription session gives no responses.";
            return Err(ApiError::new("invalid_value", message).at("type"));
        }
        let beside = params.conversation.as_deref() == Some("none");
        if let Some(active) = self.writers.iter().find(|writer| writer.in_conversation() && !beside) {
            let message = format!(
                "Conversation already has an active response in progress: {}. Wait until the response is finished before creating a new one.",
                active.id
            );
            return Err(ApiError::new("conversation_already_has_active_response", message));
        }
        if self.writers.len() >= MAX_ANSWERS {
            let message = format!("There are {MAX_ANSWERS} responses in progress already.");
            return Err(ApiError::new("rate_limit_exceeded", message));
        }
        let (prompt, input) = self.prompt(&params, idle)?;
        let remote = params.tools.clone().unwrap_or_default();
        let writer = Writer::new(self.plan(params, beside, input));
        let voice = writer.voice();
        let temperature = self.beta.as_ref().map(Beta::temperature);
        let prompt = Prompt { speak: writer.speaks(), voice, max_tokens: writer.max_tokens(), temperature, ..prompt };
        self.list_remote_tools(&remote);
        self.send(writer.created());
        self.out.push_back(Output::Start(Job::Answer { response_id: writer.id.clone(), prompt }));
        self.writers.push(writer);
        Ok(())
    }

    /// What the answer is to be: the session's wishes, and over them those for this answer.
    fn plan(&self, params: ResponseParams, beside: bool, input: Counts) -> Plan {
        let AudioOutput { format, voice, .. } = self.config.output().clone();
        let own = params.audio.and_then(|audio| audio.output).unwrap_or_default();
        Plan {
            conversation_id: (!beside).then(|| self.conversation_id.clone()),
            modalities: params.output_modalities.unwrap_or_else(|| self.config.modalities()),
            output: AudioOutput { format: own.format.or(format), voice: own.voice.or(voice), ..Default::default() },
            max_tokens: params.max_output_tokens.unwrap_or_else(|| self.config.max_tokens()),
            metadata: match params.metadata {
                Setting::Set(pairs) => Some(pairs),
                Setting::Keep | Setting::Off => None,
            },
            input,
        }
    }

    /// What to answer to, and its tokens.
    fn prompt(&self, params: &ResponseParams, idle: bool) -> Result<(Prompt, Counts), ApiError> {
        let instructions = params.instructions.as_deref().unwrap_or(self.config.instructions()).to_string();
        let tools = params.tools.as_deref().unwrap_or(self.config.tools()).to_vec();
        let choice = self.choice(params, &tools)?;
        let parallel = params.parallel_tool_calls.unwrap_or(self.config.calls_in_parallel());
        let described: u64 = tools.iter().map(|tool| usage::text(&tool.to_string())).sum();
        let frame = Counts { text: usage::text(&instructions) + described, ..Default::default() };
        let own = params.input.as_ref().map(|input| self.private_context(input)).transpose()?;
        let entries = own.as_deref().unwrap_or(self.conversation.entries());
        let counts = std::iter::once(frame).chain(entries.iter().map(Counts::of)).sum();
        let turns = entries.iter().map(Entry::turn).collect();
        Ok((Prompt { instructions, turns, idle, tools, choice, parallel, ..Prompt::default() }, counts))
    }

    /// The items that a response brings along in place of the conversation.
    fn private_context(&self, input: &[Item]) -> Result<Vec<Entry>, ApiError> {
        let read = |(index, item): (usize, &Item)| {
            let place = format!("response.input[{index}]");
            if item.kind != ItemKind::ItemReference {
                return Entry::read(item.clone(), &self.config.input_format(), &place);
            }
            self.conversation.get(item.id()).cloned().ok_or_else(|| {
                let message = format!("Item with id '{}' not found.", item.id());
                ApiError::new("item_not_found", message).at(format!("{place}.id"))
            })
        };
        input.iter().enumerate().map(read).collect()
    }

    /// Takes what became of a job. What is not wanted any more is dropped.
    pub fn work(&mut self, work: Work, now: Instant) {
        match work {
            Work::ResponsePart(id, said) => self.take_said(&id, said, now),
            Work::Answered(id, result) => {
                let outcome = result.map_or_else(Outcome::Failed, |()| Outcome::Completed);
                self.finish(&id, &outcome, now);
            }
            Work::Heard(item_id, result) => self.heard(item_id, result),
            Work::PartHeard(item_id, part, result) => self.heard_part(item_id, part, result),
        }
    }

    fn take_said(&mut self, id: &str, said: ResponsePart, now: Instant) {
        let Some(mut writer) = self.take_writer(id) else { return };
        match said {
            ResponsePart::Speech(piece) => self.write(&mut writer, &piece),
            ResponsePart::Call(call) => self.call(&mut writer, call),
            ResponsePart::Usage(usage) => writer.usage = Some(usage),
            ResponsePart::Incomplete(reason) => writer.incomplete = Some(reason),
        }
        let full = writer.is_full();
        self.writers.push(writer);
        if full {
            self.finish(id, &Outcome::Incomplete("max_output_tokens"), now);
            self.out.push_back(Output::Stop(id.to_string()));
        }
    }

    fn write(&mut self, writer: &mut Writer, piece: &SpeechChunk) {
        self.begin(writer);
        let (events, sound) = writer.piece(piece);
        if let Some(sound) = sound {
            self.spoken = true;
            if writer.in_conversation() {
                self.conversation.extend_sound(&writer.item_id, &sound);
            }
        }
        events.into_iter().for_each(|event| self.send(event));
    }

    fn take_writer(&mut self, id: &str) -> Option<Writer> {
        let index = self.writers.iter().position(|writer| writer.id == id)?;
        Some(self.writers.remove(index))
    }

    /// Announces the answer's message, once.
    fn begin(&mut self, writer: &mut Writer) {
        if writer.has_begun() {
            return;
        }
        let announcement = writer.begin();
        self.send(announcement);
        if writer.in_conversation() {
            let item = writer.item(Status::InProgress);
            // The part stands in the conversation from now on, so that it can be truncated while it grows.
            let entry = Entry::new(writer.item(Status::Incomplete));
            let previous_item_id = self.conversation.push(entry);
            self.send(ConversationItemAdded { item, previous_item_id, ..Default::default() });
        }
        self.send(writer.open());
    }

    /// Ends the answer's message, if one is in the making.
    pub(super) fn close_message(&mut self, writer: &mut Writer, status: Status) {
        if !writer.has_begun() {
            return;
        }
        writer.close().into_iter().for_each(|event| self.send(event));
        let item = writer.item(status);
        if let Some(entry) = self.conversation.get_mut(&writer.item_id) {
            entry.finish(item.clone());
            let previous_item_id = self.conversation.previous_id(&writer.item_id);
            self.send(ConversationItemDone { item: item.clone(), previous_item_id, ..Default::default() });
        }
        let done = writer.item_done(item);
        self.send(done);
    }

    /// Ends an answer, with all events that are still owed.
    fn finish(&mut self, id: &str, outcome: &Outcome, now: Instant) {
        let Some(mut writer) = self.take_writer(id) else { return };
        let cut = writer.incomplete.filter(|_| *outcome == Outcome::Completed).map(Outcome::Incomplete);
        let outcome = cut.as_ref().unwrap_or(outcome);
        if *outcome == Outcome::Completed && writer.is_empty() {
            self.begin(&mut writer);
        }
        self.close_message(&mut writer, outcome.item_status());
        let counted = self.meter.usage(writer.input(), writer.output());
        let usage = writer.usage.take().unwrap_or(counted);
        let limits = self.meter.limits(usage.total_tokens, now);
        self.send(writer.done(outcome, usage));
        self.send(limits);
        if writer.in_conversation() && self.turn.is_none() && self.idle_since.is_some() {
            // Both are silent when the answer has been played.
            self.idle_since = Some(self.input.clock() + writer.sent_ms() * TICKS);
        }
    }

    /// Stops an answer for the client.
    pub(super) fn cancel_response(&mut self, id: Option<&str>, now: Instant) -> Result<(), ApiError> {
        let wanted = |writer: &&Writer| id.map_or(writer.in_conversation(), |id| writer.id == id);
        let Some(id) = self.writers.iter().find(wanted).map(|writer| writer.id.clone()) else {
            let message = "Cancellation failed: no active response found";
            return Err(ApiError::new("response_cancel_not_active", message));
        };
        self.stop(id, "client_cancelled", now);
        Ok(())
    }

    /// The user speaks over the answer of the conversation.
    pub(super) fn interrupt(&mut self, now: Instant) {
        let active = self.writers.iter().find(|writer| writer.in_conversation());
        if let Some(id) = active.map(|writer| writer.id.clone()) {
            self.stop(id, "turn_detected", now);
        }
    }

    fn stop(&mut self, id: String, reason: &'static str, now: Instant) {
        self.finish(&id, &Outcome::Cancelled(reason), now);
        self.out.push_back(Output::Stop(id));
    }
}
