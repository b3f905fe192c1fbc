// SPDX-License-Identifier: MPL-2.0

//! MCP approval requests: each is posted once, and answered once.

use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::event::Event;
use openai_protocol::client::ConversationItemCreate;
use openai_protocol::items::{Item, ItemKind};
use std::collections::VecDeque;

/// Most requests that wait for an answer; the oldest are forgotten first.
const MAX_APPROVALS: usize = 128;

/// Approval requests without an answer.
#[derive(Debug, Default)]
pub(crate) struct Approvals(VecDeque<String>);

impl Approvals {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The session is over, and its requests with it.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// A `mcp_approval_request` item.
    pub fn requested(&mut self, item: &Item, ctx: &mut Ctx) {
        let request_id = item.id().to_owned();
        if self.0.contains(&request_id) {
            return;
        }
        if self.0.len() == MAX_APPROVALS {
            self.0.pop_front();
        }
        self.0.push_back(request_id.clone());
        ctx.notify(Event::ApprovalRequest {
            request_id,
            server_label: item.server_label.clone().unwrap_or_default(),
            name: item.name.clone().unwrap_or_default(),
            arguments: item.arguments.clone().unwrap_or_default(),
        });
    }

    /// Answers a request. Returns whether the response that waits for it is to be requested.
    pub fn answer(&mut self, request_id: String, approve: bool, ctx: &mut Ctx) -> bool {
        let Some(known) = self.0.iter().position(|known| *known == request_id) else {
            let message = format!("the server made no approval request '{request_id}', or has its answer already");
            ctx.warn("unknown-approval", message);
            return false;
        };
        self.0.remove(known);
        // The API demands an id for this item alone.
        let id = Some(format!("approval_{}", ctx.outbox.sent_events() + 1));
        let item = Item {
            id,
            kind: ItemKind::McpApprovalResponse,
            approval_request_id: Some(request_id),
            approve: Some(approve),
            ..Default::default()
        };
        ctx.send(ConversationItemCreate { item, ..Default::default() });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;
    use crate::types::Timing;

    #[test]
    fn a_request_is_posted_once_and_answered_once() {
        let (mut approvals, mut fixture) = (Approvals::default(), Fixture::new(Timing::Live));
        let item = Item { id: Some("a1".into()), kind: ItemKind::McpApprovalRequest, ..Default::default() };
        approvals.requested(&item, &mut fixture.ctx());
        approvals.requested(&item, &mut fixture.ctx());
        assert_eq!(fixture.outputs().len(), 1);
        assert!(approvals.answer("a1".into(), true, &mut fixture.ctx()));
        assert_eq!(fixture.sent(), ["conversation.item.create"]);
        assert!(approvals.is_empty());
        assert!(!approvals.answer("a1".into(), true, &mut fixture.ctx()));
        assert_eq!(fixture.warnings(), ["unknown-approval"]);
    }
}
