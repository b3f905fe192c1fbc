// SPDX-License-Identifier: MPL-2.0

//! Function calls: each is posted once and answered once, and one response is requested to the outputs.
//!
//! Outputs may come at once, later, or turns later. They are held until the response that made the calls is done, for a
//! server would otherwise be asked for a second response beside it. With the last output of that response the next one
//! is requested; not after a barge-in, because the user goes on with something else. A call without an output within
//! `tool-timeout` gets an error as its output, so that the model does not wait for ever.

use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::event::{Event, FunctionCall};
use crate::types::Timing;
use openai_protocol::client::ConversationItemCreate;
use openai_protocol::items::{Item, ItemKind};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most open calls, and most answered ones that are remembered.
pub(crate) const MAX_CALLS: usize = 128;
/// Output of a call that nobody has answered.
const UNANSWERED: &str = r#"{"error":"there was no answer to this call"}"#;

/// How long to wait for the end of a turn in which outputs were sent. A server may tell of speech and never of its
/// end.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for the response to such a turn after its end.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);

/// A call of the model.
#[derive(Debug)]
struct Call {
    call_id: String,
    name: String,
    called: Instant,
    response_id: String,
    /// The output, held until the response that called is done.
    output: Option<String>,
    sent: bool,
    /// Its output is the time-out error.
    expired: bool,
}

impl Call {
    /// No output so far.
    fn is_open(&self) -> bool {
        self.output.is_none() && !self.sent
    }
}

/// What has to follow an event about function calls.
#[derive(Debug, Default, PartialEq)]
#[must_use]
pub(crate) struct CallEffect {
    /// Calls and outputs for the history.
    pub items: Vec<Item>,
    /// Outputs were sent to calls of a response that is done.
    pub outputs_sent: bool,
    /// With them a response has all its outputs, and the next one is to be requested.
    pub are_complete: bool,
}

impl CallEffect {
    fn send(&mut self, item: Item, ctx: &mut Ctx) {
        ctx.send(ConversationItemCreate { item: item.clone(), ..Default::default() });
        self.items.push(item);
    }
}

/// Calls of a session.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    calls: VecDeque<Call>,
    /// Responses that are done, newest last.
    done: VecDeque<String>,
    /// Responses that were interrupted, cancelled or failed, newest last: no response is requested to their outputs.
    cut_off: VecDeque<String>,
    /// Outputs were sent while the user spoke, so that the response to the turn answers them as well. Since when the end
    /// of the turn, or after it the response, is waited for.
    held: Option<Instant>,
}

impl Calls {
    /// Whether a response made calls.
    pub fn of_response(&self, response_id: &str) -> bool {
        self.calls.iter().any(|call| call.response_id == response_id)
    }

    /// Number of calls without output.
    pub fn open(&self) -> usize {
        self.calls.iter().filter(|call| call.is_open()).count()
    }

    /// Whether the call was posted: events tell of each call several times. Some models number the calls of each response
    /// from the beginning, so the same id in another response is another call.
    fn knows(&self, call: &FunctionCall) -> bool {
        self.calls.iter().any(|known| known.call_id == call.call_id && known.response_id == call.response_id)
    }

    /// The call that an output is for: the oldest one of that id that has none.
    fn find(&mut self, call_id: &str) -> Option<&mut Call> {
        let named = |call: &Call| call.call_id == call_id;
        let open = self.calls.iter().position(|call| named(call) && call.is_open());
        let index = open.or_else(|| self.calls.iter().rposition(named))?;
        self.calls.get_mut(index)
    }

    fn is_done(&self, response_id: &str) -> bool {
        self.done.iter().any(|done| done == response_id)
    }

    /// A response is done. Returns whether it made calls.
    fn end(&mut self, response_id: &str) -> bool {
        let has_called = self.calls.iter().any(|call| call.response_id == response_id);
        if has_called {
            remember(&mut self.done, response_id);
        }
        has_called
    }

    /// A response was cut off, before or after it was done.
    pub fn cut_off(&mut self, response_id: &str) {
        if !self.cut_off.iter().any(|cut| cut == response_id) {
            remember(&mut self.cut_off, response_id);
        }
    }

    /// The application wants no response to the calls so far.
    pub fn cancel_pending(&mut self) {
        self.held = None;
        let unsent = self.calls.iter().filter(|call| !call.sent);
        let unsent: Vec<String> = unsent.map(|call| call.response_id.clone()).collect();
        unsent.iter().for_each(|response_id| self.cut_off(response_id));
    }

    fn was_cut_off(&self, response_id: &str) -> bool {
        self.cut_off.iter().any(|cut| cut == response_id)
    }

    /// A response is requested, or begins, that knows all outputs.
    pub fn are_answered(&mut self) {
        self.held = None;
    }

    /// The user's turn has ended, and its response is to come.
    pub fn turn_ended(&mut self, now: Instant) {
        self.held = self.held.map(|_| now);
    }

    /// A call is complete: posts it, once. Events tell of each call several times.
    pub fn called(&mut self, mut call: FunctionCall, ctx: &mut Ctx) -> CallEffect {
        // Arguments are JSON, also where the model gave none.
        if call.arguments.trim().is_empty() {
            call.arguments = "{}".into();
        }
        if call.call_id.is_empty() {
            let message = format!("the server gave no name to a call of '{}', so it cannot be answered", call.name);
            ctx.warn("call-without-id", message);
            return CallEffect::default();
        }
        if self.knows(&call) {
            return CallEffect::default();
        }
        if self.calls.len() == MAX_CALLS {
            let oldest = self.calls.iter().position(|call| call.sent).unwrap_or_default();
            self.calls.remove(oldest);
        }
        self.calls.push_back(Call {
            call_id: call.call_id.clone(),
            name: call.name.clone(),
            called: ctx.now,
            response_id: call.response_id.clone(),
            output: None,
            sent: false,
            expired: false,
        });
        let item = Item {
            kind: ItemKind::FunctionCall,
            call_id: Some(call.call_id.clone()),
            name: Some(call.name.clone()),
            arguments: Some(call.arguments.clone()),
            ..Default::default()
        };
        ctx.notify(Event::FunctionCall(call));
        CallEffect { items: vec![item], ..CallEffect::default() }
    }

    /// The session that made the calls is over, and the next one gets them as history.
    pub fn hand_over(&mut self, response_id: &str) {
        self.end(response_id);
    }

    /// A response is done: outputs of its calls may be sent.
    pub fn response_done(&mut self, response_id: &str, cut_off: bool, ctx: &mut Ctx) -> CallEffect {
        let mut effect = CallEffect::default();
        if cut_off {
            self.cut_off(response_id);
        }
        if self.end(response_id) {
            self.send_outputs(response_id, &mut effect, ctx);
        }
        effect
    }

    /// The output of a call.
    pub fn output(&mut self, call_id: &str, output: String, ctx: &mut Ctx) -> CallEffect {
        let mut effect = CallEffect::default();
        let Some(call) = self.find(call_id) else {
            let message = format!("the model made no call '{call_id}', so an output for it is not sent");
            ctx.warn_about(call_id, "unknown-call", message);
            return effect;
        };
        if call.expired {
            let message = format!(
                "the output of the function '{}' (call '{call_id}') came too late: the model has got an error instead, \
                 so it is not sent",
                call.name
            );
            ctx.warn_about(call_id, "call-expired", message);
        } else if !call.is_open() {
            let message = format!("the call '{call_id}' has its output already, so a second one is not sent");
            ctx.warn_about(call_id, "call-answered", message);
        } else {
            call.output = Some(output);
            let response_id = call.response_id.clone();
            if self.is_done(&response_id) {
                self.send_outputs(&response_id, &mut effect, ctx);
            }
        }
        effect
    }

    /// Sends the outputs that are there.
    fn send_outputs(&mut self, response_id: &str, effect: &mut CallEffect, ctx: &mut Ctx) {
        let before = effect.items.len();
        for call in self.calls.iter_mut().filter(|call| call.response_id == response_id) {
            if let Some(output) = call.output.take() {
                call.sent = true;
                effect.send(Item::function_output(call.call_id.clone(), output), ctx);
            }
        }
        if effect.items.len() > before {
            effect.outputs_sent = true;
            let owes_more = self.calls.iter().any(|call| call.response_id == response_id && !call.sent);
            effect.are_complete |= !owes_more && !self.was_cut_off(response_id);
        }
    }

    /// The user speaks, and the response to the current turn will know the outputs.
    pub fn leave_to_turn(&mut self, now: Instant) {
        self.held = Some(now);
    }

    /// When the next call is overdue, or the response to outputs is not left to the user's turn any more.
    pub fn deadline(&self, config: &Config, is_speaking: bool, is_response_pending: bool) -> Option<Instant> {
        let held = self.held_until(config.timing, is_speaking, is_response_pending);
        self.deadlines(config.tool_timeout).chain(held).min()
    }

    /// When the last call without output is overdue.
    pub fn last_deadline(&self, config: &Config) -> Option<Instant> {
        self.deadlines(config.tool_timeout).max()
    }

    fn held_until(&self, timing: Timing, is_speaking: bool, is_response_pending: bool) -> Option<Instant> {
        let since = self.held.filter(|_| !is_response_pending)?;
        match (is_speaking, timing) {
            (false, _) => Some(since + RESPONSE_TIMEOUT),
            (true, Timing::Live) => Some(since + TURN_TIMEOUT),
            // EOS ends the turn.
            (true, Timing::Offline) => None,
        }
    }

    /// Whether the response to outputs, which was left to the user's turn, has to be requested now. True once.
    pub fn take_overdue_request(&mut self, is_speaking: bool, is_response_pending: bool, ctx: &Ctx) -> bool {
        let held = self.held_until(ctx.config.timing, is_speaking, is_response_pending);
        let is_overdue = held.is_some_and(|until| ctx.now >= until);
        if is_overdue {
            self.held = None;
        }
        is_overdue
    }

    /// Sends an error as the output of calls that are overdue.
    pub fn expire(&mut self, ctx: &mut Ctx) -> CallEffect {
        let mut effect = CallEffect::default();
        let Some(timeout) = ctx.config.tool_timeout else { return effect };
        let now = ctx.now;
        let is_late = |call: &&mut Call| {
            call.is_open() && call.called.checked_add(timeout).is_some_and(|deadline| now >= deadline)
        };
        let seconds = timeout.as_secs_f64();
        let mut late = Vec::new();
        for call in self.calls.iter_mut().filter(is_late) {
            let error = format!("the function took longer than {seconds} s");
            call.output = Some(serde_json::json!({ "error": error }).to_string());
            call.expired = true;
            late.push((call.call_id.clone(), call.name.clone(), call.response_id.clone()));
        }
        for (call_id, name, response_id) in late {
            let message = format!(
                "the function '{name}' (call '{call_id}') took longer than {seconds} s (tool-timeout), and the model gets \
                 an error: a handler of function-call returns a string, or NULL and send-function-output follows; one \
                 that raises counts as NULL"
            );
            ctx.warn_about(&call_id, "tool-timeout", message);
            ctx.notify(Event::CallExpired { call_id });
            if self.is_done(&response_id) {
                self.send_outputs(&response_id, &mut effect, ctx);
            }
        }
        effect
    }

    /// Nobody will answer open calls: sends an error as the output of each, so that the server does not wait.
    pub fn close(&mut self, ctx: &mut Ctx) -> CallEffect {
        let mut effect = CallEffect::default();
        let open = self.calls.iter().filter(|call| call.is_open());
        let open: Vec<_> = open.map(|call| (call.call_id.clone(), call.name.clone())).collect();
        for (call_id, name) in open {
            let message = format!("nobody has answered the call '{call_id}' of the function '{name}'");
            ctx.warn_about(&call_id, "call-unanswered", message);
            ctx.notify(Event::CallExpired { call_id: call_id.clone() });
            if let Some(call) = self.find(&call_id) {
                (call.sent, call.expired) = (true, true);
            }
            effect.send(Item::function_output(call_id, UNANSWERED.into()), ctx);
        }
        effect
    }

    /// Deadlines of calls without output.
    fn deadlines(&self, timeout: Option<Duration>) -> impl Iterator<Item = Instant> {
        let open = self.calls.iter().filter(|call| call.is_open());
        open.filter_map(move |call| call.called.checked_add(timeout?))
    }
}

/// Remembers an id, and drops the oldest of too many.
fn remember(names: &mut VecDeque<String>, name: &str) {
    if names.len() == MAX_CALLS {
        names.pop_front();
    }
    names.push_back(name.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;

    fn call(call_id: &str, response_id: &str) -> FunctionCall {
        FunctionCall {
            call_id: call_id.into(),
            name: "look".into(),
            response_id: response_id.into(),
            ..Default::default()
        }
    }

    /// A response that made two calls.
    fn two_calls() -> (Calls, Fixture) {
        let (mut calls, mut fixture) = (Calls::default(), Fixture::new(Timing::Live));
        for id in ["c1", "c2"] {
            assert_eq!(calls.called(call(id, "r1"), &mut fixture.ctx()).items.len(), 1);
        }
        assert_eq!(calls.called(call("c1", "r1"), &mut fixture.ctx()), CallEffect::default(), "it is known");
        assert_eq!(fixture.outputs().len(), 2);
        (calls, fixture)
    }

    #[test]
    fn outputs_wait_for_the_end_of_the_response_and_the_last_one_completes_them() {
        let (mut calls, mut fixture) = two_calls();
        assert_eq!(calls.output("c1", "1".into(), &mut fixture.ctx()), CallEffect::default());
        let effect = calls.response_done("r1", false, &mut fixture.ctx());
        assert_eq!((effect.outputs_sent, effect.are_complete), (true, false));
        let effect = calls.output("c2", "2".into(), &mut fixture.ctx());
        assert_eq!((effect.outputs_sent, effect.are_complete), (true, true));
        assert_eq!(fixture.sent(), ["conversation.item.create"; 2]);
        assert_eq!(calls.open(), 0);
    }

    #[test]
    fn after_a_barge_in_outputs_are_sent_and_no_response_is_requested_to_them() {
        let (mut calls, mut fixture) = two_calls();
        let _ = calls.response_done("r1", true, &mut fixture.ctx());
        let _ = calls.output("c1", "1".into(), &mut fixture.ctx());
        let effect = calls.output("c2", "2".into(), &mut fixture.ctx());
        assert_eq!((effect.outputs_sent, effect.are_complete), (true, false));
    }

    #[test]
    fn an_overdue_call_gets_an_error_once() {
        let (mut calls, mut fixture) = two_calls();
        let _ = calls.response_done("r1", false, &mut fixture.ctx());
        let timeout = fixture.config.tool_timeout.unwrap_or_default();
        assert_eq!(calls.deadline(&fixture.config, false, false), Some(fixture.now + timeout));
        let effect = calls.expire(&mut fixture.after(timeout));
        assert!(effect.are_complete && effect.items.len() == 2);
        assert_eq!(fixture.warnings(), ["tool-timeout"; 2]);
        assert_eq!(calls.expire(&mut fixture.ctx()), CallEffect::default());
        assert_eq!(calls.output("c1", "1".into(), &mut fixture.ctx()), CallEffect::default());
        assert_eq!(fixture.warnings(), ["call-expired"]);
    }

    #[test]
    fn a_response_left_to_the_turn_is_requested_if_that_brings_none() {
        let (mut calls, mut fixture) = two_calls();
        calls.leave_to_turn(fixture.now);
        assert!(!calls.take_overdue_request(true, false, &fixture.after(RESPONSE_TIMEOUT)));
        calls.turn_ended(fixture.now);
        assert!(!calls.take_overdue_request(false, true, &fixture.after(RESPONSE_TIMEOUT)), "one is under way");
        assert!(calls.take_overdue_request(false, false, &fixture.ctx()));
        assert!(!calls.take_overdue_request(false, false, &fixture.ctx()));
    }
}
