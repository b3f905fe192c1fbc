// SPDX-License-Identifier: MPL-2.0

//! What a client does with the items of the conversation: adds them, asks for them, takes them back.

use crate::api_error::ApiError;
use crate::session::Session;
use crate::session::item::Entry;
use openai_protocol::server::{
    ConversationItemAdded, ConversationItemDeleted, ConversationItemDone, ConversationItemRetrieved,
    ConversationItemTruncated,
};
use openai_protocol::{Item, client};

impl Session {
    pub(super) fn create_item(&mut self, event: client::ConversationItemCreate) -> Result<(), ApiError> {
        let mut entry = Entry::read(event.item, &self.config.input_format(), "item")?;
        if let Some(utterance) = &mut entry.sound {
            utterance.hints = self.config.hints();
        }
        let item = entry.shown();
        if event.previous_item_id.is_some() {
            self.meter.forget_prefix();
        }
        let previous = self.conversation.insert(entry, event.previous_item_id.as_deref())?;
        self.tell_item(item, previous);
        Ok(())
    }

    pub(super) fn retrieve_item(&mut self, id: &str) -> Result<(), ApiError> {
        let output = self.config.output().format.clone().unwrap_or_default();
        let item = self.conversation.retrieve(id, &self.config.input_format(), &output)?;
        self.send(ConversationItemRetrieved { item, ..Default::default() });
        Ok(())
    }

    pub(super) fn truncate_item(&mut self, event: client::ConversationItemTruncate) -> Result<(), ApiError> {
        let client::ConversationItemTruncate { item_id, content_index, audio_end_ms, .. } = event;
        self.conversation.truncate(&item_id, content_index, audio_end_ms)?;
        self.meter.forget_prefix();
        self.send(ConversationItemTruncated { item_id, content_index, audio_end_ms, ..Default::default() });
        Ok(())
    }

    pub(super) fn delete_item(&mut self, item_id: String) -> Result<(), ApiError> {
        self.conversation.delete(&item_id)?;
        self.meter.forget_prefix();
        self.send(ConversationItemDeleted { item_id, ..Default::default() });
        Ok(())
    }

    /// Announces an item that is complete from the start.
    pub(super) fn tell_item(&mut self, item: Item, previous_item_id: Option<String>) {
        let (again, before) = (item.clone(), previous_item_id.clone());
        self.send(ConversationItemAdded { item: again, previous_item_id: before, ..Default::default() });
        self.send(ConversationItemDone { item, previous_item_id, ..Default::default() });
    }
}
