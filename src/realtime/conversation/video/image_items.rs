// SPDX-License-Identifier: MPL-2.0

//! Items with images in the conversation: sending, deleting (`max-frames`), sending again.
//!
//! Every item with images has an id of the element's own, so it is known exactly which ones are there, and the oldest
//! are deleted when there are too many. Text of the user about an image is part of the same item. It is never lost with
//! it: before the item is deleted, one with the text alone takes its place, and if a server refuses the item, the text
//! is sent alone.

use crate::realtime::conversation::io::{FrameEvent, FrameState};
use crate::realtime::conversation::video::new_frame::NewFrame;
use crate::realtime::conversation::{Conversation, Event, Output};
use openai_protocol::client::{ConversationItemCreate, ConversationItemDelete, PictureMessage, PicturePart};
use openai_protocol::items::{Item, Role};
use std::collections::VecDeque;
use std::time::Duration;

/// Items remembered if `max-frames` is 0.
const MAX_KEPT: usize = 4096;
/// Bytes of text remembered with them.
const WORDS: usize = 16 << 20;
/// Bytes of images kept for `replay-frames`.
const AGAIN: usize = 32 << 20;
/// Largest event in bytes; servers take somewhat more.
const MAX_MESSAGE: usize = 15_000_000;

/// A text message of the user.
#[derive(Clone, Debug)]
pub(crate) struct TypedText {
    pub text: String,
    /// Whether a response was requested.
    pub respond: bool,
}

/// An item with images in the conversation.
#[derive(Debug)]
struct Message {
    item_id: String,
    event_id: String,
    pictures: Vec<Picture>,
    words: Option<TypedText>,
    /// The images, for `replay-frames`.
    again: Option<Vec<PicturePart>>,
}

impl Message {
    fn size(&self) -> usize {
        self.pictures.iter().map(|picture| picture.size).sum()
    }
}

/// What messages tell of an image.
#[derive(Debug)]
struct Picture {
    pad: Option<String>,
    at: Duration,
    size: usize,
}

/// All items with images, oldest first.
#[derive(Debug, Default)]
pub(crate) struct ImageItems {
    messages: VecDeque<Message>,
    /// Items sent so far, for their ids.
    sent: u64,
}

impl ImageItems {
    pub fn holds(&self, item_id: &str) -> bool {
        self.messages.iter().any(|message| message.item_id == item_id)
    }

    fn pictures(&self) -> usize {
        self.messages.iter().map(|message| message.pictures.len()).sum()
    }

    /// Drops the oldest record; the item stays in the conversation.
    fn forget_oldest(&mut self) {
        let words = |message: &Message| message.words.as_ref().map_or(0, |words| words.text.len());
        let mut bytes: usize = self.messages.iter().map(words).sum();
        while self.messages.len() > MAX_KEPT || bytes > WORDS {
            bytes -= self.messages.pop_front().as_ref().map_or(bytes, words);
        }
        let mut again = 0;
        for message in self.messages.iter_mut().rev().filter(|message| message.again.is_some()) {
            again += message.size();
            message.again.take_if(|_| again > AGAIN);
        }
    }
}

impl Conversation {
    /// Sends images in one item, with the user's text about them.
    pub(crate) fn send_images(&mut self, news: Vec<NewFrame>, words: Option<TypedText>, respond: bool) {
        let Some(at) = news.iter().map(|news| news.frame.at).max() else { return };
        self.frames.image_items.sent += 1;
        let item_id = format!("frame_{}", self.frames.image_items.sent);
        let event_id = self.outbox.next_event_id();
        let parts: Vec<_> = news.iter().map(|news| self.part(news)).collect();
        let again = (self.config.replays_frames && self.config.reconnects).then(|| parts.clone());
        self.outbox.push(Output::SendPicture(PictureMessage {
            event_id: event_id.clone(),
            item_id: item_id.clone(),
            pictures: parts,
            words: words.as_ref().map(|words| words.text.clone()),
        }));
        self.last_progress = self.now;
        let picture =
            |news: &NewFrame| Picture { pad: news.frame.pad.clone(), at: news.frame.at, size: news.frame.file.len() };
        let pictures = news.iter().map(picture).collect();
        news.into_iter().for_each(|news| self.frame_sent(news, &item_id));
        let message = Message { item_id, event_id, pictures, words, again };
        self.post_frame_event(&message, FrameState::Sent);
        self.frames.image_items.messages.push_back(message);
        self.remove_old_frames();
        if respond && self.limits.may_respond(&self.config) {
            self.await_response_from(Some(at));
            self.scheduler.request(None);
        }
    }

    fn part(&self, news: &NewFrame) -> PicturePart {
        let (frame, settings) = (&news.frame, &self.config.frames);
        PicturePart {
            media_type: frame.media_type,
            file: frame.file.clone(),
            detail: frame.detail.unwrap_or(settings.detail),
            text: frame.prompt.clone().or_else(|| settings.prompt.clone()).filter(|text| !text.trim().is_empty()),
        }
    }

    /// Sends a text message, with the newest frames in the same item.
    pub(crate) fn send_text_with_images(&mut self, words: TypedText, mut news: Vec<NewFrame>) {
        let most = self.config.frames.most;
        let too_many = if most > 0 { news.len().saturating_sub(most) } else { 0 };
        for news in news.drain(..too_many) {
            self.skipped(&news.frame, "too-many");
        }
        let length = |news: &[NewFrame]| news.iter().map(|news| news.frame.file.len().div_ceil(3) * 4).sum::<usize>();
        // What is too large for one event is sent before it.
        while length(&news) + words.text.len() > MAX_MESSAGE && !news.is_empty() {
            let first = news.remove(0);
            self.send_images(vec![first], None, false);
        }
        if news.is_empty() {
            self.create_item(Item::message(Role::User, words.text));
        } else {
            self.send_images(news, Some(words), false);
        }
    }

    /// Deletes the oldest images beyond `max-frames`. Those of one item go together.
    pub(crate) fn remove_old_frames(&mut self) {
        let most = self.config.frames.most;
        while most > 0 && self.frames.image_items.pictures() > most {
            let Some(message) = self.frames.image_items.messages.pop_front() else { return };
            if let Some(words) = &message.words {
                let item = Item::message(Role::User, words.text.clone());
                let previous_item_id = Some(message.item_id.clone());
                let id = self.send(ConversationItemCreate { item, previous_item_id, ..Default::default() });
                self.responses.expected_errors(id);
            }
            // The server may have dropped the item by itself, and the text with it.
            let id = self.send(ConversationItemDelete { item_id: message.item_id.clone(), ..Default::default() });
            self.responses.expected_errors(id);
            self.post_frame_event(&message, FrameState::Removed);
        }
        self.frames.image_items.forget_oldest();
    }

    /// The server has refused an event. If it was an item with images, they are not part of the conversation, and the text
    /// is sent alone. The response that was requested does not know them.
    pub(crate) fn frame_refused(&mut self, event_id: &str) {
        let messages = &mut self.frames.image_items.messages;
        let refused = messages.iter().position(|message| message.event_id == event_id);
        let Some(message) = refused.and_then(|index| messages.remove(index)) else { return };
        self.post_frame_event(&message, FrameState::Skipped { reason: "refused" });
        if let Some(words) = message.words {
            self.create_item(Item::message(Role::User, words.text));
            if words.respond && self.limits.may_respond(&self.config) {
                self.scheduler.retry_request();
            }
        }
    }

    /// The session is lost, with its images. The next one gets new frames, and those kept for `replay-frames`.
    pub(crate) fn on_frames_lost(&mut self) {
        for message in std::mem::take(&mut self.frames.image_items.messages) {
            if message.again.is_some() {
                self.frames.image_items.messages.push_back(message);
            } else {
                self.post_frame_event(&message, FrameState::Removed);
            }
        }
    }

    /// `replay-frames`: sends the images again to a new session. Text about them is part of the history that is sent
    /// anyway.
    pub(crate) fn replay_frames_to_session(&mut self) {
        for mut message in std::mem::take(&mut self.frames.image_items.messages) {
            let event_id = self.outbox.next_event_id();
            self.outbox.push(Output::SendPicture(PictureMessage {
                event_id: event_id.clone(),
                item_id: message.item_id.clone(),
                pictures: message.again.clone().unwrap_or_default(),
                words: None,
            }));
            (message.event_id, message.words) = (event_id, None);
            self.frames.image_items.messages.push_back(message);
        }
    }

    fn post_frame_event(&mut self, message: &Message, state: FrameState) {
        for Picture { pad, at, size } in &message.pictures {
            let (pad, item_id) = (pad.clone(), Some(message.item_id.clone()));
            self.notify(Event::Frame(FrameEvent { state, pad, item_id, at: Some(*at), size: *size }));
        }
    }
}
