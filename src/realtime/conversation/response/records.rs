// SPDX-License-Identifier: MPL-2.0

//! State of each response beside its audio: times, formats, tools; and responses that end without the server telling
//! it.

use crate::realtime::conversation::io::ResponseEvent;
use crate::realtime::conversation::response::audio_part::MAX_AUDIO_PARTS;
use crate::realtime::conversation::{Conversation, Event};
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Responses remembered.
const RECORDS: usize = 64;

/// State of a response.
#[derive(Debug, Default)]
pub(crate) struct Record {
    response_id: String,
    /// `response.created` came.
    pub created: bool,
    /// Out-of-band: not part of the default conversation.
    pub out_of_band: bool,
    /// `response.done` came and was handled.
    pub done: bool,
    /// `response.done` came, though it may still wait to be handled: the server is free for another response.
    pub freed: bool,
    /// It timed out; it is still played if it comes late.
    pub late: bool,
    /// End of the turn it answers.
    pub turn_ended: Option<Instant>,
    /// Time from there to the first audio.
    pub first_audio: Option<Duration>,
    /// Format of its audio, if the server tells it.
    pub format: Option<AudioFormat>,
    /// Items of MCP calls under way.
    tools: Vec<String>,
}

impl Record {
    /// MCP calls are not waited for any more.
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

    pub fn is_out_of_band(&self, response_id: &str) -> bool {
        self.known(response_id).is_some_and(|record| record.out_of_band)
    }

    /// Out-of-band, and under way.
    pub fn runs_out_of_band(&self, response_id: &str) -> bool {
        self.known(response_id).is_some_and(|record| record.out_of_band && !record.done)
    }

    pub fn is_late(&self, response_id: &str) -> bool {
        self.known(response_id).is_some_and(|record| record.late)
    }

    /// An MCP call begins or ends. The events do not tell the response; it is the newest one.
    pub fn calls_tool(&mut self, item_id: &str, calls: bool) {
        self.0.iter_mut().for_each(|record| record.tools.retain(|tool| tool != item_id));
        if let Some(record) = self.0.iter_mut().rev().find(|record| !record.done && calls) {
            record.tools.push(item_id.to_owned());
        }
    }

    /// An MCP call is under way.
    pub fn calls_tools(&self) -> bool {
        self.0.iter().any(|record| !record.done && !record.tools.is_empty())
    }

    /// The session is over: no response is under way any more.
    pub fn end_all(&mut self) {
        self.0.iter_mut().for_each(|record| (record.done, record.late) = (true, false));
    }

    /// Whether any response is done.
    pub fn any_is_done(&self) -> bool {
        self.0.iter().any(|record| record.done)
    }
}

impl Conversation {
    /// Another response begins without the end of the one before it: that will not come any more.
    pub(crate) fn supersede(&mut self, next: &str) {
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
        self.responses.records.entry(response_id).late = true;
    }

    /// A response that timed out goes on: it is played if nothing else is under way.
    pub(crate) fn resume_late_response(&mut self, response_id: &str) {
        let record = self.responses.records.entry(response_id);
        (record.late, record.freed) = (false, false);
        let is_other = self.scheduler.active().is_some_and(|active| active != response_id);
        if is_other || self.scheduler.expects() || self.turns.speaking && self.may_be_interrupted() {
            return self.responses.mute(response_id);
        }
        self.responses.finished_locally.retain(|finished_locally| finished_locally != response_id);
        self.scheduler.created(response_id);
    }

    /// Ends a response whose end the server will not tell.
    pub(crate) fn finish_locally(&mut self, response_id: &str, state: &str, reason: Option<&str>) {
        self.release_held();
        self.transcripts_of_response_done(response_id);
        self.responses.records.entry(response_id).forget_tools();
        self.calls.hand_over(response_id);
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
