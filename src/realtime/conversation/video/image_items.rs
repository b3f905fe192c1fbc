// SPDX-License-Identifier: MPL-2.0

//! Items with images in the conversation: sending, deleting (`max-frames`), sending again.
//!
//! Every item with images has an id of the element's own, so it is known exactly which ones are there, and the oldest
//! are deleted when there are too many. Text of the user about an image is part of the same item. It is never lost with
//! it: before the item is deleted, one with the text alone takes its place, and if a server refuses the item, the text
//! is sent alone.

use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::io::{Event, FrameEvent, FrameState, Output};
use crate::realtime::conversation::video::new_frame::NewFrame;
use openai_protocol::client::{ConversationItemCreate, ConversationItemDelete, PictureMessage, PicturePart};
use openai_protocol::items::{Item, Role};
use std::collections::VecDeque;
use std::time::Duration;

/// Items remembered if `max-frames` is 0.
const MAX_KEPT: usize = 4096;
/// Bytes of text remembered with them.
const MAX_TEXT: usize = 16 << 20;
/// Bytes of images kept for `replay-frames`.
const MAX_REPLAYED: usize = 32 << 20;

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
    text: Option<TypedText>,
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

/// What has to follow when images were sent or deleted.
#[derive(Debug, Default, PartialEq)]
#[must_use]
pub(crate) struct SentImages {
    /// Running time of the newest image that was sent.
    pub newest: Option<Duration>,
    /// Events whose refusal is no error: the server may have deleted the item by itself.
    pub expected_errors: Vec<String>,
}

impl SentImages {
    pub fn add(&mut self, other: Self) {
        self.newest = self.newest.max(other.newest);
        self.expected_errors.extend(other.expected_errors);
    }
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
        let text_len = |message: &Message| message.text.as_ref().map_or(0, |text| text.text.len());
        let mut bytes: usize = self.messages.iter().map(text_len).sum();
        while self.messages.len() > MAX_KEPT || bytes > MAX_TEXT {
            bytes -= self.messages.pop_front().as_ref().map_or(bytes, text_len);
        }
        let mut again = 0;
        for message in self.messages.iter_mut().rev().filter(|message| message.again.is_some()) {
            again += message.size();
            message.again.take_if(|_| again > MAX_REPLAYED);
        }
    }

    /// Sends images in one item, with the user's text about them. Returns the item's id as well.
    pub fn send(&mut self, frames: &[NewFrame], text: Option<TypedText>, ctx: &mut Ctx) -> (String, SentImages) {
        self.sent += 1;
        let item_id = format!("frame_{}", self.sent);
        let event_id = ctx.outbox.next_event_id();
        let parts: Vec<_> = frames.iter().map(|new| part(new, ctx.config)).collect();
        let again = (ctx.config.replays_frames && ctx.config.reconnects).then(|| parts.clone());
        ctx.outbox.push(Output::SendPicture(PictureMessage {
            event_id: event_id.clone(),
            item_id: item_id.clone(),
            pictures: parts,
            words: text.as_ref().map(|text| text.text.clone()),
        }));
        let picture =
            |new: &NewFrame| Picture { pad: new.frame.pad.clone(), at: new.frame.at, size: new.frame.file.len() };
        let pictures = frames.iter().map(picture).collect();
        let message = Message { item_id: item_id.clone(), event_id, pictures, text, again };
        post(&message, FrameState::Sent, ctx);
        self.messages.push_back(message);
        let removed = self.remove_old(ctx);
        let newest = frames.iter().map(|new| new.frame.at).max();
        (item_id, SentImages { newest, ..removed })
    }

    /// Deletes the oldest images beyond `max-frames`. Those of one item go together.
    pub fn remove_old(&mut self, ctx: &mut Ctx) -> SentImages {
        let mut expected_errors = Vec::new();
        let most = ctx.config.frames.most;
        while most > 0 && self.pictures() > most {
            let Some(message) = self.messages.pop_front() else { break };
            if let Some(text) = &message.text {
                let item = Item::message(Role::User, text.text.clone());
                let previous_item_id = Some(message.item_id.clone());
                let create = ConversationItemCreate { item, previous_item_id, ..Default::default() };
                expected_errors.push(ctx.send(create));
            }
            // The server may have deleted the item by itself, and the text with it.
            let delete = ConversationItemDelete { item_id: message.item_id.clone(), ..Default::default() };
            expected_errors.push(ctx.send(delete));
            post(&message, FrameState::Removed, ctx);
        }
        self.forget_oldest();
        SentImages { newest: None, expected_errors }
    }

    /// The server has refused an event. If it was an item with images, they are not part of the conversation, and the text
    /// is sent alone. Returns that; a response that was requested does not know it.
    pub fn refused(&mut self, event_id: &str, ctx: &mut Ctx) -> Option<TypedText> {
        let refused = self.messages.iter().position(|message| message.event_id == event_id);
        let message = refused.and_then(|index| self.messages.remove(index))?;
        post(&message, FrameState::Skipped { reason: "refused" }, ctx);
        let text = message.text?;
        let item = Item::message(Role::User, text.text.clone());
        ctx.send(ConversationItemCreate { item, ..Default::default() });
        Some(text)
    }

    /// The session is lost, with its images. The next one gets new frames, and those kept for `replay-frames`.
    pub fn session_lost(&mut self, ctx: &mut Ctx) {
        for message in std::mem::take(&mut self.messages) {
            if message.again.is_some() {
                self.messages.push_back(message);
            } else {
                post(&message, FrameState::Removed, ctx);
            }
        }
    }

    /// `replay-frames`: sends the images again to a new session. Text about them is part of the history that is sent
    /// anyway.
    pub fn replay(&mut self, ctx: &mut Ctx) {
        for message in &mut self.messages {
            let event_id = ctx.outbox.next_event_id();
            ctx.outbox.push(Output::SendPicture(PictureMessage {
                event_id: event_id.clone(),
                item_id: message.item_id.clone(),
                pictures: message.again.clone().unwrap_or_default(),
                words: None,
            }));
            (message.event_id, message.text) = (event_id, None);
        }
    }
}

fn part(new: &NewFrame, config: &Config) -> PicturePart {
    let (frame, settings) = (&new.frame, &config.frames);
    PicturePart {
        media_type: frame.media_type,
        file: frame.file.clone(),
        detail: frame.detail.unwrap_or(settings.detail),
        text: frame.prompt.clone().or_else(|| settings.prompt.clone()).filter(|text| !text.trim().is_empty()),
    }
}

fn post(message: &Message, state: FrameState, ctx: &mut Ctx) {
    for Picture { pad, at, size } in &message.pictures {
        let (pad, item_id) = (pad.clone(), Some(message.item_id.clone()));
        ctx.notify(Event::Frame(FrameEvent { state, pad, item_id, at: Some(*at), size: *size }));
    }
}
