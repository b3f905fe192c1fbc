// SPDX-License-Identifier: MPL-2.0

//! The language in which the dialogues are written.

use crate::audio::vad::VadConfig;
use crate::error::{Error, Warning};
use crate::realtime::conversation::config::FrameConfig;
use crate::realtime::conversation::config::{Config, Detection};
use crate::realtime::conversation::io::{ResponseEvent, SessionEvent, TranscriptEvent, TurnEvent};
pub use crate::realtime::conversation::tests::server::*;
use crate::realtime::conversation::{Conversation, Event, Input, Output};
use crate::types::{AudioChunk, Timing};
use crate::types::{OutputAudio, PlayedPart, Speaker, TimedText};
use openai_protocol::session::{AudioFormat, SessionKind};
use openai_protocol::{ClientEvent, ServerEvent, Session};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A recording at 16 kHz, brought to 24 kHz by repeating every second sample: good enough to be heard.
pub fn recording(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/media/{name}", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let samples: Vec<[u8; 2]> = file[44..].chunks_exact(2).map(|s| [s[0], s[1]]).collect();
    samples.chunks_exact(2).flat_map(|two| [two[0], two[0], two[1]]).flatten().collect()
}

/// A second of silence, somebody who says "go forward ten meters", two seconds of silence.
pub fn sentence() -> Vec<u8> {
    let mut sound = vec![0; 48_000];
    sound.extend(recording("goforward.wav"));
    sound.extend(vec![0; 96_000]);
    sound
}

pub fn server_vad() -> Detection {
    Detection::Server { silence: ms(500) }
}

pub fn own_ear() -> Detection {
    Detection::Local(VadConfig { threshold: 0.5, prefix: ms(300), silence: ms(500) })
}

pub fn config(timing: Timing, detection: Detection) -> Config {
    Config {
        session: Session { kind: Some(SessionKind::Realtime), ..Default::default() },
        translation: None,
        model: "gpt-realtime-2.1".into(),
        detection,
        timing,
        input: AudioFormat::Pcm,
        output: AudioFormat::Pcm,
        create_response: true,
        interrupt_response: true,
        respond_on_eos: true,
        drain_timeout: ms(30_000),
        time_of_day: ms(0),
        alignment_threshold: ms(40),
        discont_wait: ms(1_000),
        max_speed: 0.0,
        transcribes: false,
        requests_per_minute: 0,
        max_cost: 0.0,
        reconnects: false,
        max_session_duration: ms(0),
        replays_frames: false,
        server_responds: true,
        tool_timeout: Some(ms(30_000)),
        frames: FrameConfig::default(),
    }
}

/// A conversation, its world's clock, and how far its input has come on the timeline.
pub struct Dialogue {
    pub conversation: Conversation,
    pub now: Instant,
    pub input: Duration,
    said: VecDeque<Output>,
    /// What went to the pads of text.
    pub texts: Vec<TimedText>,
    pub text_gap: Vec<(Speaker, Duration)>,
    /// Latencies of turns.
    pub turns: Vec<TurnEvent>,
}

impl Dialogue {
    pub fn new(config: Config) -> Self {
        let now = Instant::now();
        Self {
            conversation: Conversation::new(config, now),
            now,
            input: Duration::ZERO,
            said: VecDeque::new(),
            texts: Vec::new(),
            text_gap: Vec::new(),
            turns: Vec::new(),
        }
    }

    /// A dialogue that is past its opening.
    pub fn ready(config: Config) -> Self {
        let mut dialogue = Self::new(config);
        dialogue.connect();
        dialogue.expect_sent("session.update");
        dialogue.server(json!({"type": "session.updated", "session": {"id": "sess_1"}}));
        dialogue.expect_ready();
        dialogue
    }

    pub fn live(detection: Detection) -> Self {
        Self::ready(config(Timing::Live, detection))
    }

    pub fn offline(detection: Detection) -> Self {
        Self::ready(config(Timing::Offline, detection))
    }

    pub fn handle(&mut self, input: Input) {
        self.conversation.handle(input, self.now);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(output) = self.conversation.poll() {
            match output {
                Output::Text(text) => self.texts.push(text),
                Output::TextGapUntil(speaker, until) => self.text_gap.push((speaker, until)),
                Output::Event(Event::Turn(turn)) => self.turns.push(turn),
                output => self.said.push_back(output),
            }
        }
    }

    pub fn connect(&mut self) {
        self.handle(Input::Connected { timeout: ms(10_000) });
    }

    pub fn server(&mut self, event: Value) {
        let (event, _) = ServerEvent::read(&event.to_string()).unwrap_or_else(|error| panic!("{error}"));
        self.handle(Input::Server(Box::new(event)));
    }

    /// The server says several things in a row.
    pub fn server_all<const N: usize>(&mut self, events: [Value; N]) {
        events.into_iter().for_each(|event| self.server(event));
    }

    pub fn closed(&mut self, code: u16, reason: &str) {
        self.handle(Input::Closed { code: Some(code), reason: reason.into() });
    }

    pub fn end_of_stream(&mut self) {
        self.handle(Input::EndOfStream);
    }

    /// So much silence from the input, in one piece.
    pub fn hear(&mut self, length: u64) {
        self.hear_sound(&vec![0; length as usize * 48]);
    }

    pub fn hear_sound(&mut self, data: &[u8]) {
        assert!(self.wants_sound(), "sound is handed in only when it is wanted");
        self.handle(Input::Audio(AudioChunk { data: data.to_vec().into(), at: Some(self.input) }));
        self.input += Duration::from_nanos(data.len() as u64 / 2 * 1_000_000_000 / 24_000);
    }

    /// So much of the input is lost on its way.
    pub fn lose(&mut self, length: u64) {
        self.input += ms(length);
    }

    pub fn wants_sound(&self) -> bool {
        self.conversation.wants_sound(self.now)
    }

    /// The play-out is here, and so much of these items was heard.
    pub fn played(&mut self, now: u64, items: &[(&str, u64)]) {
        let played =
            |(item, heard): &(&str, u64)| PlayedPart { item_id: (*item).into(), content_index: 0, heard: heard * 24 };
        self.handle(Input::Played { now: ms(now), items: items.iter().map(played).collect() });
    }

    /// Time passes. At each deadline the conversation is woken, and must then do something about it.
    pub fn after(&mut self, length: u64) {
        let until = self.now + ms(length);
        let mut last = None;
        while let Some(deadline) = self.conversation.deadline().filter(|deadline| *deadline <= until) {
            assert_ne!(last, Some(deadline), "woken at a deadline, and it still stands");
            last = Some(deadline);
            self.now = self.now.max(deadline);
            self.conversation.wake(self.now);
            self.collect();
        }
        self.now = until;
    }

    pub fn next(&mut self) -> Option<Output> {
        self.said.pop_front()
    }

    fn expect(&mut self, what: &str) -> Output {
        self.next().unwrap_or_else(|| panic!("expected {what}, and nothing came"))
    }

    pub fn expect_nothing(&mut self) {
        assert!(self.said.is_empty(), "expected nothing, got {:?}", self.said);
    }

    /// The next thing is this event to the server.
    pub fn expect_sent(&mut self, name: &str) -> Value {
        match self.expect(name) {
            Output::Send(event) if event.name() == name => json!(event),
            other => panic!("expected {name}, got {other:?}"),
        }
    }

    /// The next things are so many milliseconds of sound to the server.
    pub fn expect_appended(&mut self, length: u64) {
        assert_eq!(self.appended().len() as u64, length * 48, "bytes appended");
    }

    /// All the sound that comes next.
    pub fn appended(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while matches!(self.said.front(), Some(Output::Send(ClientEvent::InputAudioBufferAppend(_)))) {
            let Some(Output::Send(ClientEvent::InputAudioBufferAppend(event))) = self.next() else { unreachable!() };
            all.extend_from_slice(&event.audio.0);
        }
        all
    }

    pub fn expect_notice(&mut self) -> Event {
        match self.expect("a notice") {
            Output::Event(event) => event,
            other => panic!("expected a notice, got {other:?}"),
        }
    }

    pub fn expect_ready(&mut self) {
        let event = self.expect_notice();
        assert!(matches!(event, Event::Session(SessionEvent::Ready { .. })), "{event:?}");
    }

    pub fn expect_speech(&mut self, active: bool, item: Option<&str>, at: u64) {
        let (item_id, running_time) = (item.map(str::to_owned), Some(ms(at)));
        assert_eq!(self.expect_notice(), Event::Speech { active, item_id, running_time });
    }

    pub fn expect_response(&mut self, state: &str) -> ResponseEvent {
        match self.expect_notice() {
            Event::Response(response) if response.state == state => response,
            other => panic!("expected a response that is {state}, got {other:?}"),
        }
    }

    pub fn expect_transcript(&mut self) -> TranscriptEvent {
        match self.expect_notice() {
            Event::Transcript(transcript) => transcript,
            other => panic!("expected a transcript, got {other:?}"),
        }
    }

    pub fn expect_warning(&mut self, code: &str) -> Warning {
        match self.expect_notice() {
            Event::Warning(warning) if warning.code.as_deref() == Some(code) => warning,
            other => panic!("expected a warning {code}, got {other:?}"),
        }
    }

    pub fn expect_interrupted(&mut self, item: &str, after: u64) {
        match self.expect_notice() {
            Event::Interrupted { item_id, heard, .. } => assert_eq!((item_id.as_str(), heard), (item, ms(after))),
            other => panic!("expected an interruption, got {other:?}"),
        }
    }

    pub fn expect_play(&mut self, item: &str, length: u64) -> OutputAudio {
        match self.expect("speech") {
            Output::Play(speech) => {
                assert_eq!((speech.item_id.as_str(), speech.data.len() as u64), (item, length * 48));
                speech
            }
            other => panic!("expected speech, got {other:?}"),
        }
    }

    pub fn expect_cut(&mut self) {
        let output = self.expect("a cut");
        assert!(matches!(output, Output::FlushAudio), "{output:?}");
    }

    pub fn expect_quiet(&mut self, until: u64) {
        match self.expect("quiet") {
            Output::GapUntil(time) => assert_eq!(time, ms(until)),
            other => panic!("expected quiet, got {other:?}"),
        }
    }

    pub fn expect_failure(&mut self) -> Error {
        match self.expect("a failure") {
            Output::Fail(failure) => failure,
            other => panic!("expected a failure, got {other:?}"),
        }
    }

    pub fn expect_finished(&mut self, at: u64) {
        let event = self.expect_notice();
        assert!(matches!(event, Event::Session(SessionEvent::Closed { .. })), "{event:?}");
        match self.expect("the end") {
            Output::Finished { at: end } => assert_eq!(end, ms(at)),
            other => panic!("expected the end, got {other:?}"),
        }
        self.expect_nothing();
    }

    /// What was said so far is not of interest.
    pub fn skip(&mut self) {
        self.said.clear();
    }

    /// Everything said so far.
    pub fn take_all(&mut self) -> Vec<Output> {
        self.said.drain(..).collect()
    }
}
