// SPDX-License-Identifier: MPL-2.0

//! What was said so far, for a session that has to begin anew.
//!
//! A server ends a session after an hour, and connections break. There is no resuming: the next session knows nothing.
//! So what was said is told to it again, in words, because a model's speech cannot be given back; pictures are not shown
//! twice. Of the user, what has no words yet is said again as it was. What of an answer nobody heard is not part of it.
//! A turn that had no answer yet is asked about again.

use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::io::TranscriptEvent;
use crate::realtime::conversation::response::audio_part::AudioPart;
use crate::realtime::conversation::{Conversation, Phase};
use crate::types::AudioChunk;
use crate::types::Speaker;
use openai_protocol::Base64;
use openai_protocol::items::{ContentPart, Item, ItemKind, PartKind, Role};
use std::collections::VecDeque;

/// Letters that are told again at most; the oldest are forgotten first.
const MAX_HISTORY_CHARS: usize = 48_000;
/// Bytes of sound that are said again at most: a minute at 24 kHz.
const MAX_HISTORY_AUDIO: usize = 2_880_000;

/// One thing that was said or done.
#[derive(Debug)]
enum HistoryEntry {
    /// In words.
    Words(Box<Item>),
    /// A turn of the user that is not written down: its message, once that has a name, its sound, and whether it was told
    /// that its words are lost.
    AudioChunk { item_id: Option<String>, sound: Vec<AudioChunk>, is_told: bool },
}

impl HistoryEntry {
    fn letters(&self) -> usize {
        let Self::Words(item) = self else { return 0 };
        let text = |part: &ContentPart| part.text.as_deref().map_or(0, str::len);
        let parts = item.content.iter().flatten().map(text).sum::<usize>();
        let output = item.output.as_ref().and_then(|output| output.as_str()).map_or(0, str::len);
        parts + output + item.arguments.as_deref().map_or(0, str::len)
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Words(_) => 0,
            Self::AudioChunk { sound, .. } => sound.iter().map(|sound| sound.data.len()).sum(),
        }
    }

    fn to_item(&self) -> Item {
        match self {
            Self::Words(item) => (**item).clone(),
            Self::AudioChunk { sound, .. } => {
                let bytes: Vec<u8> = sound.iter().flat_map(|sound| &sound.data).copied().collect();
                let mut audio = String::new();
                Base64::encode_into(&bytes, &mut audio);
                let part = ContentPart { kind: PartKind::InputAudio, audio: Some(audio), ..Default::default() };
                Item { role: Some(Role::User), content: Some(vec![part]), ..Default::default() }
            }
        }
    }
}

/// The conversation so far, oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    said: VecDeque<HistoryEntry>,
    /// Turns whose sound was forgotten.
    forgotten: usize,
}

impl History {
    fn add(&mut self, said: HistoryEntry) {
        self.said.push_back(said);
        while self.said.len() > 1 && self.said.iter().map(HistoryEntry::letters).sum::<usize>() > MAX_HISTORY_CHARS {
            self.said.pop_front();
        }
        while self.said.iter().map(HistoryEntry::bytes).sum::<usize>() > MAX_HISTORY_AUDIO {
            let oldest = self.said.iter().position(|said| said.bytes() > 0);
            oldest.and_then(|oldest| self.said.remove(oldest));
            self.forgotten += 1;
        }
    }

    /// Somebody said something, in words. What was there of it as sound is not needed any more.
    pub fn said(&mut self, whole: &TranscriptEvent) {
        let text = whole.text.trim();
        let role = match whole.role {
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
        };
        let words = (!text.is_empty()).then(|| HistoryEntry::Words(Box::new(Item::message(role, text))));
        let is_it = |said: &HistoryEntry| matches!(said, HistoryEntry::AudioChunk { item_id: Some(item_id), .. } if *item_id == whole.item_id);
        match (self.said.iter().position(is_it), words) {
            (Some(index), Some(words)) => self.said[index] = words,
            (Some(index), None) => drop(self.said.remove(index)),
            (None, words) => words.into_iter().for_each(|words| self.add(words)),
        }
    }

    /// The user said something that is a message now, and not written down so far.
    pub fn heard(&mut self, item_id: Option<String>, sound: Vec<AudioChunk>) {
        if !sound.is_empty() {
            self.add(HistoryEntry::AudioChunk { item_id, sound, is_told: false });
        }
    }

    /// The server has made a message. A name that is new belongs to the oldest turn that has none.
    pub fn name(&mut self, name: &str) {
        let names = || {
            self.said.iter().filter_map(|said| match said {
                HistoryEntry::AudioChunk { item_id, .. } => item_id.as_deref(),
                HistoryEntry::Words(_) => None,
            })
        };
        if names().any(|known| known == name) {
            return;
        }
        let unnamed = self.said.iter_mut().find_map(|said| match said {
            HistoryEntry::AudioChunk { item_id, .. } => Some(item_id).filter(|item_id| item_id.is_none()),
            HistoryEntry::Words(_) => None,
        });
        unnamed.into_iter().for_each(|item_id| *item_id = Some(name.to_owned()));
    }

    /// The user's sound is coded in another way from now on, and a session knows one way only.
    pub fn forget_sound(&mut self) {
        let before = self.said.len();
        self.said.retain(|said| said.bytes() == 0);
        self.forgotten += before - self.said.len();
    }

    /// How many turns no session can hear again, since this was asked last.
    fn take_forgotten(&mut self) -> usize {
        std::mem::take(&mut self.forgotten)
    }

    /// The user typed something, the model called a function, or a function gave something back.
    pub fn has(&mut self, item: &Item) {
        let is_text = item.kind == ItemKind::Message && item.content.iter().flatten().all(|part| part.text.is_some());
        if is_text || matches!(item.kind, ItemKind::FunctionCall | ItemKind::FunctionCallOutput) {
            let mut item = item.clone();
            // Names are given anew, and how far an item has come is the server's to say.
            (item.id, item.object, item.status) = (None, None, None);
            self.add(HistoryEntry::Words(Box::new(item)));
        }
    }
}

impl Conversation {
    /// A new session has begun: its voice is new, it is told what was said, and hears what was about to be said.
    pub(crate) fn resume(&mut self) {
        self.has_spoken = false;
        let rate = self.config.input.rate();
        self.audio_input.last_sound = self.audio_input.last_sound.map(|_| self.now);
        let open = self.audio_input.restart_clock(rate);
        let in_hand = self.turns.drop_open();
        for said in std::mem::take(&mut self.history.said) {
            self.replay_items(said);
        }
        self.replay_frames_to_session();
        let forgotten = self.history.take_forgotten();
        if forgotten > 0 {
            let message = format!("the next session does not hear {forgotten} older turns that nobody wrote down");
            self.warn("turns-forgotten", message);
        }
        in_hand.into_iter().for_each(|turn| self.turns.advance(turn));
        self.replay_audio(open);
    }

    /// One thing more that the new session is told. Its place in the history is the same again.
    fn replay_items(&mut self, said: HistoryEntry) {
        let only_writes = self.config.is_transcription_only();
        let by_server = matches!(self.config.detection, Detection::Server { .. });
        match said {
            // A turn that is committed is written down, which one that is told is not. But a server that finds the
            // turns would find it as well.
            HistoryEntry::AudioChunk { sound, .. } if only_writes || !by_server => {
                self.replay_audio(sound);
                self.commit_requested();
                if by_server {
                    // The server may have found the turn by itself.
                    let commit = self.outbox.last_event_id();
                    self.responses.expected_errors(commit);
                }
            }
            // Such a session takes no words.
            HistoryEntry::Words(_) if only_writes => {}
            mut said => {
                if let HistoryEntry::AudioChunk { is_told: is_told @ false, .. } = &mut said
                    && self.config.transcribes
                {
                    *is_told = true;
                    let message = "a turn was not written down before its session was lost: the next one hears it, but its \
                                   words are not told";
                    self.warn("no-transcript", message);
                }
                let id = self.create_item(said.to_item());
                // What a server does not take of it is no reason to worry the user.
                self.responses.expected_errors(id);
                self.history.said.push_back(said);
            }
        }
    }

    /// The model's words are whole when they have been heard. Where that is after its session, the next one does not
    /// know them.
    pub(crate) fn replay_late_item(&mut self, whole: &TranscriptEvent) {
        let is_old = |spoken: &AudioPart| {
            spoken.item_id == whole.item_id && spoken.session_generation != self.session_generation
        };
        let is_late = matches!(self.phase, Phase::Ready) && self.responses.spoken.iter().any(is_old);
        let text = whole.text.trim();
        if is_late && whole.role == Speaker::Assistant && !text.is_empty() && !self.config.is_transcription_only() {
            let id = self.create_item(Item::message(Role::Assistant, text));
            self.responses.expected_errors(id);
        }
    }

    fn replay_audio(&mut self, sounds: Vec<AudioChunk>) {
        sounds.into_iter().for_each(|sound| self.append(sound));
    }
}
