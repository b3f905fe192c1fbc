// SPDX-License-Identifier: MPL-2.0

//! Function calls: each is posted once and answered once, and one response is requested to the outputs.
//!
//! Outputs may come at once, later, or turns later. They are held until the response that made the calls is done, for a
//! server would otherwise be asked for a second response beside it. With the last output of that response the next one
//! is requested; not after a barge-in, because the user goes on with something else. A call without an output within
//! `tool-timeout` gets an error as its output, so that the model does not wait for ever.

use crate::error::Warning;
use crate::realtime::conversation::Conversation;
use crate::realtime::conversation::event::{Event, FunctionCall};
use crate::types::Timing;
use openai_protocol::items::{Item, ItemKind, Status};
use openai_protocol::server::FunctionCallArgumentsDone;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most open calls, and most answered ones that are remembered.
const MAX_CALLS: usize = 128;
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

/// An error for the model, as the output of a call.
fn error_output(why: &str) -> String {
    serde_json::json!({ "error": why }).to_string()
}

impl Conversation {
    /// A complete item: posts the call in it. One that was cut off in the middle of its arguments is no call.
    pub(crate) fn item_done(&mut self, response_id: &str, item: &Item) {
        match item.kind {
            ItemKind::FunctionCall if matches!(item.status, None | Some(Status::Completed)) => {
                self.called(FunctionCall {
                    call_id: item.call_id.clone().unwrap_or_default(),
                    name: item.name.clone().unwrap_or_default(),
                    arguments: item.arguments.clone().unwrap_or_default(),
                    item_id: item.id().to_owned(),
                    response_id: response_id.to_owned(),
                });
            }
            ItemKind::McpApprovalRequest => {
                let request_id = item.id().to_owned();
                if !self.approvals.contains(&request_id) {
                    if self.approvals.len() == MAX_CALLS {
                        self.approvals.pop_front();
                    }
                    self.approvals.push_back(request_id.clone());
                    self.notify(Event::ApprovalRequest {
                        request_id,
                        server_label: item.server_label.clone().unwrap_or_default(),
                        name: item.name.clone().unwrap_or_default(),
                        arguments: item.arguments.clone().unwrap_or_default(),
                    });
                }
            }
            _ => {}
        }
    }

    /// A call has begun; its arguments are still to come.
    pub(crate) fn call_added(&mut self, response_id: &str, item: &Item) {
        let calls = &mut self.responses.records.entry(response_id).calls;
        if calls.len() < MAX_CALLS {
            calls.push(FunctionCall {
                call_id: item.call_id.clone().unwrap_or_default(),
                name: item.name.clone().unwrap_or_default(),
                item_id: item.id().to_owned(),
                ..Default::default()
            });
        }
    }

    /// The arguments of a call are complete. Most servers send the whole item afterwards, some do not.
    pub(crate) fn arguments_done(&mut self, event: FunctionCallArgumentsDone) {
        let FunctionCallArgumentsDone { response_id, item_id, call_id, name, arguments, .. } = event;
        let calls = &mut self.responses.records.entry(&response_id).calls;
        let is_it = |call: &FunctionCall| !item_id.is_empty() && call.item_id == item_id;
        let mut call = calls.iter().position(is_it).map(|index| calls.remove(index)).unwrap_or_default();
        let or = |told: String, known: String| if told.is_empty() { known } else { told };
        (call.call_id, call.name) = (or(call_id, call.call_id), or(name, call.name));
        (call.item_id, call.arguments, call.response_id) = (item_id, arguments, response_id);
        if calls.len() < MAX_CALLS {
            calls.push(call);
        }
    }

    /// `response.done`: calls of which only the arguments came are complete.
    pub(crate) fn calls_by_arguments(&mut self, response_id: &str) {
        for call in std::mem::take(&mut self.responses.records.entry(response_id).calls) {
            // The arguments of the others never came.
            if !call.response_id.is_empty() {
                self.called(call);
            }
        }
    }

    fn called(&mut self, mut call: FunctionCall) {
        // Arguments are JSON, also where the model gave none.
        if call.arguments.trim().is_empty() {
            call.arguments = "{}".into();
        }
        if call.call_id.is_empty() {
            let message = format!("the server gave no name to a call of '{}', so it cannot be answered", call.name);
            return self.warn("call-without-id", message);
        }
        if self.calls.knows(&call) {
            return;
        }
        if self.calls.calls.len() == MAX_CALLS {
            let oldest = self.calls.calls.iter().position(|call| call.sent).unwrap_or_default();
            self.calls.calls.remove(oldest);
        }
        self.calls.calls.push_back(Call {
            call_id: call.call_id.clone(),
            name: call.name.clone(),
            called: self.now,
            response_id: call.response_id.clone(),
            output: None,
            sent: false,
            expired: false,
        });
        self.history.has(&Item {
            kind: ItemKind::FunctionCall,
            call_id: Some(call.call_id.clone()),
            name: Some(call.name.clone()),
            arguments: Some(call.arguments.clone()),
            ..Default::default()
        });
        self.notify(Event::FunctionCall(call));
    }

    /// The session that made the calls is over, and the next one gets them as history.
    pub(crate) fn calls_handed_over(&mut self, response_id: &str) {
        self.calls.end(response_id);
    }

    /// A response is done: outputs of its calls may be sent.
    pub(crate) fn calls_of_response_done(&mut self, response_id: &str, cut_off: bool) {
        if cut_off {
            self.calls.cut_off(response_id);
        }
        if self.calls.end(response_id) {
            self.send_outputs(response_id);
        }
    }

    /// A warning about a call: a kind of its own for each call, so that none hides another.
    fn warn_about_call(&mut self, code: &str, call_id: &str, message: String) {
        self.notify(Event::Warning(Warning::new(code, message).about(call_id)));
    }

    /// The output of a call.
    pub(crate) fn function_output(&mut self, call_id: &str, output: String) {
        let Some(call) = self.calls.find(call_id) else {
            let message = format!("the model made no call '{call_id}', so an output for it is not sent");
            return self.warn_about_call("unknown-call", call_id, message);
        };
        if call.expired {
            let message = format!(
                "the output of the function '{}' (call '{call_id}') came too late: the model has got an error instead, \
                 so it is not sent",
                call.name
            );
            return self.warn_about_call("call-expired", call_id, message);
        }
        if !call.is_open() {
            let message = format!("the call '{call_id}' has its output already, so a second one is not sent");
            return self.warn_about_call("call-answered", call_id, message);
        }
        call.output = Some(output);
        let response_id = call.response_id.clone();
        if self.calls.is_done(&response_id) {
            self.send_outputs(&response_id);
        }
    }

    /// Sends the outputs that are there, and requests the response to them once all are.
    fn send_outputs(&mut self, response_id: &str) {
        let ready: Vec<(String, String)> = self
            .calls
            .calls
            .iter_mut()
            .filter(|call| call.response_id == response_id)
            .filter_map(|call| {
                let output = call.output.take()?;
                call.sent = true;
                Some((call.call_id.clone(), output))
            })
            .collect();
        if ready.is_empty() {
            return;
        }
        for (call_id, output) in ready {
            let item = Item::function_output(call_id, output);
            self.history.has(&item);
            self.create_item(item);
        }
        self.last_progress = self.now;
        let owes_more = self.calls.calls.iter().any(|call| call.response_id == response_id && !call.sent);
        if owes_more || self.calls.was_cut_off(response_id) || !self.may_respond() {
            return;
        }
        if self.turns.speaking {
            // The response to the current turn will know the outputs.
            self.calls.held = Some(self.now);
        } else {
            self.scheduler.request(None);
        }
    }

    /// When the next call is overdue, or the response to outputs is not left to the user's turn any more.
    pub(crate) fn calls_deadline(&self) -> Option<Instant> {
        self.calls.deadlines(self.config.tool_timeout).chain(self.held_until()).min()
    }

    /// When the last call without output is overdue.
    pub(crate) fn calls_until(&self) -> Option<Instant> {
        self.calls.deadlines(self.config.tool_timeout).max()
    }

    fn held_until(&self) -> Option<Instant> {
        let since = self.calls.held.filter(|_| !self.scheduler.is_pending())?;
        match (self.turns.speaking, self.config.timing) {
            (false, _) => Some(since + RESPONSE_TIMEOUT),
            (true, Timing::Live) => Some(since + TURN_TIMEOUT),
            // EOS ends the turn.
            (true, Timing::Offline) => None,
        }
    }

    /// Serves the time-outs of calls.
    pub(crate) fn advance_calls(&mut self) {
        self.expire_calls();
        if self.held_until().is_some_and(|until| self.now >= until) {
            self.calls.held = None;
            if self.may_respond() {
                self.scheduler.request(None);
            }
        }
    }

    /// Sends an error as the output of calls that are overdue.
    fn expire_calls(&mut self) {
        let Some(timeout) = self.config.tool_timeout else { return };
        let now = self.now;
        let is_late = |call: &&mut Call| {
            call.is_open() && call.called.checked_add(timeout).is_some_and(|deadline| now >= deadline)
        };
        let seconds = timeout.as_secs_f64();
        let mut late = Vec::new();
        for call in self.calls.calls.iter_mut().filter(is_late) {
            call.output = Some(error_output(&format!("the function took longer than {seconds} s")));
            call.expired = true;
            late.push((call.call_id.clone(), call.name.clone(), call.response_id.clone()));
        }
        for (call_id, name, response_id) in late {
            let message = format!(
                "the function '{name}' (call '{call_id}') took longer than {seconds} s (tool-timeout), and the model gets \
                 an error: a handler of function-call returns a string, or NULL and send-function-output follows; one \
                 that raises counts as NULL"
            );
            self.warn_about_call("tool-timeout", &call_id, message);
            self.notify(Event::CallExpired { call_id });
            if self.calls.is_done(&response_id) {
                self.send_outputs(&response_id);
            }
        }
    }

    /// Nobody will answer open calls: sends an error as the output of each, so that the server does not wait.
    pub(crate) fn close_calls(&mut self) {
        let open = self.calls.calls.iter().filter(|call| call.is_open());
        let open: Vec<_> = open.map(|call| (call.call_id.clone(), call.name.clone())).collect();
        for (call_id, name) in open {
            let message = format!("nobody has answered the call '{call_id}' of the function '{name}'");
            self.warn_about_call("call-unanswered", &call_id, message);
            self.notify(Event::CallExpired { call_id: call_id.clone() });
            if let Some(call) = self.calls.find(&call_id) {
                (call.sent, call.expired) = (true, true);
            }
            let item = Item::function_output(call_id, UNANSWERED.into());
            self.history.has(&item);
            self.create_item(item);
        }
    }

    /// Answers an MCP approval request, and requests the response that waits for it.
    pub(crate) fn approve(&mut self, request_id: String, approve: bool) {
        let Some(known) = self.approvals.iter().position(|known| *known == request_id) else {
            let message = format!("the server made no approval request '{request_id}', or has its answer already");
            return self.warn("unknown-approval", message);
        };
        self.approvals.remove(known);
        // The API demands an id for this item alone.
        let id = Some(format!("approval_{}", self.outbox.sent_events() + 1));
        self.create_item(Item {
            id,
            kind: ItemKind::McpApprovalResponse,
            approval_request_id: Some(request_id),
            approve: Some(approve),
            ..Default::default()
        });
        self.scheduler.request(None);
    }
}
