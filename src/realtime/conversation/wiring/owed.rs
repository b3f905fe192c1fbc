// SPDX-License-Identifier: MPL-2.0

//! What the server owes: responses and transcripts, until when they are waited for, and what happens when they do not
//! come. Requests for responses are sent here.

use crate::realtime::conversation::Conversation;
use crate::realtime::conversation::context::ctx;
use crate::types::Timing;
use openai_protocol::Usage;
use openai_protocol::client::ResponseCreate;
use std::time::{Duration, Instant};

/// How long to wait for the `response.done` of a cancelled response.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest call of a server-side (MCP) tool.
const TOOL_CALL: Duration = Duration::from_secs(120);
/// Offline: turns that may wait for their commit or transcript before input is held back.
const MAX_OFFLINE_BACKLOG: usize = 16;
/// How long to wait, once all is answered, for transcripts of a server that has sent none so far: transcription is
/// optional.
const OPTIONAL_TRANSCRIPT_TIMEOUT: Duration = Duration::from_secs(2);

impl Conversation {
    /// Offline, the input waits while an answer is owed or under way, so that no later speech can cut it off. Where no
    /// answers are wanted, it waits while the server has many turns to catch up with.
    pub(crate) fn holds_input(&self) -> bool {
        let is_behind = || !self.config.create_response && self.turns.backlog() >= MAX_OFFLINE_BACKLOG;
        self.config.timing == Timing::Offline && (self.owes_response() || is_behind())
    }

    /// A response is owed or under way, or the output of a function call that leads to one.
    pub(crate) fn owes_response(&self) -> bool {
        self.scheduler.is_pending() || self.calls.open() > 0
    }

    /// When `requests-per-minute` lets the queued request out; `None` if it need not wait.
    pub(crate) fn next_request_at(&self) -> Option<Instant> {
        self.scheduler.has_request().then(|| self.limits.waits_until(&self.config, self.now)).flatten()
    }

    /// The active response was cancelled, and only its `response.done` is missing.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.scheduler.active().is_some_and(|active| self.responses.is_muted(active))
    }

    /// When what the server owes is overdue. The drain has a time-out of its own.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        if self.drain.is_closing() || self.next_request_at().is_some() {
            None
        } else if self.is_cancelled() {
            Some(self.last_response_progress + CANCEL_TIMEOUT.min(self.config.drain_timeout))
        } else if self.scheduler.is_pending() {
            Some(self.last_response_progress + self.response_timeout())
        } else {
            self.holds_input().then(|| self.owed_until())
        }
    }

    /// Longest silence about a response. While the server calls a tool, it waits for another server.
    pub(crate) fn response_timeout(&self) -> Duration {
        let calls = self.records.calls_tools();
        if calls { self.config.drain_timeout.max(TOOL_CALL) } else { self.config.drain_timeout }
    }

    /// Time-out of what the server owes: goes on without it.
    pub(crate) fn give_up(&mut self) {
        if self.scheduler.is_pending() {
            let active = self.scheduler.active().map(str::to_owned);
            if self.is_cancelled() {
                // Some servers send no `response.done` after a cancel.
                active.inspect(|active| {
                    self.responses.mute(active);
                    self.finish_locally(active, "cancelled", None);
                });
            } else {
                let seconds = self.response_timeout().as_secs_f64();
                let message = format!("the server owes an answer and has not gone on with it for {seconds} s");
                self.warn("no-answer", message);
                active.inspect(|active| self.response_timed_out(active));
            }
            self.scheduler.give_up();
            self.responses.give_up();
            self.send_due_request();
        } else if self.calls.open() > 0 {
            self.close_calls();
        } else {
            let seconds = self.config.drain_timeout.as_secs_f64();
            self.warn("no-transcript", format!("the server has not taken in what the user said for {seconds} s"));
            self.give_up_turns();
        }
    }

    /// Requests a response to a turn that the server does not answer by itself.
    pub(crate) fn request_response_for_turn(&mut self) {
        if self.config.create_response && self.limits.may_respond(&self.config) {
            self.scheduler.request(None);
        }
    }

    /// Sends the queued `response.create`, if none is under way.
    pub(crate) fn send_due_request(&mut self) {
        if self.next_request_at().is_some() {
            return;
        }
        if let Some(params) = self.scheduler.take_request() {
            let event_id = self.send(ResponseCreate { response: params.clone(), ..Default::default() });
            self.scheduler.request_sent(event_id, params);
            self.calls.are_answered();
            self.limits.request_sent(self.now);
            self.last_response_progress = self.now;
            self.last_progress = self.now;
        }
    }

    /// The usage of a response. When `max-cost` is reached, the stream ends in order.
    pub(crate) fn record_usage(&mut self, usage: Usage) {
        if self.limits.record_usage(usage, &mut ctx!(self)) {
            self.scheduler.drop_request();
            self.drain.end_at_once();
        }
    }

    /// When what the server owes is overdue. Function calls have a time-out of their own, which does not depend on the
    /// server.
    pub(crate) fn owed_until(&self) -> Instant {
        let timeout = if self.scheduler.is_pending() { self.response_timeout() } else { self.config.drain_timeout };
        let server = self.last_progress
            + if self.awaits_optional_transcripts() { timeout.min(OPTIONAL_TRANSCRIPT_TIMEOUT) } else { timeout };
        self.calls.last_deadline(&self.config).map_or(server, |calls| calls.max(server))
    }

    /// Only transcripts of the user are owed, by a server that has sent none so far.
    pub(crate) fn awaits_optional_transcripts(&self) -> bool {
        !self.owes_response()
            && !self.transcripts.server_transcribes()
            && self.records.any_is_done()
            && !self.config.is_transcription_only()
    }

    pub(crate) fn owes_anything(&self) -> bool {
        self.owes_response() || self.config.transcribes && self.turns.backlog() > 0
    }
}
