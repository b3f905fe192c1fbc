// SPDX-License-Identifier: MPL-2.0

//! What a client says: the eleven events of the GA protocol.

use super::{Base64, Item, ResponseParams, Session, events};
use bytes::Bytes;

events! {
    /// An event from the client to the server.
    pub enum ClientEvent {
        /// Changes the session's configuration; answered by `session.updated`, or by an `error` and then no part of
        /// it is in force.
        SessionUpdate("session.update") {
            /// What is to change.
            session: Session,
        }
        /// More of the user's sound. The server never acknowledges it.
        InputAudioBufferAppend("input_audio_buffer.append") {
            /// Samples in the session's input format, at most 15 MiB of them.
            audio: Base64,
        }
        /// Ends the user's turn by hand. Less than 100 ms of sound is refused.
        InputAudioBufferCommit("input_audio_buffer.commit") {}
        /// Forgets the sound that is not committed yet.
        InputAudioBufferClear("input_audio_buffer.clear") {}
        /// Stops what is being played; WebRTC and SIP only.
        OutputAudioBufferClear("output_audio_buffer.clear") {}
        /// Puts an item into the conversation.
        ConversationItemCreate("conversation.item.create") {
            /// Where: after this item, `root` for the front, absent for the end.
            #[serde(skip_serializing_if = "Option::is_none")]
            previous_item_id: Option<String>,
            /// The item.
            item: Item,
        }
        /// Asks for an item with its sound.
        ConversationItemRetrieve("conversation.item.retrieve") {
            /// Which one.
            item_id: String,
        }
        /// Tells how much of the assistant's sound was really heard.
        ConversationItemTruncate("conversation.item.truncate") {
            /// The assistant's message.
            item_id: String,
            /// Which of its parts; 0 for the sound.
            content_index: u32,
            /// Heard, in milliseconds from the part's start.
            audio_end_ms: u64,
        }
        /// Takes an item out of the conversation.
        ConversationItemDelete("conversation.item.delete") {
            /// Which one.
            item_id: String,
        }
        /// Asks for an answer.
        ResponseCreate("response.create") {
            /// What differs from the session for this one answer.
            #[serde(skip_serializing_if = "Option::is_none")]
            response: Option<ResponseParams>,
        }
        /// Stops an answer that is being made.
        ResponseCancel("response.cancel") {
            /// Which one; absent: the one of the default conversation.
            #[serde(skip_serializing_if = "Option::is_none")]
            response_id: Option<String>,
        }
    }
}

/// Writes an `input_audio_buffer.append` straight from samples: the one event that is sent many times a second.
pub fn append_json(event_id: Option<&str>, audio: &[u8]) -> String {
    named_append_json("input_audio_buffer.append", event_id, audio)
}

/// The same of an event of this type.
pub(crate) fn named_append_json(name: &str, event_id: Option<&str>, audio: &[u8]) -> String {
    let mut text = String::with_capacity(audio.len().div_ceil(3) * 4 + 96);
    text.push_str(r#"{"type":""#);
    text.push_str(name);
    text.push_str(r#"","#);
    if let Some(id) = event_id {
        text.push_str(r#""event_id":""#);
        text.push_str(id);
        text.push_str(r#"","#);
    }
    text.push_str(r#""audio":""#);
    Base64::encode_into(audio, &mut text);
    text.push_str(r#""}"#);
    text
}

/// How closely a model looks at a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the API's own words")]
pub enum Detail {
    #[default]
    Auto,
    Low,
    High,
}

impl Detail {
    /// The API's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Low => "low",
            Self::High => "high",
        }
    }
}

/// A `conversation.item.create` of a message of the user with pictures in it, which is written straight from the
/// pictures' files. It is the same in every dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureMessage {
    /// The sender's name for the event.
    pub event_id: String,
    /// The item's name, of at most 32 characters.
    pub item_id: String,
    /// What is seen.
    pub pictures: Vec<PicturePart>,
    /// What the user says about it; stands behind the pictures.
    pub words: Option<String>,
}

/// One picture of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct PicturePart {
    /// `image/jpeg` or `image/png`.
    pub media_type: &'static str,
    /// The file.
    pub file: Bytes,
    /// How closely it is to be looked at.
    pub detail: Detail,
    /// Words that stand before it.
    pub text: Option<String>,
}

impl PictureMessage {
    /// The `type` of the event.
    pub const NAME: &str = "conversation.item.create";

    /// Writes the event.
    pub fn to_json(&self) -> String {
        let parts = self.pictures.iter().map(PicturePart::length).sum::<usize>();
        let mut json = String::with_capacity(parts + self.words.as_ref().map_or(0, String::len) + 320);
        json.push_str(&format!(
            r#"{{"type":"{}","event_id":{},"item":{{"id":{},"type":"message","role":"user","content":["#,
            Self::NAME,
            quoted(&self.event_id),
            quoted(&self.item_id),
        ));
        for (index, picture) in self.pictures.iter().enumerate() {
            json.push_str(if index == 0 { "" } else { "," });
            picture.write(&mut json);
        }
        if let Some(words) = &self.words {
            json.push_str(if self.pictures.is_empty() { "" } else { "," });
            json.push_str(&text_part(words));
        }
        json.push_str("]}}");
        json
    }
}

impl PicturePart {
    /// Bytes of its JSON, as far as quotation marks in the text allow to know.
    fn length(&self) -> usize {
        self.file.len().div_ceil(3) * 4 + self.text.as_ref().map_or(0, String::len) + 160
    }

    fn write(&self, json: &mut String) {
        if let Some(text) = &self.text {
            json.push_str(&text_part(text));
            json.push(',');
        }
        json.push_str(&format!(r#"{{"type":"input_image","image_url":"data:{};base64,"#, self.media_type));
        Base64::encode_into(&self.file, json);
        json.push_str(&format!(r#"","detail":"{}"}}"#, self.detail.name()));
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn text_part(text: &str) -> String {
    format!(r#"{{"type":"input_text","text":{}}}"#, quoted(text))
}
