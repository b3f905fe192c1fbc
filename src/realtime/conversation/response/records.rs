// SPDX-License-Identifier: MPL-2.0

//! What is known of each answer beside its sound: where it stands, what is reckoned from there, and what becomes of it
//! where the server does not tell its end in time.

use crate::realtime::conversation::event::FunctionCall;
use crate::realtime::conversation::io::ResponseEvent;
use crate::realtime::conversation::response::audio_part::MAX_AUDIO_PARTS;
use crate::realtime::conversation::{Conversation, Event};
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Responses that are remembered.
const RECORDS: usize = 64;

/// An answer.
#[derive(Debug, Default)]
pub(crate) struct Record {
    response_id: String,
    /// Its begin was told by the server.
    pub created: bool,
    /// It is no part of the conversation.
    pub beside: bool,
    /// Its end was told by the server, and is heard.
    pub done: bool,
    /// Its end was told by the server, which is free for another.
    pub freed: bool,
    /// It was not waited for any longer, and is heard if it comes all the same.
    pub late: bool,
    /// The end of the turn that it answers.
    pub turn_ended: Option<Instant>,
    /// From there to its first sound.
    pub first_audio: Option<Duration>,
    /// The format of its sound, where the server tells it.
    pub format: Option<AudioFormat>,
    /// Tools that the server is calling for it.
    tools: Vec<String>,
    /// Calls of functions that are told by their arguments alone so far.
    pub calls: Vec<FunctionCall>,
}

impl Record {
    /// Nobody waits for the tools any longer.
    pub fn forget_tools(&mut self) {
        self.tools.clear();
    }
}

/// Responses, newest last.
#[derive(Debug, Default)]
pub(crate) struct Records(VecDeque<Record>);

impl Records {
    pub fn entry(&mut self, response_id: &str) -> &mut Record {
        let records = &mut self.0;
        let found = records.iter().rposition(|record| record.response_id == response_id);
        let index = found.unwrap_or_else(|| {
            if records.len() == RECORDS {
                records.pop_front();
            }
            records.push_back(Record { response_id: response_id.to_owned(), ..Record::default() });
            records.len() - 1
        });
        &mut records[index]
    }

    fn known(&self, response_id: &str) -> Option<&Record> {
        self.0.iter().rev().find(|record| record.response_id == response_id)
    }

    pub fn is_beside(&self, response_id: &str) -> bool {
        self.known(response_id).is_some_and(|record| record.beside)
    }

    /// It is no part of the conversation, and the server is making it.
    pub fn runs_beside(&self, response_id: &str) -> bool {
        self.known(response_id).is_some_and(|record| record.beside && !record.done)
    }

    pub fn is_late(&self, response_id: &str) -> bool {
        self.known(response_id).is_some_and(|record| record.late)
    }

    /// The server begins or ends to call a tool; without the answer's name it is for the newest one.
    pub fn calls_tool(&mut self, item_id: &str, calls: bool) {
        self.0.iter_mut().for_each(|record| record.tools.retain(|tool| tool != item_id));
        if let Some(record) = self.0.iter_mut().rev().find(|record| !record.done && calls) {
            record.tools.push(item_id.to_owned());
        }
    }

    /// The server is calling a tool.
    pub fn calls_tools(&self) -> bool {
        self.0.iter().any(|record| !record.done && !record.tools.is_empty())
    }

    /// The session is over, and what the server was doing as well.
    pub fn end_all(&mut self) {
        self.0.iter_mut().for_each(|record| (record.done, record.late) = (true, false));
    }

    /// Some answer has come to its end.
    pub fn any_is_done(&self) -> bool {
        self.0.iter().any(|record| record.done)
    }
}

impl Conversation {
    /// Another answer begins although the end of the one before was not told: it never will be.
    pub(crate) fn replaces(&mut self, next: &str) {
        let Some(before) = self.scheduler.active().filter(|active| *active != next).map(str::to_owned) else { return };
        if self.responses.is_muted(&before) {
            self.finish_locally(&before, "cancelled", None);
        } else {
            self.finish_locally(&before, "incomplete", Some("superseded"));
        }
    }

    /// The answer is not waited for any longer; if it comes all the same, it may be heard.
    pub(crate) fn ends_late(&mut self, response_id: &str) {
        self.finish_locally(response_id, "incomplete", Some("timeout"));
        self.responses.records.entry(response_id).late = true;
    }

    /// An answer that was given up goes on: it is heard if nothing else is under way.
    pub(crate) fn comes_late(&mut self, response_id: &str) {
        let record = self.responses.records.entry(response_id);
        (record.late, record.freed) = (false, false);
        let is_other = self.scheduler.active().is_some_and(|active| active != response_id);
        if is_other || self.scheduler.expects() || self.turns.speaking && self.may_be_interrupted() {
            return self.responses.mute(response_id);
        }
        self.responses.finished_locally.retain(|finished_locally| finished_locally != response_id);
        self.scheduler.created(response_id);
    }

    /// An answer is over, and the server will not say so.
    pub(crate) fn finish_locally(&mut self, response_id: &str, state: &str, reason: Option<&str>) {
        self.let_through();
        self.transcripts_of_response_done(response_id);
        self.responses.records.entry(response_id).forget_tools();
        self.calls_are_told(response_id);
        if !self.responses.finished_locally.iter().any(|finished_locally| finished_locally == response_id) {
            if self.responses.finished_locally.len() == MAX_AUDIO_PARTS {
                self.responses.finished_locally.pop_front();
            }
            self.responses.finished_locally.push_back(response_id.to_owned());
            self.notify(Event::Response(ResponseEvent {
                state: state.into(),
                response_id: response_id.to_owned(),
                reason: reason.map(str::to_owned),
                ..Default::default()
            }));
        }
    }
}
