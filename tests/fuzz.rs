// SPDX-License-Identifier: MPL-2.0

//! Anything in any order: whatever users, servers, settings and the clock do to a conversation, some things hold.
//!
//! `PROPTEST_CASES=1000000 cargo test --release --test fuzz` looks longer.

#[path = "support/schema.rs"]
mod schema;

use gstopenairealtime::audio::vad::VadConfig;
use gstopenairealtime::realtime::conversation::config::{Config, Detection};
use gstopenairealtime::realtime::conversation::config::{ConfigUpdate, FrameConfig, FramePolicy};
use gstopenairealtime::realtime::conversation::io::Command;
use gstopenairealtime::realtime::conversation::{Conversation, Event, Input, Output};
use gstopenairealtime::types::Timing;
use gstopenairealtime::types::{AudioChunk, Frame, PlayedPart};
use openai_protocol::items::ItemKind;
use openai_protocol::session::{
    AudioConfig, AudioFormat, AudioInput, AudioOutput, SessionKind, Transcription, TurnDetection,
};
use openai_protocol::{ClientEvent, ResponseParams, ServerEvent, Session, Setting};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    Server(Value),
    /// The server refuses the event of ours that is so many back.
    Refuse(usize, &'static str),
    AudioChunk(u16),
    /// A camera, where on the timeline, and what it sees.
    Frame(u8, u32, u8),
    Behind(bool),
    Command(Command),
    Configure(Box<Wished>),
    Played(u32, u8, u32),
    Began(u8, u32),
    Format(bool),
    Time(u32),
    Flushed,
    /// The connection breaks, and is had back.
    Lose,
}

/// What may differ between two configurations.
#[derive(Clone, Debug)]
struct Wished {
    detection: u8,
    offline: bool,
    create: bool,
    interrupt: bool,
    transcribes: bool,
    instructions: Option<String>,
    voice: u8,
    speed: Option<f64>,
    per_minute: u32,
    max_cost: f64,
    /// The policy, whether each is answered, and how many stay.
    frames: (u8, bool, u8),
}

impl Wished {
    fn config(&self) -> Config {
        let detection = match self.detection % 8 {
            0..=3 => Detection::Server { silence: Duration::from_millis(200) },
            // Its ear takes most of the time.
            4 => Detection::Local(VadConfig {
                threshold: 0.5,
                prefix: Duration::from_millis(300),
                silence: Duration::from_millis(500),
            }),
            _ => Detection::Manual,
        };
        let by_server = matches!(detection, Detection::Server { .. });
        let turn_detection =
            TurnDetection { kind: Some("server_vad".into()), create_response: Some(self.create), ..Default::default() };
        let session = Session {
            kind: Some(SessionKind::Realtime),
            instructions: self.instructions.clone(),
            audio: Some(AudioConfig {
                input: Some(AudioInput {
                    format: Some(AudioFormat::Pcm),
                    transcription: match self.transcribes {
                        true => Setting::Set(Transcription { model: Some("whisper-1".into()), ..Default::default() }),
                        false => Setting::Keep,
                    },
                    turn_detection: if by_server { Setting::Set(turn_detection) } else { Setting::Off },
                    ..Default::default()
                }),
                output: Some(AudioOutput {
                    format: Some(AudioFormat::Pcm),
                    voice: Some(json!(["alloy", "cedar", "marin"][usize::from(self.voice) % 3])),
                    speed: self.speed,
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        Config {
            session,
            translation: None,
            model: "gpt-realtime-2.1".into(),
            detection,
            timing: if self.offline { Timing::Offline } else { Timing::Live },
            input: AudioFormat::Pcm,
            output: AudioFormat::Pcm,
            create_response: self.create,
            interrupt_response: self.interrupt,
            respond_on_eos: true,
            drain_timeout: Duration::from_secs(5),
            tool_timeout: Some(Duration::from_secs(7)),
            time_of_day: Duration::ZERO,
            alignment_threshold: Duration::from_millis(40),
            discont_wait: Duration::from_secs(1),
            max_speed: 0.0,
            transcribes: self.transcribes,
            requests_per_minute: self.per_minute,
            max_cost: self.max_cost,
            reconnects: true,
            max_session_duration: Duration::ZERO,
            replays_frames: false,
            server_responds: self.create && self.frames.0 % 4 != 1,
            frames: FrameConfig {
                policy: [FramePolicy::Interval, FramePolicy::Turn, FramePolicy::Speech, FramePolicy::Manual]
                    [usize::from(self.frames.0) % 4],
                respond: self.frames.1,
                most: usize::from(self.frames.2),
                ..FrameConfig::default()
            },
        }
    }
}

fn wished() -> impl Strategy<Value = Wished> {
    let words = prop_oneof![Just(None), "[a-z ]{0,8}".prop_map(Some)];
    let speed = prop_oneof![Just(None), (0.25f64..1.5).prop_map(Some)];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let limits = (prop_oneof![Just(0u32), 1u32..4], prop_oneof![Just(0.0f64), Just(0.01)]);
    let frames = (any::<u8>(), any::<bool>(), 0u8..4);
    (any::<u8>(), flags, words, any::<u8>(), speed, limits, frames).prop_map(
        |(
            detection,
            (offline, create, interrupt, transcribes),
            instructions,
            voice,
            speed,
            (per_minute, max_cost),
            frames,
        )| {
            Wished {
                detection,
                offline,
                create,
                interrupt,
                transcribes,
                instructions,
                voice,
                speed,
                per_minute,
                max_cost,
                frames,
            }
        },
    )
}

/// What servers say, to the point and beside it.
fn server() -> impl Strategy<Value = Value> {
    let id = |prefix: &'static str| (0u8..4).prop_map(move |n| format!("{prefix}{n}"));
    let status = prop::sample::select(vec!["completed", "cancelled", "incomplete", "failed", "in_progress", "odd"]);
    prop_oneof![
        3 => Just(json!({"type": "session.updated", "session": {}})),
        2 => (id("u"), 0u32..60_000).prop_map(|(item, at)| {
            json!({"type": "input_audio_buffer.speech_started", "item_id": item, "audio_start_ms": at})
        }),
        2 => (id("u"), 0u32..60_000).prop_map(|(item, at)| {
            json!({"type": "input_audio_buffer.speech_stopped", "item_id": item, "audio_end_ms": at})
        }),
        2 => id("u").prop_map(|item| json!({"type": "input_audio_buffer.committed", "item_id": item})),
        1 => id("u").prop_map(|item| {
            json!({"type": "input_audio_buffer.timeout_triggered", "item_id": item, "audio_start_ms": 0, "audio_end_ms": 6000})
        }),
        2 => (id("u"), "[a-z ]{0,12}").prop_map(|(item, words)| {
            json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": item, "transcript": words})
        }),
        1 => id("u").prop_map(|item| {
            json!({"type": "conversation.item.input_audio_transcription.failed", "item_id": item, "error": {"message": "no"}})
        }),
        4 => (id("r"), any::<bool>()).prop_map(|(response, beside)| {
            let conversation = if beside { Value::Null } else { json!("conv_1") };
            json!({"type": "response.created", "response": {"id": response, "conversation_id": conversation}})
        }),
        4 => (id("r"), status).prop_map(|(response, status)| {
            let usage = json!({"output_token_details": {"audio_tokens": 90}});
            json!({"type": "response.done", "response": {"id": response, "status": status, "usage": usage}})
        }),
        3 => (id("r"), id("a"), 0u32..2, 1usize..800).prop_map(|(response, item, part, length)| {
            use openai_protocol::Base64;
            use openai_protocol::server::ResponseOutputAudioDelta;
            let event = ResponseOutputAudioDelta {
                response_id: response,
                item_id: item,
                content_index: part,
                delta: Base64::from(vec![1; length * 48]),
                ..Default::default()
            };
            json!(ServerEvent::from(event))
        }),
        2 => (id("r"), id("a"), 0u32..2).prop_map(|(response, item, part)| {
            json!({"type": "response.output_audio.done", "response_id": response, "item_id": item, "content_index": part})
        }),
        3 => (id("r"), id("a"), any::<bool>(), any::<bool>(), "[a-zé.? ]{0,120}").prop_map(
            |(response, item, spoken, done, words)| {
                let kind = if spoken { "output_audio_transcript" } else { "output_text" };
                let (end, field) = match (done, spoken) {
                    (false, _) => ("delta", "delta"),
                    (true, true) => ("done", "transcript"),
                    (true, false) => ("done", "text"),
                };
                json!({"type": format!("response.{kind}.{end}"), "response_id": response, "item_id": item,
                    "content_index": 0, field: words})
            }
        ),
        2 => (id("r"), id("c"), any::<bool>()).prop_map(|(response, call, whole)| {
            let status = if whole { "completed" } else { "incomplete" };
            json!({"type": "response.output_item.done", "response_id": response, "item": {"type": "function_call",
                "id": format!("i{call}"), "call_id": call, "name": "f", "arguments": "{}", "status": status}})
        }),
        1 => id("m").prop_map(|request| {
            json!({"type": "response.output_item.done", "response_id": "r1", "item": {"type": "mcp_approval_request",
                "id": request, "server_label": "s", "name": "f", "arguments": "{}"}})
        }),
        1 => Just(json!({"type": "error", "error": {"message": "no", "code": "conversation_already_has_active_response"}})),
        1 => Just(json!({"type": "error", "error": {"message": "no", "code": "server_error"}})),
        1 => Just(json!({"type": "something.new", "field": 1})),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let call = (0u8..5).prop_map(|n| format!("c{n}"));
    let metadata = prop_oneof![
        Just(None),
        Just(Some(ResponseParams { instructions: Some("shout".into()), ..Default::default() })),
        Just(Some(ResponseParams { conversation: Some("none".into()), ..Default::default() })),
    ];
    prop_oneof![
        ("[a-z]{1,8}", any::<bool>()).prop_map(|(text, respond)| Command::Text { text, respond, at: None }),
        Just(Command::Commit),
        Just(Command::Clear),
        Just(Command::SendFrame(None)),
        metadata.prop_map(|params| Command::CreateResponse(params.map(Box::new))),
        Just(Command::CancelResponse),
        (call, "[a-z]{0,4}").prop_map(|(call_id, output)| Command::FunctionOutput { call_id, output }),
        ((0u8..4).prop_map(|n| format!("m{n}")), any::<bool>())
            .prop_map(|(request_id, approve)| Command::Approve { request_id, approve }),
        Just(Command::Event(Box::new(
            ClientEvent::from_json(r#"{"type":"conversation.item.delete","item_id":"a1"}"#).expect("an event")
        ))),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let code = prop::sample::select(vec![
        "conversation_already_has_active_response",
        "invalid_value",
        "response_cancel_not_active",
        "input_audio_buffer_commit_empty",
    ]);
    prop_oneof![
        12 => server().prop_map(Step::Server),
        2 => (0usize..6, code).prop_map(|(back, code)| Step::Refuse(back, code)),
        4 => (1u16..1_000).prop_map(Step::AudioChunk),
        4 => (0u8..3, 0u32..3_000, 0u8..3).prop_map(|(pad, early, file)| Step::Frame(pad, early, file)),
        1 => any::<bool>().prop_map(Step::Behind),
        5 => command().prop_map(Step::Command),
        2 => wished().prop_map(|wished| Step::Configure(Box::new(wished))),
        2 => (0u32..60_000, 0u8..4, 0u32..2_000).prop_map(|(now, item, heard)| Step::Played(now, item, heard)),
        2 => (0u8..4, 0u32..60_000).prop_map(|(item, at)| Step::Began(item, at)),
        1 => any::<bool>().prop_map(Step::Format),
        5 => (0u32..20_000).prop_map(Step::Time),
        1 => Just(Step::Flushed),
        1 => Just(Step::Lose),
    ]
}

/// Somebody who says the same sentence again and again, with pauses: a recording at 16 kHz, brought to 24 kHz by
/// repeating every second sample.
fn speech() -> &'static [u8] {
    static SPEECH: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/media/goforward.wav");
        let file = std::fs::read(path).expect("a recording");
        let samples: Vec<&[u8]> = file[44..].chunks_exact(2).collect();
        let mut sound: Vec<u8> =
            samples.chunks_exact(2).flat_map(|two| [two[0], two[0], two[1]]).flatten().copied().collect();
        sound.resize(sound.len() + 48 * 900, 0);
        sound
    });
    &SPEECH
}

/// A conversation, and what is known of it from outside.
struct World {
    conversation: Conversation,
    now: Instant,
    input: Duration,
    revision: u64,
    rate: usize,
    sent: Vec<String>,
    names: HashSet<String>,
    /// A request for an answer that nothing has come of.
    asked: Option<String>,
    /// Outputs that were sent for each call, and how often the server has told of it: servers use a name again.
    outputs: HashMap<String, usize>,
    calls: HashMap<String, usize>,
    over: bool,
    wants_spare: bool,
    is_lost: bool,
    began: Instant,
    sessions: usize,
    /// How much of what there is to say was said.
    said: usize,
    /// The items of which audio was given out to be played: where a server uses an id again, the conversation gives
    /// the later item an id of its own.
    played: HashSet<String>,
}

impl World {
    fn handle(&mut self, input: Input) {
        if self.over {
            return;
        }
        self.conversation.handle(input, self.now);
        self.look();
        self.reconnect();
    }

    /// Other connections are there when they are wanted, most of the time.
    fn reconnect(&mut self) {
        if std::mem::take(&mut self.wants_spare) {
            let there = !self.names.len().is_multiple_of(4);
            self.handle(Input::StandbyReady(there));
        }
        if std::mem::take(&mut self.is_lost) && !self.over {
            self.asked = None;
            self.outputs.clear();
            self.sessions += 1;
            self.handle(Input::Connected { timeout: Duration::from_secs(5) });
            self.begin_session();
        }
    }

    /// A session is ready. Some end soon, some late, and of some nobody knows.
    fn begin_session(&mut self) {
        let length = [None, Some(20), Some(600)][self.sessions % 3];
        let end = length.map(|length| self.now.duration_since(self.began).as_secs() + length);
        self.server(&json!({"type": "session.updated", "session": {"expires_at": end}}));
    }

    fn look(&mut self) {
        while let Some(output) = self.conversation.poll() {
            assert!(!self.over, "nothing comes after the end, but {output:?}");
            match output {
                Output::Send(event) => self.look_at(&event),
                Output::SendPicture(picture) => {
                    let event = ClientEvent::from_json(&picture.to_json()).expect("an event");
                    self.look_at(&event);
                }
                Output::Event(Event::Warning(warning)) if warning.code.as_deref() == Some("no-answer") => {
                    self.asked = None;
                }
                Output::Play(speech) => {
                    assert!(!speech.data.is_empty());
                    self.played.insert(speech.item_id);
                }
                Output::Fail(_) | Output::Finished { .. } => self.over = true,
                Output::Preconnect => self.wants_spare = true,
                Output::Reconnect => self.is_lost = true,
                _ => {}
            }
        }
    }

    fn look_at(&mut self, event: &ClientEvent) {
        let id = event.event_id().expect("every event has a name").to_owned();
        assert!(self.names.insert(id.clone()), "{id} is used twice");
        self.sent.push(id.clone());
        let mut json = serde_json::to_value(event).expect("JSON");
        // The published type of a request has no word for switching these off, but the reference has.
        if let Some(input) = json.pointer_mut("/session/audio/input").and_then(Value::as_object_mut) {
            input.retain(|name, value| !value.is_null() || name == "turn_detection");
        }
        let errors = schema::client().errors(&json);
        assert!(errors.is_empty(), "{errors:?}: {json}");
        match event {
            ClientEvent::ResponseCreate(event) => {
                let beside = event.response.as_ref().and_then(|params| params.conversation.as_deref()) == Some("none");
                if !beside {
                    assert_eq!(self.asked, None, "an answer is asked for twice");
                    self.asked = Some(id);
                }
            }
            ClientEvent::ConversationItemCreate(event) => {
                if let Some(call) =
                    event.item.call_id.as_ref().filter(|_| event.item.kind == ItemKind::FunctionCallOutput)
                {
                    let outputs = self.outputs.entry(call.clone()).or_default();
                    *outputs += 1;
                    assert!(Some(&*outputs) <= self.calls.get(call), "{call} gets one output too many");
                }
            }
            _ => {}
        }
    }

    fn server(&mut self, value: &Value) {
        let kind = value["type"].as_str().unwrap_or_default();
        let named = value["error"]["event_id"].as_str().map(str::to_owned);
        let ends = matches!(kind, "response.created" | "response.done")
            || kind == "error" && (named.is_none() || named == self.asked);
        if ends {
            self.asked = None;
        }
        let told = value["response"]["output"].as_array().into_iter().flatten();
        for call in told.chain([&value["item"], value]).filter_map(|told| told["call_id"].as_str()) {
            *self.calls.entry(call.to_owned()).or_default() += 1;
        }
        let event = ServerEvent::from_json(&value.to_string()).expect("an event");
        self.handle(Input::Server(Box::new(event)));
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        let mut wakes = 0;
        while let Some(deadline) = self.conversation.deadline().filter(|at| *at <= until && !self.over) {
            self.now = self.now.max(deadline);
            self.conversation.wake(self.now);
            self.look();
            self.reconnect();
            wakes += 1;
            assert!(wakes < 10_000, "it is woken again and again, and nothing comes of it");
        }
        self.now = until;
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Server(value) => self.server(&value),
            Step::Refuse(back, code) => {
                if let Some(id) = self.sent.iter().rev().nth(back).cloned() {
                    let error = json!({"message": "no", "code": code, "event_id": id});
                    self.server(&json!({"type": "error", "error": error}));
                }
            }
            Step::AudioChunk(length) if self.conversation.wants_sound(self.now) => {
                let data: Vec<u8> =
                    speech().iter().cycle().skip(self.said).take(usize::from(length) * self.rate).copied().collect();
                self.said = (self.said + data.len()) % speech().len();
                let at = Some(self.input);
                self.input += Duration::from_millis(u64::from(length));
                self.handle(Input::Audio(AudioChunk { data: data.into(), at }));
            }
            Step::AudioChunk(_) => {}
            Step::Frame(pad, early, file) => {
                let at = self.input.saturating_sub(Duration::from_millis(u64::from(early)));
                let (pad, file) = (Some(format!("video_sink_{pad}")), vec![file; 9].into());
                let frame =
                    Frame { pad, file, media_type: "image/png", at, interval: None, detail: None, prompt: None };
                self.handle(Input::Frame(Box::new(frame)));
            }
            Step::Behind(behind) => self.handle(Input::Behind(behind)),
            Step::Command(command) => self.handle(Input::Command(command)),
            Step::Configure(wished) => {
                self.revision += 1;
                let wish = ConfigUpdate { revision: self.revision, config: wished.config() };
                self.handle(Input::Configure(Box::new(wish)));
            }
            Step::Played(now, item, heard) => {
                let played = PlayedPart { item_id: format!("a{item}"), content_index: 0, heard: u64::from(heard) * 24 };
                self.handle(Input::Played { now: Duration::from_millis(u64::from(now)), items: vec![played] });
            }
            Step::Began(item, at) => {
                let at = Duration::from_millis(u64::from(at));
                self.handle(Input::Began { item_id: format!("a{item}"), at, pushed: self.now });
            }
            Step::Format(phone) => {
                self.rate = if phone { 8 } else { 48 };
                self.handle(Input::Format(if phone { AudioFormat::Pcmu } else { AudioFormat::Pcm }));
            }
            Step::Time(length) => self.pass(Duration::from_millis(u64::from(length))),
            Step::Flushed => self.handle(Input::Flushed),
            Step::Lose => self.handle(Input::Closed { code: Some(1006), reason: String::new() }),
        }
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_it_is_well_formed_and_comes_to_an_end(
        first in wished(),
        opens in prop::bool::weighted(0.9),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let now = Instant::now();
        let mut world = World {
            conversation: Conversation::new(first.config(), now),
            now,
            input: Duration::ZERO,
            revision: 0,
            rate: 48,
            sent: Vec::new(),
            names: HashSet::new(),
            asked: None,
            outputs: HashMap::new(),
            calls: HashMap::new(),
            over: false,
            wants_spare: false,
            is_lost: false,
            began: now,
            sessions: steps.len(),
            said: 0,
            played: HashSet::new(),
        };
        world.handle(Input::Connected { timeout: Duration::from_secs(5) });
        if opens {
            world.begin_session();
        }
        steps.into_iter().for_each(|step| world.take(step));
        // The stream ends, and the server says nothing more: that is the end of it, sooner or later.
        world.handle(Input::EndOfStream);
        for _ in 0..2_000 {
            // Whatever is given out to be played begins to be played one day.
            for item_id in std::mem::take(&mut world.played) {
                world.handle(Input::Began { item_id, at: Duration::ZERO, pushed: world.now });
            }
            world.pass(Duration::from_secs(10));
            if world.over {
                break;
            }
        }
        prop_assert!(world.over, "it never ends: {:?}", world.conversation);
    }
}
