//! What a client says: the eleven events of the GA protocol.

use super::{Base64, Item, ResponseParams, Session, events};

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
    let mut text = String::with_capacity(audio.len().div_ceil(3) * 4 + 96);
    text.push_str(r#"{"type":"input_audio_buffer.append","#);
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
