//! What was said so far, for a session that has to begin anew.
//!
//! A server ends a session after an hour, and connections break. There is no resuming: the next session knows nothing.
//! So what was said is told to it again, in words, because a model's speech cannot be given back; pictures are not shown
//! twice. Of the user, what has no words yet is said again as it was. What of an answer nobody heard is not part of it.
//! A turn that had no answer yet is asked about again.

use super::answer::Spoken;
use super::events::{Detection, SessionNotice, Speaker, TranscriptNotice};
use super::{Conversation, Notice, Output, Phase, Sound};
use crate::protocol::Base64;
use crate::protocol::items::{ContentPart, Item, ItemKind, PartKind, Role};
use std::collections::VecDeque;

/// Letters that are told again at most; the oldest are forgotten first.
const LETTERS: usize = 48_000;
/// Bytes of sound that are said again at most: a minute at 24 kHz.
const SOUND: usize = 2_880_000;

/// One thing that was said or done.
#[derive(Debug)]
enum Said {
    /// In words.
    Words(Box<Item>),
    /// A turn of the user that is not written down: its message, once that has a name, and its sound.
    Sound { item_id: Option<String>, sound: Vec<Sound> },
}

impl Said {
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
            Self::Sound { sound, .. } => sound.iter().map(|sound| sound.data.len()).sum(),
        }
    }

    fn to_item(&self) -> Item {
        match self {
            Self::Words(item) => (**item).clone(),
            Self::Sound { sound, .. } => {
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
pub(super) struct History(VecDeque<Said>);

impl History {
    fn add(&mut self, said: Said) {
        self.0.push_back(said);
        while self.0.len() > 1 && self.0.iter().map(Said::letters).sum::<usize>() > LETTERS {
            self.0.pop_front();
        }
        while self.0.iter().map(Said::bytes).sum::<usize>() > SOUND {
            let oldest = self.0.iter().position(|said| said.bytes() > 0);
            oldest.and_then(|oldest| self.0.remove(oldest));
        }
    }

    /// Somebody said something, in words. What was there of it as sound is not needed any more.
    pub fn said(&mut self, whole: &TranscriptNotice) {
        let text = whole.text.trim();
        let role = match whole.role {
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
        };
        let words = (!text.is_empty()).then(|| Said::Words(Box::new(Item::message(role, text))));
        let is_it =
            |said: &Said| matches!(said, Said::Sound { item_id: Some(item_id), .. } if *item_id == whole.item_id);
        match (self.0.iter().position(is_it), words) {
            (Some(index), Some(words)) => self.0[index] = words,
            (Some(index), None) => drop(self.0.remove(index)),
            (None, words) => words.into_iter().for_each(|words| self.add(words)),
        }
    }

    /// The user said something that is a message now, and not written down so far.
    pub fn heard(&mut self, item_id: Option<String>, sound: Vec<Sound>) {
        if !sound.is_empty() {
            self.add(Said::Sound { item_id, sound });
        }
    }

    /// The server has made a message. A name that is new belongs to the oldest turn that has none.
    pub fn name(&mut self, name: &str) {
        let names = || {
            self.0.iter().filter_map(|said| match said {
                Said::Sound { item_id, .. } => item_id.as_deref(),
                Said::Words(_) => None,
            })
        };
        if names().any(|known| known == name) {
            return;
        }
        let unnamed = self.0.iter_mut().find_map(|said| match said {
            Said::Sound { item_id, .. } => Some(item_id).filter(|item_id| item_id.is_none()),
            Said::Words(_) => None,
        });
        unnamed.into_iter().for_each(|item_id| *item_id = Some(name.to_owned()));
    }

    /// The user's sound is coded in another way from now on, and a session knows one way only.
    pub fn forget_sound(&mut self) {
        self.0.retain(|said| said.bytes() == 0);
    }

    /// The user typed something, the model called a function, or a function gave something back.
    pub fn has(&mut self, item: &Item) {
        let is_text = item.kind == ItemKind::Message && item.content.iter().flatten().all(|part| part.text.is_some());
        if is_text || matches!(item.kind, ItemKind::FunctionCall | ItemKind::FunctionCallOutput) {
            let mut item = item.clone();
            // Names are given anew, and how far an item has come is the server's to say.
            (item.id, item.object, item.status) = (None, None, None);
            self.add(Said::Words(Box::new(item)));
        }
    }
}

/// Close codes after which another try makes sense, as in the official clients; a broken connection has none.
pub(super) fn may_come_back(code: Option<u16>) -> bool {
    matches!(code, None | Some(1001 | 1005 | 1006 | 1011..=1013 | 1015))
}

impl Conversation {
    /// The session is over and there may be another one. What is there plays on; what was asked for is asked for again.
    pub(super) fn lose(&mut self, reason: String) {
        let active = self.gate.active().map(str::to_owned);
        let unspoken = |response: &String| !self.answers.spoken.iter().any(|spoken| spoken.response_id == *response);
        let is_owed = self.gate.expects() || active.as_ref().is_some_and(unspoken);
        self.release_floor();
        self.phase = Phase::Offline;
        self.approvals.clear();
        self.epoch += 1;
        self.renewal = super::renew::Renewal::default();
        self.gate.give_up();
        if is_owed && self.answers_at_all() {
            self.gate.wish(None);
        }
        if let Some(active) = active {
            self.answers.mute(&active);
            self.ends_unsaid(&active, "incomplete", Some("session_lost"));
        }
        self.answers.give_up();
        self.answers.end_records();
        self.give_up_turns();
        self.lose_frames();
        // A server that finds the turns will find this one again.
        if matches!(self.config.detection, Detection::Server { .. })
            && let Some(turn) = self.turns.drop_open()
        {
            let running_time = self.listening.heard.end();
            self.notify(Notice::Speech { active: false, item_id: turn.item_id, running_time });
        }
        self.updates.clear();
        self.lose_update();
        self.notify(Notice::Session(SessionNotice::Reconnecting { reason }));
        self.output.push_back(Output::Reconnect);
    }

    /// A new session has begun: its voice is new, it is told what was said, and hears what was about to be said.
    pub(super) fn begin_anew(&mut self) {
        self.has_spoken = false;
        let rate = self.config.input.rate();
        self.listening.last_sound = self.listening.last_sound.map(|_| self.now);
        let open = self.listening.restart_clock(rate);
        let in_hand = self.turns.drop_open();
        for said in std::mem::take(&mut self.history).0 {
            self.tell_again(said);
        }
        in_hand.into_iter().for_each(|turn| self.turns.go_on(turn));
        self.say_again(open);
    }

    /// One thing more that the new session is told. Its place in the history is the same again.
    fn tell_again(&mut self, said: Said) {
        let only_writes = self.config.only_writes_down();
        let by_server = matches!(self.config.detection, Detection::Server { .. });
        match said {
            // A turn that is committed is written down, which one that is told is not. But a server that finds the
            // turns would find it as well.
            Said::Sound { sound, .. } if only_writes || !by_server => {
                self.say_again(sound);
                self.commit_by_hand();
            }
            // Such a session takes no words.
            Said::Words(_) if only_writes => {}
            said => {
                let id = self.create_item(said.to_item());
                // What a server does not take of it is no reason to worry the user.
                self.answers.harmless(id);
                self.history.0.push_back(said);
            }
        }
    }

    /// The model's words are whole when they have been heard. Where that is after its session, the next one does not
    /// know them.
    pub(super) fn tell_if_late(&mut self, whole: &TranscriptNotice) {
        let is_old = |spoken: &Spoken| spoken.item_id == whole.item_id && spoken.epoch != self.epoch;
        let is_late = matches!(self.phase, Phase::Ready) && self.answers.spoken.iter().any(is_old);
        let text = whole.text.trim();
        if is_late && whole.role == Speaker::Assistant && !text.is_empty() && !self.config.only_writes_down() {
            let id = self.create_item(Item::message(Role::Assistant, text));
            self.answers.harmless(id);
        }
    }

    fn say_again(&mut self, sounds: Vec<Sound>) {
        sounds.into_iter().for_each(|sound| self.append(sound));
    }
}
