// SPDX-License-Identifier: MPL-2.0

//! Anything at any time: whatever a user, a server and the clock do, some things hold.

use crate::realtime::conversation::config::{Config, Detection};
use crate::realtime::conversation::config::{FrameConfig, FramePolicy};
use crate::realtime::conversation::io::{Command, FrameState, Input};
use crate::realtime::conversation::tests::dialogue::{config, delta, own_ear, recording, server_vad};
use crate::realtime::conversation::{Conversation, Event, Output};
use crate::types::Timing;
use crate::types::{AudioChunk, Frame, PlayedPart};
use bytes::Bytes;
use openai_protocol::client::PictureMessage;
use openai_protocol::items::Role;
use openai_protocol::session::AudioFormat;
use openai_protocol::{ClientEvent, ServerEvent};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Numbers that look random and are the same each time (xorshift).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

/// What the user has typed, as the server has it.
struct Words {
    event_id: String,
    /// The message, where it has pictures.
    item_id: Option<String>,
    text: String,
}

/// A conversation, and what is known of it from outside.
struct Monkey {
    dice: Dice,
    conversation: Conversation,
    now: Instant,
    input: Duration,
    at: usize,
    sound: Bytes,
    /// Names of what was sent.
    sent: HashSet<String>,
    /// The request that is not answered.
    asked: Option<String>,
    last_update: Option<String>,
    requests: usize,
    quiet: Duration,
    over: bool,
    /// Messages with pictures that are in the conversation, and how many each has.
    image_items: Vec<(String, usize)>,
    pictures: usize,
    typed: usize,
    /// What of that is in the conversation.
    words: Vec<Words>,
    /// What was in it, but for what was refused where it stood alone.
    said: HashSet<String>,
}

impl Monkey {
    fn new(seed: u64, sound: &Bytes) -> Self {
        let mut dice = Dice::new(seed);
        let detection = match dice.below(3) {
            0 => server_vad(),
            1 => own_ear(),
            _ => Detection::Manual,
        };
        let timing = if dice.one_in(2) { Timing::Live } else { Timing::Offline };
        let config = Config {
            create_response: !dice.one_in(4),
            interrupt_response: !dice.one_in(4),
            respond_on_eos: !dice.one_in(4),
            transcribes: dice.one_in(2),
            requests_per_minute: [0, 0, 3][dice.below(3) as usize],
            max_speed: [0.0, 1.0, 20.0][dice.below(3) as usize],
            drain_timeout: Duration::from_millis(1 + dice.below(5_000)),
            server_responds: dice.one_in(2),
            frames: FrameConfig {
                policy: [FramePolicy::Interval, FramePolicy::Turn, FramePolicy::Speech, FramePolicy::Manual]
                    [dice.below(4) as usize],
                interval: Duration::from_millis(dice.below(3) * 500),
                respond: dice.one_in(2),
                most: 2,
                ..FrameConfig::default()
            },
            ..config(timing, detection)
        };
        let now = Instant::now();
        let conversation = Conversation::new(config, now);
        let mut monkey = Self {
            dice,
            conversation,
            now,
            input: Duration::ZERO,
            at: 0,
            sound: sound.clone(),
            sent: HashSet::new(),
            asked: None,
            last_update: None,
            requests: 0,
            quiet: Duration::ZERO,
            over: false,
            image_items: Vec::new(),
            pictures: 0,
            typed: 0,
            words: Vec::new(),
            said: HashSet::new(),
        };
        monkey.handle(Input::Connected { timeout: Duration::from_secs(10) });
        if !monkey.dice.one_in(8) {
            monkey.server(json!({"type": "session.updated", "session": {}}));
        }
        monkey
    }

    fn handle(&mut self, input: Input) {
        if matches!(input, Input::Flushed) {
            self.quiet = Duration::ZERO;
        }
        self.conversation.handle(input, self.now);
        self.send_due_frames();
        self.check_words();
    }

    /// What comes out is right in itself.
    fn send_due_frames(&mut self) {
        while let Some(output) = self.conversation.poll() {
            assert!(!self.over, "nothing comes after the end, but {output:?}");
            match output {
                Output::Send(event) => self.look_at_sent(event),
                Output::GapUntil(until) => {
                    assert!(until > self.quiet);
                    self.quiet = until;
                }
                Output::Event(Event::Warning(warning)) if warning.code.as_deref() == Some("no-answer") => {
                    self.asked = None
                }
                Output::Event(Event::Frame(frame)) if frame.state == (FrameState::Skipped { reason: "refused" }) => {
                    self.image_items.retain(|image_items| frame.item_id.as_ref() != Some(&image_items.0));
                }
                Output::SendPicture(picture) => self.look_at_picture(&picture),
                Output::Fail(_) | Output::Finished { .. } => self.over = true,
                Output::Play(speech) => assert!(!speech.data.is_empty()),
                Output::SendJson { name, .. } => panic!("{name} is of another kind of session"),
                Output::FlushAudio
                | Output::Event(_)
                | Output::Text(_)
                | Output::TextGapUntil(..)
                | Output::Reconnect
                | Output::Preconnect => {}
            }
        }
    }

    fn look_at_sent(&mut self, event: ClientEvent) {
        let id = event.event_id().map(str::to_owned).unwrap_or_else(|| panic!("{event:?} has no name"));
        assert!(self.sent.insert(id.clone()), "{id} is used twice");
        match &event {
            ClientEvent::ConversationItemDelete(delete) if delete.item_id.starts_with("frame_") => {
                let pictures: usize = self.image_items.iter().map(|image_items| image_items.1).sum();
                assert!(pictures > 2, "there are not too many");
                assert_eq!(self.image_items.remove(0).0, delete.item_id, "the oldest goes first, and once");
                self.words.retain(|words| words.item_id.as_ref() != Some(&delete.item_id));
            }
            ClientEvent::ConversationItemCreate(create) if create.item.role == Some(Role::User) => {
                let text = create.item.content.iter().flatten().find_map(|part| part.text.clone()).unwrap_or_default();
                self.said.insert(text.clone());
                self.words.push(Words { event_id: id, item_id: None, text });
            }
            ClientEvent::InputAudioBufferAppend(append) => assert!(!append.audio.0.is_empty()),
            ClientEvent::ResponseCreate(_) => {
                assert_eq!(self.asked, None, "an answer is asked for twice");
                self.asked = Some(id);
                self.requests += 1;
            }
            other => {
                if matches!(other, ClientEvent::SessionUpdate(_)) {
                    self.last_update = Some(id);
                }
                let again = ClientEvent::from_json(&other.to_json());
                assert!(again.is_ok_and(|again| again == *other), "{other:?}");
            }
        }
    }

    /// Messages with pictures have names of their own.
    fn look_at_picture(&mut self, message: &PictureMessage) {
        assert!(self.sent.insert(message.event_id.clone()) && message.item_id.len() <= 32, "{message:?}");
        assert!(
            !self.image_items.iter().any(|image_items| image_items.0 == message.item_id),
            "{} is used twice",
            message.item_id
        );
        assert!(ClientEvent::from_json(&message.to_json()).is_ok() && !message.pictures.is_empty(), "{message:?}");
        self.image_items.push((message.item_id.clone(), message.pictures.len()));
        self.pictures += message.pictures.len();
        if let Some(text) = message.words.clone() {
            self.said.insert(text.clone());
            let (event_id, item_id) = (message.event_id.clone(), Some(message.item_id.clone()));
            self.words.push(Words { event_id, item_id, text });
        }
    }

    /// The user types something that was never typed before.
    fn write(&mut self) {
        self.typed += 1;
        let (text, respond) = (format!("typed {}", self.typed), self.dice.one_in(2));
        self.handle(Input::Command(Command::Text { text, respond, at: None }));
    }

    /// Nothing that was typed is lost with a picture.
    fn check_words(&self) {
        let lost = |said: &&String| !self.words.iter().any(|words| words.text == **said);
        assert_eq!(self.said.iter().find(lost), None, "it is lost");
    }

    /// What an error names is not in the conversation.
    fn refuse(&mut self, event_id: &str) {
        let refused = self.words.extract_if(.., |words| words.event_id == event_id);
        for words in refused.filter(|words| words.item_id.is_none()) {
            self.said.remove(&words.text);
        }
    }

    fn on_frame(&mut self) {
        let pad = Some(self.dice.pick(&["video_sink_0", "video_sink_1"]).to_owned());
        let file = Bytes::from(vec![self.dice.below(3) as u8; 9]);
        let at = self.input.saturating_sub(Duration::from_millis(self.dice.below(300)));
        let frame = Frame { pad, file, media_type: "image/png", at, interval: None, detail: None, prompt: None };
        let input = match self.dice.below(20) {
            0 => Input::Command(Command::SendFrame(None)),
            1 => Input::Command(Command::SendFrame(Some(Box::new(frame)))),
            _ => Input::Frame(Box::new(frame)),
        };
        self.handle(input);
    }

    fn server(&mut self, event: Value) {
        let event = ServerEvent::from_json(&event.to_string()).unwrap_or_else(|error| panic!("{error}"));
        let resolves = match &event {
            ServerEvent::ResponseCreated(_) | ServerEvent::ResponseDone(_) => true,
            ServerEvent::Error(error) => error.error.event_id == self.asked || error.error.event_id.is_none(),
            _ => false,
        };
        if resolves {
            self.asked = None;
        }
        if let ServerEvent::Error(error) = &event
            && let Some(id) = &error.error.event_id
        {
            self.refuse(id);
        }
        self.handle(Input::Server(Box::new(event)));
    }

    fn step(&mut self) {
        match self.dice.below(20) {
            0..=7 => self.speak(),
            8 if self.dice.one_in(10) => {
                let behind = self.dice.one_in(2);
                self.handle(Input::Behind(behind));
            }
            8 if self.dice.one_in(4) => self.write(),
            8 => self.on_frame(),
            9 if self.dice.one_in(20) => self.handle(Input::Flushed),
            9 if self.dice.one_in(40) => self.handle(Input::Format(AudioFormat::Pcmu)),
            9 if self.dice.one_in(20) => self.handle(Input::EndOfStream),
            9 if self.dice.one_in(400) => self.handle(Input::Closed { code: Some(1006), reason: String::new() }),
            9 | 10 => {
                let time = Duration::from_millis(self.dice.below(4) * self.dice.below(1_000));
                self.pass(time);
            }
            11 => self.listener(),
            _ => {
                let event = self.event();
                self.server(event);
            }
        }
    }

    fn speak(&mut self) {
        if !self.conversation.wants_sound(self.now) && !self.dice.one_in(50) {
            return;
        }
        let length = match self.dice.below(10) {
            0 => 1 + self.dice.below(5) as usize,
            1..=8 => 4_800,
            _ => 48_000,
        };
        let end = (self.at + length).min(self.sound.len());
        let data = self.sound.slice(self.at..end);
        self.at = if end == self.sound.len() { 0 } else { end };
        match self.dice.below(400) {
            0 => self.input += Duration::from_millis(self.dice.below(100_000)),
            1 => self.input = self.input.saturating_sub(Duration::from_millis(self.dice.below(1_000))),
            _ => {}
        }
        let at = (!self.dice.one_in(20)).then_some(self.input);
        self.input += Duration::from_nanos(data.len() as u64 / 2 * 1_000_000_000 / 24_000);
        self.handle(Input::Audio(AudioChunk { data, at }));
    }

    fn listener(&mut self) {
        let heard = self.dice.below(100_000);
        let item_id = self.dice.pick(&["a1", "a2", "a3", ""]).to_owned();
        let now = Duration::from_millis(self.dice.below(100_000));
        if self.dice.one_in(2) {
            self.handle(Input::Began { item_id, at: now, pushed: self.now });
        } else {
            self.handle(Input::Played { now, items: vec![PlayedPart { item_id, content_index: 0, heard }] });
        }
    }

    /// Time passes; whoever is woken at a deadline must not want to be woken at once again.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        let mut wakes = 0;
        while let Some(deadline) = self.conversation.deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.conversation.wake(self.now);
            self.send_due_frames();
            let next = self.conversation.deadline();
            assert!(next.is_none_or(|next| next > self.now), "the deadline stands still");
            wakes += 1;
            assert!(wakes < 10_000, "woken all the time");
        }
        self.now = until;
    }

    fn event(&mut self) -> Value {
        let user = self.dice.pick(&["u1", "u2", "u3", "", "a1"]);
        let (item, response) = (self.dice.pick(&["a1", "a2", "a3", ""]), self.dice.pick(&["r1", "r2", "r3", ""]));
        let at = self.dice.below(60_000);
        match self.dice.below(14) {
            0 | 1 => json!({"type": "response.created", "response": {"id": response}}),
            2 | 3 => {
                let status = self.dice.pick(&["completed", "cancelled", "failed", "incomplete", "odd"]);
                json!({"type": "response.done", "response": {"id": response, "status": status}})
            }
            4 | 5 => delta(response, item, self.dice.below(500) as usize),
            6 => json!({"type": "response.output_audio.done", "response_id": response, "item_id": item}),
            7 => json!({"type": "input_audio_buffer.speech_started", "item_id": user, "audio_start_ms": at}),
            8 => json!({"type": "input_audio_buffer.speech_stopped", "item_id": user, "audio_end_ms": at}),
            9 => json!({"type": "input_audio_buffer.committed", "item_id": user}),
            10 => {
                let kind = self.dice.pick(&["completed", "failed", "delta"]);
                let name = format!("conversation.item.input_audio_transcription.{kind}");
                json!({"type": name, "item_id": user, "transcript": "hm", "delta": "h"})
            }
            11 => json!({"type": "session.updated", "session": {"id": "s"}}),
            12 => self.error(),
            _ => {
                json!({"type": self.dice.pick(&["what.is.this", "response.output_item.added", "input_audio_buffer.timeout_triggered"])})
            }
        }
    }

    fn error(&mut self) -> Value {
        let guilty = match self.dice.below(4) {
            0 => self.asked.clone(),
            1 => self.last_update.clone().filter(|_| self.sent.len() > 1),
            2 => Some(format!("evt_{}", self.dice.below(50) + 2)),
            _ => None,
        };
        let code = self.dice.pick(&[
            "conversation_already_has_active_response",
            "invalid_value",
            "response_cancel_not_active",
        ]);
        json!({"type": "error", "error": {"code": code, "message": "no", "event_id": guilty}})
    }

    /// The server is silent from here on. It ends none the less.
    fn end(mut self) {
        self.server(json!({"type": "session.updated", "session": {}}));
        for _ in 0..4 {
            self.handle(Input::EndOfStream);
            self.pass(Duration::from_secs(30));
        }
        assert!(self.over, "the end is put off for ever: {:?}", self.conversation);
    }
}

#[test]
fn whatever_happens_it_ends_and_never_asks_twice() {
    let mut sound = vec![0; 24_000];
    sound.extend(recording("goforward.wav"));
    sound.extend(vec![0; 48_000]);
    let sound = Bytes::from(sound);
    let (mut steps, mut requests, mut pictures, mut typed) = (0, 0, 0, 0);
    for seed in 1..=400 {
        let mut monkey = Monkey::new(seed, &sound);
        for _ in 0..300 {
            if monkey.over {
                break;
            }
            monkey.step();
            steps += 1;
        }
        requests += monkey.requests;
        pictures += monkey.pictures;
        typed += monkey.said.len();
        monkey.end();
    }
    let enough = steps > 50_000 && requests > 200 && pictures > 200 && typed > 200;
    assert!(enough, "{steps} steps, {requests} requests, {pictures} pictures and {typed} words say little");
}
