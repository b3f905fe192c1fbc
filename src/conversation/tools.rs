//! Function calls: each is told once and answered once, and the answer that the outputs owe is asked for once.
//!
//! Outputs may come at once, later, or turns later. They are held until the answer that made the calls is done, for a
//! server would otherwise be asked for a second answer beside it. When the last output of that answer is there, the
//! next answer is asked for; after a barge-in it is not, because the user has something else in mind.

use super::Conversation;
use super::notice::{FunctionCall, Notice};
use crate::protocol::items::{Item, ItemKind, Status};
use crate::protocol::server::FunctionCallArgumentsDone;
use std::collections::VecDeque;

/// Calls that may be open at a time, and answered ones that are remembered.
const CALLS: usize = 128;
/// What a call gets that nobody has answered.
const UNANSWERED: &str = r#"{"error":"there was no answer to this call"}"#;

/// A call of the model.
#[derive(Debug)]
struct Call {
    call_id: String,
    response_id: String,
    /// Given, and held until the answer that called is done.
    output: Option<String>,
    sent: bool,
}

impl Call {
    /// It has no output so far.
    fn is_open(&self) -> bool {
        self.output.is_none() && !self.sent
    }
}

/// The calls of a session.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: VecDeque<Call>,
    /// Answers that are done, newest last, and whether they were cut off.
    done: VecDeque<(String, bool)>,
}

impl Calls {
    /// Whether an answer made calls.
    pub fn of_response(&self, response_id: &str) -> bool {
        self.calls.iter().any(|call| call.response_id == response_id)
    }

    /// Calls that have no output so far.
    pub fn open(&self) -> usize {
        self.calls.iter().filter(|call| call.is_open()).count()
    }

    /// The call is told already: an answer tells each of its calls several times. Some models number the calls of each
    /// answer anew, so another answer's call of the same name is another one.
    fn knows(&self, call: &FunctionCall) -> bool {
        self.calls.iter().any(|known| known.call_id == call.call_id && known.response_id == call.response_id)
    }

    /// The call that an output is for: the oldest one of that name that has none.
    fn find(&mut self, call_id: &str) -> Option<&mut Call> {
        let named = |call: &Call| call.call_id == call_id;
        let open = self.calls.iter().position(|call| named(call) && call.is_open());
        let index = open.or_else(|| self.calls.iter().rposition(named))?;
        self.calls.get_mut(index)
    }

    fn is_done(&self, response_id: &str) -> bool {
        self.done.iter().any(|(done, _)| done == response_id)
    }

    /// An answer is over. Gives back whether it made calls.
    fn end(&mut self, response_id: &str, cut_off: bool) -> bool {
        if !self.calls.iter().any(|call| call.response_id == response_id) {
            return false;
        }
        if self.done.len() == CALLS {
            self.done.pop_front();
        }
        self.done.push_back((response_id.to_owned(), cut_off));
        true
    }

    fn was_cut_off(&self, response_id: &str) -> bool {
        self.done.iter().any(|(done, cut)| done == response_id && *cut)
    }
}

impl Conversation {
    /// An item of an answer is complete. A call in it is told; one that was cut off in the middle of its arguments is
    /// none.
    pub(super) fn item_done(&mut self, response_id: &str, item: &Item) {
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
                    if self.approvals.len() == CALLS {
                        self.approvals.pop_front();
                    }
                    self.approvals.push_back(request_id.clone());
                    self.notify(Notice::ApprovalRequest {
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

    /// An answer gets a call, of which the arguments are still to come.
    pub(super) fn call_added(&mut self, response_id: &str, item: &Item) {
        let calls = &mut self.answers.record(response_id).calls;
        if calls.len() < CALLS {
            calls.push(FunctionCall {
                call_id: item.call_id.clone().unwrap_or_default(),
                name: item.name.clone().unwrap_or_default(),
                item_id: item.id().to_owned(),
                ..Default::default()
            });
        }
    }

    /// The arguments of a call are complete. Most servers tell of the whole call afterwards, some do not.
    pub(super) fn arguments_done(&mut self, event: FunctionCallArgumentsDone) {
        let FunctionCallArgumentsDone { response_id, item_id, call_id, name, arguments, .. } = event;
        let calls = &mut self.answers.record(&response_id).calls;
        let is_it = |call: &FunctionCall| !item_id.is_empty() && call.item_id == item_id;
        let mut call = calls.iter().position(is_it).map(|index| calls.remove(index)).unwrap_or_default();
        let or = |told: String, known: String| if told.is_empty() { known } else { told };
        (call.call_id, call.name) = (or(call_id, call.call_id), or(name, call.name));
        (call.item_id, call.arguments, call.response_id) = (item_id, arguments, response_id);
        if calls.len() < CALLS {
            calls.push(call);
        }
    }

    /// An answer is over. Calls of which only the arguments were told are complete.
    pub(super) fn calls_by_arguments(&mut self, response_id: &str) {
        for call in std::mem::take(&mut self.answers.record(response_id).calls) {
            // Of others the arguments never came.
            if !call.response_id.is_empty() {
                self.called(call);
            }
        }
    }

    fn called(&mut self, mut call: FunctionCall) {
        // The arguments are JSON, also where the model gave none.
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
        if self.calls.calls.len() == CALLS {
            let oldest = self.calls.calls.iter().position(|call| call.sent).unwrap_or_default();
            self.calls.calls.remove(oldest);
        }
        self.calls.calls.push_back(Call {
            call_id: call.call_id.clone(),
            response_id: call.response_id.clone(),
            output: None,
            sent: false,
        });
        self.history.has(&Item {
            kind: ItemKind::FunctionCall,
            call_id: Some(call.call_id.clone()),
            name: Some(call.name.clone()),
            arguments: Some(call.arguments.clone()),
            ..Default::default()
        });
        self.notify(Notice::FunctionCall(call));
    }

    /// The session in which an answer called is over, and the next one is told of the calls.
    pub(super) fn calls_are_told(&mut self, response_id: &str) {
        self.calls.end(response_id, false);
    }

    /// An answer is done: what its calls gave back so far may be sent.
    pub(super) fn calls_of_response_done(&mut self, response_id: &str, cut_off: bool) {
        if self.calls.end(response_id, cut_off) {
            self.send_outputs(response_id);
        }
    }

    /// A function gave something back.
    pub(super) fn function_output(&mut self, call_id: &str, output: String) {
        let Some(call) = self.calls.find(call_id) else {
            let message = format!("the model made no call '{call_id}', so an output for it is not sent");
            return self.warn("unknown-call", message);
        };
        if !call.is_open() {
            let message = format!("the call '{call_id}' has its output already, so a second one is not sent");
            return self.warn("call-answered", message);
        }
        call.output = Some(output);
        let response_id = call.response_id.clone();
        if self.calls.is_done(&response_id) {
            self.send_outputs(&response_id);
        }
    }

    /// Sends the outputs that are there, and asks for the answer that they owe once all are.
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
        self.moved = self.now;
        let owes_more = self.calls.calls.iter().any(|call| call.response_id == response_id && !call.sent);
        // Who speaks gets an answer to that, and the outputs are part of it.
        let user_speaks = self.turns.speaking || self.gate.expects();
        if !owes_more && !user_speaks && !self.calls.was_cut_off(response_id) && self.answers_at_all() {
            self.gate.wish(None);
        }
    }

    /// Nobody will answer what is open: each call is closed, in order, so that the server is not left waiting.
    pub(super) fn close_calls(&mut self) {
        let open = self.calls.calls.iter().filter(|call| call.is_open());
        let open: Vec<String> = open.map(|call| call.call_id.clone()).collect();
        for call_id in open {
            self.warn("call-unanswered", format!("nobody has answered the call '{call_id}'"));
            if let Some(call) = self.calls.find(&call_id) {
                call.sent = true;
            }
            let item = Item::function_output(call_id, UNANSWERED.into());
            self.history.has(&item);
            self.create_item(item);
        }
    }

    /// Says whether the server may call an MCP tool. The answer that waited for it is asked for.
    pub(super) fn approve(&mut self, request_id: String, approve: bool) {
        let Some(known) = self.approvals.iter().position(|known| *known == request_id) else {
            let message = format!("the server made no approval request '{request_id}', or has its answer already");
            return self.warn("unknown-approval", message);
        };
        self.approvals.remove(known);
        // Of all items that a client makes, this one alone must have a name.
        let id = Some(format!("approval_{}", self.sent_events + 1));
        self.create_item(Item {
            id,
            kind: ItemKind::McpApprovalResponse,
            approval_request_id: Some(request_id),
            approve: Some(approve),
            ..Default::default()
        });
        self.gate.wish(None);
    }
}
