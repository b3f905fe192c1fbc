// SPDX-License-Identifier: MPL-2.0

//! An answer without a session, for a script.

use crate::engine::SpeechChunk;
use crate::ids;
use crate::session::response::Writer;
use crate::session::response_config::{Outcome, Plan};
use crate::session::usage::{Counts, Meter};
use openai_protocol::ServerEvent;
use openai_protocol::items::Status;
use openai_protocol::server::{ConversationItemAdded, ConversationItemDone};
use openai_protocol::session::{AudioFormat, AudioOutput, MaxTokens, Modality};

/// All events of an answer that consists of one piece, for those who keep no session.
pub fn whole_answer(piece: &SpeechChunk) -> Vec<ServerEvent> {
    let modality = if piece.sound.is_some() { Modality::Audio } else { Modality::Text };
    let mut writer = Writer::new(Plan {
        conversation_id: Some(ids::new("conv_")),
        modalities: vec![modality],
        output: AudioOutput { format: Some(AudioFormat::Pcm), voice: Some("alloy".into()), ..Default::default() },
        max_tokens: MaxTokens::Word("inf".into()),
        metadata: None,
        input: Counts::default(),
    });
    let mut events = vec![writer.created(), writer.begin()];
    let item = writer.item(Status::InProgress);
    events.push(ConversationItemAdded { item, ..Default::default() }.into());
    events.push(writer.open());
    events.extend(writer.piece(piece).0);
    events.extend(writer.close());
    let item = writer.item(Status::Completed);
    events.push(ConversationItemDone { item: item.clone(), ..Default::default() }.into());
    events.push(writer.item_done(item));
    let usage = Meter::default().usage(writer.input(), writer.output());
    events.push(writer.done(&Outcome::Completed, usage));
    events
}
