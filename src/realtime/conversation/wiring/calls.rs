// SPDX-License-Identifier: MPL-2.0

//! Function calls and MCP approvals: what follows for the history and for the next response.

use crate::realtime::conversation::Conversation;
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::response::call_arguments::complete_call;
use crate::realtime::conversation::response::function_calls::CallEffect;
use openai_protocol::items::{Item, ItemKind};
use std::time::Instant;

impl Conversation {
    /// A complete item of a response.
    pub(crate) fn item_done(&mut self, response_id: &str, item: &Item) {
        match item.kind {
            ItemKind::FunctionCall => {
                if let Some(call) = complete_call(response_id, item) {
                    let effect = self.calls.called(call, &mut ctx!(self));
                    self.follow_calls(effect);
                }
            }
            ItemKind::McpApprovalRequest => self.approvals.requested(item, &mut ctx!(self)),
            _ => {}
        }
    }

    /// `response.done`: calls of which only the arguments came are complete.
    pub(crate) fn calls_by_arguments(&mut self, response_id: &str) {
        for call in self.call_arguments.take_complete(response_id) {
            let effect = self.calls.called(call, &mut ctx!(self));
            self.follow_calls(effect);
        }
    }

    /// A response is done: outputs of its calls may be sent.
    pub(crate) fn calls_of_response_done(&mut self, response_id: &str, cut_off: bool) {
        let effect = self.calls.response_done(response_id, cut_off, &mut ctx!(self));
        self.follow_calls(effect);
    }

    /// The output of a call.
    pub(crate) fn function_output(&mut self, call_id: &str, output: String) {
        let effect = self.calls.output(call_id, output, &mut ctx!(self));
        self.follow_calls(effect);
    }

    fn follow_calls(&mut self, effect: CallEffect) {
        effect.items.iter().for_each(|item| self.history.add_item(item));
        if effect.outputs_sent {
            self.last_progress = self.now;
        }
        if !effect.are_complete || !self.limits.may_respond(&self.config) {
            return;
        }
        if self.turns.is_speaking() {
            self.calls.leave_to_turn(self.now);
        } else {
            self.scheduler.request(None);
        }
    }

    pub(crate) fn calls_deadline(&self) -> Option<Instant> {
        self.calls.deadline(&self.config, self.turns.is_speaking(), self.scheduler.is_pending())
    }

    /// Serves the time-outs of calls.
    pub(crate) fn advance_calls(&mut self) {
        let effect = self.calls.expire(&mut ctx!(self));
        self.follow_calls(effect);
        let (is_speaking, is_pending) = (self.turns.is_speaking(), self.scheduler.is_pending());
        if self.calls.take_overdue_request(is_speaking, is_pending, &ctx!(self))
            && self.limits.may_respond(&self.config)
        {
            self.scheduler.request(None);
        }
    }

    /// Nobody will answer open calls.
    pub(crate) fn close_calls(&mut self) {
        let effect = self.calls.close(&mut ctx!(self));
        self.follow_calls(effect);
    }
}
