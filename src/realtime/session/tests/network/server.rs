// SPDX-License-Identifier: MPL-2.0

//! A model server for simulated networks: one session, told what the client says, says what a server would, and when.
//!
//! The user's turns have numbers. A typed turn is the text `turn 7`; in a spoken one every byte of the sound is 7, and
//! zero is silence. So the server knows which turn it hears, however often it is lost, cut or said again.

use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::tests::random_walk::Dice;
use openai_protocol::ClientEvent;
use openai_protocol::items::{Item, PartKind, Role};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Bytes in a millisecond.
const MS: usize = 48;
/// So much silence ends a turn.
const SILENCE: usize = 500;

/// What the server says, and how long after what made it say so.
pub type Says = Vec<(u64, Value)>;

/// What all sessions of a history share.
#[derive(Default)]
pub struct Archive {
    /// Which turn an answer is for.
    pub answers: BTreeMap<String, u32>,
    /// What no client should do, and the turn that is concerned.
    pub faults: Vec<(u32, String)>,
    names: u32,
}

impl Archive {
    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}{}", self.names)
    }
}

/// A session.
pub struct ModelServer {
    pub finds_turns: bool,
    /// It answers the turns that it finds.
    pub responds: bool,
    pub transcribes: bool,
    /// When it ends, in seconds since the simulation began.
    pub expires_at: Option<u64>,
    /// The user's turns, in the order of the conversation.
    turns: Vec<u32>,
    /// What is in the input buffer, in order; zero is silence.
    buffer: Vec<u32>,
    /// The turn that is heard: its item, its number, and for how long nothing of it came.
    hears: Option<(String, u32, usize)>,
    audio_ms: usize,
    /// The answer under way, by its name.
    pub responding: Option<String>,
}

impl ModelServer {
    pub fn new(finds_turns: bool, responds: bool, transcribes: bool, expires_at: Option<u64>) -> Self {
        let (turns, buffer) = (Vec::new(), Vec::new());
        Self {
            finds_turns,
            responds,
            transcribes,
            expires_at,
            turns,
            buffer,
            hears: None,
            audio_ms: 0,
            responding: None,
        }
    }

    /// The client said something.
    pub fn hear(&mut self, event: &ClientEvent, archive: &mut Archive, dice: &mut Dice) -> Says {
        match event {
            ClientEvent::SessionUpdate(_) => {
                vec![(1, json!({"type": "session.updated", "session": {"id": "s", "expires_at": self.expires_at}}))]
            }
            ClientEvent::ConversationItemCreate(create) => self.item(&create.item, archive),
            ClientEvent::InputAudioBufferAppend(append) => self.append(&append.audio.0, archive, dice),
            ClientEvent::InputAudioBufferCommit(_) => {
                let item = archive.name("u");
                self.commit(item, archive, dice)
            }
            ClientEvent::InputAudioBufferClear(_) => {
                self.buffer.clear();
                vec![(1, json!({"type": "input_audio_buffer.cleared"}))]
            }
            ClientEvent::ResponseCreate(_) if self.responding.is_some() => {
                let event = json!(event);
                vec![(1, refused(&event, "conversation_already_has_active_response"))]
            }
            ClientEvent::ResponseCreate(_) => self.respond(archive, dice),
            ClientEvent::ResponseCancel(_) => match self.responding.take() {
                Some(id) => {
                    vec![(1, json!({"type": "response.done", "response": {"id": id, "status": "cancelled"}}))]
                }
                None => vec![(1, refused(&json!(event), "response_cancel_not_active"))],
            },
            _ => Vec::new(),
        }
    }

    /// What the server was about to say is said, unless it belongs to an answer that was cancelled.
    pub fn still_says(&mut self, event: &Value) -> bool {
        let kind = event["type"].as_str().unwrap_or_default();
        let id = event["response_id"].as_str().or_else(|| event["response"]["id"].as_str());
        let Some(id) = id.filter(|_| kind.starts_with("response.")) else { return true };
        let is_current = self.responding.as_deref() == Some(id);
        let is_cancelled = event["response"]["status"] == "cancelled";
        if kind == "response.done" && is_current {
            self.responding = None;
        }
        is_current || is_cancelled
    }

    fn item(&mut self, item: &Item, archive: &mut Archive) -> Says {
        let parts = || item.content.iter().flatten();
        let is_user = item.role == Some(Role::User);
        for text in parts().filter_map(|part| part.text.as_deref()).filter(|_| is_user) {
            match text.strip_prefix("turn ").and_then(|number| number.parse().ok()) {
                Some(turn) => self.take_turn(turn, archive),
                None => archive.faults.push((0, format!("the user never said {text:?}"))),
            }
        }
        let sounds = parts().filter(|part| part.kind == PartKind::InputAudio && is_user);
        for sound in sounds.filter_map(|part| part.audio.as_deref()) {
            let mut sound_turns: Vec<u32> = decode(sound).into_iter().filter(|turn| *turn > 0).collect();
            sound_turns.dedup();
            sound_turns.into_iter().for_each(|turn| self.take_turn(turn, archive));
        }
        let id = item.id.clone().unwrap_or_else(|| archive.name("i"));
        vec![(1, json!({"type": "conversation.item.added", "item": {"id": id, "type": "message", "role": item.role}}))]
    }

    /// A turn is in the conversation: once, and behind the ones before it.
    fn take_turn(&mut self, turn: u32, archive: &mut Archive) {
        if self.turns.last().is_some_and(|last| *last >= turn) {
            archive.faults.push((turn, format!("turn {turn} behind {:?}", self.turns)));
        }
        self.turns.push(turn);
    }

    fn append(&mut self, sound: &[u8], archive: &mut Archive, dice: &mut Dice) -> Says {
        let mut says = Vec::new();
        for ms in sound.chunks(MS) {
            let turn = u32::from(ms[ms.len() / 2]);
            if !self.finds_turns {
                self.buffer.push(turn);
                continue;
            }
            match &mut self.hears {
                None if turn > 0 => {
                    let item = archive.name("u");
                    says.push((1, started(&item, self.audio_ms as u64)));
                    self.hears = Some((item, turn, 0));
                }
                Some((_, heard, quiet)) if *heard == turn => *quiet = 0,
                Some((item, heard, quiet)) if turn == 0 && *quiet + 1 < SILENCE => {
                    let _ = (item, heard);
                    *quiet += 1;
                }
                Some(_) => {
                    says.extend(self.end_turn(archive, dice));
                    if turn > 0 {
                        let item = archive.name("u");
                        says.push((1, started(&item, self.audio_ms as u64)));
                        self.hears = Some((item, turn, 0));
                    }
                }
                None => {}
            }
            self.audio_ms += 1;
        }
        says
    }

    fn end_turn(&mut self, archive: &mut Archive, dice: &mut Dice) -> Says {
        let Some((item, turn, _)) = self.hears.take() else { return Vec::new() };
        self.buffer = vec![turn];
        let mut says = vec![(1, stopped(&item, self.audio_ms as u64))];
        says.extend(self.commit(item, archive, dice));
        if let Some(before) = self.responding.take() {
            let done = json!({"id": before, "status": "cancelled", "status_details": {"reason": "turn_detected"}});
            says.push((1, json!({"type": "response.done", "response": done})));
        }
        if self.responds {
            says.extend(self.respond(archive, dice));
        }
        says
    }

    fn commit(&mut self, item: String, archive: &mut Archive, dice: &mut Dice) -> Says {
        let mut turns: Vec<u32> = std::mem::take(&mut self.buffer).into_iter().filter(|turn| *turn > 0).collect();
        turns.dedup();
        turns.iter().for_each(|turn| self.take_turn(*turn, archive));
        let mut says = vec![(1, committed(&item))];
        if self.transcribes {
            let words: Vec<_> = turns.iter().map(|turn| format!("turn {turn}")).collect();
            says.push((50 + dice.below(400), user_transcript_delta(&item, &words.join(" and "))));
        }
        says
    }

    /// The answer to the turn that is the newest.
    fn respond(&mut self, archive: &mut Archive, dice: &mut Dice) -> Says {
        let (id, item) = (archive.name("r"), archive.name("a"));
        match self.turns.last() {
            Some(turn) => drop(archive.answers.insert(id.clone(), *turn)),
            None => archive.faults.push((0, "an answer is asked for, and nothing was said".into())),
        }
        self.responding = Some(id.clone());
        let mut at = 20 + dice.below(400);
        let mut says = vec![(1, created(&id))];
        let output = json!({"id": item, "type": "message", "role": "assistant", "content": []});
        says.push((
            at,
            json!({"type": "response.output_item.added", "response_id": id, "output_index": 0, "item": output}),
        ));
        for _ in 0..=dice.below(8) {
            at += 10 + dice.below(150);
            says.push((at, delta(&id, &item, 200)));
        }
        let words = say(&id, &item, &format!("answer {id}"), "done");
        says.extend([words, audio_done(&id, &item), done(&id)].map(|event| (at + 1, event)));
        says
    }
}

/// The turns in a message of sound, a number for each millisecond.
fn decode(audio: &str) -> Vec<u32> {
    use base64::Engine as _;
    let bytes = base64::prelude::BASE64_STANDARD.decode(audio).expect("base64");
    bytes.chunks(MS).map(|ms| u32::from(ms[ms.len() / 2])).collect()
}
