// SPDX-License-Identifier: MPL-2.0

//! What is done with bytes that may be anything, for cargo-fuzz and for `tests/fuzz_corpus.rs`.

// A target uses one of them.
#![allow(dead_code, reason = "shared by targets that use one each")]

use gstopenairealtime::realtime::conversation::config::{Config, Detection, FrameConfig};
use gstopenairealtime::realtime::conversation::io::Command;
use gstopenairealtime::realtime::conversation::{Conversation, Input, Output};
use gstopenairealtime::types::{AudioChunk, Timing};
use openai_protocol::session::{AudioFormat, SessionKind};
use openai_protocol::{ClientEvent, ServerEvent, Session};
use std::time::{Duration, Instant};

/// What a server sends is read or refused; what is read is written as something that reads the same.
pub fn server_event(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok((event, _)) = ServerEvent::read(text) {
        let again = event.to_json();
        let (read, left_out) = ServerEvent::read(&again).unwrap_or_else(|error| panic!("{error}: {again}"));
        assert_eq!(read.to_json(), again, "read from {text}");
        assert!(left_out.is_empty(), "{left_out:?} in {again}");
    }
}

/// The same for a client's events; and the local server takes nothing that the protocol cannot read.
pub fn client_event(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let event = ClientEvent::from_json(text);
    if realtime_server::takes_client_event(text) {
        assert!(event.is_ok(), "{text}");
    }
    if let Ok(event) = event {
        let again = event.to_json();
        let read = ClientEvent::from_json(&again).unwrap_or_else(|error| panic!("{error:?}: {again}"));
        assert_eq!(read.to_json(), again, "read from {text}");
    }
}

/// A server's events, a line each, in a conversation. A line that is no event decides by its first byte what happens
/// instead: time passes, the user speaks or types, the connection is lost. Then the stream ends, and so does it all.
pub fn conversation(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    let began = Instant::now();
    let mut world = World {
        conversation: Conversation::new(config(*kind), began),
        now: began,
        is_lost: false,
        over: false,
        played: Vec::new(),
        sessions: 0,
    };
    world.handle(Input::Connected { timeout: Duration::from_secs(10) });
    for line in data.split(|byte| *byte == b'\n') {
        world.line(line);
    }
    world.handle(Input::EndOfStream);
    for _ in 0..1_000 {
        if world.over {
            return;
        }
        // Whatever is there is played one day.
        for item_id in std::mem::take(&mut world.played) {
            world.handle(Input::Began { item_id, at: Duration::ZERO, pushed: world.now });
        }
        world.pass(Duration::from_secs(10));
    }
    panic!("it never ends: {:?}", world.conversation);
}

/// Sessions that a conversation may lose.
const SESSIONS: usize = 50;

struct World {
    conversation: Conversation,
    now: Instant,
    is_lost: bool,
    over: bool,
    /// Messages that were begun to be played.
    played: Vec<String>,
    sessions: usize,
}

impl World {
    fn line(&mut self, line: &[u8]) {
        let text = std::str::from_utf8(line).ok();
        if let Some(Ok((event, _))) = text.map(ServerEvent::read) {
            return self.handle(Input::Server(Box::new(event)));
        }
        let number = u64::from(line.get(1).copied().unwrap_or_default());
        match line.first() {
            Some(b't') => self.pass(Duration::from_millis(number * 100)),
            Some(b'a') if self.conversation.wants_sound(self.now) => {
                self.handle(Input::Audio(AudioChunk { data: vec![1; 4_800].into(), at: None }));
            }
            Some(b'm') => {
                let text = format!("message {number}");
                self.handle(Input::Command(Command::Text { text, respond: number % 2 == 0, at: None }));
            }
            Some(b'c') => self.handle(Input::Command(Command::Commit)),
            Some(b'r') => self.handle(Input::Command(Command::CreateResponse(None))),
            Some(b'x') => self.handle(Input::Command(Command::CancelResponse)),
            Some(b'l') => self.handle(Input::Closed { code: None, reason: "lost".into() }),
            Some(b'g') => self.handle(Input::Gone { silent: Duration::from_secs(10) }),
            _ => {}
        }
    }

    fn handle(&mut self, input: Input) {
        if self.over {
            return;
        }
        self.conversation.handle(input, self.now);
        self.poll();
    }

    fn poll(&mut self) {
        while let Some(output) = self.conversation.poll() {
            assert!(!self.over, "nothing comes after the end, but {output:?}");
            match output {
                Output::Fail(_) | Output::Finished { .. } => self.over = true,
                Output::Reconnect => self.is_lost = true,
                Output::Play(speech) => self.played.push(speech.item_id),
                Output::Send(event) => {
                    assert!(ClientEvent::from_json(&event.to_json()).is_ok(), "{event:?}");
                }
                _ => {}
            }
        }
        if std::mem::take(&mut self.is_lost) && !self.over {
            self.sessions += 1;
            // Whoever connects has a limit of tries.
            self.over = self.sessions > SESSIONS;
            self.handle(Input::Connected { timeout: Duration::from_secs(10) });
        }
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        let mut wakes = 0;
        while let Some(deadline) = self.conversation.deadline().filter(|at| *at <= until && !self.over) {
            self.now = self.now.max(deadline);
            self.conversation.wake(self.now);
            self.poll();
            wakes += 1;
            assert!(wakes < 10_000, "it is woken again and again");
        }
        self.now = until;
    }
}

fn config(kind: u8) -> Config {
    let bit = |n: u8| kind & (1 << n) != 0;
    Config {
        session: Session { kind: Some(SessionKind::Realtime), ..Default::default() },
        translation: None,
        model: "gpt-realtime-2.1".into(),
        detection: if bit(0) { Detection::Manual } else { Detection::Server { silence: Duration::from_millis(500) } },
        timing: if bit(1) { Timing::Offline } else { Timing::Live },
        input: AudioFormat::Pcm,
        output: AudioFormat::Pcm,
        create_response: !bit(2),
        interrupt_response: true,
        respond_on_eos: true,
        drain_timeout: Duration::from_secs(30),
        time_of_day: Duration::ZERO,
        alignment_threshold: Duration::from_millis(40),
        discont_wait: Duration::from_secs(1),
        max_speed: 0.0,
        transcribes: bit(3),
        requests_per_minute: 0,
        max_cost: 0.0,
        reconnects: bit(4),
        max_session_duration: Duration::ZERO,
        replays_frames: false,
        server_responds: !bit(5),
        tool_timeout: Some(Duration::from_secs(30)),
        frames: FrameConfig::default(),
    }
}
