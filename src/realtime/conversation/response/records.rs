// SPDX-License-Identifier: MPL-2.0

//! State of each response beside its audio: its begin and end, times, format, MCP calls.

use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Responses remembered.
const RECORDS: usize = 64;

/// State of a response.
#[derive(Debug, Default)]
struct Record {
    response_id: String,
    /// `response.created` came.
    created: bool,
    /// Out-of-band: not part of the default conversation.
    out_of_band: bool,
    /// `response.done` came and was handled.
    done: bool,
    /// `response.done` came, though it may still wait to be handled: the server is free for another response.
    freed: bool,
    /// It timed out; it is still played if it comes late.
    late: bool,
    /// End of the turn it answers.
    turn_ended: Option<Instant>,
    /// Time from there to the first audio.
    first_audio: Option<Duration>,
    /// Format of its audio, if the server tells it.
    format: Option<AudioFormat>,
    /// Items of MCP calls under way.
    tools: Vec<String>,
}

/// Responses, newest last.
#[derive(Debug, Default)]
pub(crate) struct Records(VecDeque<Record>);

impl Records {
    fn entry(&mut self, response_id: &str) -> &mut Record {
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

    /// `response.created`. `turn_ended`: end of the turn that it answers.
    pub fn created(
        &mut self,
        response_id: &str,
        out_of_band: bool,
        format: Option<AudioFormat>,
        turn_ended: Option<Instant>,
    ) {
        let record = self.entry(response_id);
        (record.created, record.freed, record.out_of_band, record.format) = (true, false, out_of_band, format);
        record.turn_ended = record.turn_ended.or(turn_ended);
    }

    /// The server is free for another response, though events of this one may still wait. Returns, the first time, whether
    /// its beginning was not told.
    pub fn free(&mut self, response_id: &str) -> Option<bool> {
        let record = self.entry(response_id);
        (!std::mem::replace(&mut record.freed, true)).then_some(!record.created)
    }

    /// `response.done` is handled.
    pub fn done(&mut self, response_id: &str) {
        self.entry(response_id).done = true;
    }

    /// First audio of a response. `take_turn_ended`: takes the end of the turn that is to be answered, for a response whose
    /// beginning was not told, as some servers do.
    pub fn first_audio(&mut self, response_id: &str, take_turn_ended: impl FnOnce() -> Option<Instant>, now: Instant) {
        let record = self.entry(response_id);
        if record.first_audio.is_none() {
            let ended = record.turn_ended.take();
            let ended = ended.or_else(|| if record.created { None } else { take_turn_ended() });
            record.first_audio = ended.map(|ended| now.saturating_duration_since(ended));
        }
    }

    /// Takes the time to the first audio, and the end of the turn if there was none.
    pub fn take_latency(&mut self, response_id: &str) -> (Option<Duration>, Option<Instant>) {
        let record = self.entry(response_id);
        (record.first_audio.take(), record.turn_ended.take())
    }

    /// Format of its audio, if the server told it.
    pub fn format(&mut self, response_id: &str) -> Option<AudioFormat> {
        self.entry(response_id).format.clone()
    }

    /// It timed out; it is still played if it comes late.
    pub fn timed_out(&mut self, response_id: &str) {
        self.entry(response_id).late = true;
    }

    /// It goes on after its time-out.
    pub fn goes_on(&mut self, response_id: &str) {
        let record = self.entry(response_id);
        (record.late, record.freed) = (false, false);
    }

    /// MCP calls of a response are not waited for any more.
    pub fn forget_tools(&mut self, response_id: &str) {
        self.entry(response_id).tools.clear();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_the_first_audio_counts_from_the_end_of_the_turn() {
        let (mut records, ended) = (Records::default(), Instant::now());
        let now = ended + Duration::from_millis(300);
        records.created("r1", false, None, Some(ended));
        let mut other_turn = Some(now);
        records.first_audio("r1", || other_turn.take(), now);
        records.first_audio("r1", || other_turn.take(), now + Duration::from_secs(1));
        assert_eq!(records.take_latency("r1").0, Some(Duration::from_millis(300)));
        assert!(other_turn.is_some(), "it is for another response");
        records.first_audio("unseen", || other_turn.take(), now);
        assert!(other_turn.is_none() && records.take_latency("unseen").0.is_some());
    }

    #[test]
    fn the_server_is_freed_once_by_each_response() {
        let mut records = Records::default();
        records.created("r1", false, None, None);
        assert_eq!((records.free("r1"), records.free("r1")), (Some(false), None));
        assert_eq!(records.free("unseen"), Some(true));
    }

    #[test]
    fn an_mcp_call_is_under_way_until_it_or_its_response_ends() {
        let mut records = Records::default();
        records.created("r1", false, None, None);
        records.calls_tool("m1", true);
        assert!(records.calls_tools());
        records.calls_tool("m1", false);
        assert!(!records.calls_tools());
        records.calls_tool("m2", true);
        records.done("r1");
        assert!(!records.calls_tools());
    }
}
