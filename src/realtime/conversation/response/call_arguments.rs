// SPDX-License-Identifier: MPL-2.0

//! Function calls of which only parts have come: the item without arguments, then the arguments. Most servers send the
//! whole item at its end, some do not; then the call is complete with its response.

use crate::realtime::conversation::event::FunctionCall;
use crate::realtime::conversation::response::function_calls::MAX_CALLS;
use openai_protocol::items::{Item, Status};
use openai_protocol::server::FunctionCallArgumentsDone;
use std::collections::VecDeque;

/// A call without its complete item.
#[derive(Debug, Default)]
struct Unfinished {
    call: FunctionCall,
    has_arguments: bool,
}

/// Calls without their complete item, oldest first.
#[derive(Debug, Default)]
pub(crate) struct CallArguments(VecDeque<Unfinished>);

impl CallArguments {
    fn push(&mut self, unfinished: Unfinished) {
        if self.0.len() == MAX_CALLS {
            self.0.pop_front();
        }
        self.0.push_back(unfinished);
    }

    /// `response.output_item.added`: a call has begun, and its arguments are still to come.
    pub fn call_added(&mut self, response_id: &str, item: &Item) {
        let call = FunctionCall { arguments: String::new(), ..call_of(response_id, item) };
        self.push(Unfinished { call, has_arguments: false });
    }

    /// `response.function_call_arguments.done`
    pub fn arguments_done(&mut self, event: FunctionCallArgumentsDone) {
        let FunctionCallArgumentsDone { response_id, item_id, call_id, name, arguments, .. } = event;
        let is_it = |known: &Unfinished| {
            !item_id.is_empty() && known.call.item_id == item_id && known.call.response_id == response_id
        };
        let known = self.0.iter().position(is_it).and_then(|index| self.0.remove(index)).unwrap_or_default().call;
        let or = |told: String, known: String| if told.is_empty() { known } else { told };
        let (call_id, name) = (or(call_id, known.call_id), or(name, known.name));
        let call = FunctionCall { call_id, name, arguments, item_id, response_id };
        self.push(Unfinished { call, has_arguments: true });
    }

    /// `response.done`: takes the calls whose arguments came. Those of the others will not come.
    pub fn take_complete(&mut self, response_id: &str) -> Vec<FunctionCall> {
        let all = std::mem::take(&mut self.0);
        let (done, others) = all.into_iter().partition(|unfinished| unfinished.call.response_id == response_id);
        self.0 = others;
        let done: VecDeque<Unfinished> = done;
        done.into_iter().filter(|unfinished| unfinished.has_arguments).map(|unfinished| unfinished.call).collect()
    }
}

/// The call in an item.
fn call_of(response_id: &str, item: &Item) -> FunctionCall {
    FunctionCall {
        call_id: item.call_id.clone().unwrap_or_default(),
        name: item.name.clone().unwrap_or_default(),
        arguments: item.arguments.clone().unwrap_or_default(),
        item_id: item.id().to_owned(),
        response_id: response_id.to_owned(),
    }
}

/// The call in a complete item. One that was cut off in the middle of its arguments is none.
pub(crate) fn complete_call(response_id: &str, item: &Item) -> Option<FunctionCall> {
    matches!(item.status, None | Some(Status::Completed)).then(|| call_of(response_id, item))
}

#[cfg(test)]
mod tests {
    use super::*;
    use openai_protocol::items::ItemKind;

    fn item() -> Item {
        Item {
            id: Some("i1".into()),
            kind: ItemKind::FunctionCall,
            call_id: Some("c1".into()),
            name: Some("look".into()),
            ..Default::default()
        }
    }

    fn arguments_of(item_id: &str) -> FunctionCallArgumentsDone {
        FunctionCallArgumentsDone {
            response_id: "r1".into(),
            item_id: item_id.into(),
            arguments: "{\"far\":1}".into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_call_is_put_together_from_its_item_and_its_arguments() {
        let mut arguments = CallArguments::default();
        arguments.call_added("r1", &item());
        arguments.arguments_done(arguments_of("i1"));
        assert!(arguments.take_complete("r2").is_empty());
        let calls = arguments.take_complete("r1");
        assert_eq!((calls[0].call_id.as_str(), calls[0].arguments.as_str()), ("c1", "{\"far\":1}"));
        assert!(calls.len() == 1 && arguments.take_complete("r1").is_empty());
    }

    #[test]
    fn without_arguments_or_cut_off_in_them_it_is_no_call() {
        let mut arguments = CallArguments::default();
        arguments.call_added("r1", &item());
        assert!(arguments.take_complete("r1").is_empty());
        assert!(complete_call("r1", &Item { status: Some(Status::Incomplete), ..item() }).is_none());
        assert!(complete_call("r1", &item()).is_some());
    }
}
