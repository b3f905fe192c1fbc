// SPDX-License-Identifier: MPL-2.0

//! The pictures that are in the conversation, and how they get into it and out of it again.
//!
//! Every message with pictures is an item under a name of our own, so it is known exactly which ones are there, and the
//! oldest are taken out when they are too many. What the user has typed about a picture stands in the same message. It
//! is never lost with it: before the message is deleted the words alone take its place, and where a server does not
//! take the message they are sent alone.

use crate::realtime::conversation::io::{FrameEvent, FrameState};
use crate::realtime::conversation::video::new_frame::NewFrame;
use crate::realtime::conversation::{Conversation, Event, Output};
use openai_protocol::client::{ConversationItemCreate, ConversationItemDelete, PictureMessage, PicturePart};
use openai_protocol::items::{Item, Role};
use std::collections::VecDeque;
use std::time::Duration;

/// Messages that are remembered where all of them stay.
const MAX_KEPT: usize = 4096;
/// Bytes of the user's words that are remembered with them.
const WORDS: usize = 16 << 20;
/// Bytes of pictures that are kept to be shown again to the next session.
const AGAIN: usize = 32 << 20;
/// Bytes of one event at most, which is somewhat less than servers take.
const MAX_MESSAGE: usize = 15_000_000;

/// What the user types.
#[derive(Clone, Debug)]
pub(crate) struct TypedText {
    pub text: String,
    /// Whether an answer was asked for.
    pub respond: bool,
}

/// A message with pictures that is in the conversation.
#[derive(Debug)]
struct Message {
    item_id: String,
    event_id: String,
    pictures: Vec<Picture>,
    words: Option<TypedText>,
    /// The pictures themselves, where the next session is to see them.
    again: Option<Vec<PicturePart>>,
}

impl Message {
    fn size(&self) -> usize {
        self.pictures.iter().map(|picture| picture.size).sum()
    }
}

/// What is told of a picture.
#[derive(Debug)]
struct Picture {
    pad: Option<String>,
    at: Duration,
    size: usize,
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub(crate) struct ImageItems {
    messages: VecDeque<Message>,
    /// Messages sent so far, for their names.
    sent: u64,
}

impl ImageItems {
    pub fn holds(&self, item_id: &str) -> bool {
        self.messages.iter().any(|message| message.item_id == item_id)
    }

    fn pictures(&self) -> usize {
        self.messages.iter().map(|message| message.pictures.len()).sum()
    }

    /// What is forgotten stays in the conversation.
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
    /// Makes pictures part of the conversation, in one message, with what the user has typed about them.
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
        news.into_iter().for_each(|news| self.was_shown(news, &item_id));
        let message = Message { item_id, event_id, pictures, words, again };
        self.post_frame_event(&message, FrameState::Sent);
        self.frames.image_items.messages.push_back(message);
        self.remove_old_frames();
        if respond && self.may_respond() {
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

    /// Says what the user has typed, in one message with what the cameras see.
    pub(crate) fn send_text_with_images(&mut self, words: TypedText, mut news: Vec<NewFrame>) {
        let most = self.config.frames.most;
        let too_many = if most > 0 { news.len().saturating_sub(most) } else { 0 };
        for news in news.drain(..too_many) {
            self.skipped(&news.frame, "too-many");
        }
        let length = |news: &[NewFrame]| news.iter().map(|news| news.frame.file.len().div_ceil(3) * 4).sum::<usize>();
        // What is too much for one message goes before it.
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

    /// Takes the oldest pictures out of the conversation that are too many. Those of one message go together.
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
            // The server may have dropped it by itself, and then the words with it.
            let id = self.send(ConversationItemDelete { item_id: message.item_id.clone(), ..Default::default() });
            self.responses.expected_errors(id);
            self.post_frame_event(&message, FrameState::Removed);
        }
        self.frames.image_items.forget_oldest();
    }

    /// The server has refused an event. If it was a message with pictures, these are no part of the conversation, and
    /// the words are said alone. The answer that was asked for has not heard them.
    pub(crate) fn frame_refused(&mut self, event_id: &str) {
        let messages = &mut self.frames.image_items.messages;
        let refused = messages.iter().position(|message| message.event_id == event_id);
        let Some(message) = refused.and_then(|index| messages.remove(index)) else { return };
        self.post_frame_event(&message, FrameState::Skipped { reason: "refused" });
        if let Some(words) = message.words {
            self.create_item(Item::message(Role::User, words.text));
            if words.respond && self.may_respond() {
                self.scheduler.retry_request();
            }
        }
    }

    /// The conversation with its pictures is gone. The next one sees what the cameras see then, and those that are kept.
    pub(crate) fn on_frames_lost(&mut self) {
        for message in std::mem::take(&mut self.frames.image_items.messages) {
            if message.again.is_some() {
                self.frames.image_items.messages.push_back(message);
            } else {
                self.post_frame_event(&message, FrameState::Removed);
            }
        }
    }

    /// A new session sees the pictures that the last one had, where that is wished. What was typed about them it is told
    /// with the rest of what was said.
    pub(crate) fn show_again(&mut self) {
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
