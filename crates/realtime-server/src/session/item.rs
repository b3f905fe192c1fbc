// SPDX-License-Identifier: MPL-2.0

//! An item of the conversation, with the sound and the pictures that belong to it.

use crate::api_error::ApiError;
use crate::audio::{Sound, decode};
use crate::engine::{Part, Turn, Utterance};
use crate::ids;
use crate::picture::Picture;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openai_protocol::Item;
use openai_protocol::items::{ContentPart, ItemKind, PartKind, Role, Status};
use openai_protocol::session::AudioFormat;
use std::sync::Arc;

/// An item with what belongs to it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The item as it is told.
    pub item: Item,
    /// Its sound.
    pub sound: Option<Utterance>,
    /// The length of the sound that was forgotten to save memory, of which only the words are left.
    pub forgotten_ms: u64,
    /// Its pictures.
    pub pictures: Vec<Arc<Picture>>,
}

impl Entry {
    /// An item without sound and pictures.
    pub fn new(item: Item) -> Self {
        Self { item, sound: None, forgotten_ms: 0, pictures: Vec::new() }
    }

    /// A message of the user that was spoken.
    pub fn spoken(id: String, utterance: Utterance) -> Self {
        let part = ContentPart { kind: PartKind::InputAudio, ..Default::default() };
        let item = message(id, Role::User, Status::Completed, vec![part]);
        Self { sound: Some(utterance), ..Self::new(item) }
    }

    /// An item of a client, taken apart. `place` is where it stands in the event.
    pub fn read(mut item: Item, format: &AudioFormat, place: &str) -> Result<Self, ApiError> {
        let (mut sound, mut pictures) = (None::<Sound>, Vec::new());
        for (index, part) in item.content.iter_mut().flatten().enumerate() {
            let place = format!("{place}.content[{index}]");
            check_role(item.role.as_ref(), part, &place)?;
            if let Some(audio) = part.audio.take() {
                let samples = read_audio(&audio, format, &place)?;
                sound.get_or_insert_with(|| Sound::new(Vec::new(), format.rate())).extend(&samples);
            }
            if let Some(url) = &part.image_url {
                pictures.push(Arc::new(Picture::read(url, part.detail.as_deref(), &format!("{place}.image_url"))?));
            }
        }
        item.id = Some(item.id.take().filter(|id| !id.is_empty()).unwrap_or_else(|| ids::new("item_")));
        // The items of MCP have neither of these.
        if matches!(item.kind, ItemKind::Message | ItemKind::FunctionCall | ItemKind::FunctionCallOutput) {
            item.object = Some("realtime.item".into());
            item.status = Some(Status::Completed);
        }
        if item.kind == ItemKind::FunctionCall {
            item.call_id.get_or_insert_with(|| ids::new("call_"));
        }
        Ok(Self { sound: sound.map(Utterance::new), pictures, ..Self::new(item) })
    }

    /// Completes a message that was being made. A transcript that was truncated away meanwhile stays away.
    pub fn finish(&mut self, item: Item) {
        let truncated = |part: &ContentPart| part.kind.is_speech() && part.transcript.is_none();
        let truncated = self.item.content.iter().flatten().any(truncated);
        self.item = item;
        for part in self.item.content.iter_mut().flatten().filter(|_| truncated) {
            part.transcript = None;
        }
    }

    /// The item as the API shows it: spoken content without a transcript has the field all the same, and it is null.
    pub fn shown(&self) -> Item {
        let mut item = self.item.clone();
        for part in item.content.iter_mut().flatten() {
            if part.kind == PartKind::InputAudio && part.transcript.is_none() {
                part.extra.insert("transcript".into(), serde_json::Value::Null);
            }
        }
        item
    }

    /// What it means to the engine.
    pub fn turn(&self) -> Turn {
        let role = self.item.role.clone().unwrap_or(Role::Assistant);
        let mut pictures = self.pictures.iter();
        let mut parts: Vec<Part> = Vec::new();
        for part in self.item.content.iter().flatten() {
            match (&part.kind, &self.sound) {
                (PartKind::InputAudio, Some(utterance)) if self.is_hearable() => {
                    parts.push(Part::Sound(utterance.clone()));
                }
                (PartKind::InputImage, _) => parts.extend(pictures.next().cloned().map(Part::Picture)),
                _ => parts.extend(part.text.clone().or_else(|| part.transcript.clone()).map(Part::Text)),
            }
        }
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let call_id = text(&self.item.call_id);
        if self.item.kind == ItemKind::FunctionCall {
            let (name, arguments) = (text(&self.item.name), text(&self.item.arguments));
            parts.push(Part::Call { call_id, name, arguments });
        } else if let Some(output) = self.item.output.as_ref().and_then(|output| output.as_str()) {
            parts.push(Part::Output { call_id, text: output.to_string() });
        }
        Turn { role, parts }
    }

    /// Its sound, all of it.
    pub fn whole_sound(&self) -> Option<&Sound> {
        self.sound.as_ref().map(|utterance| &utterance.sound).filter(|_| self.forgotten_ms == 0)
    }

    /// Whether there is sound, or at least its words.
    fn is_hearable(&self) -> bool {
        self.forgotten_ms == 0 || self.heard_words().is_some()
    }

    /// The words that were found in its sound.
    pub fn heard_words(&self) -> Option<&str> {
        self.sound.as_ref().and_then(|utterance| utterance.words.get()).map(String::as_str)
    }

    /// The length of its sound, also of what was forgotten.
    pub fn sound_ms(&self) -> u64 {
        self.forgotten_ms + self.sound.as_ref().map_or(0, |utterance| utterance.sound.ms())
    }

    /// The memory that its sound takes.
    pub fn sound_bytes(&self) -> usize {
        self.sound.as_ref().map_or(0, |utterance| utterance.sound.bytes())
    }

    /// The memory that its pictures take.
    pub fn picture_bytes(&self) -> usize {
        self.pictures.iter().map(|picture| picture.weight()).sum()
    }

    /// How much text it has, in bytes.
    pub fn text_bytes(&self) -> usize {
        let item = &self.item;
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let parts = item.content.iter().flatten().map(|part| length(&part.text) + length(&part.transcript));
        let output = item.output.as_ref().map_or(0, |output| output.as_str().map_or(0, str::len));
        parts.sum::<usize>() + length(&item.arguments) + output
    }

    /// Forgets the sound. Its length and its words stay.
    pub fn forget_sound(&mut self) {
        self.forgotten_ms = self.sound_ms();
        if let Some(utterance) = &mut self.sound {
            utterance.sound = Sound::new(Vec::new(), utterance.sound.rate);
        }
    }

    /// Forgets the pictures.
    pub fn forget_pictures(&mut self) {
        self.pictures.clear();
        for part in self.item.content.iter_mut().flatten() {
            part.image_url = None;
        }
    }
}

/// A message with these parts.
pub fn message(id: String, role: Role, status: Status, content: Vec<ContentPart>) -> Item {
    Item {
        id: Some(id),
        object: Some("realtime.item".into()),
        status: Some(status),
        role: Some(role),
        content: Some(content),
        ..Default::default()
    }
}

/// Which parts whose messages may have.
fn check_role(role: Option<&Role>, part: &ContentPart, place: &str) -> Result<(), ApiError> {
    let known: &[&str] = match role {
        Some(Role::System) => &["input_text"],
        Some(Role::Assistant) => &["output_text", "output_audio"],
        _ => &["input_text", "input_audio", "input_image"],
    };
    let kind = serde_json::to_value(&part.kind).unwrap_or_default();
    let kind = kind.as_str().unwrap_or_default();
    if !known.contains(&kind) {
        return Err(ApiError::unknown_word(&format!("{place}.type"), kind, known));
    }
    if part.kind == PartKind::OutputAudio && part.audio.is_some() {
        let message = "The sound of an assistant message cannot be given, only its transcript.";
        return Err(ApiError::new("invalid_value", message).at(format!("{place}.audio")));
    }
    Ok(())
}

fn read_audio(text: &str, format: &AudioFormat, place: &str) -> Result<Vec<i16>, ApiError> {
    let bad = |why: String| ApiError::new("invalid_value", why).at(format!("{place}.audio"));
    let bytes = STANDARD.decode(text).map_err(|error| bad(format!("Invalid base64 audio: {error}.")))?;
    if !bytes.len().is_multiple_of(format.sample_size()) {
        return Err(bad("The audio ends in the middle of a sample.".into()));
    }
    Ok(decode(format, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_must_fit_the_role() {
        let mut item = Item::message(Role::Assistant, "hi");
        item.role = Some(Role::User);
        assert!(Entry::read(item, &AudioFormat::Pcm, "item").is_err());
    }

    #[test]
    fn sound_is_kept_apart_from_what_is_told() {
        let part = ContentPart { kind: PartKind::InputAudio, audio: Some("AQACAA==".into()), ..Default::default() };
        let item = Item { role: Some(Role::User), content: Some(vec![part]), ..Default::default() };
        let entry = Entry::read(item, &AudioFormat::Pcm, "item").expect("an item");
        assert_eq!(entry.item.content.as_ref().and_then(|parts| parts[0].audio.as_ref()), None);
        assert_eq!(entry.sound.map(|utterance| utterance.sound.samples.to_vec()), Some(vec![1, 2]));
    }
}
