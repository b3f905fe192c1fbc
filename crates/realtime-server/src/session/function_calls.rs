// SPDX-License-Identifier: MPL-2.0

//! Function calls in an answer: which are allowed, and how the client is told of one; and why there are none of MCP.

use crate::api_error::ApiError;
use crate::engine::{Call, Choice};
use crate::ids;
use crate::session::Session;
use crate::session::item::Entry;
use crate::session::response::Writer;
use openai_protocol::items::{ItemKind, Status};
use openai_protocol::server::{
    ConversationItemAdded, ConversationItemDone, FunctionCallArgumentsDelta, FunctionCallArgumentsDone,
    McpListToolsFailed, McpListToolsInProgress,
};
use openai_protocol::{Item, ResponseParams};
use serde_json::Value;

/// Characters of the arguments in one delta.
const DELTA: usize = 16;

impl Session {
    /// Which functions an answer may call: the session's choice, or that for this answer.
    pub(super) fn choice(&self, params: &ResponseParams, tools: &[Value]) -> Result<Choice, ApiError> {
        let value = params.tool_choice.as_ref().or(self.config.tool_choice());
        let choice = value.map(Choice::read).unwrap_or_default();
        match &choice {
            Choice::Function(name)
                if !tools.iter().any(|tool| tool["type"] == "function" && tool["name"] == **name) =>
            {
                let message = format!("Tool choice '{name}' not found in 'tools' parameter.");
                Err(ApiError::new("invalid_value", message).at("response.tool_choice"))
            }
            _ => Ok(choice),
        }
    }

    /// Tells that the tools of MCP servers cannot be listed, for this server connects to none.
    pub(super) fn list_remote_tools(&mut self, tools: &[Value]) {
        for _ in tools.iter().filter(|tool| tool["type"] == "mcp") {
            let item_id = ids::new("mcpl_");
            self.send(McpListToolsInProgress { item_id: item_id.clone(), ..Default::default() });
            self.send(McpListToolsFailed { item_id, ..Default::default() });
        }
    }

    /// Tells of a call, from its announcement to its end.
    pub(super) fn call(&mut self, writer: &mut Writer, call: Call) {
        self.close_message(writer, Status::Completed);
        let Call { name, arguments } = call;
        let (item_id, call_id) = (ids::new("item_"), ids::new("call_"));
        let complete = Item {
            id: Some(item_id.clone()),
            object: Some("realtime.item".into()),
            kind: ItemKind::FunctionCall,
            status: Some(Status::Completed),
            call_id: Some(call_id.clone()),
            name: Some(name.clone()),
            arguments: Some(arguments.clone()),
            ..Default::default()
        };
        let empty = Item { status: Some(Status::InProgress), arguments: Some(String::new()), ..complete.clone() };
        self.send(writer.item_added(empty.clone()));
        if writer.in_conversation() {
            let entry = Entry::new(complete.clone());
            let previous_item_id = self.conversation.push(entry);
            self.send(ConversationItemAdded { item: empty, previous_item_id, ..Default::default() });
        }
        let (response_id, output_index) = (writer.id.clone(), writer.index());
        let characters: Vec<char> = arguments.chars().collect();
        for delta in characters.chunks(DELTA).map(|delta| delta.iter().collect()) {
            let (response_id, item_id, call_id) = (response_id.clone(), item_id.clone(), call_id.clone());
            let delta =
                FunctionCallArgumentsDelta { response_id, item_id, output_index, call_id, delta, ..Default::default() };
            self.send(delta);
        }
        self.send(FunctionCallArgumentsDone {
            response_id,
            item_id: item_id.clone(),
            output_index,
            call_id,
            name,
            arguments,
            ..Default::default()
        });
        if writer.in_conversation() {
            let previous_item_id = self.conversation.previous_id(&item_id);
            self.send(ConversationItemDone { item: complete.clone(), previous_item_id, ..Default::default() });
        }
        let done = writer.item_done(complete);
        self.send(done);
    }
}
