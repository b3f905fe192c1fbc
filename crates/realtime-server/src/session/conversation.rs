// SPDX-License-Identifier: MPL-2.0

//! The conversation: an ordered list of items.
//!
//! Items are told to the client without their sound; the sound is kept here, for `retrieve`, for `truncate` and for
//! the engine. What is kept is bounded, so that a session takes no more memory after an hour than after minutes: the
//! oldest sound and pictures are forgotten, while their words stay. What a client adds beyond the bounds of text and
//! items is refused.

use crate::api_error::ApiError;
use crate::audio::{Sound, encode};
use crate::engine::Utterance;
use crate::session::item::Entry;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openai_protocol::Item;
use openai_protocol::items::{ContentPart, ItemKind, PartKind, Role};
use openai_protocol::session::AudioFormat;

/// Sound of a conversation in bytes, before its oldest is forgotten: three minutes of PCM, nine of G.711.
const MAX_SOUND: usize = 8 * 1024 * 1024;
/// Pictures of a conversation in bytes, before its oldest are forgotten.
const MAX_PICTURES: usize = 128 * 1024 * 1024;
/// How many items it may have.
const MAX_ITEMS: usize = 20_000;

/// How much text all items may have, in bytes: some hundred times what a model's context holds.
const MAX_TEXT: usize = 16 * 1024 * 1024;

/// All items, oldest first.
#[derive(Debug, Default)]
pub struct Conversation {
    entries: Vec<Entry>,
    sound_bytes: usize,
    picture_bytes: usize,
}

impl Conversation {
    /// All items, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The newest item.
    pub fn last_id(&self) -> Option<String> {
        self.entries.last().map(|entry| entry.item.id().to_string())
    }

    /// The name of the item before this one.
    pub fn previous_id(&self, id: &str) -> Option<String> {
        let before = self.position(id)?.checked_sub(1)?;
        Some(self.entries[before].item.id().to_string())
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.entries.iter().rposition(|entry| entry.item.id() == id)
    }

    /// An item by its name.
    pub fn get(&self, id: &str) -> Option<&Entry> {
        self.position(id).map(|index| &self.entries[index])
    }

    /// An item by its name, to change it.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Entry> {
        self.position(id).map(|index| &mut self.entries[index])
    }

    /// Adds an item at the end; gives the name of the one before it.
    pub fn push(&mut self, entry: Entry) -> Option<String> {
        let previous = self.last_id();
        self.weigh(&entry);
        self.entries.push(entry);
        self.lighten();
        previous
    }

    /// Adds an item of a client where it is wanted; gives the name of the one before it.
    pub fn insert(&mut self, entry: Entry, previous: Option<&str>) -> Result<Option<String>, ApiError> {
        self.check_new(&entry)?;
        let index = match previous {
            None => return Ok(self.push(entry)),
            Some("root") => 0,
            Some(id) => match self.position(id) {
                Some(index) => index + 1,
                None => {
                    let message = format!("Error creating item: the previous item with id '{id}' does not exist.");
                    return Err(ApiError::new("item_create_invalid_previous_item_id", message).at("previous_item_id"));
                }
            },
        };
        self.weigh(&entry);
        self.entries.insert(index, entry);
        self.lighten();
        Ok(index.checked_sub(1).map(|before| self.entries[before].item.id().to_string()))
    }

    fn check_new(&self, entry: &Entry) -> Result<(), ApiError> {
        let item = &entry.item;
        if self.get(item.id()).is_some() {
            let message = format!("Error adding item: an item with id '{}' already exists.", item.id());
            return Err(ApiError::new("invalid_value", message).at("item.id"));
        }
        if self.entries.len() >= MAX_ITEMS {
            let message = format!("The conversation has {MAX_ITEMS} items already; delete some first.");
            return Err(ApiError::new("conversation_too_long", message));
        }
        let text: usize = self.entries.iter().chain([entry]).map(Entry::text_bytes).sum();
        if text > MAX_TEXT {
            let message = format!(
                "The conversation would have {text} bytes of text; the limit is {MAX_TEXT}. Delete some items first."
            );
            return Err(ApiError::new("conversation_too_long", message).at("item"));
        }
        let call = item.call_id.as_deref().unwrap_or_default();
        let is_call =
            |entry: &Entry| entry.item.kind == ItemKind::FunctionCall && entry.item.call_id.as_deref() == Some(call);
        if item.kind == ItemKind::FunctionCallOutput && !self.entries.iter().any(is_call) {
            let message = format!("Tool call ID '{call}' not found in conversation.");
            return Err(ApiError::new("invalid_tool_call_id", message).at("item.call_id"));
        }
        Ok(())
    }

    /// Removes an item.
    pub fn delete(&mut self, id: &str) -> Result<(), ApiError> {
        let index = self.position(id).ok_or_else(|| unknown("deleting", "item_delete_invalid_item_id", id))?;
        let entry = self.entries.remove(index);
        self.sound_bytes = self.sound_bytes.saturating_sub(entry.sound_bytes());
        self.picture_bytes = self.picture_bytes.saturating_sub(entry.picture_bytes());
        Ok(())
    }

    /// An item with its sound in base64, unless it was forgotten.
    pub fn retrieve(&self, id: &str, input: &AudioFormat, output: &AudioFormat) -> Result<Item, ApiError> {
        let entry = self.get(id).ok_or_else(|| unknown("retrieving", "item_retrieve_invalid_item_id", id))?;
        let mut item = entry.shown();
        let format = if item.role == Some(Role::Assistant) { output } else { input };
        let has_sound = |part: &&mut ContentPart| part.kind == PartKind::InputAudio || part.kind.is_speech();
        let part = item.content.iter_mut().flatten().find(has_sound);
        if let (Some(part), Some(sound)) = (part, entry.whole_sound()) {
            let sound = sound.at(format.rate());
            part.audio = Some(STANDARD.encode(encode(format, &sound.samples)));
        }
        Ok(item)
    }

    /// Keeps of an assistant's sound what was heard; the transcript goes.
    pub fn truncate(&mut self, id: &str, content_index: u32, audio_end_ms: u64) -> Result<(), ApiError> {
        let entry = self.get_mut(id).ok_or_else(|| unknown("truncating", "item_truncate_invalid_item_id", id))?;
        let has = entry.sound_ms();
        let part = entry.item.content.as_mut().and_then(|parts| parts.get_mut(content_index as usize));
        let (Some(part), Some(utterance), Some(Role::Assistant)) = (part, &mut entry.sound, &entry.item.role) else {
            return Err(ApiError::without_code("Only model output audio messages can be truncated"));
        };
        if audio_end_ms > has {
            let message = format!("Audio content of {has}ms is already shorter than {audio_end_ms}ms");
            return Err(ApiError::new("invalid_value", message).at("audio_end_ms"));
        }
        part.transcript = None;
        let before = utterance.sound.bytes();
        utterance.sound.truncate(audio_end_ms.saturating_sub(entry.forgotten_ms));
        entry.forgotten_ms = entry.forgotten_ms.min(audio_end_ms);
        let gone = before - utterance.sound.bytes();
        self.sound_bytes = self.sound_bytes.saturating_sub(gone);
        Ok(())
    }

    /// Adds to the sound of an assistant's message that is being made.
    pub fn extend_sound(&mut self, id: &str, sound: &Sound) {
        let Some(entry) = self.get_mut(id) else { return };
        match &mut entry.sound {
            Some(utterance) => utterance.sound.extend(&sound.samples),
            None => entry.sound = Some(Utterance::new(sound.clone())),
        }
        self.sound_bytes += sound.bytes();
    }

    fn weigh(&mut self, entry: &Entry) {
        self.sound_bytes += entry.sound_bytes();
        self.picture_bytes += entry.picture_bytes();
    }

    /// Forgets the oldest sound and pictures while there is too much of them; the newest item keeps its own.
    fn lighten(&mut self) {
        let newest = self.entries.len().saturating_sub(1);
        for entry in &mut self.entries[..newest] {
            if self.sound_bytes <= MAX_SOUND && self.picture_bytes <= MAX_PICTURES {
                break;
            }
            if self.sound_bytes > MAX_SOUND && entry.sound_bytes() > 0 {
                self.sound_bytes = self.sound_bytes.saturating_sub(entry.sound_bytes());
                entry.forget_sound();
            }
            if self.picture_bytes > MAX_PICTURES && !entry.pictures.is_empty() {
                self.picture_bytes = self.picture_bytes.saturating_sub(entry.picture_bytes());
                entry.forget_pictures();
            }
        }
    }
}

fn unknown(doing: &str, code: &'static str, id: &str) -> ApiError {
    ApiError::new(code, format!("Error {doing} item: the item with id '{id}' does not exist.")).at("item_id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::item::message;
    use openai_protocol::items::Status;

    fn text(id: &str) -> Entry {
        let item = Item { id: Some(id.into()), ..Item::message(Role::User, "hello") };
        Entry::read(item, &AudioFormat::Pcm, "item").expect("an item")
    }

    fn order(conversation: &Conversation) -> Vec<&str> {
        conversation.entries().iter().map(|entry| entry.item.id()).collect()
    }

    #[test]
    fn items_stand_where_they_were_put() {
        let mut conversation = Conversation::default();
        assert_eq!(conversation.insert(text("b"), None), Ok(None));
        assert_eq!(conversation.insert(text("d"), None), Ok(Some("b".into())));
        assert_eq!(conversation.insert(text("c"), Some("b")), Ok(Some("b".into())));
        assert_eq!(conversation.insert(text("a"), Some("root")), Ok(None));
        assert_eq!(order(&conversation), ["a", "b", "c", "d"]);
        assert!(conversation.insert(text("e"), Some("nope")).is_err());
        assert!(conversation.insert(text("a"), None).is_err());
        assert!(conversation.delete("b").is_ok() && conversation.delete("b").is_err());
    }

    #[test]
    fn text_is_bounded_and_room_is_made_by_deleting() {
        let long = |id: &str| {
            let item = Item { id: Some(id.into()), ..Item::message(Role::User, "x".repeat(MAX_TEXT / 2)) };
            Entry::read(item, &AudioFormat::Pcm, "item").expect("an item")
        };
        let mut conversation = Conversation::default();
        assert!(conversation.insert(long("a"), None).is_ok() && conversation.insert(long("b"), None).is_ok());
        let refused = conversation.insert(text("c"), None).expect_err("one byte too many");
        assert!(format!("{refused:?}").contains("conversation_too_long"), "{refused:?}");
        assert_eq!(order(&conversation), ["a", "b"]);
        assert!(conversation.delete("a").is_ok() && conversation.insert(text("c"), None).is_ok());
    }

    #[test]
    fn an_output_needs_its_call() {
        let output = || Item {
            kind: ItemKind::FunctionCallOutput,
            call_id: Some("call_1".into()),
            output: Some("{}".into()),
            ..Default::default()
        };
        let call = Item {
            kind: ItemKind::FunctionCall,
            call_id: Some("call_1".into()),
            name: Some("f".into()),
            ..Default::default()
        };
        let read = |item| Entry::read(item, &AudioFormat::Pcm, "item").expect("an item");
        let mut conversation = Conversation::default();
        assert!(conversation.insert(read(output()), None).is_err());
        assert!(conversation.insert(read(call), None).is_ok());
        assert!(conversation.insert(read(output()), None).is_ok());
    }

    #[test]
    fn truncating_keeps_what_was_heard_and_takes_the_transcript() {
        let mut conversation = Conversation::default();
        let part = ContentPart { kind: PartKind::OutputAudio, transcript: Some("hi".into()), ..Default::default() };
        let item = message("a".into(), Role::Assistant, Status::InProgress, vec![part]);
        conversation.push(Entry::new(item));
        assert!(conversation.truncate("a", 0, 0).is_err(), "no sound yet");
        conversation.extend_sound("a", &Sound::new(vec![1; 24_000], 24_000));
        assert!(conversation.truncate("a", 0, 1_001).is_err());
        assert_eq!(conversation.truncate("a", 0, 400), Ok(()));
        let item = conversation.retrieve("a", &AudioFormat::Pcm, &AudioFormat::Pcm).expect("an item");
        let part = &item.content.expect("content")[0];
        assert_eq!(part.transcript, None);
        assert_eq!(part.audio.as_ref().map(|audio| STANDARD.decode(audio).expect("base64").len()), Some(400 * 48));
        conversation.push(text("u"));
        assert!(conversation.truncate("u", 0, 0).is_err());
    }

    #[test]
    fn old_sound_is_forgotten_and_its_words_and_length_stay() {
        let second = || Sound::new(vec![1; 24_000], 24_000);
        let mut conversation = Conversation::default();
        for turn in 0..3_600 {
            let user = Utterance::new(second());
            user.words.set(format!("words {turn}")).expect("nobody else sets them");
            conversation.push(Entry::spoken(format!("user_{turn}"), user));
            let part = ContentPart { kind: PartKind::OutputAudio, transcript: Some("hi".into()), ..Default::default() };
            let item = message(format!("model_{turn}"), Role::Assistant, Status::Completed, vec![part]);
            conversation.push(Entry::new(item));
            conversation.extend_sound(&format!("model_{turn}"), &second());
            let held: usize = conversation.entries().iter().map(Entry::sound_bytes).sum();
            assert_eq!(held, conversation.sound_bytes);
            assert!(held <= MAX_SOUND + second().bytes(), "{held} bytes after turn {turn}");
        }
        let audio = |conversation: &Conversation, id: &str| {
            let item = conversation.retrieve(id, &AudioFormat::Pcm, &AudioFormat::Pcm).expect("an item");
            item.content.expect("content")[0].audio.is_some()
        };
        assert!(audio(&conversation, "user_3599") && audio(&conversation, "model_3550"));
        assert!(!audio(&conversation, "user_0") && !audio(&conversation, "model_0"));
        let first = conversation.get("user_0").expect("the item");
        assert_eq!((first.heard_words(), first.sound_ms(), first.turn().parts.len()), (Some("words 0"), 1_000, 1));
        assert!(conversation.truncate("model_0", 0, 1_001).is_err());
        assert_eq!(conversation.truncate("model_0", 0, 400), Ok(()));
        assert_eq!(conversation.get("model_0").map(Entry::sound_ms), Some(400));
    }

    #[test]
    fn one_long_turn_is_kept_until_the_next_item() {
        let long = Sound::new(vec![1; MAX_SOUND], 24_000);
        let mut conversation = Conversation::default();
        conversation.push(Entry::spoken("long".into(), Utterance::new(long.clone())));
        assert_eq!(conversation.sound_bytes, long.bytes());
        conversation.push(text("next"));
        assert_eq!(conversation.sound_bytes, 0);
        let parts = conversation.get("long").expect("the item").turn().parts;
        assert!(parts.is_empty(), "sound without words means nothing to an engine: {parts:?}");
    }
}
