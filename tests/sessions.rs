// SPDX-License-Identifier: MPL-2.0

//! Recorded sessions, played through the conversation alone: what it decides by itself is what stands in the trace.
//!
//! The traces in `tests/sessions` were written by the pad `event_src`. What the conversation does not do by itself was
//! asked for by the application, and is asked for here as well.

use gstopenairealtime::realtime::conversation::config::FrameConfig;
use gstopenairealtime::realtime::conversation::config::{Config, Detection};
use gstopenairealtime::realtime::conversation::io::Command;
use gstopenairealtime::realtime::conversation::{Conversation, Input, Output};
use gstopenairealtime::types::Timing;
use gstopenairealtime::types::{AudioChunk, PlayedPart};
use openai_protocol::items::ItemKind;
use openai_protocol::session::AudioFormat;
use openai_protocol::{ClientEvent, ServerEvent};
use serde_json::Value;
use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

/// An event of a trace.
struct Line {
    from_server: bool,
    time: Duration,
    event: Value,
}

fn read(path: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(path).expect("a trace");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    lines
        .map(|line| Line {
            from_server: line["dir"] == "s",
            time: Duration::from_secs_f64(line["t"].as_f64().expect("a time")),
            event: line["ev"].clone(),
        })
        .collect()
}

/// The configuration that a session was opened with.
fn config(update: &Value) -> Config {
    let Ok(ClientEvent::SessionUpdate(event)) = ClientEvent::from_json(&update.to_string()) else {
        panic!("a session begins with an update: {update}")
    };
    let session = event.session;
    let input = session.audio.as_ref().and_then(|audio| audio.input.clone()).expect("an input");
    let detection = match input.turn_detection.value() {
        Some(_) => Detection::Server { silence: Duration::from_millis(200) },
        None => Detection::Manual,
    };
    let turns = input.turn_detection.value();
    Config {
        transcribes: input.transcription.value().is_some(),
        create_response: turns.and_then(|turns| turns.create_response).unwrap_or(true),
        interrupt_response: turns.and_then(|turns| turns.interrupt_response).unwrap_or(true),
        input: input.format.clone().expect("a format"),
        output: session.audio.as_ref().and_then(|audio| audio.output.as_ref()?.format.clone()).expect("a format"),
        session,
        translation: None,
        model: "gpt-realtime-2.1".into(),
        detection,
        timing: Timing::Live,
        respond_on_eos: true,
        drain_timeout: Duration::from_secs(30),
        time_of_day: Duration::ZERO,
        alignment_threshold: Duration::from_millis(40),
        discont_wait: Duration::from_secs(1),
        max_speed: 0.0,
        requests_per_minute: 0,
        max_cost: 0.0,
        tool_timeout: None,
        reconnects: false,
        max_session_duration: Duration::ZERO,
        replays_frames: false,
        server_responds: true,
        frames: FrameConfig::default(),
    }
}

fn without_name(mut event: Value) -> Value {
    event.as_object_mut().expect("an event").remove("event_id");
    event
}

struct Player {
    conversation: Conversation,
    began: Instant,
    now: Instant,
    sound: Duration,
    input: AudioFormat,
    output: AudioFormat,
    sent: VecDeque<Value>,
}

impl Player {
    fn handle(&mut self, input: Input) {
        self.conversation.handle(input, self.now);
        self.look();
    }

    fn look(&mut self) {
        while let Some(output) = self.conversation.poll() {
            match output {
                Output::Send(event) => self.sent.push_back(serde_json::to_value(event).expect("JSON")),
                Output::Fail(failure) => panic!("{failure}"),
                _ => {}
            }
        }
    }

    /// Time passes until this moment of the trace.
    fn pass(&mut self, time: Duration) {
        let until = self.began + time;
        while let Some(deadline) = self.conversation.deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.conversation.wake(self.now);
            self.look();
        }
        self.now = self.now.max(until);
    }

    /// The client said this: by itself, or because the application asked for it.
    fn client(&mut self, event: &Value) {
        if self.sent.is_empty() {
            self.ask(event);
        }
        let sent = self.sent.pop_front().unwrap_or_else(|| panic!("nothing was sent, but {event}"));
        assert_eq!(without_name(sent), without_name(event.clone()));
    }

    fn ask(&mut self, event: &Value) {
        let input = match ClientEvent::from_json(&event.to_string()).expect("an event") {
            ClientEvent::InputAudioBufferAppend(event) => {
                let at = self.sound;
                let samples = (event.audio.0.len() / self.input.sample_size()) as u64;
                self.sound += Duration::from_nanos(samples * 1_000_000_000 / u64::from(self.input.rate()));
                Input::Audio(AudioChunk { data: event.audio.0, at: Some(at) })
            }
            ClientEvent::InputAudioBufferCommit(_) => Input::Command(Command::Commit),
            ClientEvent::InputAudioBufferClear(_) => Input::Command(Command::Clear),
            ClientEvent::ResponseCancel(_) => Input::Command(Command::CancelResponse),
            ClientEvent::ResponseCreate(event) => Input::Command(Command::CreateResponse(event.response.map(Box::new))),
            ClientEvent::ConversationItemCreate(event) if event.item.kind == ItemKind::FunctionCallOutput => {
                let output = event.item.output.as_ref().and_then(Value::as_str).expect("text").to_owned();
                Input::Command(Command::FunctionOutput { call_id: event.item.call_id.expect("a call"), output })
            }
            ClientEvent::ConversationItemCreate(event) => {
                let text = event.item.content.and_then(|parts| parts.into_iter().next()?.text).expect("text");
                Input::Command(Command::Text { text, respond: true, at: None })
            }
            other => panic!("nobody asks for {other:?}"),
        };
        self.handle(input);
    }

    /// The server said this. What the client then truncated tells what had been heard.
    fn server(&mut self, event: &Value, next: &[Line]) {
        if event["type"] == "input_audio_buffer.speech_started" {
            let cut = next.iter().take_while(|line| !line.from_server).map(|line| &line.event);
            let truncated = cut.filter(|event| event["type"] == "conversation.item.truncate").map(|event| PlayedPart {
                item_id: event["item_id"].as_str().expect("a name").to_owned(),
                content_index: 0,
                heard: event["audio_end_ms"].as_u64().expect("a number") * u64::from(self.output.rate()) / 1000,
            });
            let items = truncated.collect();
            self.handle(Input::Played { now: self.sound, items });
        }
        let event = ServerEvent::from_json(&event.to_string()).expect("an event");
        self.handle(Input::Server(Box::new(event)));
    }
}

fn play(path: &Path) -> usize {
    let lines = read(path);
    let update = lines.iter().find(|line| !line.from_server).expect("somebody began");
    let now = Instant::now();
    let config = config(&update.event);
    let (input, output) = (config.input.clone(), config.output.clone());
    let conversation = Conversation::new(config, now);
    let mut player =
        Player { conversation, began: now, now, sound: Duration::ZERO, input, output, sent: VecDeque::new() };
    player.handle(Input::Connected { timeout: Duration::from_secs(10) });
    for (index, line) in lines.iter().enumerate() {
        player.pass(line.time);
        if line.from_server {
            player.server(&line.event, &lines[index + 1..]);
        } else {
            player.client(&line.event);
        }
    }
    assert!(player.sent.is_empty(), "{}: more was sent: {:?}", path.display(), player.sent);
    lines.len()
}

#[test]
fn every_recorded_session_is_decided_as_it_was() {
    let folder = format!("{}/tests/sessions", env!("CARGO_MANIFEST_DIR"));
    let mut played = 0;
    for entry in std::fs::read_dir(folder).expect("the traces") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            assert!(play(&path) > 5, "{}", path.display());
            played += 1;
        }
    }
    assert!(played >= 4, "only {played} traces");
}
