// SPDX-License-Identifier: MPL-2.0

//! What was said so far, for the session that follows one that was lost.
//!
//! A server ends a session after an hour, and connections break. There is no resuming: the next session knows nothing.
//! So the history is sent to it as items: transcripts, text messages, function calls and their outputs. The model's audio
//! cannot be sent back, so its part is text. A turn of the user without a transcript is sent as audio again. Images are
//! kept by [`ImageItems`](crate::realtime::conversation::video::image_items::ImageItems).

use crate::realtime::conversation::config::{Config, Detection};
use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::io::TranscriptEvent;
use crate::types::{AudioChunk, Speaker};
use openai_protocol::Base64;
use openai_protocol::client::ConversationItemCreate;
use openai_protocol::items::{ContentPart, Item, ItemKind, PartKind, Role};
use std::collections::VecDeque;

/// Most bytes of text; the oldest are dropped first.
const MAX_HISTORY_CHARS: usize = 48_000;
/// Most bytes of audio: a minute at 24 kHz.
const MAX_HISTORY_AUDIO: usize = 2_880_000;
/// Turns without audio or transcript that are remembered: their transcript may still come.
const MAX_FORGOTTEN: usize = 64;

/// A message, a function call or its output, or a turn of the user.
#[derive(Debug)]
enum HistoryEntry {
    /// As text.
    Item(Box<Item>),
    /// A turn of the user without a transcript: its item, once known, its audio, and whether a warning was posted that its
    /// transcript is lost.
    Turn { item_id: Option<String>, audio: Vec<AudioChunk>, is_reported: bool },
}

impl HistoryEntry {
    fn text_len(&self) -> usize {
        let Self::Item(item) = self else { return 0 };
        let text = |part: &ContentPart| part.text.as_deref().map_or(0, str::len);
        let parts = item.content.iter().flatten().map(text).sum::<usize>();
        let output = item.output.as_ref().and_then(|output| output.as_str()).map_or(0, str::len);
        parts + output + item.arguments.as_deref().map_or(0, str::len)
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Item(_) => 0,
            Self::Turn { audio, .. } => audio.iter().map(|chunk| chunk.data.len()).sum(),
        }
    }

    /// A turn without transcript or audio: its transcript may still come.
    fn is_forgotten(&self) -> bool {
        matches!(self, Self::Turn { audio, .. } if audio.is_empty())
    }

    fn to_item(&self) -> Item {
        match self {
            Self::Item(item) => (**item).clone(),
            Self::Turn { audio, .. } => {
                let bytes: Vec<u8> = audio.iter().flat_map(|chunk| &chunk.data).copied().collect();
                let mut text = String::new();
                Base64::encode_into(&bytes, &mut text);
                let part = ContentPart { kind: PartKind::InputAudio, audio: Some(text), ..Default::default() };
                Item { role: Some(Role::User), content: Some(vec![part]), ..Default::default() }
            }
        }
    }
}

/// The conversation so far, oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    entries: VecDeque<HistoryEntry>,
    /// Entries that a new session has not got yet.
    replaying: VecDeque<HistoryEntry>,
    /// Turns whose audio was dropped, and that no warning was posted about.
    forgotten: usize,
}

impl History {
    fn add(&mut self, entry: HistoryEntry) {
        self.entries.push_back(entry);
        while self.entries.iter().filter(|entry| entry.is_forgotten()).count() > MAX_FORGOTTEN {
            let oldest = self.entries.iter().position(HistoryEntry::is_forgotten);
            oldest.and_then(|oldest| self.entries.remove(oldest));
            self.forgotten += 1;
        }
        while self.entries.len() > 1
            && self.entries.iter().map(HistoryEntry::text_len).sum::<usize>() > MAX_HISTORY_CHARS
        {
            self.entries.pop_front();
        }
        while self.entries.iter().map(HistoryEntry::bytes).sum::<usize>() > MAX_HISTORY_AUDIO {
            let oldest = self.entries.iter().position(|entry| entry.bytes() > 0);
            oldest.and_then(|oldest| self.entries.remove(oldest));
            self.forgotten += 1;
        }
    }

    /// A final transcript. The audio of its turn is not needed any more.
    pub fn add_transcript(&mut self, transcript: &TranscriptEvent) {
        let text = transcript.text.trim();
        let role = match transcript.role {
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
        };
        let item = (!text.is_empty()).then(|| HistoryEntry::Item(Box::new(Item::message(role, text))));
        let is_it = |entry: &HistoryEntry| matches!(entry, HistoryEntry::Turn { item_id: Some(item_id), .. } if *item_id == transcript.item_id);
        match (self.entries.iter().position(is_it), item) {
            (Some(index), Some(item)) => self.entries[index] = item,
            (Some(index), None) => drop(self.entries.remove(index)),
            (None, item) => item.into_iter().for_each(|item| self.add(item)),
        }
    }

    /// A turn of the user was committed, and has no transcript so far. Where it began longer ago than audio is remembered,
    /// there is none of it. Nothing is kept where there will be no other session.
    pub fn add_turn(&mut self, item_id: Option<String>, audio: Vec<AudioChunk>, config: &Config) {
        if config.reconnects {
            self.add(HistoryEntry::Turn { item_id, audio, is_reported: false });
        }
    }

    /// The server has made a user item. An id that is new belongs to the oldest turn that has none.
    pub fn name_turn(&mut self, id: &str) {
        let mut ids = self.entries.iter_mut().filter_map(|entry| match entry {
            HistoryEntry::Turn { item_id, .. } => Some(item_id),
            HistoryEntry::Item(_) => None,
        });
        let mut unnamed = None;
        for item_id in &mut ids {
            match item_id {
                Some(known) if known == id => return,
                Some(_) => {}
                None => {
                    unnamed.get_or_insert(item_id);
                }
            }
        }
        unnamed.into_iter().for_each(|item_id| *item_id = Some(id.to_owned()));
    }

    /// The input's format has changed, and a session takes one only.
    pub fn drop_audio(&mut self) {
        let before = self.entries.len();
        self.entries.retain(|entry| matches!(entry, HistoryEntry::Item(_)));
        self.forgotten += before - self.entries.len();
    }

    /// The newest entry is a turn that cannot be sent again.
    pub fn ends_forgotten(&self) -> bool {
        self.entries.back().is_some_and(HistoryEntry::is_forgotten)
    }

    /// A text message of the user, a function call of the model, or the output of one.
    pub fn add_item(&mut self, item: &Item) {
        let is_text = item.kind == ItemKind::Message && item.content.iter().flatten().all(|part| part.text.is_some());
        if is_text || matches!(item.kind, ItemKind::FunctionCall | ItemKind::FunctionCallOutput) {
            let mut item = item.clone();
            // The next session gives ids and states of its own.
            (item.id, item.object, item.status) = (None, None, None);
            self.add(HistoryEntry::Item(Box::new(item)));
        }
    }

    /// A new session has begun, and gets everything by [`Self::replay_next`].
    pub fn begin_replay(&mut self) {
        self.replaying = std::mem::take(&mut self.entries);
    }

    /// Sends the next entry to a new session. What was sent is kept in its place for the session after that.
    pub fn replay_next(&mut self, ctx: &mut Ctx) -> Option<Replayed> {
        let is_transcription_only = ctx.config.is_transcription_only();
        let by_server = matches!(ctx.config.detection, Detection::Server { .. });
        while let Some(entry) = self.replaying.pop_front() {
            match entry {
                entry if entry.is_forgotten() => self.forgotten += 1,
                // A turn that is committed gets a transcript, an item with audio does not. But a server's VAD would find
                // the turn in it as well.
                HistoryEntry::Turn { audio, .. } if is_transcription_only || !by_server => {
                    return Some(Replayed::Turn(audio));
                }
                // Such a session takes no items.
                HistoryEntry::Item(_) if is_transcription_only => {}
                mut entry => {
                    if let HistoryEntry::Turn { is_reported: reported @ false, .. } = &mut entry
                        && ctx.config.transcribes
                    {
                        *reported = true;
                        let message = "a turn was not written down before its session was lost: the next one hears it, \
                                       but its words are not told";
                        ctx.warn("no-transcript", message);
                    }
                    let event_id = ctx.send(ConversationItemCreate { item: entry.to_item(), ..Default::default() });
                    self.entries.push_back(entry);
                    return Some(Replayed::Item { event_id });
                }
            }
        }
        None
    }

    /// Warns of turns that no session gets any more, since the last warning.
    pub fn warn_of_forgotten(&mut self, ctx: &mut Ctx) {
        let forgotten = std::mem::take(&mut self.forgotten);
        if forgotten > 0 {
            let message = format!("the next session does not hear {forgotten} older turns that nobody wrote down");
            ctx.warn("turns-forgotten", message);
        }
    }
}

/// How an entry of the history goes to a new session.
#[derive(Debug)]
pub(crate) enum Replayed {
    /// An item was sent by this event. If the server refuses it, that is no reason to warn the user.
    Item { event_id: String },
    /// A turn that has to be appended and committed again, which makes it an entry again.
    Turn(Vec<AudioChunk>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;
    use crate::types::Timing;
    use bytes::Bytes;

    fn transcript(item_id: &str, text: &str) -> TranscriptEvent {
        TranscriptEvent {
            role: Speaker::User,
            text: text.into(),
            last: true,
            item_id: item_id.into(),
            response_id: None,
            running_time: None,
            duration: None,
        }
    }

    fn audio(bytes: usize) -> Vec<AudioChunk> {
        vec![AudioChunk { data: Bytes::from(vec![0; bytes]), at: None }]
    }

    fn fixture() -> Fixture {
        let mut fixture = Fixture::new(Timing::Live);
        fixture.config.reconnects = true;
        fixture
    }

    fn replay(history: &mut History, fixture: &mut Fixture) -> Vec<Replayed> {
        history.begin_replay();
        std::iter::from_fn(|| history.replay_next(&mut fixture.ctx())).collect()
    }

    #[test]
    fn a_transcript_takes_the_place_of_its_turn_and_is_replayed_each_time() {
        let (mut history, mut fixture) = (History::default(), fixture());
        history.add_turn(None, audio(100), &fixture.config);
        history.add_item(&Item::message(Role::User, "typed"));
        history.name_turn("u1");
        history.add_transcript(&transcript("u1", "said"));
        for _ in 0..2 {
            assert_eq!(replay(&mut history, &mut fixture).len(), 2);
            let first = fixture.outputs().remove(0);
            assert!(format!("{first:?}").contains("said"), "{first:?}");
        }
    }

    #[test]
    fn without_a_vad_of_the_server_a_turn_is_committed_again() {
        let (mut history, mut fixture) = (History::default(), fixture());
        history.add_turn(Some("u1".into()), audio(100), &fixture.config);
        assert!(matches!(replay(&mut history, &mut fixture)[..], [Replayed::Item { .. }]));
        fixture.config.detection = Detection::Manual;
        assert!(
            matches!(&replay(&mut history, &mut fixture)[..], [Replayed::Turn(audio)] if audio[0].data.len() == 100)
        );
        assert!(replay(&mut history, &mut fixture).is_empty(), "the commit adds it");
    }

    #[test]
    fn audio_beyond_a_minute_is_dropped_oldest_first_and_reported() {
        let (mut history, mut fixture) = (History::default(), fixture());
        for id in ["u1", "u2"] {
            history.add_turn(Some(id.into()), audio(MAX_HISTORY_AUDIO * 2 / 3), &fixture.config);
        }
        assert_eq!(replay(&mut history, &mut fixture).len(), 1);
        history.warn_of_forgotten(&mut fixture.ctx());
        assert_eq!(fixture.warnings(), ["turns-forgotten"]);
        history.warn_of_forgotten(&mut fixture.ctx());
        assert!(fixture.warnings().is_empty());
    }

    #[test]
    fn nothing_is_kept_of_turns_where_there_is_no_other_session() {
        let (mut history, mut fixture) = (History::default(), Fixture::new(Timing::Live));
        history.add_turn(Some("u1".into()), audio(100), &fixture.config);
        assert!(replay(&mut history, &mut fixture).is_empty());
    }
}
