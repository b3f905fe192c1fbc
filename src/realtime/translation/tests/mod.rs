// SPDX-License-Identifier: MPL-2.0

//! The core of a translation, in dialogues with an invented clock.

mod faults;
mod time;

use super::*;
use crate::realtime::conversation::event::SessionEvent;
use crate::realtime::conversation::io::Command;
use crate::realtime::conversation::tests::dialogue;
use crate::types::{OutputAudio, TimedText};
use bytes::Bytes;
use openai_protocol::session::AudioFormat;
use openai_protocol::translation::{Audio, AudioOutput, Session};
use serde_json::{Value, json};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn into(language: &str) -> Session {
    let output = AudioOutput { language: Some(language.into()), ..Default::default() };
    Session { audio: Some(Audio { output: Some(output), ..Default::default() }), ..Default::default() }
}

fn config(timing: Timing) -> Config {
    Config {
        translation: Some(into("es")),
        model: "gpt-realtime-translate".into(),
        reconnects: true,
        ..dialogue::config(timing, crate::realtime::conversation::config::Detection::Manual)
    }
}

/// A translation, its world's clock, and what it has said.
struct Interpretation {
    core: Translation,
    now: Instant,
    input: Duration,
    sent: Vec<Value>,
    played: Vec<OutputAudio>,
    texts: Vec<TimedText>,
    gaps: Vec<Duration>,
    events: Vec<Event>,
    finished: Option<Duration>,
    failure: Option<String>,
    reconnects: u32,
}

impl Interpretation {
    fn new(config: Config) -> Self {
        let now = Instant::now();
        Self {
            core: Translation::new(config, now),
            now,
            input: Duration::ZERO,
            sent: Vec::new(),
            played: Vec::new(),
            texts: Vec::new(),
            gaps: Vec::new(),
            events: Vec::new(),
            finished: None,
            failure: None,
            reconnects: 0,
        }
    }

    /// With a session that is ready.
    fn ready(config: Config) -> Self {
        let mut this = Self::new(config);
        this.open();
        this
    }

    fn open(&mut self) {
        self.give(Input::Connected { timeout: ms(10_000) });
        self.server(json!({"type": "session.created", "session": {"id": "sess_1"}}));
        self.server(json!({"type": "session.updated", "session": {"id": "sess_1", "expires_at": 99}}));
    }

    fn give(&mut self, input: Input) {
        self.core.handle(input, self.now);
        self.collect();
    }

    fn server(&mut self, event: Value) {
        let event = ServerEvent::from_json(&event.to_string()).expect("an event of the server");
        self.give(Input::Translation(Box::new(event)));
    }

    /// Audio that follows what came before, while as much time passes.
    fn speak(&mut self, length: Duration) {
        self.speak_at(Some(self.input), length);
        self.input += length;
    }

    /// Silence that follows what came before, while as much time passes.
    fn pause(&mut self, length: Duration) {
        self.push(0, Some(self.input), length);
        self.input += length;
    }

    fn speak_at(&mut self, at: Option<Duration>, length: Duration) {
        self.push(7, at, length);
    }

    fn push(&mut self, byte: u8, at: Option<Duration>, length: Duration) {
        let data = Bytes::from(vec![byte; length.as_millis() as usize * 48]);
        self.give(Input::Audio(AudioChunk { data, at }));
        self.now += length;
    }

    /// Time passes, with everything that becomes due in it.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.core.deadline().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.core.wake(self.now);
            self.collect();
        }
        self.now = end;
    }

    fn audio(&mut self, elapsed_ms: u64, samples: usize) {
        let delta = base64(&vec![1; samples * 2]);
        self.server(json!({"type": "session.output_audio.delta", "delta": delta, "elapsed_ms": elapsed_ms}));
    }

    fn text(&mut self, kind: &str, delta: &str, elapsed_ms: u64) {
        let name = format!("session.{kind}_transcript.delta");
        self.server(json!({"type": name, "delta": delta, "elapsed_ms": elapsed_ms}));
    }

    fn collect(&mut self) {
        while let Some(output) = self.core.poll() {
            match output {
                Output::SendJson { name, text } => {
                    let event: Value = serde_json::from_str(&text).expect("JSON");
                    assert_eq!(event["type"], name.as_str());
                    self.sent.push(event);
                }
                Output::Play(audio) => self.played.push(audio),
                Output::Text(text) => self.texts.push(text),
                Output::GapUntil(until) => self.gaps.push(until),
                Output::Event(event) => self.events.push(event),
                Output::Finished { at } => self.finished = Some(at),
                Output::Fail(failure) => self.failure = Some(failure.to_string()),
                Output::Reconnect => self.reconnects += 1,
                Output::TextGapUntil(..) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Names of what was sent.
    fn names(&self) -> Vec<&str> {
        self.sent.iter().filter_map(|event| event["type"].as_str()).collect()
    }

    /// Lengths of the frames that were sent, in milliseconds.
    fn frames(&self) -> Vec<usize> {
        let audio = |event: &Value| event["audio"].as_str().map(|text| text.len() / 4 * 3 / 48);
        self.sent.iter().filter_map(audio).collect()
    }

    fn warnings(&self) -> Vec<String> {
        let code = |event: &Event| match event {
            Event::Warning(warning) => warning.code.clone(),
            _ => None,
        };
        self.events.iter().filter_map(code).collect()
    }
}

fn base64(data: &[u8]) -> String {
    let mut text = String::new();
    openai_protocol::Base64::encode_into(data, &mut text);
    text
}

#[test]
fn settings_go_first_and_audio_follows_in_frames_of_200_ms() {
    let mut this = Interpretation::new(config(Timing::Live));
    this.give(Input::Connected { timeout: ms(10_000) });
    assert_eq!(this.names(), ["session.update"]);
    assert_eq!(this.sent[0]["session"], json!({"audio": {"output": {"language": "es"}}}), "no type and no model");
    assert!(!this.core.wants_sound(this.now));
    this.server(json!({"type": "session.updated", "session": {"id": "sess_1", "model": "m", "expires_at": 99}}));
    assert!(this.core.wants_sound(this.now));
    let ready = SessionEvent::Ready {
        session_id: Some("sess_1".into()),
        model: Some("m".into()),
        expires_at: Some(99),
        resumed: false,
    };
    assert_eq!(this.events, [Event::Session(ready)]);
    (0..7).for_each(|_| this.speak(ms(150)));
    assert_eq!(this.frames(), [200; 5]);
}

#[test]
fn at_the_end_the_rest_is_sent_and_the_rest_of_the_translation_awaited() {
    let mut this = Interpretation::ready(config(Timing::Offline));
    this.speak(ms(1_100));
    this.give(Input::EndOfStream);
    assert_eq!(this.frames(), [200, 200, 200, 200, 200, 100]);
    assert_eq!(this.names().last(), Some(&"session.close"));
    assert_eq!(this.finished, None);
    this.text("output", "Hola", 200);
    this.audio(200, 4_800);
    this.server(json!({"type": "session.closed"}));
    assert_eq!(this.finished, Some(ms(1_100)));
    assert_eq!(this.texts.len(), 1, "the last line goes out although no sentence ends in it");
    assert_eq!(this.core.done_until(), Some(ms(1_100)));
    assert!(this.warnings().is_empty(), "{:?}", this.warnings());
}

#[test]
fn a_server_that_never_says_that_it_is_done_is_waited_for_as_long_as_set() {
    let mut this = Interpretation::ready(config(Timing::Offline));
    this.speak(ms(400));
    this.give(Input::EndOfStream);
    this.wait(ms(29_000));
    this.audio(0, 480);
    this.wait(ms(29_999));
    assert_eq!(this.finished, None);
    this.wait(ms(1));
    assert_eq!((this.finished, this.warnings()), (Some(ms(400)), vec!["drain-timeout".to_owned()]));
    assert_eq!(this.core.done_until(), Some(ms(0)), "of what is said, nothing is known to be translated");
}

#[test]
fn holes_are_silence_and_a_stall_ends_what_was_said() {
    let mut this = Interpretation::ready(config(Timing::Offline));
    this.speak(ms(200));
    this.speak_at(Some(ms(1_400)), ms(200));
    assert_eq!(this.frames().len(), 8, "the hole is a part of the time that the server counts");
    this.audio(1_200, 480);
    assert_eq!(this.played[0].not_before, ms(1_200));
    let mut this = Interpretation::ready(config(Timing::Live));
    this.speak(ms(300));
    this.wait(ms(1_500));
    assert_eq!(this.frames().iter().sum::<usize>(), 300 + 2_000);
    this.wait(ms(60_000));
    assert_eq!(this.frames().iter().sum::<usize>(), 300 + 2_000, "once");
}

#[test]
fn settings_change_in_the_midst_and_what_is_refused_is_told() {
    let mut this = Interpretation::ready(config(Timing::Live));
    let set = |this: &mut Interpretation, revision, session| {
        let config = Config { translation: Some(session), ..config(Timing::Live) };
        this.give(Input::Configure(Box::new(crate::realtime::conversation::config::ConfigUpdate { revision, config })));
    };
    let change = |this: &mut Interpretation, revision, language| set(this, revision, into(language));
    change(&mut this, 1, "fr");
    change(&mut this, 2, "xx");
    let updates: Vec<_> = this.sent.iter().filter(|event| event["type"] == "session.update").collect();
    assert_eq!(updates.len(), 3);
    let refused = updates[2]["event_id"].clone();
    this.server(json!({"type": "session.updated", "session": {}}));
    let error = json!({"type": "invalid_request_error", "message": "No such language.", "event_id": refused});
    this.server(json!({"type": "error", "error": error}));
    let settings = |event: &Event| match event {
        Event::Settings { revision, without } => Some((*revision, without.join(" "))),
        _ => None,
    };
    let told: Vec<_> = this.events.iter().filter_map(settings).collect();
    assert_eq!(told, [(1, String::new()), (2, "audio.output.language".into())]);
    change(&mut this, 3, "fr");
    let told = this.events.iter().filter_map(settings).next_back();
    assert_eq!(told, Some((3, String::new())), "nothing to ask the server for");

    // Of several changes, those are refused that the error names, or all.
    let both = json!({"audio": {"input": {"noise_reduction": null}, "output": {"language": "yy"}}});
    for (revision, param, refused) in [
        (4, json!("session.audio.output.language"), "audio.output.language"),
        (5, json!(null), "audio.input.noise_reduction audio.output.language"),
    ] {
        set(&mut this, revision, serde_json::from_value(both.clone()).expect("a session"));
        let event_id = this.sent.last().expect("an update")["event_id"].clone();
        let error = json!({"type": "invalid_request_error", "message": "No.", "param": param, "event_id": event_id});
        this.server(json!({"type": "error", "error": error}));
        assert_eq!(this.events.iter().filter_map(settings).next_back(), Some((revision, refused.into())));
    }
}

#[test]
fn what_is_for_conversations_is_refused_by_name() {
    let mut this = Interpretation::ready(config(Timing::Live));
    this.give(Input::Command(Command::Commit));
    let told =
        this.events.iter().any(|event| matches!(event, Event::Warning(warning) if warning.message.contains("commit")));
    assert!(told && this.warnings() == ["not-in-translation"]);
    this.give(Input::Format(AudioFormat::Pcmu));
    assert!(this.failure.is_some_and(|failure| failure.contains("audio_sink") && failure.contains("PCM")));
}

#[test]
fn it_is_paid_for_by_the_minute() {
    let mut this = Interpretation::ready(Config { max_cost: 0.05, ..config(Timing::Offline) });
    (0..100).for_each(|_| this.speak(ms(1_000)));
    let costs = |event: &Event| match event {
        Event::Usage { total_cost, .. } => *total_cost,
        _ => None,
    };
    let costs: Vec<f64> = this.events.iter().filter_map(costs).collect();
    assert!(costs.len() == 1 && (costs[0] - 0.034).abs() < 1e-9, "{costs:?}");
    assert_eq!(this.warnings(), ["max-cost"]);
    assert_eq!(this.names().last(), Some(&"session.close"), "it ends in order");
    let seconds = this.frames().iter().sum::<usize>() as f64 / 1000.0;
    assert!((88.0..=89.0).contains(&seconds), "{seconds}");
}
